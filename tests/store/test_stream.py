"""The log: without gaps, fenced, complete after a crash, and the same for all threads and processes."""

import contextlib
import itertools
import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from pathbook.ledger.codec import leaf_hash
from pathbook.ledger.store.database.engine import Purpose
from pathbook.ledger.store.database.notify import ALL_BOOKS
from pathbook.ledger.store.log.event_hashes import StoredEntry
from pathbook.ledger.store.log.stream import PositionTakenError, Stream
from tests.books import wait_beyond
from tests.examples import examples
from tests.services.forking import PipedFork

Connect = Callable[[Purpose], Engine]
Locate = Callable[[Purpose], str]

PROCESS_TIMEOUT_S = 20.0
"""Seconds after which a test that waits for a process fails."""

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
"""A program that appends groups of numbered entries under its name, after the entries of others."""


def start_writer(url: str, name: str, groups: int, size: int) -> PipedFork:
    """Start a writer process, which begins when it gets a line on its standard input."""
    return PipedFork(url, name, str(groups), str(size), program=WRITER)


def go(writer: PipedFork) -> None:
    """Let a ready writer begin."""
    assert writer.stdout.readline() == "ready\n"
    writer.stdin.write("\n")
    writer.stdin.flush()


def everything(stream: Stream, book: str = "masks") -> list[StoredEntry]:
    """Return all entries of a book, after a check that each position occurs once."""
    entries = stream.read(book, 0, 1_000_000)
    assert [entry.position for entry in entries] == list(range(1, stream.head(book) + 1))
    return entries


def assert_each_entry_once(stream: Stream, written: dict[str, int]) -> None:
    """Assert that each entry of each writer is in the log once, in the writer's order."""
    entries = everything(stream)
    for name, count in written.items():
        assert [int(entry.data) for entry in entries if entry.topic == name] == list(range(count))
    assert len(entries) == sum(written.values())


def test_appended_entries_are_read(stream: Stream) -> None:
    """Entries get the positions after the head, and are read unchanged."""
    assert stream.head("masks") == 0
    stream.append("masks", 0, [("Registered.1", b"one"), ("Registered.1", b"two")])
    stream.append("masks", 2, [("Offered.1", b"")])
    assert stream.head("masks") == 3
    assert everything(stream) == [
        StoredEntry(1, "Registered.1", b"one", leaf_hash(b"one"), is_kept=True),
        StoredEntry(2, "Registered.1", b"two", leaf_hash(b"two"), is_kept=True),
        StoredEntry(3, "Offered.1", b"", leaf_hash(b""), is_kept=True),
    ]


def test_reading_is_bounded(stream: Stream) -> None:
    """A read begins after a position, ends at another, and returns no more entries than its limit."""
    stream.append("masks", 0, [("t", b"%d" % number) for number in range(1, 11)])

    def positions(after: int, limit: int, through: int | None = None) -> list[int]:
        return [entry.position for entry in stream.read("masks", after, limit, through)]

    assert positions(0, 3) == [1, 2, 3]
    assert positions(8, 100) == [9, 10]
    assert positions(2, 100, 4) == [3, 4]
    assert positions(2, 1, 4) == [3]
    assert positions(10, 100) == positions(4, 100, 4) == positions(0, 0) == []


def test_entries_are_read_by_position(stream: Stream) -> None:
    """Entries are read by their positions, each once and in order, without those that do not exist."""
    stream.append("masks", 0, [("t", b"%d" % number) for number in range(1, 11)])
    stream.append("gloves", 0, [("t", b"g")])
    assert [entry.data for entry in stream.at("masks", [7, 2, 7, 99, 3])] == [b"2", b"3", b"7"]
    assert stream.at("masks", []) == []
    assert len(stream.at("masks", range(1, 10_001))) == 10


def test_an_empty_append_has_no_effect(stream: Stream) -> None:
    """An empty append writes nothing, and is not refused at any position."""
    stream.append("masks", 5, [])
    assert stream.books() == []


def test_a_position_is_written_once(stream: Stream) -> None:
    """A writer of a taken position gets an error with the position and the head, and writes nothing."""
    stream.append("masks", 0, [("t", b"1"), ("t", b"2"), ("t", b"3")])
    with pytest.raises(PositionTakenError, match=r"Position 2 of book masks .* head is 3") as taken:
        stream.append("masks", 1, [("t", b"other")] * 5)
    assert (taken.value.position, taken.value.head) == (2, 3)
    with pytest.raises(PositionTakenError):
        stream.append("masks", 0, [("t", b"other")])
    assert [entry.data for entry in everything(stream)] == [b"1", b"2", b"3"]


