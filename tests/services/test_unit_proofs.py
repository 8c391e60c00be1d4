"""Proofs that a server gives: what the book sealed is checked without it, and what is newer is not sealed yet."""

import contextlib
import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import grpc
import pytest
from nacl.signing import SigningKey

from pathbook.audit.replaying import Replay
from pathbook.audit.sources import of_server
from pathbook.client import Client, RefusedError
from pathbook.ledger.codes import PrintedCode, parse_code
from pathbook.ledger.proofs.signed_note import ED25519, VerifierKey
from pathbook.ledger.proofs.unit_proof import parse_unit_proof
from pathbook.services.clock import now
from pathbook.services.storage import Storage
from pathbook.v1.paths_pb2 import GetPathResponse
from pathbook.verify.checks import check_path
from pathbook.verify.proof import Now, ProvenPath, check_proof
from pathbook.verify.sealed_path import compared_with_proof
from pathbook.verify.trust import Trust
from pathbook.verify.verdicts import Number, Policy, Report, Result, Verdict
from tests.books import DATABASE_FILE, PATIENCE
from tests.services.masks import BOOK, TODAY, begin, boxes, opened_place, yuan
from tests.services.signing import ACME, ANN, OPERATOR, Filer, handed_over, positions

UNLIMITED: Final = Policy()
"""The policy of a caller who sets no limit."""


@pytest.fixture
def client(place: Path) -> Iterator[Client]:
    """A client of a server of the book of masks, in files or in PostgreSQL."""
    with opened_place(place) as client:
        begin(client)
        for giver, receiver, price in (("acme", "ann", 150), ("ann", "bob", 180)):
            client.record_transfer(giver=giver, receiver=receiver, units=boxes(0, 9), unit_price=yuan(price))
        yield client


def seal(place: Path) -> None:
    """Seal the book once and sign its checkpoint, as another process beside the server does."""
    named = place / DATABASE_FILE
    database = named.read_text("utf-8") if named.exists() else ""
    with contextlib.closing(Storage(place / "books", now, database=database)) as storage:
        head = storage.stream.head(BOOK)
        assert storage.follower.reached(BOOK, head).result(PATIENCE) >= head
        assert storage.sealer.seal(BOOK) == head


def checked(
    client: Client, unit: int, trust: Trust | None = None, policy: Policy = UNLIMITED
) -> tuple[Report, ProvenPath | None]:
    """Check the proof of a unit with the key that the server names, as a caller who knows it already."""
    trust = trust or Trust((VerifierKey.parse(client.get_log_key()),))
    data = client.get_unit_proof((1, unit))
    return check_proof(data, None, trust, Now(now(), TODAY), policy)


def outcome(report: Report, number: Number) -> tuple[Result, str]:
    """Return what a check found."""
    return next((check.result, check.detail) for check in report.checks if check.number is number)


def test_what_is_sealed_is_verified_without_the_server(client: Client, place: Path) -> None:
    """The proof of a unit that moved, and of one that no party moved, hold with the key of the log."""
    seal(place)
    for unit, hops in ((0, 2), (9, 2), (10, 0), (999, 0)):
        report, path = checked(client, unit)
        assert report.verdict is Verdict.VERIFIED, report
        assert path is not None
        assert len(path.steps) == 1 + hops
        assert outcome(report, Number.PROOFS)[0] is Result.OK
        assert "compared with the chains" in outcome(report, Number.AUTHORIZED)[1]


def test_what_is_newer_than_the_seal_is_said(client: Client, place: Path) -> None:
    """A hop after the seal is in the path, and not in the proof. The next seal has it."""
    with pytest.raises(RefusedError, match="NOT_SEALED_YET"):
        client.get_unit_proof((1, 0))
    seal(place)
    client.record_transfer(giver="bob", receiver="corner", units=boxes(0, 0), unit_price=yuan(200))
    found = joined(client, 0)
    assert found.verdict is Verdict.VERIFIED
    result, detail = outcome(found, Number.PROOFS)
    assert (result, "1 newer steps are not sealed yet" in detail) == (Result.NOTED, True)
    assert "what came after is not sealed yet" in found.sentence
    seal(place)
    found = joined(client, 0)
    assert outcome(found, Number.PROOFS)[0] is Result.OK
    assert "complete up to position" in found.sentence


def test_a_recall_and_a_revocation_are_proved(client: Client, place: Path) -> None:
    """The chain of the batch has its recall, and the chain of a party has what was revoked."""
    given = client.authorize_party("ann", upline="acme", tier=1).receipt.position
    client.revoke_authorization(given, upline="acme")
    seal(place)
    assert checked(client, 0)[0].verdict is Verdict.VERIFIED
    client.recall_units(1, brand="acme", ranges=[(1, 0, 9)], note="")
    seal(place)
    report, _ = checked(client, 0)
    assert report.verdict is Verdict.AGAINST_POLICY
    assert outcome(report, Number.RECALL)[0] is Result.FAILED
    assert checked(client, 10)[0].verdict is Verdict.VERIFIED


