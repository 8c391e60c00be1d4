"""Checkpoints are signed of what is committed, and never contradict one that was signed before."""

import contextlib
import shutil
import stat
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from pathbook.ledger.codec import encode, leaf_hash
from pathbook.ledger.events import BookOpened, Policy
from pathbook.ledger.proofs.checkpoint import Checkpoint, open_checkpoint
from pathbook.ledger.proofs.signed_note import SignedNote, VerifierKey, parse_note
from pathbook.ledger.proofs.tree import root_of
from pathbook.ledger.store.log.checkpoints import CHECKPOINT, Checkpoints
from pathbook.ledger.store.log.event_table import EVENT, EVENT_HASHES
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.tree.log_tree import LogTree
from pathbook.ledger.store.tree.nodes import TREE_NODE
from pathbook.services.checkpoints import CheckpointSigner
from pathbook.services.data_files import copy_books
from pathbook.services.last_checkpoints import read_last_checkpoints
from pathbook.services.log_key import LAST_CHECKPOINT_FILE, LOG_KEY_FILE, LogKey, make_log_key, read_log_key
from pathbook.services.signing import Reason, SigningError
from tests.books import engine
from tests.examples import examples
from tests.projections.synthetic import SyntheticBook
from tests.scenario import CODE_KEY, NOON
from tests.seals import append_seal, seals
from tests.services.masks import begin, opened

BOOK: Final = "book"
ORIGIN: Final = "pathbook/book"
ENTRIES: Final = seals(700)
OPENED: Final = encode(
    BookOpened("other", "pathbook/other", CODE_KEY, Policy(0)),
    recorded_at=NOON,
    occurred_at=NOON,
    request=bytes(16),
    request_digest=bytes(16),
)
OTHER: Final = [ENTRIES[0], *reversed(ENTRIES[1:])]
"""Another history, with the same first event."""


