"""The watch over deadlines: which books it wakes, and that idle books cost neither a thread nor a poll."""

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pathbook.ledger import commands, deadlines
from pathbook.ledger.book import writer
from pathbook.ledger.books import Books
from pathbook.ledger.codec import decode
from pathbook.ledger.commands import Command
from pathbook.ledger.deadlines import DeadlineWatch
from pathbook.ledger.events import Event, TransferAccepted, TransferLapsed
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views import due_offers, tables
from pathbook.ledger.store.views.due_offers import DueOffers
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.views.state_loader import StateLoader
from pathbook.ledger.store.views.tracking import TRACKING, SQLAlchemyTrackingRecorder
from pathbook.ledger.values import Price, Selection, UnitRange
from tests.books import BEGINNING, PATIENCE, Clock, beginning, engine, open_books, positions, wait_beyond
from tests.scenario import NOON

HOUR = 3_600_000_000
DEADLINE = NOON + HOUR

BEGUN = len(BEGINNING)
"""The last position of the beginning of a book."""

OFFER = BEGUN + 1
"""The position of the first offer."""

LAPSE = OFFER + 1
"""The position of the lapse of a single offer."""


@pytest.fixture(autouse=True)
def patient_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a look wait for the writers that it wakes, however busy the machine is."""
    monkeypatch.setattr(deadlines, "WAKE_TIMEOUT_S", PATIENCE)


def offer(number: int, deadline: int = DEADLINE) -> Command:
    """Return the command that offers one unit of the first batch until a deadline."""
    return commands.OfferTransfer(
        request_id=f"offer {number}",
        giver="acme",
        receiver="ann",
        units=Selection((UnitRange(1, number, number),)),
        unit_price=Price(1, "CNY"),
        deadline=deadline,
    )


class Watched:
    """The books of a place, with a watch that looks when a test says so."""

    def __init__(self, place: Path, clock: Clock, *, precedence_us: int = 0) -> None:
        """Open the books as a process does that starts. The views are updated only by ``update_views``."""
        self._events, self._views = engine(place, "events"), engine(place, "views")
        self.stream = Stream(self._events)
        self.follower = Follower(self.stream, self._views)
        loader = StateLoader(self.stream, self._views, SQLAlchemyTrackingRecorder(self._views))
        self.books = Books(self.stream, loader, self.follower, clock)
        self.watch = DeadlineWatch(
            self.books,
            self.stream,
            DueOffers(self._views),
            self.follower,
            clock,
            precedence_us=precedence_us,
        )

    def event(self, book: str, position: int) -> Event | None:
        """Return the event of a book at a position, or None if there is none."""
        entries = self.stream.at(book, [position])
        return decode(position, entries[0].data).event if entries else None

    def set_views_back(self, book: str, position: int) -> None:
        """Let the views say that they have reached only this position."""
        with self._views.begin() as connection:
            connection.execute(
                TRACKING.update().where(TRACKING.c.application_name == book).values(notification_id=position)
            )

    def plan(self) -> str:
        """Return how SQLite looks for the offers that are due."""
        with self._views.connect() as connection:
            rows = connection.exec_driver_sql(
                f"EXPLAIN QUERY PLAN {due_offers._BOOKS.compile(self._views)}", (0,)
            )
            return "; ".join(str(row[-1]) for row in rows)

    def close(self) -> None:
        """Close everything."""
        self.follower.close()
        self.watch.close()
        self.books.close()
        self.stream.close()
        self._views.dispose()
        self._events.dispose()


@contextlib.contextmanager
def watched(place: Path, clock: Clock, *, precedence_us: int = 0) -> Iterator[Watched]:
    """Open the books of a place with a watch."""
    opened = Watched(place, clock, precedence_us=precedence_us)
    try:
        yield opened
    finally:
        opened.close()


def begin(place: Path, clock: Clock, *names: str, offers: int = 1, deadline: int = DEADLINE) -> None:
    """Begin books with offers in each, and update their views. The events of a book end at BEGUN + offers."""
    with open_books(place, clock) as opened:
        for name in names:
            made = [*beginning(name), *(offer(number, deadline) for number in range(offers))]
            positions(opened.submit(name, made).result(PATIENCE))
            follower = opened._follower
            assert follower.reached(name, BEGUN + offers).result(PATIENCE) == BEGUN + offers


def writers() -> set[str]:
    """Return the names of the threads that write books."""
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("writer of")}


def wait_until_asleep() -> None:
    """Wait until no book has a thread."""
    until = time.monotonic() + PATIENCE
    while writers():
        assert time.monotonic() < until, writers()
        time.sleep(0.02)


def test_only_books_with_a_due_offer_are_woken(place: Path) -> None:
    """Of two books, the watch wakes the one with a due offer, and leaves the other without a thread."""
    clock = Clock()
    begin(place, clock, "due")
    begin(place, clock, "later", deadline=DEADLINE + HOUR)
    clock.now = DEADLINE
    with watched(place, clock) as opened:
        assert opened.watch.look() == ["due"]
        assert isinstance(opened.event("due", LAPSE), TransferLapsed)
        assert opened.stream.head("later") == OFFER
        assert "writer of later" not in writers()
        opened.follower.catch_up("due")
        assert opened.watch.look() == []
        clock.now = DEADLINE + HOUR
        assert opened.watch.look() == ["later"]
        assert isinstance(opened.event("later", LAPSE), TransferLapsed)


@pytest.mark.parametrize(("early", "woken"), [(1, []), (0, ["masks"])])
def test_an_offer_is_due_at_its_deadline_and_not_before(place: Path, early: int, woken: list[str]) -> None:
    """An offer lapses exactly at its deadline, and not a microsecond earlier."""
    clock = Clock()
    begin(place, clock, "masks")
    clock.now = DEADLINE - early
    with watched(place, clock) as opened:
        assert opened.watch.look() == woken
        assert opened.stream.head("masks") == OFFER + len(woken)


def test_a_process_without_views_of_its_own_leaves_offers_to_the_follower_for_a_while(place: Path) -> None:
    """A server beside a follower wakes no writer until the offer has been due for as long as it leaves to it."""
    clock = Clock()
    begin(place, clock, "masks")
    with watched(place, clock, precedence_us=500) as opened:
        clock.now = DEADLINE + 499
        assert opened.watch.look() == []
        clock.now = DEADLINE + 500
        assert opened.watch.look() == ["masks"]


@pytest.mark.parametrize("limit", [300, 299, 7])
def test_all_offers_that_are_due_at_once_lapse_once(
    place: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """However many offers are due, one look ends them, each once."""
    monkeypatch.setattr(writer, "GROUP_LAPSES_MAX", limit)
    clock = Clock()
    begin(place, clock, "masks", offers=300)
    clock.now = DEADLINE
    with watched(place, clock) as opened:
        assert opened.watch.look() == ["masks"]
        assert wait_beyond(opened.stream, "masks", BEGUN + 599) == BEGUN + 600
        opened.follower.catch_up("masks")
        assert opened.watch.look() == []
        lapsed = [opened.event("masks", position) for position in range(OFFER + 300, OFFER + 600)]
        assert {event.transfer for event in lapsed if isinstance(event, TransferLapsed)} == set(
            range(OFFER, OFFER + 300)
        )
        assert opened.stream.head("masks") == BEGUN + 600


def test_several_watches_end_an_offer_once(place: Path) -> None:
    """If many processes wake their writers at the same time, one of them ends each offer."""
    clock = Clock()
    begin(place, clock, "masks", offers=20)
    clock.now = DEADLINE
    with contextlib.ExitStack() as stack:
        all_watched = [stack.enter_context(watched(place, clock)) for _ in range(4)]
        threads = [threading.Thread(target=opened.watch.look) for opened in all_watched]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert all_watched[0].stream.head("masks") == BEGUN + 20 + 20


def test_an_accepted_offer_does_not_lapse_although_the_views_call_it_due(place: Path) -> None:
    """An offer that was accepted in time stays accepted, and a look that lagging views cause appends nothing."""
    clock = Clock()
    begin(place, clock, "masks")
    clock.now = DEADLINE - 1
    with watched(place, clock) as opened:
        accept = commands.AcceptTransfer(request_id="yes", receiver="ann", transfer=OFFER)
        assert positions(opened.books.submit("masks", [accept]).result(PATIENCE)) == [LAPSE]
        clock.now = DEADLINE
        for _ in range(3):
            assert opened.watch.look() == ["masks"]
        assert opened.stream.head("masks") == LAPSE
        assert isinstance(opened.event("masks", LAPSE), TransferAccepted)
        opened.follower.catch_up("masks")
        assert opened.watch.look() == []


def test_an_acceptance_at_the_deadline_meets_the_lapse(place: Path) -> None:
    """Of an acceptance and a lapse in the same moment, only the lapse is recorded, whichever writer is first."""
    clock = Clock()
    begin(place, clock, "masks")
    clock.now = DEADLINE
    with watched(place, clock) as one, watched(place, clock) as other:
        thread = threading.Thread(target=one.watch.look)
        thread.start()
        accept = commands.AcceptTransfer(request_id="yes", receiver="ann", transfer=OFFER)
        other.books.submit("masks", [accept]).result(PATIENCE)
        thread.join(PATIENCE)
        assert one.stream.head("masks") == LAPSE
        assert isinstance(
            one.event("masks", LAPSE), TransferLapsed
        )  # the answer came at the deadline, not before


def test_a_book_whose_views_lag_far_is_left_alone_until_they_catch_up(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While views are rebuilt, the watch does not wake a writer that would have to wait for them."""
    monkeypatch.setattr(deadlines, "TAIL_MAX_EVENTS", 3)
    clock = Clock()
    begin(place, clock, "masks")
    clock.now = DEADLINE
    with watched(place, clock) as opened:
        opened.set_views_back("masks", OFFER - 4)
        assert opened.watch.look() == []
        assert "writer of masks" not in writers()
        opened.set_views_back("masks", OFFER - 3)
        assert opened.watch.look() == ["masks"]
        assert isinstance(opened.event("masks", LAPSE), TransferLapsed)


