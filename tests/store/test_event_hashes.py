"""Each event that is read is compared with the hash that was kept when it was written."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from eventsourcing.persistence import StoredEvent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from structlog.testing import capture_logs

from pathbook.ledger.store.log.damage import EventDamagedError
from pathbook.ledger.store.log.event_hashes import StoredEntry
from pathbook.ledger.store.log.event_table import EVENT, EVENT_HASHES, HASH_BYTES
from pathbook.ledger.store.log.stream import SQLAlchemyAggregateRecorder, Stream
from pathbook.ledger.store.views import retries
from pathbook.ledger.store.views.follower import Follower
from tests.books import PATIENCE, engine
from tests.examples import examples
from tests.projections.synthetic import SyntheticBook

BOOK = "masks"
COUNT = 12


def read_in_turn(stream: Stream) -> list[StoredEntry]:
    """Read all events in a turn, as a writer does."""
    with stream.turn(BOOK) as turn:
        return turn.read(0, 100)


READS: dict[str, Callable[[Stream], object]] = {
    "read": lambda stream: stream.read(BOOK, 0, 100),
    "at": lambda stream: stream.at(BOOK, range(1, COUNT + 1)),
    "data": lambda stream: stream.data(BOOK, 0, 100, COUNT),
    "turn": read_in_turn,
}
"""Every way to read events that are compared with their hashes."""


@pytest.fixture
def events(place: Path) -> Iterator[Engine]:
    """The database of a log with COUNT events, in appends of several sizes."""
    events = engine(place, "events")
    stream, after = Stream(events), 0
    for size in (1, 5, 2, 4):
        stream.append(
            BOOK, after, [("Kind.v1", b"event %d" % number) for number in range(after, after + size)]
        )
        after += size
    stream.close()
    yield events
    events.dispose()


def change(events: Engine, position: int, **values: object) -> None:
    """Change columns of an event, as damage does."""
    with events.begin() as connection:
        connection.execute(EVENT.update().where(EVENT.c.position == position).values(values))


@pytest.mark.parametrize("read", READS.values(), ids=READS)
@pytest.mark.parametrize("values", [{"state": b"event 7!"}, {"state": b""}, {"topic": "kind.v1"}])
def test_a_changed_event_is_named_by_every_read(
    events: Engine, read: Callable[[Stream], object], values: dict[str, object]
) -> None:
    """A bit of the bytes or of the topic that changed after the event was written is told with book and position."""
    stream = Stream(events)
    read(stream)
    change(events, 8, **values)
    with pytest.raises(EventDamagedError, match=r"position 8 of book 'masks' .* its hash differs") as damage:
        read(stream)
    assert (damage.value.book, damage.value.position) == (BOOK, 8)
    assert len(damage.value.kept) == len(damage.value.found) == HASH_BYTES
    assert [entry.position for entry in stream.read(BOOK, 0, 7)] == [1, 2, 3, 4, 5, 6, 7]
    assert [entry.position for entry in stream.at(BOOK, [7, 9, 99])] == [7, 9]


@pytest.mark.parametrize("position", [1, 6, COUNT])
def test_a_missing_event_is_named(events: Engine, position: int) -> None:
    """An event that is gone, at the head or before it, is told. Nothing is appended in its place."""
    stream = Stream(events)
    change(events, position, book="mask")
    with pytest.raises(EventDamagedError, match="it is missing"):
        stream.at(BOOK, [position])
    with pytest.raises(EventDamagedError) as damage:
        [stream.read(BOOK, after, 100) for after in (0, position - 1)]
    assert damage.value.position == position
    assert stream.books() == ["mask", BOOK]
    if position == COUNT:
        with pytest.raises(EventDamagedError):
            stream.append(BOOK, COUNT - 1, [("Kind.v1", b"another event")])
    if position == 1:
        with pytest.raises(EventDamagedError):
            stream.first_entries("", 10)


def test_a_changed_hash_is_told_as_well(events: Engine) -> None:
    """It is not known whether the event or its hash has changed, so the event is not relied on."""
    with events.begin() as connection:
        row = EVENT_HASHES.c.last_position == 6
        (hashes,) = connection.execute(sa.select(EVENT_HASHES.c.hashes).where(row)).scalars()
        changed = hashes[:9] + bytes([hashes[9] ^ 1]) + hashes[10:]
        connection.execute(EVENT_HASHES.update().where(row).values(hashes=changed))
    stream = Stream(events)
    for read in READS.values():
        with pytest.raises(EventDamagedError) as damage:
            read(stream)
        assert damage.value.position == 3


def test_hashes_take_eight_bytes_an_event_and_a_row_an_append(events: Engine) -> None:
    """The cost of an event does not depend on its length."""
    with events.connect() as connection:
        rows = connection.execute(sa.select(EVENT_HASHES.c.last_position, EVENT_HASHES.c.hashes)).all()
    assert {last: len(hashes) for last, hashes in rows} == {1: 8, 6: 40, 8: 16, 12: 32}


def test_a_log_without_hashes_opens_and_goes_on(events: Engine) -> None:
    """Events of a program that kept no hashes are read unchecked. Those that are appended now are checked."""
    with events.begin() as connection:
        EVENT_HASHES.drop(connection)
    stream = Stream(events)
    assert [entry.is_kept for entry in stream.read(BOOK, 0, 100)] == [False] * COUNT
    stream.append(BOOK, COUNT, [("Kind.v1", b"new"), ("Kind.v1", b"newer")])
    for entries in (stream.read(BOOK, 0, 100), stream.at(BOOK, range(1, 20)), read_in_turn(stream)):
        assert [entry.is_kept for entry in entries] == [False] * COUNT + [True, True]
    change(events, COUNT, state=b"not known to be damaged")
    change(events, COUNT + 2, state=b"damaged")
    assert len(stream.read(BOOK, 0, COUNT + 1)) == COUNT + 1
    with pytest.raises(EventDamagedError):
        stream.read(BOOK, 0, 100)
    with events.begin() as connection:  # an older program appends more
        rows = [(BOOK, COUNT + 3, "Kind.v1", b"newest")]
        connection.execute(EVENT.insert().values(rows))
    assert stream.head(BOOK) == COUNT + 3


def test_a_gap_is_told_without_hashes(events: Engine) -> None:
    """Positions have no gaps, so an event that is missing before others is damage in an older log, too."""
    with events.begin() as connection:
        EVENT_HASHES.drop(connection)
    change(events, 6, book="mask")
    stream = Stream(events)
    for read in (READS["read"], READS["turn"], READS["data"], READS["at"]):
        with pytest.raises(EventDamagedError, match="it is missing") as damage:
            read(stream)
        assert damage.value.position == 6


def test_an_event_that_is_appended_during_a_read_is_no_damage(events: Engine) -> None:
    """Readers that poll beyond the head while another thread appends never take the newest event for a lost one."""
    stream, more = Stream(events), 150
    reader = Stream(events)

    def append() -> None:
        for number in range(more):
            stream.append(BOOK, COUNT + number, [("Kind.v1", b"more")])

    reads: list[Callable[[int], int]] = [
        lambda last: len(reader.read(BOOK, last, 10)),
        lambda last: len(reader.data(BOOK, last, 10, last + 10)),
        lambda last: len(reader.at(BOOK, [last + 1, last + 2])),
    ]

    def follow(read: Callable[[int], int]) -> int:
        last, until = COUNT, time.monotonic() + PATIENCE
        while last < COUNT + more and time.monotonic() < until:
            last += read(last)
        return last

    with ThreadPoolExecutor(len(reads) + 1) as threads:
        readers = [threads.submit(follow, read) for read in reads]
        threads.submit(append).result(PATIENCE)
        assert [reading.result(PATIENCE) for reading in readers] == [COUNT + more] * len(reads)


def test_the_contract_of_eventsourcing_keeps_hashes_for_each_run_of_positions(place: Path) -> None:
    """Events that are inserted with gaps are still compared with their hashes."""
    events = engine(place, "events")
    recorder = SQLAlchemyAggregateRecorder(events)
    recorder.insert_events(
        [StoredEvent(BOOK, number, "Kind.v1", b"%d" % number) for number in (0, 1, 5, 6, 8)]
    )
    with events.connect() as connection:
        kept = connection.execute(sa.select(EVENT_HASHES.c.last_position)).scalars().all()
    assert kept == [1, 6, 8]
    events.dispose()


@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=8),
    data=st.data(),
)
@settings(max_examples=examples(15, 40), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_part_of_any_appends_is_read_and_checked(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], data: st.DataObject
) -> None:
    """Wherever a read begins and ends, the events are those that were appended, and the changed one is found."""
    events = engine(tmp_path_factory.mktemp("log"), "events")
    stream, written = Stream(events), list[bytes]()
    for size in sizes:
        more = [data.draw(st.binary(max_size=5)) for _ in range(size)]
        stream.append(BOOK, len(written), [(f"Kind{len(item)}.v1", item) for item in more])
        written += more
    after = data.draw(st.integers(0, len(written)))
    limit = data.draw(st.integers(1, len(written)))
    assert stream.data(BOOK, after, limit, len(written)) == written[after : after + limit]
    positions = data.draw(st.sets(st.integers(1, len(written))))
    assert [entry.data for entry in stream.at(BOOK, list(positions))] == [
        written[position - 1] for position in sorted(positions)
    ]
    changed = data.draw(st.integers(1, len(written)))
    change(events, changed, state=written[changed - 1] + b"!")
    for begin in range(0, len(written), 7):
        if begin < changed <= begin + 7:
            with pytest.raises(EventDamagedError) as damage:
                stream.read(BOOK, begin, 7)
            assert damage.value.position == changed
        else:
            assert all(entry.is_kept for entry in stream.read(BOOK, begin, 7))
    events.dispose()


def test_views_end_before_a_damaged_event_until_it_is_restored(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The follower logs it once with both hashes, others go on, and once it is restored the book is followed again."""
    monkeypatch.setattr(retries, "BUG_RETRY_DELAY_S", 0.05)
    events, views = engine(place, "events"), engine(place, "views")
    stream, book = Stream(events), SyntheticBook(5, 40)
    for name in ("book", "other"):
        stream.append(name, 0, book.entries)
    whole = stream.read("book", 29, 1)[0].data
    with events.begin() as connection:
        row = sa.and_(EVENT.c.book == "book", EVENT.c.position == 30)
        connection.execute(EVENT.update().where(row).values(state=whole[:-1] + bytes([whole[-1] ^ 1])))
    follower = Follower(stream, views)
    with capture_logs() as logs:
        follower.start()
        assert follower.reached("other", len(book.entries)).result(30) == len(book.entries)
        assert follower.reached("book", 29).result(30) == 29
        for _ in range(3):
            with pytest.raises(EventDamagedError):
                follower.reached("book", 30).result(30)
    told = [line for line in logs if line["log_level"] == "error"]
    assert [(line["book"], line["position"]) for line in told] == [("book", 30)]
    assert told[0]["kept"] != told[0]["found"]
    assert "restore" in told[0]["event"]
    assert follower.position("book") == 29
    assert follower.within_reach("book", 40) == 29
    with events.begin() as connection:
        connection.execute(EVENT.update().where(row).values(state=whole))
    until_followed(follower, len(book.entries))
    until = time.monotonic() + 30
    while follower.damage("book") is not None:  # it is forgotten right after the views have moved
        assert time.monotonic() < until
        time.sleep(0.01)
    follower.close()
    stream.close()
    events.dispose()
    views.dispose()


def until_followed(follower: Follower, position: int) -> None:
    """Wait until the follower has read the restored event."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            assert follower.reached("book", position).result(PATIENCE) >= position
        except EventDamagedError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("the book is not followed again")