class Signing:
    """A log with a signer, as a process has them."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.events: Engine = engine(place, "events")
        self.stream = Stream(self.events)
        self.checkpoints = Checkpoints(self.events)
        self.tree = LogTree(self.stream)
        self.signer = CheckpointSigner(place, self.stream, self.tree, self.checkpoints)

    def append(self, through: int, entries: list[tuple[str, bytes]] = ENTRIES, book: str = BOOK) -> None:
        """Append events up to a position."""
        after = self.stream.head(book)
        self.stream.append(book, after, entries[after:through])

    def sign(self, size: int, book: str = BOOK) -> Checkpoint:
        """Sign, and return the checkpoint as its verified note has it."""
        note = self.signer.sign_checkpoint(book, size)
        found = open_checkpoint(note, self.signer.verifier(book))
        assert found is not None
        return found

    def forget(self, *tables: sa.Table, beyond: int = 0) -> None:
        """Lose the events beyond a position, and the rows of tables, as an older backup does."""
        with self.events.begin() as connection:
            connection.execute(EVENT.delete().where(EVENT.c.position > beyond))
            connection.execute(EVENT_HASHES.delete())
            for table in tables:
                connection.execute(table.delete())

    def close(self) -> None:
        """Close the log."""
        self.stream.close()
        self.events.dispose()


@pytest.fixture
def process(place: Path) -> Iterator[Callable[[], Signing]]:
    """A function that begins another process on the same log."""
    with contextlib.ExitStack() as stack:

        def begun() -> Signing:
            made = Signing(place)
            stack.callback(made.close)
            return made

        yield begun


@contextlib.contextmanager
def refused(reason: Reason) -> Iterator[None]:
    """Expect that a checkpoint is not signed."""
    with pytest.raises(SigningError) as error:
        yield
    assert error.value.reason is reason, error.value


def last(place: Path) -> SignedNote:
    """Return what the file beside the key says of the book."""
    return read_last_checkpoints(place / LAST_CHECKPOINT_FILE)[ORIGIN]


def roots(size: int) -> bytes:
    """Return the root over the first events."""
    return root_of(leaf_hash(data) for _, data in ENTRIES[:size])


def test_a_checkpoint_is_of_the_committed_events(process: Callable[[], Signing], place: Path) -> None:
    """The note has the origin, the size and the root, is kept in the database and in the file, and is signed once."""
    one = process()
    for size in (2, 3, 300, 512, 700):
        one.append(size)
        assert one.sign(size) == Checkpoint(ORIGIN, size, roots(size))
        note = one.signer.sign_checkpoint(BOOK, size)
        assert note == last(place)
        kept = one.checkpoints.at(BOOK, size)
        assert kept is not None
        assert kept == one.checkpoints.newest(BOOK)
        assert parse_note(kept.note.encode()) == note
    assert one.sign(300).size == 700, "what is signed goes forward only"
    assert one.checkpoints.at(BOOK, 299) is None
    assert VerifierKey.parse(str(one.signer.verifier(BOOK))) == one.signer.verifier(BOOK)
    assert process().sign(700) == Checkpoint(ORIGIN, 700, roots(700))


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=examples(8, 20),
)
@given(moves=st.lists(st.tuples(st.integers(0, 2), st.integers(2, 90)), max_size=8))
def test_processes_that_sign_in_turn_agree(
    process: Callable[[], Signing], moves: list[tuple[int, int]]
) -> None:
    """Whichever process signs, all signed trees are trees of the one log."""
    processes = [process() for _ in range(3)]
    for number, more in moves:
        head = min(len(ENTRIES), processes[0].stream.head(BOOK) + more)
        if head > processes[0].stream.head(BOOK):
            processes[number].append(head)
        size = processes[number].sign(head).size
        assert size == head
        for other in processes:
            assert other.sign(head) == Checkpoint(ORIGIN, head, roots(head))


def test_processes_that_sign_at_once_sign_one_thing(process: Callable[[], Signing], place: Path) -> None:
    """Of two checkpoints of one size there is one text, and the file ends with the largest."""
    processes = [process() for _ in range(4)]
    processes[0].append(700)
    begin_at = threading.Barrier(len(processes))

    def sign(one: Signing) -> list[Checkpoint]:
        begin_at.wait()
        return [one.sign(size) for size in range(100, 701, 100)]

    with ThreadPoolExecutor(len(processes)) as threads:
        found = {checkpoint for made in threads.map(sign, processes) for checkpoint in made}
    assert all(one.root == roots(one.size) for one in found)
    assert Checkpoint.parse(last(place).text).size == 700
    assert len({one.size for one in found}) == len(found)


def test_books_are_signed_by_one_key_under_their_origins(process: Callable[[], Signing], place: Path) -> None:
    """Each book has a section of the file, and its note is of no other book."""
    one = process()
    one.append(10)
    one.append(5, [OPENED, *ENTRIES[1:]], "other")
    assert one.sign(10).origin == ORIGIN
    assert one.sign(5, "other").origin == "pathbook/other"
    assert one.sign(10) == Checkpoint(ORIGIN, 10, roots(10))
    assert set(read_last_checkpoints(place / LAST_CHECKPOINT_FILE)) == {ORIGIN, "pathbook/other"}
    assert one.signer.verifier("other").key == one.signer.verifier(BOOK).key
    note = one.signer.sign_checkpoint("other", 5)
    assert open_checkpoint(note, one.signer.verifier(BOOK)) is None


def test_an_older_backup_is_not_signed(process: Callable[[], Signing], place: Path) -> None:
    """A log that has fewer events than were signed is refused, and so is one that went on with others."""
    one = process()
    one.append(400)
    one.sign(400)
    before = (place / LAST_CHECKPOINT_FILE).read_bytes()
    one.forget(CHECKPOINT, TREE_NODE, beyond=300)
    two = process()
    with refused(Reason.LOG_SHORTER):
        two.sign(300)
    two.stream.append(BOOK, 300, OTHER[300:600])
    with refused(Reason.OTHER_HISTORY):
        two.sign(600)
    assert (place / LAST_CHECKPOINT_FILE).read_bytes() == before
    assert two.checkpoints.newest(BOOK) is None


def test_a_database_alone_tells_another_history(process: Callable[[], Signing], place: Path) -> None:
    """If the file is of an older checkpoint, the newer one of the database is not contradicted either."""
    one = process()
    one.append(400)
    one.sign(200)
    older = (place / LAST_CHECKPOINT_FILE).read_bytes()
    one.sign(400)
    (place / LAST_CHECKPOINT_FILE).write_bytes(older)
    one.forget(TREE_NODE, beyond=300)
    two = process()
    two.stream.append(BOOK, 300, OTHER[300:500])
    with refused(Reason.OTHER_HISTORY):
        two.sign(500)


def test_what_was_signed_is_kept_after_a_crash(process: Callable[[], Signing], place: Path) -> None:
    """A process that was killed between the file and the database leaves a checkpoint that the next one keeps."""
    one = process()
    one.append(600)
    one.sign(400)
    with one.events.begin() as connection:
        connection.execute(CHECKPOINT.delete())
    process().sign(600)
    assert [size for size in range(601) if one.checkpoints.at(BOOK, size)] == [400, 600]


def test_only_a_tree_that_ends_in_a_seal_is_signed(process: Callable[[], Signing]) -> None:
    """Whatever is proven with a signed checkpoint is complete up to its last seal, so nothing else is signed."""
    one = process()
    one.stream.append(BOOK, 0, SyntheticBook(1, 60).entries[:20])
    for size in (1, 2, 20):
        with refused(Reason.NOT_SEALED):
            one.sign(size)
    assert one.checkpoints.newest(BOOK) is None
    assert one.sign(append_seal(one.stream, BOOK)).size == 21
    one.append(22, [*SyntheticBook(1, 60).entries[:22]])
    with refused(Reason.NOT_SEALED):
        one.sign(22)


def test_damaged_nodes_are_made_again_before_anything_is_signed(process: Callable[[], Signing]) -> None:
    """Kept nodes that were changed neither make a false root nor look like another history."""
    one = process()
    one.append(700)
    one.sign(600)
    for size in (650, 700):
        with one.events.begin() as connection:
            connection.execute(TREE_NODE.update().values(hash=b"\7" * 32))
        assert process().sign(size) == Checkpoint(ORIGIN, size, roots(size))
    with one.events.begin() as connection:
        connection.execute(CHECKPOINT.delete())
        connection.execute(TREE_NODE.update().values(hash=b"\7" * 32))
    one.place.joinpath(LAST_CHECKPOINT_FILE).write_text("")
    assert process().sign(700) == Checkpoint(ORIGIN, 700, roots(700)), "nor if it is the first checkpoint"
    assert process().tree.root(BOOK, 700) == roots(700), "and the nodes are right then"


def test_a_key_is_made_once_with_an_empty_memory(place: Path) -> None:
    """Only its owner reads the key. It is made where none was signed with, and never in place of a lost one."""
    path, memory = place / LOG_KEY_FILE, place / LAST_CHECKPOINT_FILE
    begin_at = threading.Barrier(4)

    def make(_: int) -> bytes:
        begin_at.wait()
        make_log_key(path)
        return read_log_key(path).public

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(make, range(4)))) == 1
    assert memory.read_bytes() == b""
    assert [stat.S_IMODE(file.stat().st_mode) for file in (path, memory)] == [0o600, 0o600]
    assert path.read_text() == read_log_key(path).printed()
    seed = path.read_text().split()[1]
    assert seed not in repr(read_log_key(path))
    memory.write_text("something")
    path.unlink()
    with refused(Reason.KEY_MISSING):
        make_log_key(path)
    assert not path.exists()


def test_lost_or_damaged_files_are_named(process: Callable[[], Signing], place: Path) -> None:
    """Nothing is signed without the key and the memory that signed before, and each message names its file."""
    one = process()
    one.append(20)
    one.sign(10)
    path, memory = place / LOG_KEY_FILE, place / LAST_CHECKPOINT_FILE
    key, notes = path.read_text(), memory.read_text()
    header, seed, public = key.split()
    other = LogKey(b"\1" * 32).printed()
    for text, reason in (
        (None, Reason.KEY_MISSING),
        ("", Reason.KEY_UNUSABLE),
        (f"{header} {seed}", Reason.KEY_UNUSABLE),
        (f"{header} {other.split()[1]} {public}", Reason.KEY_UNUSABLE),
        (f"other {seed} {public}", Reason.KEY_UNUSABLE),
        ("\udcff", Reason.KEY_UNUSABLE),
        (other, Reason.OTHER_KEY),
    ):
        path.unlink()
        if text is not None:
            path.write_bytes(text.encode("utf-8", "surrogateescape"))
        with refused(reason):
            process().sign(20)
        path.write_text(key)
    for text, reason in (
        (None, Reason.LAST_MISSING),
        ("", Reason.LAST_MISSING),
        ("x", Reason.LAST_UNUSABLE),
        (notes[:-30], Reason.LAST_UNUSABLE),
        (notes + "\n" + notes, Reason.LAST_UNUSABLE),
        (notes.replace("\n10\n", "\n11\n"), Reason.OTHER_KEY),
    ):
        memory.unlink(missing_ok=True)
        if text is not None:
            memory.write_text(text)
        with refused(reason):
            process().sign(20)
    memory.write_text(f"\n{notes}\n\n")
    assert process().sign(20).size == 20, "a note that was put into the file by an editor is read"


def test_a_new_directory_has_a_key_and_a_dry_run_has_another(data: Path, tmp_path: Path) -> None:
    """A server makes the key with its directory. A copy to try something on can sign nothing of these books."""
    with opened(data) as client:
        begin(client)
    assert (data / LAST_CHECKPOINT_FILE).read_bytes() == b""
    key = read_log_key(data / LOG_KEY_FILE)
    (tmp_path / "copy").mkdir()
    copy_books(data, tmp_path / "copy")
    assert not (tmp_path / "copy" / LOG_KEY_FILE).exists()
    shutil.rmtree(tmp_path / "copy")
    with opened(data) as client:
        assert client.get_book().origin == "pathbook/masks"
    assert read_log_key(data / LOG_KEY_FILE).public == key.public
