"""Several writers on one book, and killed writers: no request is lost or recorded twice."""

import multiprocessing
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import msgspec

from pathbook.ledger.codec import decode
from pathbook.ledger.commands import RegisterParty
from pathbook.ledger.requests import request_of
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.values import PartyKind
from tests.books import BEGINNING, PATIENCE, Clock, ask, engine, open_books, positions, record, wait_beyond
from tests.scenario import DAY, NOON, opening

SPAWN = multiprocessing.get_context("spawn")


def write_a_lot(directory: Path, writer: str, count: int) -> None:
    """Record transfers from another process, all submitted at once."""
    with open_books(directory, Clock(NOON + DAY)) as opened:
        waiting = [opened.submit("masks", [record(f"{writer}-{number}")]) for number in range(count)]
        for future in waiting:
            positions(future.result(PATIENCE))


def write_one_by_one(directory: Path, writer: str, count: int) -> None:
    """Record transfers from another process, each in its own turn, without a reload."""
    with open_books(directory, Clock(NOON + DAY)) as opened:
        for number in range(count):
            positions(ask(opened, record(f"{writer}-{number}")))
        assert opened._books["masks"]._memory.reload_count == 1


def write_to_many(directory: Path, writer: str, books: int, count: int) -> None:
    """Record transfers in many books at once from another process."""
    with open_books(directory, Clock(NOON + DAY)) as opened:
        waiting = [
            opened.submit(f"masks-{book}", [record(f"{writer}-{number}")])
            for number in range(count)
            for book in range(books)
        ]
        for future in waiting:
            positions(future.result(PATIENCE))


class StoppingClock(Clock):
    """A clock that never returns: the writer reads it within its turn, and stops there."""

    def __init__(self, directory: Path) -> None:
        super().__init__(NOON + DAY)
        self._read = directory / "clock-read"

    def __call__(self) -> int:
        """Touch a file to show that the clock was read, and sleep."""
        self._read.touch()
        time.sleep(PATIENCE)
        raise AssertionError


def stop_within_a_turn(directory: Path) -> None:
    """Begin a turn in another process, and never end it."""
    with open_books(directory, StoppingClock(directory)) as opened:
        opened.submit("masks", [record("never")]).result(PATIENCE)


@contextmanager
def running(*processes: BaseProcess) -> Iterator[None]:
    """Start processes, and kill them at the end."""
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join(PATIENCE)


def requests(directory: Path, book: str = "masks") -> list[bytes]:
    """Return the requests in the log, in order."""
    events = engine(directory, "events")
    entries = Stream(events).read(book, 0, 1_000_000)
    events.dispose()
    assert [entry.position for entry in entries] == list(range(1, len(entries) + 1))
    return [decode(entry.position, entry.data).request for entry in entries]


def of_acme(names: Iterable[str]) -> list[bytes]:
    """Return the requests of acme with these ids, sorted."""
    return sorted(request_of("acme", name) for name in names)


def test_two_writers_on_one_book_record_each_request_once(place: Path) -> None:
    """Two processes write to one book at the same time, in turns."""
    with open_books(place) as opened:
        ask(opened, *BEGINNING)
    writers = [SPAWN.Process(target=write_a_lot, args=(place, name, 300)) for name in ("a", "b")]
    with running(*writers):
        for writer in writers:
            writer.join(PATIENCE)
            assert writer.exitcode == 0
    expected = of_acme(f"{name}-{number}" for name in "ab" for number in range(300))
    assert sorted(requests(place)[len(BEGINNING) :]) == expected


def test_writers_that_take_turns_catch_up_without_a_reload(place: Path) -> None:
    """Three processes write one transfer a turn, and each applies only the events that the others appended."""
    with open_books(place) as opened:
        ask(opened, *BEGINNING)
    writers = [SPAWN.Process(target=write_one_by_one, args=(place, name, 80)) for name in "abc"]
    with running(*writers):
        for writer in writers:
            writer.join(PATIENCE)
            assert writer.exitcode == 0
    assert sorted(requests(place)[len(BEGINNING) :]) == of_acme(
        f"{name}-{number}" for name in "abc" for number in range(80)
    )


def test_many_books_are_written_at_once(place: Path) -> None:
    """Writers of many books only wait for each other, even across processes."""
    books = 6
    with open_books(place) as opened:
        for book in range(books):
            begin = [opening(f"masks-{book}"), *BEGINNING[1:]]
            positions(opened.submit(f"masks-{book}", begin).result(PATIENCE))
    writers = [SPAWN.Process(target=write_to_many, args=(place, name, books, 10)) for name in "ab"]
    with running(*writers):
        for writer in writers:
            writer.join(PATIENCE)
            assert writer.exitcode == 0
    expected = of_acme(f"{name}-{number}" for name in "ab" for number in range(10))
    for book in range(books):
        assert sorted(requests(place, f"masks-{book}")[len(BEGINNING) :]) == expected


def test_a_writer_killed_within_its_turn_does_not_block_the_others(place: Path) -> None:
    """Another writer gets the turn when its holder is killed, and finds no event of the holder."""
    with open_books(place) as opened:
        ask(opened, *BEGINNING)
        stopping = SPAWN.Process(target=stop_within_a_turn, args=(place,))
        with running(stopping):
            until = time.monotonic() + PATIENCE
            while not (place / "clock-read").exists():
                assert time.monotonic() < until
                time.sleep(0.01)
            waiting = opened.submit("masks", [record("next")])
            stopping.kill()
            assert positions(waiting.result(PATIENCE)) == [6]
    assert requests(place)[len(BEGINNING) :] == of_acme(["next"])


def test_a_writer_killed_at_any_time_leaves_a_complete_book(place: Path) -> None:
    """After kill -9 and a retry of all requests, each request is recorded once."""
    with open_books(place) as opened:
        ask(opened, *BEGINNING)
    events = engine(place, "events")
    for at_least in (200, 700):
        writer = SPAWN.Process(target=write_a_lot, args=(place, "k", 2_000))
        writer.start()
        assert wait_beyond(Stream(events), "masks", at_least) > at_least
        writer.kill()
        writer.join(PATIENCE)
        assert writer.exitcode == -signal.SIGKILL
    events.dispose()
    assert 700 < len(requests(place)) - len(BEGINNING) < 2_000
    write_a_lot(place, "k", 2_000)
    assert sorted(requests(place)[len(BEGINNING) :]) == of_acme(f"k-{number}" for number in range(2_000))


def test_an_idle_writer_knows_the_events_of_others(place: Path) -> None:
    """An idle writer applies the events of other writers, and then decides on them without a reload."""
    with open_books(place) as idle, open_books(place) as busy:
        ask(idle, *BEGINNING)
        bob = RegisterParty(request_id="bob", party="bob", kind=PartyKind.AGENT)
        assert positions(ask(busy, bob, record("x"))) == [6, 7]
        memory = idle._books["masks"]._memory
        until = time.monotonic() + PATIENCE
        while memory.state.position < 7:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert positions(ask(idle, msgspec.structs.replace(record("y"), receiver="bob"))) == [8]
        assert memory.reload_count == 1
