"""Calls of witnesses are bounded in time, go where the operator said, and each answer has one meaning."""

import time

import pytest

from pathbook.ledger.proofs.policy import parse_policy
from pathbook.ledger.proofs.submission import PATH, SIZE_TYPE
from pathbook.services import witness_calls
from pathbook.services.cosigning import Outcome, judge
from pathbook.services.witness_calls import WitnessAnswer, WitnessConnection, addresses
from pathbook.witness.key_file import WitnessKey
from tests.witness.hostile import answered, hostile
from tests.witness.logs import policy

W1, W2 = (WitnessKey(f"witness.example/w{number}", bytes([number]) * 32) for number in (1, 2))


def test_a_witness_that_drips_is_cut() -> None:
    """A call ends in its time, however slowly a witness sends, in its head or in its body."""
    for text in (b"HTTP/1.1 200 OK\r\nA: " + b"x<pause>" * 100, answered(b"x<pause>" * 100)):
        with hostile(text) as (url, _):
            connection = WitnessConnection(url, timeout=0.5)
            began = time.monotonic()
            with pytest.raises(TimeoutError):
                connection.post(b"x")
            assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    ("status", "kind", "body", "old", "outcome"),
    [
        (200, "text/plain", b"", 0, None),
        (409, SIZE_TYPE, b"9\n", 9, Outcome.HISTORY_CONTRADICTED),
        (409, "text/plain", b"x\n", 9, Outcome.HISTORY_CONTRADICTED),
        (409, SIZE_TYPE, b"10\n", 3, Outcome.AHEAD),
        (409, SIZE_TYPE, b"3\n", 3, Outcome.ANSWER_MALFORMED),
        (409, SIZE_TYPE, b"3", 4, Outcome.ANSWER_MALFORMED),
        (422, "text/plain", b"", 3, Outcome.PROOF_REFUSED),
        (403, "text/plain", b"", 3, Outcome.KEY_REFUSED),
        (404, "text/plain", b"", 3, Outcome.LOG_UNKNOWN),
        (400, "text/plain", b"", 3, Outcome.REQUEST_REFUSED),
        (503, "text/plain", b"", 3, Outcome.UNREACHABLE),
        (302, "text/plain", b"", 3, Outcome.ANSWER_MALFORMED),
    ],
)
def test_an_answer_means_one_thing(
    status: int, kind: str, body: bytes, old: int, outcome: Outcome | None
) -> None:
    """Each answer about a checkpoint of 9 leaves has a name."""
    assert judge(WitnessAnswer(status, kind, body), old, 9) is outcome


@pytest.mark.parametrize(
    "line",
    [
        "",
        f"witness a {W1.verifier} ftp://h",
        f"witness a {W1.verifier} http://",
        f"witness a {W1.verifier} http://h:99999",
        f"witness a {W1.verifier} http://u:p@h",
        f"witness a {W1.verifier} http://h?x=1",
        f"witness a {W1.verifier} http://{'a' * 64}",
        f"witness a {W1.verifier} http://é",
        *["\n".join(f"witness w{n} {WitnessKey('w', bytes([n]) * 32).verifier} http://h" for n in range(33))],
    ],
)
def test_witnesses_that_cannot_be_asked_are_refused_at_the_start(line: str) -> None:
    """A policy without witnesses, or with one that cannot be called, is named before anything runs."""
    with pytest.raises(ValueError, match="witness"):
        addresses(parse_policy(policy(line, "quorum none")))


def test_a_witness_without_a_url_is_not_asked() -> None:
    """It brings what it cosigns, as an auditor does."""
    text = policy(f"witness a {W1.verifier}", f"witness b {W2.verifier} http://h", "quorum none")
    assert [each.name for each in addresses(parse_policy(text))] == ["b"]


def test_redirects_and_urls_go_nowhere_else() -> None:
    """A prefix with a path is kept, and the path of the protocol follows it."""
    connection = WitnessConnection("https://w.example:8443/prefix/")
    assert connection._path == f"/prefix{PATH}"
    assert connection._connection.port == 8443
    assert witness_calls.CALL_TIMEOUT_S < 60
