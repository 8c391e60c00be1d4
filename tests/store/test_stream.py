"""The log: gapless, fenced, whole after a crash, and the same for every thread and process that reads it."""

import itertools
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from pathbook.ledger.store.database.engine import Purpose
from pathbook.ledger.store.log.stream import PositionTakenError, StoredEntry, Stream
from tests.books import wait_beyond

Connect = Callable[[Purpose], Engine]
Locate = Callable[[Purpose], str]

SOON = 20.0
"""Seconds after which a test that waits gives up."""

WRITER = """
import sys
from pathbook.ledger.store.database.engine import open_engine
from pathbook.ledger.store.log.stream import PositionTakenError, Stream

url, name, groups, size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
stream = Stream(open_engine(url, purpose="events"))
print("ready", flush=True)
sys.stdin.readline()
head = 0
for group in range(groups):
    entries = [(name, b"%d" % number) for number in range(group * size, group * size + size)]
    while True:
        try:
            stream.append("masks", head, entries)
        except PositionTakenError as taken:
            head = taken.head
        else:
            head += size
            print(head, flush=True)
            break
"""
"""A process that appends groups of entries, numbered under its name, after whatever others have appended."""


def start_writer(url: str, name: str, groups: int, size: int) -> subprocess.Popen[str]:
    """A writer in a process of its own, which begins when it is sent a line."""
    arguments = [sys.executable, "-c", WRITER, url, name, str(groups), str(size)]
    return subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def go(writer: subprocess.Popen[str]) -> None:
    """Send a writer that is ready its line."""
    assert writer.stdout is not None
    assert writer.stdin is not None
    assert writer.stdout.readline() == "ready\n"
    writer.stdin.write("\n")
    writer.stdin.flush()


def everything(stream: Stream, book: str = "masks") -> list[StoredEntry]:
    """The whole book, of which every position is there and stands once."""
    entries = stream.read(book, 0, 1_000_000)
    assert [entry.position for entry in entries] == list(range(1, stream.head(book) + 1))
    return entries


def assert_nothing_lost_or_doubled(stream: Stream, written: dict[str, int]) -> None:
    """Of each writer's numbered entries all are there, once, in their order."""
    entries = everything(stream)
    for name, count in written.items():
        assert [int(entry.data) for entry in entries if entry.topic == name] == list(range(count))
    assert len(entries) == sum(written.values())


def test_what_is_appended_is_read(stream: Stream) -> None:
    """Entries stand at the positions after the head, and are read as they were written."""
    assert stream.head("masks") == 0
    stream.append("masks", 0, [("Registered.1", b"one"), ("Registered.1", b"two")])
    stream.append("masks", 2, [("Offered.1", b"")])
    assert stream.head("masks") == 3
    assert everything(stream) == [
        StoredEntry(1, "Registered.1", b"one"),
        StoredEntry(2, "Registered.1", b"two"),
        StoredEntry(3, "Offered.1", b""),
    ]


def test_reading_is_bounded_as_asked(stream: Stream) -> None:
    """A read begins after a position, ends at another, and is no longer than asked."""
    stream.append("masks", 0, [("t", b"%d" % number) for number in range(1, 11)])

    def positions(after: int, limit: int, through: int | None = None) -> list[int]:
        return [entry.position for entry in stream.read("masks", after, limit, through)]

    assert positions(0, 3) == [1, 2, 3]
    assert positions(8, 100) == [9, 10]
    assert positions(2, 100, 4) == [3, 4]
    assert positions(2, 1, 4) == [3]
    assert positions(10, 100) == positions(4, 100, 4) == positions(0, 0) == []


def test_single_positions_are_picked(stream: Stream) -> None:
    """Entries are picked by their positions, each once and in order; those not there are left out."""
    stream.append("masks", 0, [("t", b"%d" % number) for number in range(1, 11)])
    stream.append("gloves", 0, [("t", b"g")])
    assert [entry.data for entry in stream.at("masks", [7, 2, 7, 99, 3])] == [b"2", b"3", b"7"]
    assert stream.at("masks", []) == []
    assert len(stream.at("masks", range(1, 10_001))) == 10


def test_nothing_to_append_is_nothing(stream: Stream) -> None:
    """An empty append writes nothing and is refused nowhere."""
    stream.append("masks", 5, [])
    assert stream.books() == []


def test_a_position_is_written_once(stream: Stream) -> None:
    """Who is not first is told the position and the head, and writes nothing."""
    stream.append("masks", 0, [("t", b"1"), ("t", b"2"), ("t", b"3")])
    with pytest.raises(PositionTakenError, match=r"Position 2 of book masks .* head is 3") as taken:
        stream.append("masks", 1, [("t", b"other")] * 5)
    assert (taken.value.position, taken.value.head) == (2, 3)
    with pytest.raises(PositionTakenError):
        stream.append("masks", 0, [("t", b"other")])
    assert [entry.data for entry in everything(stream)] == [b"1", b"2", b"3"]


