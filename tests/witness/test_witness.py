"""A witness keeps every MUST of c2sp.org/tlog-witness, and never cosigns two histories of a log."""

import contextlib
import re
import socket
import stat
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pathbook.ledger.proofs.checkpoint import Checkpoint
from pathbook.ledger.proofs.cosignature import cosigned_at
from pathbook.ledger.proofs.signed_note import NoteSignature, SignedNote
from pathbook.ledger.proofs.submission import MAX_BYTES, PATH, SIZE_TYPE, Submission
from pathbook.ledger.proofs.text import MalformedTextError
from pathbook.ledger.proofs.tree import EMPTY_ROOT
from pathbook.witness import server
from pathbook.witness.deciding import Accepted, Refused, decide
from pathbook.witness.key_file import make_witness_key, read_witness_key
from pathbook.witness.state import MAX_EVIDENCE
from pathbook.witness.witness import logs_of
from tests.examples import examples
from tests.witness.logs import (
    FORK,
    KEY,
    LOG,
    Log,
    Reply,
    Served,
    time_of,
    too_many_hashes,
    witness,
)

EXAMPLE = """\
old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
\u2014 example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
"""  # noqa: E501 - the example of the specification


def evidence(tmp_path: Path) -> list[str]:
    """Return the kinds of evidence that are kept, each with how many notes it has."""
    files = sorted((tmp_path / "state" / "evidence").iterdir())
    return [
        f"{re.split('-[0-9a-f]{32}', file.name)[0]} {file.read_text().count(LOG.key.name + chr(10))}"
        for file in files
    ]


def test_the_request_of_the_specification_is_read_and_printed() -> None:
    """The example of the specification is one submission, and is printed as it was."""
    found = Submission.parse(EXAMPLE.encode())
    assert (found.old, len(found.proof), len(found.note.signatures)) == (20_852_014, 4, 2)
    assert Checkpoint.parse(found.note.text).size == 20_852_163
    assert str(found) == EXAMPLE


def test_a_growing_log_is_cosigned(served: Served) -> None:
    """Each checkpoint gets one valid cosignature of that checkpoint and time, in lines that end in a newline."""
    old = 0
    for size in (1, 2, 3, 7, 8, 8, 200):
        served.clock.now += 5
        reply = served.add(LOG, old, size)
        assert reply.text.startswith("\u2014 witness.example/w1 ")
        assert reply.text.endswith("\n")
        assert time_of(LOG, size, reply) == served.clock.now
        assert cosigned_at(LOG.note(size + 1).with_signatures(reply.lines), KEY.verifier) is None
        old = size
    assert served.told == []


def test_an_unknown_origin_is_404(served: Served) -> None:
    """A log that the witness does not know is refused, also if its key is known under another name."""
    assert served.add(Log(origin="log.example/b"), 0, 3).status == 404
    assert served.add(Log(origin="log.example/b", seed=8), 0, 3).status == 404


def test_a_signature_of_no_trusted_key_is_403(served: Served) -> None:
    """Another key, a changed text, and a false line beside the true one are refused. Lines of unknown keys are not."""
    assert served.add(Log(seed=8), 0, 3).status == 403
    changed = SignedNote(str(LOG.checkpoint(4)), LOG.note(3).signatures)
    assert served.post(str(Submission(0, (), changed)).encode()).status == 403
    false = LOG.note(3).with_signatures([NoteSignature(LOG.key.name, LOG.key.id, bytes(64))])
    assert served.post(str(Submission(0, (), false)).encode()).status == 403
    other = Log(seed=8)
    unknown = SignedNote(LOG.note(3).text, other.note(3).signatures + LOG.note(3).signatures)
    assert served.post(str(Submission(0, (), unknown)).encode()).status == 200


def test_any_key_of_a_log_will_do(tmp_path: Path) -> None:
    """Of a log with two keys, either may sign, and only lines of known keys are kept."""
    other = Log(seed=8)
    with witness(tmp_path / "state", [LOG.key, other.key]) as served:
        assert served.add(other, 0, 3).status == 200
        assert served.add(LOG, 3, 5).status == 200


def test_an_old_size_above_the_size_is_400(served: Served) -> None:
    """It is refused whatever was cosigned last."""
    body = str(Submission(4, (), LOG.note(3))).encode()
    assert served.post(body).status == 400
    assert served.add(LOG, 0, 4).status == 200
    assert served.post(body).status == 400


