"""A server has its checkpoints cosigned by witnesses, who see one history, and nothing waits for them."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from pathbook.client import Client
from pathbook.ledger.proofs import ml_dsa
from pathbook.ledger.proofs.checkpoint import Checkpoint
from pathbook.ledger.proofs.cosignature import cosign, cosigned_at
from pathbook.ledger.proofs.policy import parse_policy
from pathbook.ledger.proofs.signed_note import (
    SUBTREE_COSIGNATURE,
    NoteSignature,
    SignedNote,
    VerifierKey,
    parse_note,
    sign_note,
)
from pathbook.ledger.proofs.submission import MAX_ANSWER_BYTES, SIZE_TYPE, Submission
from pathbook.ledger.proofs.tree import consistency_proof, node_hash, root_of
from pathbook.ledger.store.log.checkpoints import COSIGNATURES_MAX, Checkpoints
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.tree.log_tree import LogTree
from pathbook.publishing.files import CHECKPOINT
from pathbook.publishing.publisher import publish
from pathbook.services.checkpoints import CheckpointSigner
from pathbook.services.cosigning import CosignatureCollector
from pathbook.services.log_key import LOG_KEY_FILE, read_log_key
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from pathbook.services.witness_calls import WitnessAddress, addresses
from pathbook.verify.guards import RefutedError
from pathbook.verify.trust import Trust, witnessed
from pathbook.witness.key_file import WitnessKey
from tests.books import DATABASE_FILE, engine
from tests.seals import append_seal, seals
from tests.services.masks import BOOK, begin, moved
from tests.witness.hostile import answered, hostile
from tests.witness.logs import Served, policy, witness

ORIGIN: Final = "pathbook/masks"
ENTRIES: Final = seals(20)
W1, W2 = (WitnessKey(f"witness.example/w{number}", bytes([number]) * 32) for number in (1, 2))


def soon(found: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until something is so."""
    due = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < due
        time.sleep(0.02)


class Log:
    """A log with a signer beside the server, as the process that seals has it."""

    def __init__(self, place: Path, book: str = BOOK) -> None:
        """Open the log of a place."""
        self.book, self._engine = book, engine(place, "events")
        self.stream = Stream(self._engine)
        self.tree, self.checkpoints = LogTree(self.stream), Checkpoints(self._engine)
        self.signer = CheckpointSigner(place, self.stream, self.tree, self.checkpoints)

    def sign(self, size: int) -> SignedNote:
        """Sign a checkpoint."""
        return self.signer.sign_checkpoint(self.book, size)

    def cosigners(self, size: int) -> list[str]:
        """Return the names of those whose lines are kept."""
        kept = self.checkpoints.at(self.book, size)
        assert kept is not None
        return [line.name for line in parse_note(kept.note.encode()).signatures[1:]]

    def close(self) -> None:
        """Close the log."""
        self.stream.close()
        self._engine.dispose()


@pytest.fixture
def log(place: Path) -> Iterator[Log]:
    """A log with a few events, without a server."""
    with contextlib.closing(Log(place, "book")) as found:
        found.stream.append("book", 0, ENTRIES)
        yield found


@contextlib.contextmanager
def collecting(log: Log, *witnesses: WitnessAddress) -> Iterator[CosignatureCollector]:
    """Ask witnesses for cosignatures, as a server does."""
    collector = CosignatureCollector(log.stream, log.tree, log.checkpoints, witnesses, first_pause=0.05)
    collector.start()
    with contextlib.closing(collector):
        yield collector


def at(served: Served, key: WitnessKey) -> WitnessAddress:
    """Return a witness with its URL, which ends as operators write it."""
    return WitnessAddress(key.verifier.name, key.verifier, f"http://{served.address}/")


