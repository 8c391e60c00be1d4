"""Writers that meet on one book, and writers that are killed: nothing is lost, nothing doubled."""

import multiprocessing
import signal
from pathlib import Path

from ledger.codec import decode
from ledger.store.stream import Stream
from tests.books import BEGINNING, PATIENCE, Clock, ask, engine, library, positions, record, wait_beyond
from tests.scenario import DAY, NOON


def write_a_lot(directory: Path, writer: str, count: int) -> None:
    """Record transfers from a process of its own."""
    with library(directory, Clock(NOON + DAY)) as opened:
        waiting = [opened.submit("masks", [record(f"{writer}-{number}")]) for number in range(count)]
        for future in waiting:
            positions(future.result(PATIENCE))


def names(directory: Path) -> list[str]:
    """Return the ids of the requests in the log, in order."""
    events = engine(directory, "events")
    entries = Stream(events).read("masks", 0, 1_000_000)
    events.dispose()
    assert [entry.position for entry in entries] == list(range(1, len(entries) + 1))
    return [decode(entry.position, entry.data).request_id for entry in entries]


def test_two_writers_on_one_book_lose_nothing_and_double_nothing(place: Path) -> None:
    """Two processes write at once; the fence lets one through at a time, the other decides again."""
    with library(place) as opened:
        ask(opened, *BEGINNING)
    fork = multiprocessing.get_context("spawn")
    writers = [fork.Process(target=write_a_lot, args=(place, name, 300)) for name in ("a", "b")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(PATIENCE)
        assert writer.exitcode == 0
    expected = sorted(f"{name}-{number}" for name in "ab" for number in range(300))
    assert sorted(names(place)[4:]) == expected


def test_a_writer_killed_at_any_moment_leaves_a_whole_book(place: Path) -> None:
    """After kill -9 and a retry of everything, each request stands once."""
    with library(place) as opened:
        ask(opened, *BEGINNING)
    fork = multiprocessing.get_context("spawn")
    events = engine(place, "events")
    for enough in (200, 900):
        writer = fork.Process(target=write_a_lot, args=(place, "k", 3_000))
        writer.start()
        assert wait_beyond(Stream(events), "masks", enough) > enough
        writer.kill()
        writer.join(PATIENCE)
        assert writer.exitcode == -signal.SIGKILL
    events.dispose()
    assert 4 + 900 < len(names(place)) < 4 + 3_000
    write_a_lot(place, "k", 3_000)
    assert sorted(names(place)[4:]) == sorted(f"k-{number}" for number in range(3_000))
