"""A caller checks the checkpoints and proofs of a server with the public key alone, on both databases."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from grpc import StatusCode

from pathbook.client import Client
from pathbook.ledger.codec import leaf_hash
from pathbook.ledger.proofs.checkpoint import Checkpoint, open_checkpoint
from pathbook.ledger.proofs.signed_note import VerifierKey, parse_note
from pathbook.ledger.proofs.tree import is_consistent, root_of
from pathbook.ledger.store.log.checkpoints import Checkpoints
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.tree.log_tree import LogTree
from pathbook.services.checkpoints import CheckpointSigner
from pathbook.services.log_key import LOG_KEY_FILE
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from tests.books import DATABASE_FILE, engine
from tests.seals import append_seal
from tests.services.masks import BOOK, begin, moved, refused


@pytest.fixture
def client(place: Path) -> Iterator[Client]:
    """A client of the book of masks on a server whose books are in a place."""
    named = place / DATABASE_FILE
    database = named.read_text("utf-8") if named.exists() else ""
    settings = Settings(data=place, database=database, listen="127.0.0.1:0")
    with running(settings) as port, Client(f"127.0.0.1:{port}", book=BOOK, retry_seconds=0) as client:
        begin(client, size=100_000)
        yield client


def sign(place: Path) -> int:
    """Seal, and sign the checkpoint, as a process beside the server does. Return how many events it is of."""
    events = engine(place, "events")
    stream = Stream(events)
    with contextlib.closing(stream):
        size = append_seal(stream, BOOK)
        CheckpointSigner(place, stream, LogTree(stream), Checkpoints(events)).sign_checkpoint(BOOK, size)
    events.dispose()
    return size


def checkpoint(client: Client, size: int = 0) -> Checkpoint:
    """Return a checkpoint whose signature was verified with the key of the log."""
    answer = client.get_checkpoint(size)
    found = open_checkpoint(parse_note(answer.note.encode()), VerifierKey.parse(client.get_log_key()))
    assert found is not None
    assert found.size == answer.size
    return found


def test_checkpoints_are_of_the_events_that_a_caller_reads(client: Client, place: Path) -> None:
    """Roots are those over the bytes that Read returns, and each checkpoint is consistent with those before."""
    sizes = [sign(place)]
    for more in (1, 120, 150):
        for _ in range(more):
            moved(client, client.position, client.position)
        sizes.append(sign(place))
    leaves = [leaf_hash(data) for batch in client.read() for data in batch.events]
    assert checkpoint(client) == checkpoint(client, sizes[-1])
    for old in sizes:
        before = checkpoint(client, old)
        assert before == Checkpoint("pathbook/masks", old, root_of(leaves[:old]))
        for size in sizes:
            if size >= old:
                after = checkpoint(client, size)
                proof = client.get_consistency_proof(old, size)
                assert proof.size == size
                assert is_consistent(old, before.root, size, after.root, proof.hashes)
    newest = client.get_consistency_proof(sizes[0])
    assert newest == client.get_consistency_proof(sizes[0], sizes[-1])
    assert not client.get_consistency_proof(0).hashes
    for old in (1, 8, 255):
        proof = client.get_consistency_proof(old, 256)
        assert is_consistent(old, root_of(leaves[:old]), 256, root_of(leaves[:256]), proof.hashes)


def test_what_is_not_there_is_refused_by_name(client: Client, place: Path) -> None:
    """A checkpoint that was not signed, sizes beyond it or in the wrong order, and a lost key are each named."""
    missing, invalid = StatusCode.NOT_FOUND, StatusCode.INVALID_ARGUMENT
    with refused("CHECKPOINT_MISSING", missing):
        client.get_checkpoint()
    with refused("CHECKPOINT_MISSING", missing):
        client.get_consistency_proof(1)
    assert sign(place) == 8
    moved(client, 1, 1)
    with refused("CHECKPOINT_MISSING", missing):
        client.get_checkpoint(4)
    with refused("CHECKPOINT_MISSING", missing):
        client.get_consistency_proof(1, 9)
    with refused("SIZES_REVERSED", invalid):
        client.get_consistency_proof(5, 4)
    with refused("POSITION_BEYOND_HEAD", StatusCode.OUT_OF_RANGE):
        client.get_consistency_proof(10)
    for call in (client.get_checkpoint, client.get_consistency_proof):
        with refused("POSITION_NEGATIVE", invalid):
            call(-1)
    for other, reason, code in (("none", "BOOK_UNKNOWN", missing), ("a b", "BOOK_MALFORMED", invalid)):
        with Client(client.target, book=other, retry_seconds=0) as stranger:
            with refused(reason, code):
                stranger.get_checkpoint()
            with refused(reason, code):
                stranger.get_log_key()
            with refused(reason, code):
                stranger.get_consistency_proof(1)
    (place / LOG_KEY_FILE).unlink()
    with refused("LOG_KEY_UNUSABLE", StatusCode.UNAVAILABLE):
        client.get_log_key()
    assert client.get_checkpoint().size == 8