def test_a_server_two_witnesses_and_a_verifier(place: Path, tmp_path: Path) -> None:
    """Both witnesses cosign what the server signs, a quorum of both accepts it, and a fork gets no cosignature."""
    named = place / DATABASE_FILE
    database = named.read_text("utf-8") if named.exists() else ""
    with contextlib.ExitStack() as stack:
        with (
            running(Settings(data=place, database=database, listen="127.0.0.1:0")) as port,
            Client(f"127.0.0.1:{port}", book=BOOK, retry_seconds=0) as client,
        ):
            begin(client, size=100_000)
            origin_key = VerifierKey.parse(client.get_log_key())
        served = [
            stack.enter_context(witness(tmp_path / key.verifier.name[-2:], [origin_key], key))
            for key in (W1, W2)
        ]
        asked = policy(
            *(
                f"witness {name} {key.verifier} http://{one.address}"
                for name, key, one in zip("ab", (W1, W2), served, strict=True)
            ),
            "quorum none",
        )
        settings = Settings(
            data=place, database=database, listen="127.0.0.1:0", witnesses=addresses(parse_policy(asked))
        )
        port = stack.enter_context(running(settings))
        client = stack.enter_context(Client(f"127.0.0.1:{port}", book=BOOK, retry_seconds=0))
        log = stack.enter_context(contextlib.closing(Log(place)))
        trusted = policy(
            f"log {origin_key}",
            f"witness a {W1.verifier}",
            f"witness b {W2.verifier}",
            "group both 2 a b",
            "quorum both",
        )
        trust = Trust((), parse_policy(trusted))
        sizes = [append_seal(log.stream, BOOK)]
        note = log.sign(sizes[0])
        for more in (0, 1, 130):
            for _ in range(more):
                moved(client, client.position, client.position)
            sizes.append(append_seal(log.stream, BOOK))
            note = log.sign(sizes[-1])
            assert not witnessed(note, origin_key, trust).has_quorum
            soon(lambda: len(log.cosigners(sizes[-1])) == 2)
            answer = client.get_checkpoint()
            opened = witnessed(parse_note(answer.note.encode()), origin_key, trust)
            assert (opened.checkpoint.size, opened.has_quorum, list(opened.cosigned)) == (
                sizes[-1],
                True,
                ["a", "b"],
            )
        assert log.sign(sizes[-1]) == note, "what the log signed is as it was"
        publish(client, tmp_path / "public", entries=False, progress=lambda _done, _all: None)
        published = parse_note((tmp_path / "public" / CHECKPOINT).read_bytes())
        assert witnessed(published, origin_key, trust).has_quorum

        leaves = [bytes([number % 251]) * 32 for number in range(sizes[-1] + 9)]  # another history, same key
        key = read_log_key(place / LOG_KEY_FILE)

        def node(level: int, index: int) -> bytes:
            return (
                node_hash(node(level - 1, 2 * index), node(level - 1, 2 * index + 1))
                if level
                else leaves[index]
            )

        for size, status in ((sizes[-1] - 1, 400), (sizes[-1], 409), (sizes[-1] + 9, 422)):
            fork = sign_note(str(Checkpoint(ORIGIN, size, root_of(leaves[:size]))), origin_key, key.sign)
            proof = tuple(consistency_proof(sizes[-1], size, node)) if size > sizes[-1] else ()
            for one in served:
                reply = one.post(str(Submission(sizes[-1], proof, fork)).encode())
                assert (reply.status, "\u2014" in reply.text) == (status, False)
            assert not witnessed(fork, origin_key, trust).has_quorum
        assert [len(one.told) for one in served] == [2, 2]


def test_a_kept_cosignature_is_valid_under_the_key_of_its_witness(log: Log) -> None:
    """A false line, one of another witness and one of another checkpoint are not kept. The first valid one stays."""
    note, other = log.sign(9), log.sign(12)
    true = cosign(note, W1.verifier, 5, W1.sign)
    later = cosign(note, W1.verifier, 6, W1.sign)
    false = NoteSignature(true.name, true.id, true.signature[:-1] + bytes([true.signature[-1] ^ 1]))
    add = log.checkpoints.add_cosignatures
    for lines in (
        [],
        [false],
        [cosign(other, W1.verifier, 5, W1.sign)],
        [cosign(note, W2.verifier, 5, W2.sign)],
    ):
        assert not add("book", 9, W1.verifier, lines)
    assert log.cosigners(9) == []
    assert add("book", 9, W1.verifier, [false, true])
    assert add("book", 9, W1.verifier, [later])
    assert add("book", 9, W2.verifier, [cosign(note, W2.verifier, 7, W2.sign)])
    kept = log.checkpoints.at("book", 9)
    assert kept is not None
    found = parse_note(kept.note.encode())
    assert parse_note(kept.signed.encode()) == note
    assert [cosigned_at(found, key.verifier) for key in (W1, W2)] == [5, 7]
    assert log.cosigners(12) == []
    assert log.sign(9) == other, "the signer is not concerned"


