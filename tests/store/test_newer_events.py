"""A book with an event that is newer than this program: it is followed up to that event, and other books go on."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from pathbook.ledger.book import Answer
from pathbook.ledger.codec import NewerEventError
from pathbook.ledger.store.database.fast_read import ReaderPool
from pathbook.ledger.store.log.event_hashes import StoredEntry
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views import follower as followers
from pathbook.ledger.store.views import retries
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.views.rebuild_worker import RebuildWorker
from pathbook.ledger.store.views.snapshot import open_snapshot
from tests.books import BEGINNING, PATIENCE, Clock, ask, engine, open_books, record
from tests.newer import FIELD, TOPIC, of_unknown_kind, of_unknown_state
from tests.projections.synthetic import SyntheticBook
from tests.store.follower_process import Connect, rows_of

NEWER = 15
"""The position of the event that is newer."""


@pytest.fixture(params=[of_unknown_kind, of_unknown_state])
def book(request: pytest.FixtureRequest, stream: Stream) -> SyntheticBook:
    """A book with an event that is newer at position NEWER, and known events after it."""
    make: Callable[[bytes], bytes] = request.param
    book = SyntheticBook(5, 40)
    entries = [*book.entries]
    entries.insert(NEWER - 1, (TOPIC, make(entries[NEWER - 2][1])))
    stream.append("newer", 0, entries)
    stream.append("book", 0, book.entries)
    return book


@pytest.fixture(params=[True, False], ids=["projecting", "only reading"])
def started(
    request: pytest.FixtureRequest, book: SyntheticBook, stream: Stream, connect: Connect
) -> Iterator[Follower]:
    """A follower that runs: alone, or beside another that projects the views of both books as far as it can."""
    views = connect("views")
    if not request.param:
        other = Follower(stream, views)
        other.catch_up("book")
        with pytest.raises(NewerEventError):
            other.catch_up("newer")
    follower = Follower(stream, views, projects=request.param)
    yield follower
    follower.close()


def test_a_book_is_followed_up_to_the_newer_event(
    book: SyntheticBook, stream: Stream, connect: Connect
) -> None:
    """The views hold the events before it, in whatever groups they come, and are served as complete."""
    rows = []
    for follower in (Follower(stream, connect("views"), 4), Follower(stream, connect("views"))):
        with pytest.raises(NewerEventError, match=f"at position {NEWER} is newer"):
            follower.catch_up("newer")
        assert follower.position("newer") == NEWER - 1
        with open_snapshot(ReaderPool(connect("views")), "newer") as snapshot:
            assert snapshot.position == NEWER - 1
            assert snapshot.party("acme") is not None
        with pytest.raises(NewerEventError):
            follower.rebuild()
        rows.append(rows_of(connect("views")))
        assert follower.position("book") == len(book.entries)
        assert follower.within_reach("newer", 99) == NEWER - 1
        assert follower.within_reach("book", 99) == 99
    alone = stream.read("newer", 0, NEWER - 1)
    assert rows[0] == rows[1]
    assert [row[-1] for row in rows[0]["tracking"]] == [len(book.entries), len(alone)]


def test_waits_end_by_name_and_other_books_go_on(started: Follower, book: SyntheticBook) -> None:
    """A caller that waits beyond the newer event gets the error at once, and the log says once what to do."""
    before, stuck, fine = (
        started.reached("newer", NEWER - 1),
        started.reached("newer", NEWER),
        started.reached("book", len(book.entries)),
    )
    with capture_logs() as logs:
        started.start()
        assert before.result(PATIENCE) == NEWER - 1
        assert isinstance(stuck.exception(PATIENCE), NewerEventError)
        assert fine.result(PATIENCE) == len(book.entries)
        began = time.monotonic()
        for position in (NEWER, NEWER + 1, 99):
            assert isinstance(started.reached("newer", position).exception(PATIENCE), NewerEventError)
        assert time.monotonic() - began < retries.BUG_RETRY_DELAY_S
        assert started.reached("newer", NEWER - 1).result(PATIENCE) == NEWER - 1
    (line,) = logs
    assert line["log_level"] == "error"
    assert line["event"].endswith("followed no further: update this program")
    assert (line["book"], line["position"]) == ("newer", NEWER)


def test_a_stopped_book_is_not_read_again(book: SyntheticBook, stream: Stream, connect: Connect) -> None:
    """A follower that has met a newer event reads the log of that book no more, however often it is woken."""
    follower, reads = Follower(stream, connect("views")), list[str]()
    read = stream.read

    def note(book: str, after: int, limit: int, through: int | None = None) -> list[StoredEntry]:
        reads.append(book)
        return read(book, after, limit, through)

    follower.start()
    assert isinstance(follower.reached("newer", 99).exception(PATIENCE), NewerEventError)
    follower.reached("book", len(book.entries)).result(PATIENCE)
    stream.read = note  # type: ignore[method-assign]  # counts the reads
    for _ in range(20):
        follower._wake("newer")
        assert isinstance(follower.reached("newer", 99).exception(PATIENCE), NewerEventError)
    follower.close()
    assert "newer" not in reads


def test_a_newer_program_carries_the_views_on(started: Follower, stream: Stream, connect: Connect) -> None:
    """If the views go beyond the newer event, a newer program updates them, and callers wait for it."""
    started.start()
    assert isinstance(started.reached("newer", NEWER).exception(PATIENCE), NewerEventError)
    waiting = started.reached("newer", NEWER - 1)
    assert waiting.result(PATIENCE) == NEWER - 1
    with connect("views").begin() as connection:
        connection.exec_driver_sql(
            f"UPDATE tracking SET notification_id = {NEWER} WHERE application_name = 'newer'"
        )
    assert started.reached("newer", NEWER).result(PATIENCE) == NEWER
    later = started.reached("newer", NEWER + 1)
    time.sleep(0.5)
    assert not later.done()
    again = Follower(
        stream, connect("views")
    )  # the views are not dropped, although their last event is not known
    assert again.position("newer") == NEWER


@pytest.mark.usefixtures("book")
def test_a_rebuild_with_a_worker_goes_as_far_as_one_without(
    stream: Stream, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker ends at the newer event, and the writing process names it after it has rebuilt all books."""
    follower = Follower(stream, connect("views"), 4)
    with pytest.raises(NewerEventError):
        follower.rebuild()
    alone = rows_of(connect("views"))
    monkeypatch.setattr(followers, "REBUILD_WORKER_MIN_EVENTS", 0)
    monkeypatch.setattr(RebuildWorker, "ready", lambda process: process._pipe.poll(PATIENCE))
    with pytest.raises(NewerEventError), capture_logs() as logs:
        follower.rebuild()
    assert rows_of(connect("views")) == alone
    assert [line["book"] for line in logs] == ["newer"]


