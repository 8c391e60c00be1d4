"""How far the views, the reports and the checkpoints are behind the log, as the databases tell at this moment."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from pathbook.ledger.codec import MalformedEventError, NewerEventError
from pathbook.ledger.reports.all_reports import REPORTS
from pathbook.ledger.store.database.engine import Database, reading
from pathbook.ledger.store.log.checkpoints import Checkpoints
from pathbook.ledger.store.log.damage import EventDamagedError
from pathbook.ledger.store.log.event_hashes import read_event
from pathbook.ledger.store.log.stream import Stream, persistence_errors
from pathbook.ledger.store.reports.positions import positions
from pathbook.ledger.store.views.completeness import known_head, to_build, unfinished
from pathbook.ledger.store.views.tracking import TRACKING

VIEWS_NAME: Final = "views"
"""The name of all views together: they move in one transaction."""

CHECKPOINTS_NAME: Final = "checkpoints"
"""The name of the signed checkpoints, which follow the log as projections do."""


class Lag(NamedTuple):
    """How far one projection is behind the log, in the book in which it is furthest behind.

    Attributes:
        events: how many events it lacks.
        since: when the first of them was recorded, in microseconds since 1970 UTC; None if it lacks none, or if that
            cannot be read.
    """

    events: int
    since: int | None


class Progress(NamedTuple):
    """What the databases of a server hold.

    Attributes:
        books: how many books have an event.
        events: how many events all books have.
        to_build: how many events the views lack before they are of use.
        lags: of each projection, by its name. Checkpoints are among them if any was signed, or should be.
    """

    books: int
    events: int
    to_build: int
    lags: Mapping[str, Lag]


def read_progress(stream: Stream, views: Database, checkpoints: Checkpoints, *, signs: bool) -> Progress:
    """Return what the databases hold. It takes some five searches for each book.

    Args:
        stream: the log.
        views: the database of the views and reports.
        checkpoints: the signed checkpoints.
        signs: whether a book without a signed checkpoint counts as one whose checkpoint is behind.

    Raises:
        eventsourcing.persistence.PersistenceError: a database cannot be read.
        pathbook.ledger.store.database.damage.DatabaseDamagedError: it is damaged.
    """
    with persistence_errors(), reading(views) as connection:
        wanted = dict(unfinished(connection))
        viewed = {str(book): int(position) for book, position in connection.execute(TRACKING.select())}
        of_reports = {(at.report, at.version, at.book): at.position for at in positions(connection)}
    heads = {book: known_head(stream, book) for book in stream.books()}
    reached = {VIEWS_NAME: viewed}
    for report in REPORTS:
        named = report.name, report.version
        reached[report.name] = {book: of_reports.get((*named, book), 0) for book in heads}
    newest = {book: checkpoints.newest(book) for book in heads}
    signed = {book: 0 if at is None else at.size for book, at in newest.items() if signs or at is not None}
    lags = {name: _lag(stream, heads, at, heads) for name, at in reached.items()}
    if signed:
        lags[CHECKPOINTS_NAME] = _lag(stream, heads, signed, signed)
    left = to_build(heads, heads.__getitem__, wanted, viewed)
    return Progress(len(heads), sum(heads.values()), left, lags)


def _lag(stream: Stream, heads: Mapping[str, int], reached: Mapping[str, int], books: Iterable[str]) -> Lag:
    """Return how far a projection is behind where it lacks most, and since when where that is longest."""
    lacking = {book: heads[book] - reached.get(book, 0) for book in books}
    times = [
        recorded
        for book, events in lacking.items()
        if events > 0 and (recorded := _recorded_at(stream, book, reached.get(book, 0) + 1)) is not None
    ]
    return Lag(max(0, 0, *lacking.values()), min(times, default=None))


def _recorded_at(stream: Stream, book: str, position: int) -> int | None:
    """Return when an event was recorded. If it cannot be read, return when the one before it was."""
    for number in (position, position - 1):
        try:
            for entry in stream.at(book, [number]):
                return read_event(book, entry).recorded_at
        except (NewerEventError, EventDamagedError, MalformedEventError):
            continue
    return None
