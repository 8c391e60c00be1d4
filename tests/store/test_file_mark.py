"""The mark in the file of an SQLite log: a file without its write-ahead log is refused, and no whole file ever is."""

import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from pathbook.ledger.store.database.engine import open_engine
from pathbook.ledger.store.log.file_mark import NewestEventsMissingError, require_newest_events
from pathbook.ledger.store.log.stream import Stream
from tests.examples import examples
from tests.services.forking import PipedFork

APPEND = """
import sys
from pathbook.ledger.store.log import file_mark
file_mark.CHECKPOINT_PAGES = int(sys.argv[2])
from pathbook.ledger.store.database.engine import open_engine
from pathbook.ledger.store.log.stream import PositionTakenError, Stream
stream = Stream(open_engine(sys.argv[1], purpose="events"))
head = stream.head("book")
while True:
    try:
        stream.append("book", head, [("t", b"x" * 200)])
        print(head := head + 1, flush=True)
    except PositionTakenError:
        head = stream.head("book")
"""
"""A program that appends events until it is killed, and prints each position that is on disk."""

WAL = "events.sqlite-wal"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The path of a log that is not there yet."""
    return tmp_path / "events.sqlite"


def writer(log: Path, pages: int) -> PipedFork:
    """Start a process that appends, and that goes through the steps of the mark after so many pages."""
    return PipedFork(str(log), str(pages), program=APPEND)


def written(process: PipedFork, lines: int) -> int:
    """Wait for so many lines of a writer, and return the last position."""
    return [int(process.stdout.readline()) for _ in range(lines)][-1]


def killed(process: PipedFork) -> int:
    """Kill a writer, and return the last position that it printed, 0 for none."""
    process.kill()
    lines = process.communicate()[0].splitlines(keepends=True)
    return max((int(line) for line in lines if line.endswith("\n")), default=0)


def append(log: Path, *data: bytes) -> int:
    """Append events in a process that closes the log, and return the head. Without events it only reads."""
    engine = open_engine(log, purpose="events")
    stream = Stream(engine)
    head = stream.head("book")
    if data:
        stream.append("book", head, [("t", item) for item in data])
    stream.close()
    engine.dispose()
    return head + len(data)


def test_a_log_that_is_closed_needs_no_other_file(log: Path) -> None:
    """After a clean end there is one file, it is whole, and a read of it leaves it as it was."""
    assert append(log, b"1", b"2") == 2
    assert [path.name for path in log.parent.iterdir()] == [log.name]
    before = log.read_bytes()
    require_newest_events(log)
    assert append(log) == 2
    assert log.read_bytes() == before


@pytest.mark.parametrize(
    "write_ahead_log", [None, b"", b"not a write-ahead log" * 10, b"\x37\x7f\x06\x82" + bytes(28)]
)
def test_a_log_without_its_write_ahead_log_is_refused(log: Path, write_ahead_log: bytes | None) -> None:
    """A copy of the main file alone is refused, or the file after its write-ahead log was removed or emptied."""
    append(log, b"1")
    process = writer(log, 1_000)
    last = written(process, 3)
    last = max(last, killed(process))
    copy = log.parent / "copy" / log.name
    copy.parent.mkdir()
    shutil.copy(log, copy)
    if write_ahead_log is not None:
        copy.with_name(WAL).write_bytes(write_ahead_log)
    before = {path.name: path.read_bytes() for path in copy.parent.iterdir()}
    with pytest.raises(NewestEventsMissingError, match=r"events\.sqlite-wal is missing or empty, so its"):
        require_newest_events(copy)
    assert {path.name: path.read_bytes() for path in copy.parent.iterdir()} == before
    shutil.copy(log.with_name(WAL), copy.with_name(WAL))
    require_newest_events(copy)
    assert append(copy) >= last
    require_newest_events(copy)
    assert append(log) >= last


def test_a_log_opens_after_a_kill_at_any_moment(log: Path) -> None:
    """Writers are killed again and again while they mark the file. The log opens with all events, a copy of the main
    file alone never opens with fewer.
    """
    chance = random.Random(5)
    last = 0
    for turn in range(examples(8, 24)):
        processes = [writer(log, chance.choice([5, 20])) for _ in range(1 + turn % 2)]
        last = max(last, written(processes[0], chance.choice([1, 2, 3, 10, 40])))
        last = max(last, *map(killed, processes))
        copy = log.parent / f"copy {turn}" / log.name
        copy.parent.mkdir()
        shutil.copy(log, copy)
        try:
            require_newest_events(copy)
        except NewestEventsMissingError:
            pass
        else:
            assert append(copy) >= last
        if chance.random() < 0.5:  # else the next writer finds what the last one left
            require_newest_events(log)
            assert append(log) >= last
            require_newest_events(log)
            assert not log.with_name(WAL).exists()


def test_a_copy_that_sqlite_made_is_whole_at_any_moment(log: Path) -> None:
    """A backup of SQLite's, or a VACUUM INTO, is accepted, even if it was made while the file was being marked."""
    process = writer(log, 5)
    written(process, 1)
    for number in range(15):
        copy, vacuumed = log.with_name(f"copy {number}.sqlite"), log.with_name(f"vacuumed {number}.sqlite")
        source, target = sqlite3.connect(log), sqlite3.connect(copy)
        source.backup(target)
        source.execute("VACUUM INTO ?", (str(vacuumed),))
        source.close()
        target.close()
        for path in (copy, vacuumed):
            require_newest_events(path)
            assert append(path) > 0
            require_newest_events(path)
    killed(process)


def test_another_program_may_close_a_log_after_a_kill(log: Path) -> None:
    """If SQLite's own shell is the first that opens and closes the log after a kill, the log is whole."""
    process = writer(log, 1_000)
    last = max(written(process, 5), killed(process))
    with sqlite3.connect(log) as connection:
        assert connection.execute("SELECT count(*) FROM event").fetchone()[0] >= last
    connection.close()
    assert not log.with_name(WAL).exists()
    require_newest_events(log)
    assert append(log) >= last


def test_a_log_from_before_the_mark_opens_and_goes_on(log: Path) -> None:
    """A log without the table of the mark is opened, and gets the table with the first append."""
    append(log, b"1")
    with sqlite3.connect(log) as connection:
        connection.execute("DROP TABLE file_mark")
    connection.close()
    require_newest_events(log)
    assert append(log) == 1
    assert append(log, b"2") == 2
    with sqlite3.connect(log) as connection:
        assert connection.execute("SELECT one, is_whole FROM file_mark").fetchall() == [(1, 1)]
    connection.close()


def test_the_write_ahead_log_does_not_grow_without_end(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The write-ahead log is copied to the file after a number of pages, and then used again from its start."""
    monkeypatch.setattr("pathbook.ledger.store.log.file_mark.CHECKPOINT_PAGES", 50)
    engine = open_engine(log, purpose="events")
    stream = Stream(engine)
    for number in range(400):
        stream.append("book", number, [("t", bytes(4_000))])
    assert log.with_name(WAL).stat().st_size < 200 * 4_096
    assert log.stat().st_size > 350 * 4_000
    stream.close()
    engine.dispose()