def test_a_gap_cannot_be_left(stream: Stream) -> None:
    """Who writes beyond the head is told so, and writes nothing."""
    stream.append("masks", 0, [("t", b"1")])
    with pytest.raises(PositionTakenError) as taken:
        stream.append("masks", 2, [("t", b"3")])
    assert (taken.value.position, taken.value.head) == (3, 1)
    with pytest.raises(PositionTakenError) as taken:
        stream.append("gloves", 1, [("t", b"2")])
    assert (taken.value.position, taken.value.head) == (2, 0)
    assert stream.books() == ["masks"]


def test_many_books_share_the_table(stream: Stream) -> None:
    """Each book has positions of its own, and the books are listed in the order of their names."""
    books = [f"book-{number:02}" for number in range(30)]
    for turn, book in itertools.product(range(3), reversed(books)):
        stream.append(book, 2 * turn, [(book, b"a%d" % turn), (book, b"b%d" % turn)])
    assert stream.books() == books
    for book in books:
        entries = everything(stream, book)
        assert [entry.data for entry in entries] == [b"a0", b"b0", b"a1", b"b1", b"a2", b"b2"]
        assert {entry.topic for entry in entries} == {book}


fresh = itertools.count()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 12), st.integers(0, 5)), max_size=12))
def test_a_book_is_a_list(stream: Stream, appends: list[tuple[str, int, int]]) -> None:
    """Whatever is appended wherever, a book is the list of what was appended right at its end."""
    example = next(fresh)
    model: dict[str, list[bytes]] = {"a": [], "b": []}
    for turn, (name, after, count) in enumerate(appends):
        data = [b"%d.%d" % (turn, number) for number in range(count)]
        entries = [("t", each) for each in data]
        if count == 0 or after == len(model[name]):
            stream.append(f"{example}{name}", after, entries)
            model[name] += data
        else:
            with pytest.raises(PositionTakenError) as taken:
                stream.append(f"{example}{name}", after, entries)
            assert (taken.value.position, taken.value.head) == (after + 1, len(model[name]))
    for name, data in model.items():
        assert [entry.data for entry in everything(stream, f"{example}{name}")] == data


def test_threads_that_append_at_once_lose_nothing(connect: Connect) -> None:
    """Four threads on two engines append to one book: nothing is lost, nothing doubled, no gap."""
    streams = [Stream(connect("events")) for _ in range(2)]
    start = threading.Barrier(4)

    def write(who: int) -> None:
        head = 0
        start.wait()
        for number in range(30):
            while True:
                try:
                    streams[who % 2].append("masks", head, [(str(who), b"%d" % number)])
                except PositionTakenError as taken:
                    head = taken.head
                else:
                    head += 1
                    break

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(4)))
    assert_nothing_lost_or_doubled(streams[0], dict.fromkeys("0123", 30))


def test_processes_that_append_at_once_lose_nothing(locate: Locate, stream: Stream) -> None:
    """Two processes append to one book: nothing is lost, nothing doubled, no gap."""
    with ExitStack() as running:
        writers = [running.enter_context(start_writer(locate("events"), name, 60, 5)) for name in ("a", "b")]
        for writer in writers:
            go(writer)
        for writer in writers:
            writer.communicate(timeout=SOON)
            assert writer.returncode == 0
    assert_nothing_lost_or_doubled(stream, {"a": 300, "b": 300})


def test_a_writer_killed_at_work_leaves_whole_groups(locate: Locate, stream: Stream) -> None:
    """After kill -9 amid appending, the log is a whole prefix and holds all that was acknowledged."""
    size = 50
    for round_ in (1, 2):
        before = stream.head("masks")
        with start_writer(locate("events"), str(round_), 1_000_000, size) as writer:
            go(writer)
            wait_beyond(stream, "masks", before + 5 * size)
            writer.kill()
            acknowledged, _ = writer.communicate(timeout=SOON)
        head = stream.head("masks")
        assert head % size == 0
        assert head >= max(map(int, acknowledged.split()))
        assert [int(entry.data) for entry in everything(stream)[before:]] == list(range(head - before))
        assert {entry.topic for entry in stream.read("masks", before, head)} == {str(round_)}


def test_a_log_is_there_when_opened_again(connect: Connect) -> None:
    """What one engine wrote, another reads, and writes on."""
    Stream(connect("events")).append("masks", 0, [("t", b"1")])
    again = Stream(connect("events"))
    again.append("masks", 1, [("t", b"2")])
    assert [entry.data for entry in everything(again)] == [b"1", b"2"]