def test_a_note_has_no_more_lines_than_readers_allow(log: Log) -> None:
    """Of very many witnesses over the years, the cosignatures of some are returned."""
    note = log.sign(9)
    for number in range(COSIGNATURES_MAX + 40):
        key = WitnessKey(f"w{number}", number.to_bytes(32, "big"))
        assert log.checkpoints.add_cosignatures(
            "book", 9, key.verifier, [cosign(note, key.verifier, 5, key.sign)]
        )
    assert len(log.cosigners(9)) == COSIGNATURES_MAX


def test_a_witness_that_comes_back_gets_the_newest_checkpoint(log: Log, tmp_path: Path) -> None:
    """One that is down delays no other, is asked again, and one that forgot or knows more is followed."""
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    down = WitnessAddress("down", W2.verifier, f"http://127.0.0.1:{port}")
    key = log.signer.verifier("book")
    with witness(tmp_path / "w1", [key], W1) as served, collecting(log, at(served, W1), down):
        log.sign(3)
        soon(lambda: log.cosigners(3) == [W1.verifier.name])
        log.sign(9)
        soon(lambda: log.cosigners(9) == [W1.verifier.name])
    with witness(tmp_path / "w1", [key], W1) as served, collecting(log, at(served, W1)):
        log.sign(15)
        soon(lambda: log.cosigners(15) == [W1.verifier.name])
    with witness(tmp_path / "w2", [key], W1) as served, collecting(log, at(served, W1)):
        log.sign(20)
        soon(lambda: log.cosigners(20) == [W1.verifier.name])


ANSWERS: Final = (
    [b""],
    [b"garbage\r\n\r\n"],
    [answered(b"")],
    [answered(b"\xff\n")],
    [answered(b"x" * (MAX_ANSWER_BYTES + 1))],
    [answered(f"{NoteSignature(W1.verifier.name, W1.verifier.id, bytes(72))}\n".encode())],
    [answered(f"{NoteSignature(W2.verifier.name, W2.verifier.id, bytes(72))}\n".encode())],
    [
        answered(b"1\n", 409, SIZE_TYPE),
        answered(b"2\n", 409, SIZE_TYPE),
        answered(b"1\n", 409, SIZE_TYPE),
    ],
    [answered(b"99999999\n", 409, SIZE_TYPE)],
    [answered(b"-1\n", 409, SIZE_TYPE)],
    [answered(b"0\n", 409, SIZE_TYPE)],
    [answered(b"9\n", 409, SIZE_TYPE), answered(b"9\n", 409, SIZE_TYPE)],
    [answered(b"9\n", 409, SIZE_TYPE), answered(b"two histories\n", 409)],
    [answered(b"", 301)],
    *[[answered(b"no\n", status)] for status in (400, 403, 404, 422, 429, 500, 503)],
)
"""What hostile witnesses answer: each a list, of which the last one is repeated."""


def test_hostile_witnesses_keep_nothing_from_working(log: Log, tmp_path: Path) -> None:
    """Whatever a witness answers, nothing of it is kept, it is asked with pauses, and another one cosigns."""
    with contextlib.ExitStack() as stack:
        served = stack.enter_context(witness(tmp_path / "w2", [log.signer.verifier("book")], W2))
        others = [stack.enter_context(hostile(*answers)) for answers in ANSWERS]
        asked = [WitnessAddress(url, W1.verifier, url) for url, _ in others]
        stack.enter_context(collecting(log, *asked, at(served, W2)))
        log.sign(9)
        soon(lambda: log.cosigners(9) == [W2.verifier.name])
        soon(lambda: all(handler.asked >= 4 for _, handler in others))
        before = [handler.asked for _, handler in others]
        time.sleep(1)
        for (_, handler), count, answers in zip(others, before, ANSWERS, strict=True):
            assert handler.asked - count <= 6, answers
        assert log.cosigners(9) == [W2.verifier.name]