def test_an_old_size_that_is_not_the_latest_is_409_with_that_size(served: Served) -> None:
    """The answer has the size that was cosigned last, 0 for none, and a newline, as text/x.tlog.size."""
    assert served.add(LOG, 2, 5) == Reply(409, SIZE_TYPE, "0\n")
    assert served.add(LOG, 0, 5).status == 200
    for old, size in ((0, 7), (4, 7), (6, 7), (0, 5), (3, 4)):
        assert served.add(LOG, old, size) == Reply(409, SIZE_TYPE, "5\n")
    assert served.add(LOG, 5, 7).status == 200


def test_a_proof_that_does_not_verify_is_422(served: Served) -> None:
    """So is a proof from the empty tree that is not empty, and one of a tree with itself."""
    assert served.post(str(Submission(0, (bytes(32),), LOG.note(5))).encode()).status == 422
    assert served.add(LOG, 0, 5).status == 200
    proof = LOG.proof(5, 9)
    for wrong in ((), proof[:-1], proof[1:], (*proof, bytes(32)), (bytes(32), *proof[1:])):
        assert served.post(str(Submission(5, wrong, LOG.note(9))).encode()).status == 422
    assert served.post(str(Submission(5, (bytes(32),), LOG.note(5))).encode()).status == 422
    assert served.add(LOG, 5, 9).status == 200


def test_another_root_of_the_same_size_is_409_and_evidence(served: Served, tmp_path: Path) -> None:
    """Two histories are not cosigned. Both signed notes are kept once, and the operator is told once."""
    assert served.add(LOG, 0, 5).status == 200
    for _ in range(2):
        reply = served.add(FORK, 5, 5)
        assert (reply.status, reply.content_type) == (409, "text/plain; charset=utf-8")
    assert served.add(FORK, 0, 5).status == 409
    assert evidence(tmp_path) == ["split-view 2"]
    (file,) = (tmp_path / "state" / "evidence").iterdir()
    before, after = file.read_text().split("\n\n" + LOG.key.name)[0], file.read_text()
    assert str(LOG.checkpoint(5)).strip() in before
    assert str(FORK.note(5)) in after
    assert len(served.told) == 1
    assert served.add(LOG, 5, 6).status == 200, "the true history goes on"
    assert served.add(FORK, 6, 9).status == 422
    assert evidence(tmp_path) == ["split-view 2", "unproven 2"]


def test_the_empty_tree_has_one_root(served: Served) -> None:
    """A checkpoint of size 0 is cosigned with the root of the empty tree, and with no other."""
    false = LOG.sign(str(Checkpoint(LOG.key.name, 0, bytes(32))))
    assert served.post(str(Submission(0, (), false)).encode()).status == 409
    assert LOG.checkpoint(0).root == EMPTY_ROOT
    assert served.add(LOG, 0, 0).status == 200
    assert served.post(str(Submission(0, (), false)).encode()).status == 409
    assert served.add(LOG, 0, 2).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n\n",
        b"\xff" + LOG.submission(0, 3),
        LOG.submission(0, 3)[:-1],
        LOG.submission(0, 3).replace(b"old 0", b"old 00"),
        LOG.submission(0, 3).replace(b"old 0", b"old  0"),
        LOG.submission(0, 3).replace(b"old 0", b"old -1"),
        LOG.submission(0, 3).replace(b"old 0", b"old 9999999999999999999"),
        LOG.submission(0, 3).replace(b"old 0", b"new 0"),
        LOG.submission(0, 3).replace(b"old 0\n", b"old 0\r\n"),
        LOG.submission(0, 3).replace(b"old 0\n", b"old 0\nAAAA\n"),
        LOG.submission(0, 3).replace(b"old 0\n", b"old 0\n!\n"),
        LOG.submission(0, 3).replace(b"old 0\n", b"old 0\n" + too_many_hashes().encode()),
        LOG.submission(0, 3).replace(b"\n3\n", b"\n03\n"),
        str(Submission(0, (), LOG.sign("no checkpoint\n"))).encode(),
    ],
)
def test_what_is_no_submission_is_400(served: Served, body: bytes) -> None:
    """Lines that are not as the specification has them, and more than 63 hashes, are refused."""
    assert served.post(body).status == 400
    assert served.add(LOG, 0, 3).status == 200


def test_requests_are_bounded_before_they_are_read(served: Served) -> None:
    """A long body, one without a length, other paths and methods are refused, and the witness goes on."""
    host, port = served.address.split(":")
    assert served.post(b"", path="/other").status == 404
    assert served.post(b"", method="GET").status == 405
    assert served.post(b"", method="DELETE").status == 405
    for head, status in (
        (f"Content-Length: {MAX_BYTES + 1}\r\n", b"413"),
        (f"Content-Length: {10**30}\r\n", b"413"),
        ("", b"411"),
        ("Transfer-Encoding: chunked\r\n", b"411"),
        ("Content-Length: 1\r\nContent-Length: 2\r\n", b"411"),
        ("Content-Length: -1\r\n", b"400"),
    ):
        with socket.create_connection((host, int(port)), timeout=20) as raw:
            raw.sendall(f"POST {PATH} HTTP/1.1\r\nHost: w\r\n{head}\r\n".encode())
            with raw.makefile("rb") as answer:
                assert answer.readline().split()[1] == status
    with pytest.raises(MalformedTextError, match="most are"):
        Submission.parse(b"x" * (MAX_BYTES + 1))
    assert served.add(LOG, 0, 3).status == 200