def test_a_rebuild_of_the_views_delays_a_lapse_and_loses_none(place: Path) -> None:
    """A lapse that becomes due while the views are rebuilt is recorded when they are complete."""
    clock = Clock()
    begin(place, clock, "masks", offers=3)
    clock.now = DEADLINE
    with watched(place, clock) as opened:
        opened.follower.rebuild()
        assert opened.watch.look() == ["masks"]
        assert opened.stream.head("masks") == BEGUN + 3 + 3


def test_an_idle_book_costs_no_thread_and_is_woken_by_its_next_command(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A book whose views hold everything loses its thread when it is idle, and decides correctly afterwards."""
    monkeypatch.setattr(writer, "SLEEP_AFTER_S", 0.0)
    monkeypatch.setattr(writer, "IDLE_CHECK_INTERVAL_S", 0.02)
    clock = Clock()
    with open_books(place, clock) as opened:
        for round_ in range(3):
            made = [*BEGINNING, offer(0)] if round_ == 0 else []
            found = opened.submit("masks", [*made, offer(round_ + 1)]).result(PATIENCE)
            positions(found)
            wait_until_asleep()
        again = opened.submit("masks", [offer(1)]).result(PATIENCE)
        assert positions(again) == [OFFER + 1]
    with watched(place, clock) as watching:
        assert watching.stream.head("masks") == BEGUN + 4
        clock.now = DEADLINE
        watching.follower.catch_up("masks")
        assert watching.watch.look() == ["masks"]
        assert watching.stream.head("masks") == BEGUN + 4 + 4


def test_a_book_that_was_woken_to_end_offers_soon_sleeps(place: Path) -> None:
    """A book that was woken only for a lapse loses its thread once the views hold the lapse."""
    clock = Clock()
    begin(place, clock, "masks")
    clock.now = DEADLINE
    with watched(place, clock) as opened:
        opened.watch.look()
        assert "writer of masks" in writers()
        opened.follower.catch_up("masks")
        wait_until_asleep()


def test_a_book_stays_awake_while_the_views_lack_its_offers(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a follower the views know of no offer, so the writer that knows it ends it itself."""
    monkeypatch.setattr(writer, "SLEEP_AFTER_S", 0.0)
    monkeypatch.setattr(writer, "IDLE_CHECK_INTERVAL_S", 0.02)
    clock = Clock()
    with open_books(place, clock, follow=False) as opened:
        positions(opened.submit("masks", [*BEGINNING, offer(0)]).result(PATIENCE))
        time.sleep(0.2)
        assert "writer of masks" in writers()
        clock.now = DEADLINE
        assert wait_beyond(opened._stream, "masks", OFFER) == LAPSE


def test_the_watch_survives_errors_and_tries_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that fails is repeated, and the offer lapses then."""
    monkeypatch.setattr(deadlines, "RETRY_DELAY_S", 0.05)
    monkeypatch.setattr(deadlines, "LOOK_INTERVAL_S", 0.05)
    clock = Clock()
    begin(place, clock, "masks")
    with watched(place, clock) as opened:
        failures = 2

        class Failing(DueOffers):
            """Fails twice, and then finds what is due."""

            def books(self, now: int) -> list[str]:
                """Fail, or find the books."""
                nonlocal failures
                failures -= 1
                if failures >= 0:
                    raise OSError("the database is away")
                return super().books(now)

        opened.watch._due = Failing(opened._views)
        clock.now = DEADLINE
        opened.watch.start()
        assert wait_beyond(opened.stream, "masks", OFFER) == LAPSE


def test_the_look_is_one_search_of_an_index(tmp_path: Path) -> None:
    """The query for due offers reads only those, however many books and transfers there are."""
    with watched(tmp_path, Clock()) as opened:
        assert "SEARCH transfer USING INDEX offer_due (deadline" in opened.plan()
    assert "offer_due" in {index.name for index in tables.TRANSFER.indexes}