def test_another_key_or_another_path_is_refuted(client: Client, place: Path) -> None:
    """A key that the caller knows otherwise refutes, and so does a server that shows other steps than it sealed."""
    seal(place)
    known = VerifierKey.parse(client.get_log_key())
    other = VerifierKey(known.name, ED25519, bytes(SigningKey(bytes(range(32))).verify_key))
    assert checked(client, 0, Trust((other,)))[0].verdict is Verdict.PROOF_REFUTED
    path = client.get_path((1, 0), corrections=True)
    del path.steps[-1]
    proof, proven = checked(client, 0)
    shown = Report(Verdict.VERIFIED, proof.checks)
    found = compared_with_proof(shown, path, proof, proven, is_new_key=False)
    assert found.verdict is Verdict.PROOF_REFUTED
    assert "other steps" in outcome(found, Number.PROOFS)[1]


def test_a_unit_that_is_not_there_has_no_proof(client: Client, place: Path) -> None:
    """A unit beyond its batch, and a batch that does not exist, are refused by name."""
    seal(place)
    for unit, reason in (((1, 1_000), "RANGE_BEYOND_BATCH"), ((2, 0), "NOT_SEALED_YET")):
        with pytest.raises(RefusedError, match=reason):
            client.get_unit_proof(unit)


def test_signatures_of_single_and_filed_statements_are_proved(client: Client, place: Path) -> None:
    """A proof of a server has the chains of keys up to the operator, and the audit paths of filed statements."""
    with grpc.insecure_channel(client.target) as channel:
        filer = Filer(channel)
        filer.register(OPERATOR, ACME, ANN)
        filer.file(ACME, handed_over(20))
        (answer,) = filer.file_all(
            ACME.batch([ACME.statement(handed_over(number)) for number in range(21, 26)])
        )
        assert all(position > 0 for position in positions(answer.results))
    seal(place)
    for unit, filed in ((20, 0), (21, 1), (25, 1)):
        proof = parse_unit_proof(client.get_unit_proof((1, unit)))
        assert (len(proof.filed), proof.parties[0].number) == (filed, 0)
        report, _ = checked(client, unit, policy=Policy(min_signatures=1))
        assert report.verdict is Verdict.VERIFIED, report
        assert outcome(report, Number.SIGNATURES) == (Result.OK, "1 of 1 hops is signed by the giver")
        report, _ = checked(client, unit, policy=Policy(min_signatures=2))
        assert report.verdict is Verdict.AGAINST_POLICY
    assert checked(client, 0)[0].verdict is Verdict.VERIFIED
    audited = Replay().run(of_server(client), [], Trust())
    assert audited.replayed.events == client.get_head().position


def test_signatures_of_a_path_without_a_proof_are_compared_and_do_not_count(
    client: Client, place: Path
) -> None:
    """A newer hop is signed, but whose key that is, is not sealed yet."""
    with grpc.insecure_channel(client.target) as channel:
        filer = Filer(channel)
        filer.register(OPERATOR, ACME)
        filer.file(ACME, handed_over(20))
        seal(place)
        assert joined(client, 20, Policy(min_signatures=1)).verdict is Verdict.VERIFIED
        client.record_transfer(giver="ann", receiver="bob", units=boxes(20, 20), unit_price=yuan(200))
        found = joined(client, 20)
        assert found.verdict is Verdict.VERIFIED
        assert outcome(found, Number.SIGNATURES) == (
            Result.NOTED,
            "1 of 1 hops is signed by the giver; whose keys signed the newer steps is not sealed yet",
        )
        found = joined(client, 20, Policy(min_signatures=1))
        assert found.verdict is Verdict.AGAINST_POLICY
        assert "none of 1 newer hops is proven" in outcome(found, Number.SIGNATURES)[1]
    path = client.get_path((1, 20), corrections=True)
    alone = check_path(path, code_of(client, 20), TODAY, UNLIMITED)
    assert outcome(alone, Number.SIGNATURES) == (
        Result.NOT_YET_SEALED,
        "1 of 3 steps are signed; whose keys these are, only a proof tells",
    )


def code_of(client: Client, unit: int) -> PrintedCode:
    """Return the code of a unit."""
    (codes,) = client.list_codes(1, unit, unit)
    code = parse_code(codes.serials[0])
    assert isinstance(code, PrintedCode)
    return code


def joined(client: Client, unit: int, policy: Policy = UNLIMITED) -> Report:
    """Return the report on a path and its proof, as `pathbook verify CODE` makes it."""
    code = code_of(client, unit)
    path: GetPathResponse = client.get_path(code.serial, corrections=True)
    today = datetime.datetime.now(datetime.UTC).date()
    report = check_path(path, code, today, policy)
    proof, proven = checked(client, unit, policy=policy)
    return compared_with_proof(report, path, proof, proven, is_new_key=False)