def test_a_slow_caller_and_many_of_them_are_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller that never ends its request loses its connection, and further ones find room then."""
    monkeypatch.setattr(server, "REQUEST_TIMEOUT_S", 0.5)
    with witness(tmp_path / "state", [LOG.key]) as served, contextlib.ExitStack() as stack:
        host, port = served.address.split(":")
        slow = [stack.enter_context(socket.create_connection((host, int(port)), 20)) for _ in range(150)]
        for one in slow:
            with contextlib.suppress(OSError):
                one.sendall(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n1"[: slow.index(one) % 40])
        due = time.monotonic() + 10
        for one in slow:
            with contextlib.suppress(ConnectionError):
                while one.recv(1_000):
                    pass
        assert time.monotonic() < due
        assert served.add(LOG, 0, 3).status == 200


def test_a_connection_is_kept_for_further_requests(served: Served) -> None:
    """One connection serves several submissions, as the specification asks for."""
    host, port = served.address.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as raw, raw.makefile("rb") as answer:
        for old, size in ((0, 3), (3, 8)):
            body = LOG.submission(old, size)
            raw.sendall(
                f"POST {PATH} HTTP/1.1\r\nHost: w\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
            )
            assert answer.readline().split()[1] == b"200"
            length = 0
            while (line := answer.readline()) != b"\r\n":
                length = int(line.split()[1]) if line.startswith(b"Content-Length") else length
            assert answer.read(length).startswith("\u2014".encode())


def test_evidence_does_not_fill_the_disk(served: Served, tmp_path: Path) -> None:
    """Of a log that signs ever more histories, a bounded number is kept."""
    served.add(LOG, 0, 1)
    for number in range(MAX_EVIDENCE + 5):
        note = LOG.sign(str(Checkpoint(LOG.key.name, 1, bytes([number]) * 32)))
        assert served.post(str(Submission(1, (), note)).encode()).status == 409
    assert len(evidence(tmp_path)) == MAX_EVIDENCE


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=examples(60, 200))
@given(
    moves=st.lists(
        st.tuples(st.sampled_from([LOG, FORK]), st.integers(0, 12), st.integers(0, 12), st.booleans()),
        max_size=12,
    )
)
def test_all_that_is_cosigned_is_one_growing_tree(moves: list[tuple[Log, int, int, bool]]) -> None:
    """Whatever is submitted in whatever order, the accepted checkpoints never shrink, and are one history."""
    latest: dict[str, Checkpoint] = {}
    logs, accepted = logs_of([LOG.key]), list[Checkpoint]()
    for log, old, size, is_proven in moves:
        proof = log.proof(old, size) if is_proven and old <= size else (bytes(32),)
        decided = decide(latest, logs, Submission(old, proof, log.note(size)))
        if isinstance(decided, Refused):
            continue
        assert isinstance(decided, Accepted)
        latest = {log.key.name: decided.checkpoint}
        accepted.append(decided.checkpoint)
    sizes = [checkpoint.size for checkpoint in accepted]
    assert sizes == sorted(sizes)
    assert any(all(one == log.checkpoint(one.size) for one in accepted) for log in (LOG, FORK))


def test_a_key_file_is_made_once_and_tells_damage(tmp_path: Path) -> None:
    """Only its owner reads the file. A second key is not made in its place, and a changed file is refused."""
    path = tmp_path / "w.key"
    key = make_witness_key(path, "witness.example/w1")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_witness_key(path).verifier == key.verifier
    text = path.read_text()
    assert text.split()[1] not in repr(key)
    with pytest.raises(FileExistsError):
        make_witness_key(path, "witness.example/w1")
    assert path.read_text() == text
    assert [file.name for file in tmp_path.iterdir()] == ["w.key"]
    with pytest.raises(MalformedTextError):
        make_witness_key(tmp_path / "x", "two words")
    header, seed, public = text.split()
    for changed in ("", header, f"{header} {seed}", f"{header} {public} {public}", text.replace(seed, "A" * 43 + "="),
                    text * 200, f"other {seed} {public}"):  # fmt: skip
        path.write_text(changed)
        with pytest.raises(MalformedTextError):
            read_witness_key(path)
