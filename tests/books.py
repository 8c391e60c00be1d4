"""Opens books as a server opens them, and holds the commands that open and begin a book of masks."""

import contextlib
import datetime
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from sqlalchemy import Engine

from pathbook.ledger.book import Answer, Outcome
from pathbook.ledger.books import Books
from pathbook.ledger.commands import Command, CommissionBatch, RecordTransfer, RegisterParty, RegisterProduct
from pathbook.ledger.reports.report import Report
from pathbook.ledger.store.database.engine import Purpose, open_engine
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.views.state_loader import StateLoader
from pathbook.ledger.store.views.tracking import SQLAlchemyTrackingRecorder
from pathbook.ledger.values import PartyKind, Price, Quantity, Selection
from pathbook.services.storage import EVENTS_FILE, VIEWS_FILE
from tests.postgres import new_database
from tests.scenario import CODE_KEY, MASK, NOON, opening

PATIENCE = 60.0
"""How long (seconds) a test waits for anything before it fails."""

DATABASE_FILE = "database"
"""The file in a place that holds the URL of the database, when the books are not in the place itself."""


def url(place: Path, purpose: Purpose) -> str:
    """Return the URL of the database that holds the books of a place."""
    named = place / DATABASE_FILE
    if named.exists():
        return named.read_text("utf-8")
    return f"sqlite:///{place / (EVENTS_FILE if purpose == 'events' else VIEWS_FILE)}"


def engine(place: Path, purpose: Purpose) -> Engine:
    """Open the database of a place."""
    return open_engine(url(place, purpose), purpose=purpose)


def _make_tables(events: Engine, views: Engine) -> None:
    stream = Stream(events)
    Follower(stream, views).close()
    stream.close()
    events.dispose()
    views.dispose()


@cache
def _template() -> str:
    made = new_database()
    _make_tables(open_engine(made, purpose="events"), open_engine(made, purpose="views"))
    return made


@cache
def _views_file() -> bytes:
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        _make_tables(engine(place, "events"), engine(place, "views"))
        return (place / VIEWS_FILE).read_bytes()


def prepare_views(directory: Path) -> None:
    """Put views on SQLite into a directory that have all tables, as after a first start, and no event."""
    directory.mkdir(0o700, parents=True, exist_ok=True)
    file = directory / VIEWS_FILE
    file.touch(0o600)
    file.write_bytes(_views_file())


def prepared_database() -> str:
    """Return the URL of a new database on PostgreSQL that has all tables, as after a first start, and no event."""
    return new_database(_template())


def wait_beyond(stream: Stream, book: str, position: int) -> int:
    """Wait until a book has events after a position, and return its head; fail if that takes too long."""
    until = time.monotonic() + PATIENCE
    while (head := stream.head(book)) <= position:
        assert time.monotonic() < until, (book, head, position)
        time.sleep(0.01)
    return head


class Clock:
    """A clock that a test sets, in microseconds."""

    def __init__(self, now: int = NOON) -> None:
        self.now = now

    def __call__(self) -> int:
        """Return the time."""
        return self.now


class PausableClock(Clock):
    """A clock that a test can pause: the writer reads it once in each turn, and waits while it is paused.

    ``reads`` counts how often it was read.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.running = threading.Event()
        self.running.set()

    def __call__(self) -> int:
        """Return the time once the clock runs."""
        self.reads += 1
        assert self.running.wait(PATIENCE)
        return self.now


@contextlib.contextmanager
def open_books(
    place: Path, clock: Clock | None = None, *, follow: bool = True, reports: Sequence[Report] = ()
) -> Iterator[Books]:
    """Open the books of a place as a server does; with ``follow=False`` the views are not updated.

    Few tests are about reports, and to keep all of them takes longer than to keep the views.
    """
    events, views = engine(place, "events"), engine(place, "views")
    stream = Stream(events)
    follower = Follower(stream, views, reports=reports)
    if follow:
        follower.start()
    opened = Books(
        stream, StateLoader(stream, views, SQLAlchemyTrackingRecorder(views)), follower, clock or Clock()
    )
    try:
        yield opened
    finally:
        opened.close()
        follower.close()
        stream.close()
        events.dispose()
        views.dispose()


def ask(opened: Books, *commands: Command) -> list[Outcome]:
    """Submit commands as one submission to the book of masks, and return the outcome of each."""
    return opened.submit("masks", commands).result(PATIENCE)


BEGINNING: tuple[Command, ...] = (
    opening("masks", "0"),
    RegisterParty(request_id="1", party="acme", kind=PartyKind.BRAND),
    RegisterParty(request_id="2", party="ann", kind=PartyKind.AGENT),
    RegisterProduct(
        request_id="3", brand="acme", product=MASK, name="mask", suggested_price=Price(30000, "CNY")
    ),
    CommissionBatch(
        request_id="4",
        brand="acme",
        product=MASK,
        lot="L1",
        size=10_000_000,
        made_on=datetime.date(2025, 12, 1),
        code_key=CODE_KEY,
    ),
)


def beginning(book: str) -> tuple[Command, ...]:
    """Return the commands that open and begin a book like the book of masks."""
    return (opening(book, "0"), *BEGINNING[1:])


def record(name: str, count: int = 1) -> RecordTransfer:
    """Return the command that records a transfer of ``count`` units from acme to ann."""
    return RecordTransfer(
        request_id=name,
        giver="acme",
        receiver="ann",
        units=Selection(quantities=(Quantity(count, batch=1),)),
        unit_price=Price(15000, "CNY"),
    )


def positions(outcomes: list[Outcome]) -> list[int]:
    """Return the positions of outcomes, all of which must be accepted."""
    assert all(isinstance(item, Answer) for item in outcomes), outcomes
    return [item.recorded.position for item in outcomes if isinstance(item, Answer)]


def update_views(place: Path, position: int) -> None:
    """Update the views of a place to the head of the book, which must be this position."""
    events = engine(place, "events")
    views = engine(place, "views")
    assert Follower(Stream(events), views).catch_up("masks") == position
    events.dispose()
    views.dispose()