def test_a_gap_cannot_be_left(stream: Stream) -> None:
    """A writer beyond the head gets an error, and writes nothing."""
    stream.append("masks", 0, [("t", b"1")])
    with pytest.raises(PositionTakenError) as taken:
        stream.append("masks", 2, [("t", b"3")])
    assert (taken.value.position, taken.value.head) == (3, 1)
    with pytest.raises(PositionTakenError) as taken:
        stream.append("gloves", 1, [("t", b"2")])
    assert (taken.value.position, taken.value.head) == (2, 0)
    assert stream.books() == ["masks"]


def test_many_books_share_the_table(stream: Stream) -> None:
    """Each book has its own positions, and the books are listed in the order of their names."""
    books = [f"book-{number:02}" for number in range(30)]
    for turn, book in itertools.product(range(3), reversed(books)):
        stream.append(book, 2 * turn, [(book, b"a%d" % turn), (book, b"b%d" % turn)])
    assert stream.books() == books
    for book in books:
        entries = everything(stream, book)
        assert [entry.data for entry in entries] == [b"a0", b"b0", b"a1", b"b1", b"a2", b"b2"]
        assert {entry.topic for entry in entries} == {book}


fresh = itertools.count()


@settings(
    max_examples=examples(15, 40),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 12), st.integers(0, 5)), max_size=12))
def test_a_book_is_a_list(stream: Stream, appends: list[tuple[str, int, int]]) -> None:
    """A book is the list of the entries that were appended exactly at its end."""
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


def test_threads_append_to_one_book_at_once(connect: Connect) -> None:
    """Four threads on two engines append to one book, and each entry is recorded once, without a gap."""
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
    assert_each_entry_once(streams[0], dict.fromkeys("0123", 30))


def test_a_log_beside_writers_tells_of_what_others_append(connect: Connect) -> None:
    """A log that is open beside writers reports an append of another one, on both kinds of database."""
    writer, reader = Stream(connect("events")), Stream(connect("events"), beside_writers=True)
    told: queue.Queue[str] = queue.Queue()
    reader.on_append(told.put)
    with contextlib.closing(reader):
        assert told.get(timeout=PROCESS_TIMEOUT_S) == ALL_BOOKS  # what was written before it listened
        for head in range(3):
            writer.append("masks", head, [("kind", b"%d" % head)])
            assert told.get(timeout=PROCESS_TIMEOUT_S) in ("masks", ALL_BOOKS)
        assert reader.head("masks") == 3


def test_processes_append_to_one_book_at_once(locate: Locate, stream: Stream) -> None:
    """Two processes append to one book, and each entry is recorded once, without a gap."""
    with ExitStack() as running:
        writers = [running.enter_context(start_writer(locate("events"), name, 60, 5)) for name in ("a", "b")]
        for writer in writers:
            go(writer)
        for writer in writers:
            writer.communicate(timeout=PROCESS_TIMEOUT_S)
            assert writer.returncode == 0
    assert_each_entry_once(stream, {"a": 300, "b": 300})


def test_a_killed_writer_leaves_whole_groups(locate: Locate, stream: Stream) -> None:
    """After kill -9 during appends, the log is a prefix of whole groups with all acknowledged entries."""
    size = 50
    for round_ in (1, 2):
        before = stream.head("masks")
        with start_writer(locate("events"), str(round_), 1_000_000, size) as writer:
            go(writer)
            wait_beyond(stream, "masks", before + 5 * size)
            writer.kill()
            acknowledged, _ = writer.communicate(timeout=PROCESS_TIMEOUT_S)
        head = stream.head("masks")
        assert head % size == 0
        assert head >= max(map(int, acknowledged.split()))
        assert [int(entry.data) for entry in everything(stream)[before:]] == list(range(head - before))
        assert {entry.topic for entry in stream.read("masks", before, head)} == {str(round_)}


def test_a_log_is_kept(connect: Connect) -> None:
    """Another engine reads what the first one wrote, and appends to it."""
    Stream(connect("events")).append("masks", 0, [("t", b"1")])
    again = Stream(connect("events"))
    again.append("masks", 1, [("t", b"2")])
    assert [entry.data for entry in everything(again)] == [b"1", b"2"]