def test_a_witness_that_fails_is_asked_after_ever_longer_pauses(log: Log) -> None:
    """The second call comes after a pause, and the third after one that is twice as long."""
    with hostile(answered(b"no\n", 500)) as (url, handler):
        witnesses = (WitnessAddress("hostile", W1.verifier, url),)
        collector = CosignatureCollector(log.stream, log.tree, log.checkpoints, witnesses, first_pause=1)
        log.sign(9)
        collector.start()
        with contextlib.closing(collector):
            soon(lambda: handler.asked > 0)
            time.sleep(2.5)
            assert handler.asked == 2


def test_a_server_stops_while_a_witness_is_silent(log: Log) -> None:
    """Closing does not wait for a witness that takes a call and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        collector = CosignatureCollector(
            log.stream, log.tree, log.checkpoints, (WitnessAddress("silent", W1.verifier, url),)
        )
        log.sign(9)
        collector.start()
        taken, _ = silent.accept()
        with taken:
            log.sign(12)  # signing does not wait
            began = time.monotonic()
            collector.close()
            assert time.monotonic() - began < 2


def test_cosignatures_by_ml_dsa_count_where_they_can_be_checked(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A valid one is kept and counts. A false one refutes. Without the package, it does not count, and is named."""
    private = MLDSA44PrivateKey.generate()
    key = VerifierKey("w.example/pq", SUBTREE_COSIGNATURE, private.public_key().public_bytes_raw())
    note, origin = log.sign(9), log.signer.verifier("book")
    size, root = 9, log.tree.root("book", 9)
    names = [bytes([len(text)]) + text.encode() for text in (key.name, origin.name)]
    moment = (77).to_bytes(8, "big")
    message = b"subtree/v1\n\x00" + names[0] + moment + names[1] + bytes(8) + size.to_bytes(8, "big") + root
    line = NoteSignature(key.name, key.id, moment + private.sign(message))
    false = NoteSignature(key.name, key.id, (78).to_bytes(8, "big") + private.sign(message))
    trust = Trust((origin,), parse_policy(policy(f"witness pq {key}", "quorum pq")))
    verify = ml_dsa.verification()
    assert verify is not None
    assert not log.checkpoints.add_cosignatures("book", 9, key, [line])
    assert not log.checkpoints.add_cosignatures("book", 9, key, [false], verify)
    assert log.checkpoints.add_cosignatures("book", 9, key, [line], verify)
    kept = log.checkpoints.at("book", 9)
    assert kept is not None
    whole = parse_note(kept.note.encode())
    opened = witnessed(whole, origin, trust)
    assert (opened.cosigned, opened.unchecked, opened.has_quorum) == ({"pq": 77}, (), True)
    with pytest.raises(RefutedError, match="cosignature of pq is false"):
        witnessed(note.with_signatures([false]), origin, trust)
    monkeypatch.setattr("pathbook.verify.trust.verification", lambda: None)
    opened = witnessed(whole, origin, trust)
    assert (opened.cosigned, opened.unchecked, opened.has_quorum) == ({}, ("pq",), False)


def test_a_name_that_ml_dsa_cannot_sign_is_cosigned_by_none() -> None:
    """An origin above 255 bytes, or a note that is no checkpoint, has no cosignature by ML-DSA-44, and no error."""
    key = VerifierKey("w.example/pq", SUBTREE_COSIGNATURE, bytes(1312))
    line = NoteSignature(key.name, key.id, bytes(8 + 2420))
    for text in (f"{'x' * 256}\n1\n{'A' * 43}=\n", "no checkpoint\n"):
        assert cosigned_at(SignedNote(text, (line,)), key, lambda *_: True) is None
