"""A store in a directory, opened as a server opens it, and the beginning of a book of masks."""

import contextlib
import datetime
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Engine

from pathbook.ledger.book import Answer, Outcome
from pathbook.ledger.books import Books
from pathbook.ledger.commands import Command, CommissionBatch, RecordTransfer, RegisterParty, RegisterProduct
from pathbook.ledger.store.database.engine import Purpose, open_engine
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.views.state_loader import StateLoader
from pathbook.ledger.store.views.tracking import SQLAlchemyTrackingRecorder
from pathbook.ledger.values import Money, PartyKind, Quantity, Selection
from tests.scenario import MASK, NOON

PATIENCE = 60.0
"""How long (seconds) a test waits for anything before it fails."""


DATABASE_FILE = "database"
"""Holds, in a directory of books that are not in it, the URL of the database they are in."""


def url(place: Path, purpose: Purpose) -> str:
    """Say where the books of a place are."""
    named = place / DATABASE_FILE
    return named.read_text("utf-8") if named.exists() else f"sqlite:///{place}/{purpose}.sqlite"


def engine(place: Path, purpose: Purpose) -> Engine:
    """Open the database of a place."""
    return open_engine(url(place, purpose), purpose=purpose)


def wait_beyond(stream: Stream, book: str, position: int) -> int:
    """Wait until a book is beyond a position, and return its head; a test that waits for too long fails."""
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
        """Tell the time."""
        return self.now


class HeldClock(Clock):
    """A clock that can be held: the writer asks it once in each turn, and waits. ``asked`` says how often it did."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.goes = threading.Event()
        self.goes.set()

    def __call__(self) -> int:
        """Tell the time, when it goes."""
        self.asked += 1
        assert self.goes.wait(PATIENCE)
        return self.now


@contextlib.contextmanager
def library(place: Path, clock: Clock | None = None, *, follow: bool = True) -> Iterator[Books]:
    """Open the store of a place as a server does, perhaps with views that nobody projects on."""
    events, views = engine(place, "events"), engine(place, "views")
    stream = Stream(events)
    follower = Follower(stream, views)
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
    """Submit commands as one, and return what came of each."""
    return opened.submit("masks", commands).result(PATIENCE)


BEGINNING: tuple[Command, ...] = (
    RegisterParty(request_id="1", party="acme", kind=PartyKind.BRAND),
    RegisterParty(request_id="2", party="ann", kind=PartyKind.AGENT),
    RegisterProduct(
        request_id="3", brand="acme", product=MASK, name="mask", suggested_price=Money(30000, "CNY")
    ),
    CommissionBatch(
        request_id="4",
        brand="acme",
        product=MASK,
        lot="L1",
        size=10_000_000,
        made_on=datetime.date(2025, 12, 1),
    ),
)


def record(name: str, count: int = 1) -> RecordTransfer:
    """Return a transfer of so many units from acme to ann."""
    return RecordTransfer(
        request_id=name,
        giver="acme",
        receiver="ann",
        units=Selection(quantities=(Quantity(count, batch=1),)),
        unit_price=Money(15000, "CNY"),
    )


def positions(outcomes: list[Outcome]) -> list[int]:
    """Return where each of some accepted commands stands."""
    assert all(isinstance(item, Answer) for item in outcomes), outcomes
    return [item.recorded.position for item in outcomes if isinstance(item, Answer)]


def follower_stands_at(directory: Path, position: int) -> None:
    """Carry the views of a directory to a position."""
    events = engine(directory, "events")
    views = engine(directory, "views")
    assert Follower(Stream(events), views).catch_up("masks") == position
    events.dispose()
    views.dispose()
