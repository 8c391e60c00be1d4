"""Whether the log lost events: the views then know more than the log, and are the last copy of what it lost.

Nothing here makes or changes a file or a table, except that SQLite may bring what lies in a write-ahead log into the
file itself.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from pathbook.ledger.codec import NewerEventError, decode
from pathbook.ledger.projections.registers import request
from pathbook.ledger.store.database.damage import SCHEMAS
from pathbook.ledger.store.database.engine import connect_to_file, reading
from pathbook.ledger.store.database.open_files import files_of
from pathbook.ledger.store.log.event_table import EVENT
from pathbook.ledger.store.log.file_mark import heal, require_newest_events
from pathbook.ledger.store.log.stream import persistence_errors
from pathbook.ledger.store.views.tables import REQUEST
from pathbook.ledger.store.views.tracking import TRACKING

NOTHING_WAS_CHANGED: Final = "Nothing was changed."


class LostEventsError(Exception):
    """The log lacks events that were recorded in it. Opening it would begin again where it ends now."""


def require_log(events: Engine, views: Engine, *, accept_lost_events: bool = False) -> bool:
    """Refuse a log that lost events, as far as its file and its views tell. Return whether there is a log at all.

    The databases may be missing. Then they are not made. With ``accept_lost_events``, only a log that is missing or
    empty is refused, if the views know events.

    Raises:
        NewestEventsMissingError: the file of the log was copied or left without its newest events.
        LostEventsError: the views know an event that the log does not have.
        eventsourcing.persistence.PersistenceError: the database of the log cannot be read.
    """
    if (files := files_of(events)) is not None and not accept_lost_events:
        require_newest_events(files.path)
    known = _known_of_views(views)  # before the log is read, because both may grow
    with persistence_errors(), _looking(events) as connection:
        found = connection is not None and sa.inspect(connection).has_table(EVENT.name)
        lacking = [
            (book, position, what)
            for book, (position, requests) in known.items()
            if (what := _lacking(connection if found else None, book, position, requests))
        ]
    if lacking and not (found and accept_lost_events):
        raise LostEventsError(_sentence(events, views, lacking, found=found))
    return found


def _known_of_views(views: Engine) -> dict[str, tuple[int, set[int]]]:
    """Return the last position of each book in the views, with what they know of the request it answered.

    Views that cannot be read know nothing. Whoever opens them says what is wrong with them.
    """
    known: dict[str, tuple[int, set[int]]] = {}
    with contextlib.suppress(sa.exc.DBAPIError), _looking(views) as connection:
        if connection is None or not sa.inspect(connection).has_table(TRACKING.name):
            return known
        for book, position in connection.execute(sa.select(TRACKING)).all():
            last = sa.select(REQUEST.c.request_hash).where(
                REQUEST.c.book == book, REQUEST.c.position == position
            )
            known[book] = position, set()
            known[book][1].update(connection.execute(last).scalars())
    return known


def _lacking(connection: Connection | None, book: str, position: int, requests: set[int]) -> str:
    """Return what the log has instead of what the views know, an empty text if it has that."""
    if connection is None:
        return "has none"
    of_book = EVENT.c.book == book
    data = connection.execute(sa.select(EVENT.c.state).where(of_book, EVENT.c.position == position)).scalar()
    if data is None:
        head = connection.execute(sa.select(sa.func.max(EVENT.c.position)).where(of_book)).scalar()
        return f"has only {head:,}" if head else "has none"
    try:
        found, _ = request(decode(position, data))
    except NewerEventError:  # a newer program projected it
        return ""
    return "" if found in requests else f"has another event at position {position}"


def _sentence(events: Engine, views: Engine, lacking: list[tuple[str, int, str]], *, found: bool) -> str:
    book, position, what = lacking[0]
    others = f" ({len(lacking) - 1} more books lack events, too)" if len(lacking) > 1 else ""
    log, known_by = _name(events, "events"), _name(views, "views")
    if not found:
        what += " (it is missing or empty)"
    lost = (
        f"If its newest events are lost for good, `pathbook views rebuild --accept-lost-events` goes on without them,"
        f" and {known_by} forgets them."
        if found
        else f"If they are lost for good, move {known_by} away, and codes.key: they are the last that is left of them."
    )
    return (
        f"{known_by} knows {position:,} events of book '{book}', and the log {log} {what}{others}."
        f" {NOTHING_WAS_CHANGED} Restore {log} from a backup. {lost}"
    )


def _name(engine: Engine, purpose: str) -> str:
    files = files_of(engine)
    return files.path.name if files is not None else SCHEMAS[purpose]


@contextlib.contextmanager
def _looking(engine: Engine) -> Iterator[Connection | None]:
    """Read a database as it is. Yield None for an SQLite file that is missing or empty."""
    files = files_of(engine)
    if files is None:
        with reading(engine) as connection:
            yield connection
        return
    if not _has_content(files.path):
        yield None
        return
    look = sa.create_engine(
        "sqlite://", poolclass=sa.NullPool, creator=lambda: connect_to_file(files.path, "mode=rw")
    )
    with look.connect() as connection:
        # this may be the last connection, which brings the mark into the file
        heal(connection, files.path)
        yield connection


def _has_content(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False
