"""A published directory is a log as c2sp.org/tlog-tiles says, for a reader that was written from the specification."""

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathbook.client import Client
from pathbook.ledger.codec import encode
from pathbook.ledger.events import BookOpened, Policy, Sealed
from pathbook.ledger.proofs.tiles import tiles_of
from pathbook.ledger.store.database.copying import copy_database
from pathbook.ledger.store.log.checkpoints import Checkpoints
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.tree.log_tree import LogTree
from pathbook.publishing import files
from pathbook.publishing.building import TileBuilder
from pathbook.publishing.files import Directory, PublishError
from pathbook.publishing.publisher import Published, publish
from pathbook.services.checkpoints import CheckpointSigner
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from pathbook.services.storage import EVENTS_FILE
from tests.books import engine
from tests.cli.conftest import pathbook
from tests.publishing.reading import HASH, Reader, mth
from tests.scenario import CODE_KEY, NOON

BOOK: Final = "book"
ENTRIES: Final = [
    encode(
        BookOpened(BOOK, "pathbook/book", CODE_KEY, Policy(0))
        if number == 0
        else Sealed(number, NOON, 0, 1, bytes(32)),
        recorded_at=NOON,
        occurred_at=NOON,
        request=number.to_bytes(16),
        request_digest=bytes(16),
    )
    for number in range(900)
]


class Log:
    """The books of a server, to which a test appends events, and signs them."""

    def __init__(self, data: Path, client: Client) -> None:
        self.data, self.client = data, client

    def grow(self, size: int) -> None:
        """Append events up to a position, and sign the checkpoint."""
        events = engine(self.data, "events")
        with contextlib.closing(Stream(events)) as stream:
            head = stream.head(BOOK)
            stream.append(BOOK, head, ENTRIES[head:size])
            CheckpointSigner(self.data, stream, LogTree(stream), Checkpoints(events)).sign_checkpoint(
                BOOK, size
            )
        events.dispose()

    def publish(self, to: Path, *, entries: bool = False) -> Published:
        """Publish the newest checkpoint."""
        return publish(self.client, to, entries=entries, progress=lambda *_: None)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The directory of the books."""
    return tmp_path / "data"


@pytest.fixture
def log(data: Path) -> Iterator[Log]:
    """A log on a server."""
    with (
        running(Settings(data=data, listen="127.0.0.1:0")) as port,
        Client(f"127.0.0.1:{port}", book=BOOK, retry_seconds=0) as client,
    ):
        yield Log(data, client)


def test_a_directory_is_brought_up_to_date(log: Log, tmp_path: Path) -> None:
    """Each time, every tile is there by its definition, only new events are read, and old forms go when full."""
    to, before = tmp_path / "public", 0
    for size in (2, 200, 256, 257, 600, 768, 900):
        log.grow(size)
        found = log.publish(to, entries=True)
        assert (found.size, found.before, found.origin) == (size, before, "pathbook/book")
        assert found.events_read == size - before // 256 * 256
        reader = Reader(to)
        assert reader.size == size
        assert reader.check(entries=True) == [entry for _, entry in ENTRIES[:size]]
        before = size
    assert log.publish(to).events_read == 900 % 256
    assert sorted(str(path.relative_to(to)) for path in to.rglob("*") if path.is_file()) == sorted(
        ["checkpoint"]
        + [tile.path for tile in tiles_of(900)]
        + [tile.path.replace("tile/0/", "tile/entries/") for tile in tiles_of(900) if tile.level == 0]
        + [f"tile/1/000.p/{width}" for width in (1, 2)]
    )
    assert all(path.stat().st_mode & 0o044 for path in to.rglob("*")), "a web server can read it"


def test_entries_are_added_later_and_only_if_wanted(log: Log, tmp_path: Path) -> None:
    """A directory without events has none of their bytes, and gets them all once they are wanted."""
    to = tmp_path / "public"
    log.grow(600)
    log.publish(to)
    Reader(to).check(entries=False)
    assert not (to / "tile" / "entries").exists()
    log.grow(700)
    assert log.publish(to, entries=True).events_read == 700
    assert len(Reader(to).check(entries=True)) == 700


def test_a_killed_command_is_resumed(log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it was killed, the directory is whole for readers, and the next command makes only what lacks."""
    to = tmp_path / "public"
    log.grow(300)
    log.publish(to, entries=True)
    log.grow(900)
    write, left = Directory.write, 0

    def killed(directory: Directory, path: str, data: bytes) -> None:
        nonlocal left
        if left == 0:
            raise KeyboardInterrupt
        left -= 1
        write(directory, path, data)

    for writes in range(9):
        again = tmp_path / f"killed-{writes}"
        shutil.copytree(to, again)
        left = writes
        with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
            patch.setattr(Directory, "write", killed)
            log.publish(again, entries=True)
        reader = Reader(again)
        reader.check(entries=True)
        assert reader.size == (300 if writes < 8 else 900), writes
        found = log.publish(again, entries=True)
        assert found.events_read == 900 - min(3, 1 + writes // 2) * 256, writes
        assert Reader(again).check(entries=True) == [entry for _, entry in ENTRIES]


def flipped(path: Path) -> None:
    """Flip a bit of a file."""
    data = bytearray(path.read_bytes())
    data[7] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda to: flipped(to / "tile/0/001.p/44"), "DIRECTORY_DAMAGED"),
        (lambda to: flipped(to / "tile/1/000.p/1"), "DIRECTORY_DAMAGED"),
        (lambda to: flipped(to / "checkpoint"), "DIRECTORY_DAMAGED"),
        (lambda to: (to / "tile/1/000.p/1").unlink(), "DIRECTORY_DAMAGED"),
        (lambda to: (to / "checkpoint").write_bytes(b""), "DIRECTORY_DAMAGED"),
        (lambda to: (to / "tile/0/001").write_bytes(bytes(8_192)), "DIRECTORY_DAMAGED"),
        (lambda to: (to / "tile/0/002").write_bytes(bytes(8_192)), None),
    ],
)
def test_a_damaged_directory_is_not_continued(
    log: Log, tmp_path: Path, damage: Callable[[Path], object], reason: str | None
) -> None:
    """What cannot be trusted is named, and the checkpoint stays. A tile that a tree never had is replaced."""
    to = tmp_path / "public"
    log.grow(300)
    log.publish(to)
    log.grow(900)
    damage(to)
    before = (to / "checkpoint").read_bytes()
    if reason is None:
        log.publish(to)
        Reader(to).check(entries=False)
        return
    with pytest.raises(PublishError) as error:
        log.publish(to)
    assert error.value.reason == reason
    assert (to / "checkpoint").read_bytes() == before


