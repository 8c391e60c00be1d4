"""Whether the log lost events: the views then know more than the log, and are the last copy of what it lost.

Nothing here makes or changes a file or a table, except that SQLite may bring what lies in a write-ahead log into the
file itself.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from pathbook.ledger.codec import MalformedEventError, NewerEventError, decode
from pathbook.ledger.projections.registers import request
from pathbook.ledger.store.database.damage import PURPOSE, VERSION, DatabaseDamagedError, tell_damage
from pathbook.ledger.store.database.engine import connect_to_file, place_name, reading
from pathbook.ledger.store.database.open_files import files_of
from pathbook.ledger.store.log.event_table import EVENT
from pathbook.ledger.store.log.file_mark import heal, require_newest_events
from pathbook.ledger.store.log.stream import persistence_errors
from pathbook.ledger.store.views.other_places import SCHEMAS_READ, other_places
from pathbook.ledger.store.views.tables import REQUEST
from pathbook.ledger.store.views.tracking import TRACKING

NOTHING_WAS_CHANGED: Final = "Nothing was changed."


_HasRequest: TypeAlias = Callable[[str, tuple[int, int]], bool]


class _Lacking(NamedTuple):
    """What the log has instead of the events that views know of a book, up to a position."""

    known_by: str
    book: str
    position: int
    what: str


class LostEventsError(Exception):
    """The log lacks events that were recorded in it. Opening it would begin again where it ends now."""


def require_log(
    events: Engine, views: Engine, *, has_key: bool = False, accept_lost_events: bool = False
) -> bool:
    """Refuse a log that lost events, as far as its file and its views tell. Return whether there is a log at all.

    The views of other versions beside these are asked, too, because the ones that know most are the last copy. The
    databases may be missing. Then they are not made. With ``accept_lost_events``, only a log that is missing or empty
    is refused.

    Args:
        events: the database of the log.
        views: the database of the views.
        has_key: whether the file of the keys was there before this call. A new directory gets its log before its key.
        accept_lost_events: whether the log may have lost events.

    Raises:
        NewestEventsMissingError: the file of the log was copied or left without its newest events.
        LostEventsError: the views know an event that the log does not have, or there are keys without a log in files.
        eventsourcing.persistence.PersistenceError: the database of the log cannot be read.
    """
    if (files := files_of(events)) is not None and not accept_lost_events:
        require_newest_events(files.path)
    # the views first, at one snapshot: both may grow, and another process may be rebuilding the views
    with contextlib.ExitStack() as stack:
        others = stack.enter_context(other_places(views))
        asked = [(views, *_known(stack, views)), *((each, _known(stack, each)[0], _any) for each in others)]
        stack.enter_context(persistence_errors())
        log = stack.enter_context(_looking(events))
        found = log is not None and sa.inspect(log).has_table(EVENT.name)
        lacking = [
            _Lacking(place_name(each), book, position, what)
            for each, known, has_request in asked
            for book, position in known
            if (what := _lacking(log if found else None, book, position, has_request))
        ]
    if lacking and not (found and accept_lost_events):
        raise LostEventsError(_sentence(events, lacking, found=found))
    if has_key and not found and files_of(events) is not None:
        name = place_name(events)
        raise LostEventsError(
            f"codes.key is there, and the log {name} is missing or empty. {NOTHING_WAS_CHANGED} A new log would give"
            f" the codes that are printed already to other units. Restore {name} from a backup. If the books are in"
            " PostgreSQL, name it with --database (or PATHBOOK_DATABASE). To begin a new book, name another directory,"
            " or move codes.key away."
        )
    return found


def _any(_book: str, _row: tuple[int, int]) -> bool:
    """Count every request as known: views of another version may keep requests in another way."""
    return True


def _known(stack: contextlib.ExitStack, views: Engine) -> tuple[list[tuple[str, int]], _HasRequest]:
    """Return the last position of each book in the views, and a function that tells whether they have a request.

    Views that cannot be read know nothing, and lack nothing. The program that opens them says what is wrong.
    """
    try:
        connection = stack.enter_context(_looking(views))
        if connection is None or not _has_tracking(connection):
            return [], _any
        known = [(book, position) for book, position in connection.execute(sa.select(TRACKING))]
    except (sa.exc.DBAPIError, DatabaseDamagedError):
        return [], _any

    def has_request(book: str, row: tuple[int, int]) -> bool:
        key = sa.tuple_(REQUEST.c.request_hash, REQUEST.c.position)
        try:
            return (
                connection.execute(sa.select(REQUEST).where(REQUEST.c.book == book, key == row)).first()
                is not None
            )
        except (sa.exc.DBAPIError, DatabaseDamagedError):
            return True

    return known, has_request


def _has_tracking(connection: Connection) -> bool:
    schema = connection.get_execution_options().get(SCHEMAS_READ, {}).get(None)
    return bool(sa.inspect(connection).has_table(TRACKING.name, schema=schema))


def _lacking(log: Connection | None, book: str, position: int, has_request: _HasRequest) -> str:
    """Return what the log has instead of what the views know, an empty text if it has that."""
    if log is None:
        return "has none"
    of_book = EVENT.c.book == book
    data = log.execute(sa.select(EVENT.c.state).where(of_book, EVENT.c.position == position)).scalar()
    if data is None:
        head = log.execute(sa.select(sa.func.max(EVENT.c.position)).where(of_book)).scalar()
        return f"has only {head:,}" if head else "has none"
    try:
        row = request(decode(position, data))
    except (NewerEventError, MalformedEventError):  # a newer program projected it, or it was whole then
        return ""
    return "" if has_request(book, row) else f"has another event at position {position}"


def _sentence(events: Engine, lacking: list[_Lacking], *, found: bool) -> str:
    known_by, book, position, what = max(lacking, key=lambda each: each.position)
    more = len({each.book for each in lacking}) - 1
    others = f" ({more} more books lack events, too)" if more else ""
    log = place_name(events)
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
        f" {NOTHING_WAS_CHANGED} Restore {log} from a backup: `pathbook restore`. {lost}"
    )


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
        engine.url,
        poolclass=sa.NullPool,
        creator=lambda: connect_to_file(files.path, "mode=rw", isolation_level=None),
        execution_options={name: engine.get_execution_options()[name] for name in (PURPOSE, VERSION)},
    )
    tell_damage(look)
    with look.connect() as connection:
        # this may be the last connection, which brings the mark into the file
        heal(connection, files.path)
        connection.exec_driver_sql("BEGIN")
        yield connection


def _has_content(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False
