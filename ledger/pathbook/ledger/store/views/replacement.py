"""Replaces damaged views: the file of an SQLite database, or the schema of a PostgreSQL database."""

import contextlib
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.schema import DropSchema

from pathbook.ledger.reports.all_reports import REPORTS
from pathbook.ledger.store.database.damage import DatabaseDamagedError, schema_for
from pathbook.ledger.store.database.engine import create_schema, reading, writing
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.reports.positions import open_reports_on
from pathbook.ledger.store.reports.tables import table_of
from pathbook.ledger.store.views.completeness import known_head, record_unfinished
from pathbook.ledger.store.views.tables import VIEWS
from pathbook.ledger.store.views.tracking import TRACKING
from pathbook.ledger.store.views.writer import open_views_on

ASIDE: Final = ".aside"
"""What is added to the name of a directory that lies where the views belong. No view is a directory, so it is kept."""

_SHARED_FIRST: Final = 0x40000002
_SHARED_SIZE: Final = 510
# SQLite locks these bytes of a file while a process has it open (https://sqlite.org/lockingv3.html, and os.h).


class ViewsInUseError(Exception):
    """Another process has views open, so that they cannot be replaced or removed."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} is damaged or no longer needed, and another process has it open. Nothing was changed."
            " Stop the servers of these books, then do this again."
        )


class ViewsKnowMoreError(Exception):
    """The views know more events of a book than the log has, so they may be the last copy."""

    def __init__(self, book: str, known: int, head: int) -> None:
        super().__init__(
            f"The views know {known} events of book '{book}', and the log has {head}. Nothing was changed."
            " Restore the log from a backup: `pathbook restore`."
        )


def require_whole(engine: Engine) -> None:
    """Require that tables and indexes are there, and on SQLite that each page is what it should be.

    Raises:
        DatabaseDamagedError: the views are damaged.
    """
    with reading(engine) as connection:
        found = sa.inspect(connection)
        for table in (*VIEWS.sorted_tables, *map(table_of, REPORTS)):
            names = (
                {index["name"] for index in found.get_indexes(table.name)}
                if found.has_table(table.name)
                else {}
            )
            missing = {str(index.name) for index in table.indexes}.difference(names)
            if not found.has_table(table.name) or missing:
                lost = ", ".join(sorted(missing)) or table.name
                raise DatabaseDamagedError(
                    is_log=False, name="The database of the views", cause=f"{lost} is missing"
                )
        if connection.dialect.name == "sqlite":
            told = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar())
            if told != "ok":
                name = Path(str(engine.url.database)).name
                raise DatabaseDamagedError(is_log=False, name=name, cause=" ".join(told.split()))


def replace_views(engine: Engine, stream: Stream) -> None:
    """Drop damaged views, whatever is left of them. The engine is disposed of.

    Raises:
        ViewsInUseError: another process has the file open.
        ViewsKnowMoreError: as far as the views can be read, they know events that the log does not have.
        OSError: the file cannot be removed.
    """
    for book, position in readable_positions(engine):
        if (head := known_head(stream, book)) < position:
            raise ViewsKnowMoreError(book, position, head)
    if engine.dialect.name == "sqlite":
        engine.dispose()
        remove_file(Path(str(engine.url.database)))
        return
    with writing(engine) as connection:
        connection.execute(DropSchema(schema_for(engine), cascade=True, if_exists=True))
        create_schema(connection)
        open_views_on(connection)
        record_unfinished(connection, stream)
        open_reports_on(connection, REPORTS, stream.books(), lambda book: known_head(stream, book))


def readable_positions(engine: Engine) -> list[tuple[str, int]]:
    """Return the positions that the views have reached, as far as they can still be read."""
    found: list[tuple[str, int]] = []
    with contextlib.suppress(sa.exc.SQLAlchemyError, DatabaseDamagedError), reading(engine) as connection:
        for book, position in connection.execute(sa.select(TRACKING)):
            if isinstance(book, str) and isinstance(position, int):
                found.append((book, position))
    return found


def remove_file(path: Path) -> None:
    """Remove the file of the views. A directory in its place is kept under another name."""
    if path.is_dir():
        names = (path.with_name(f"{path.name}{ASIDE}{number or ''}") for number in count())
        path.rename(next(name for name in names if not name.exists()))
    elif path.exists():
        with _unused(path):
            path.unlink()
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


@contextlib.contextmanager
def _unused(path: Path) -> Iterator[None]:
    """Require that no other process has the file open, and let none read it meanwhile.

    Only systems that lock files as SQLite does there can tell.
    """
    try:
        import fcntl  # noqa: PLC0415 -- not every system has it
    except ImportError:
        yield
        return
    with path.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, _SHARED_SIZE, _SHARED_FIRST)
        except OSError as error:
            raise ViewsInUseError(path.name) from error
        yield