def test_an_older_server_publishes_nothing(log: Log, tmp_path: Path) -> None:
    """A server with an older checkpoint is told, and two commands do not publish to one directory at once."""
    to = tmp_path / "public"
    log.grow(300)
    older = tmp_path / "older"
    older.mkdir()
    copy_database(log.data / EVENTS_FILE, older / EVENTS_FILE)
    for name in ("codes.key", "log.key", "log.checkpoint"):
        shutil.copy(log.data / name, older)
    log.grow(301)
    log.publish(to)
    with (
        running(Settings(data=older, listen="127.0.0.1:0")) as port,
        Client(f"127.0.0.1:{port}", book=BOOK, retry_seconds=0) as client,
        pytest.raises(PublishError, match="301 events") as error,
    ):
        publish(client, to, entries=False, progress=lambda *_: None)
    assert error.value.reason == "SERVER_OLDER"
    with Directory(to).locked(), pytest.raises(PublishError) as error:
        log.publish(to)
    assert error.value.reason == "PUBLISHER_BUSY"


def test_the_verb_publishes(log: Log, data: Path, tmp_path: Path) -> None:
    """From a server or from a directory of books, for people and for scripts, and refusals have their names."""
    to = str(tmp_path / "public")
    place_ = ["--server", log.client.target, "--book", BOOK]
    with contextlib.suppress(FileExistsError):
        log.grow(10)
    ran = pathbook("publish", "--to", to, *place_)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"{to} has the log of pathbook/book up to event 10: the first ones there.\n"
    log.grow(12)
    ran = pathbook("publish", "--to", to, "--data", str(data), "--book", BOOK, "--output", "json")
    assert json.loads(ran.out) == {
        "to": to, "origin": "pathbook/book", "size": 12, "before": 10, "events_read": 12,
    }  # fmt: skip
    (Path(to) / files.CHECKPOINT).write_text("x")
    ran = pathbook("publish", "--to", to, *place_)
    assert (ran.code, ran.err.split(":")[1]) == (4, " DIRECTORY_DAMAGED")


@given(begin=st.integers(0, 3), size=st.integers(0, 1_100), data=st.data())
def test_tiles_are_made_from_any_beginning(begin: int, size: int, data: st.DataObject) -> None:
    """A builder that begins with the tiles of a larger tree ends as one that made all leaves itself."""
    leaves = [hashlib.sha256(b"%d" % number).digest() for number in range(size)]
    whole = TileBuilder(0, 0, lambda *_: b"")
    made = {tile: data for leaf in leaves for tile, data in whole.append(leaf)} | dict(whole.partial())
    assert set(made) == set(tiles_of(size))
    assert whole.root() == (mth(leaves) if leaves else hashlib.sha256(b"").digest())
    start = min(begin * 256, size // 256 * 256)
    read = {(tile.level, tile.number): hashes for tile, hashes in made.items()}
    other = TileBuilder(start, size, lambda level, number, width: read[level, number][: width * HASH])
    again = {tile: data for leaf in leaves[start:] for tile, data in other.append(leaf)} | dict(
        other.partial()
    )
    assert other.root() == whole.root()
    assert again.items() <= made.items()
    assert {tile for tile in made if tile not in again} <= set(tiles_of(start))