@pytest.mark.parametrize("make", [of_unknown_kind, of_unknown_state])
@pytest.mark.parametrize("is_open", [True, False])
def test_the_writer_refuses_a_book_that_it_cannot_read(
    place: Path, make: Callable[[bytes], bytes], is_open: bool
) -> None:
    """Whether the newer event was there before or another server appends it, no command is decided any more."""
    events = engine(place, "events")
    stream = Stream(events)
    with open_books(place, Clock()) as opened:
        assert all(isinstance(outcome, Answer) for outcome in ask(opened, *BEGINNING))
        if is_open:
            stream.append("masks", len(BEGINNING), [(TOPIC, make(stream.read("masks", 0, 1)[0].data))])
            for name in ("first", "second"):
                with pytest.raises(NewerEventError, match=f"at position {len(BEGINNING) + 1} is newer"):
                    ask(opened, record(name))
    if not is_open:
        stream.append("masks", len(BEGINNING), [(TOPIC, make(stream.read("masks", 0, 1)[0].data))])
        with open_books(place, Clock()) as opened:
            submissions = [opened.submit("masks", [record(name)]) for name in ("first", "second")]
            for submission in submissions:
                assert isinstance(submission.exception(PATIENCE), NewerEventError)
    assert stream.head("masks") == len(BEGINNING) + 1
    stream.close()
    events.dispose()


def test_the_number_of_the_field_is_that_of_the_kind(
    book: SyntheticBook, stream: Stream, connect: Connect
) -> None:
    """The error has the number of the field that this program does not know."""
    with pytest.raises(NewerEventError) as newer:
        Follower(stream, connect("views")).catch_up("newer")
    assert newer.value.field in (FIELD, 3)
