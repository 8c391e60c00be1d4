"""The mark in the file of an SQLite log: whether the file alone, without its write-ahead log, holds every event.

SQLite first writes an event to the write-ahead log beside the file, ``events.sqlite-wal``. Without it the file opens
without an error, and its newest events are missing. So before a process appends its first event, it writes "partial"
to the file itself, and then "whole" to the write-ahead log:

1. It commits "partial".
2. A checkpoint copies that to the file.
3. It commits "whole".

A reader of the file with its write-ahead log reads "whole". So does a reader of a copy that SQLite made
(``.backup``), and of a file to which SQLite has copied its write-ahead log, as it does when the last process closes
it. A file that says "partial" has lost its write-ahead log.

SQLite's own checkpoints would copy "whole" to the file while later events are not in it. So they are off, and the
same three steps take their place.
"""

import contextlib
import sqlite3
import threading
import time
from pathlib import Path
from typing import Final

import sqlalchemy as sa
import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.schema import CreateTable

from pathbook.ledger.store.database.engine import connect_to_file, reading, writing
from pathbook.ledger.store.database.open_files import WAL_SUFFIX, files_of, has_write_ahead_log

CHECKPOINT_PAGES: Final = 1_000
"""After how many pages, some 4 MB, a process copies the write-ahead log to the file. SQLite's own number."""

EVENT_PAGES: Final = 3
"""How many pages one append changes at least. It is counted with two bytes for each byte of its events."""

PAGE_BYTES: Final = 4_096
"""The size of a page of SQLite."""

CHECKPOINT_ATTEMPTS: Final = 5
"""How often a checkpoint is tried at once. A reader of an older snapshot keeps it from copying everything."""

CHECKPOINT_PAUSE_S: Final = 0.002
"""The pause between these attempts. Most reads take less."""

RETRY_DELAY_S: Final = 1.0
"""How long appends go on before the steps are tried again. A long read, such as a backup, must not stop them."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

FILE_MARK = sa.Table(
    "file_mark",
    sa.MetaData(),
    sa.Column("one", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("is_whole", sa.Boolean, nullable=False),
)
_INCREASE = FILE_MARK.update().values(number=FILE_MARK.c.number + 1, is_whole=False)
_FIRST = FILE_MARK.insert().values(one=1, number=1, is_whole=False)
_NUMBER = sa.select(FILE_MARK.c.number)
HEAL = (
    FILE_MARK.update()
    .where(FILE_MARK.c.is_whole.is_(False))
    .values(number=FILE_MARK.c.number + 1, is_whole=True)
)
"""Marks a log as whole. A process that is at the three steps sees by the number that it has to repeat them."""


class NewestEventsMissingError(Exception):
    """The file of a log was copied or left without its write-ahead log, and so without its newest events."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path.name} was not closed, and its write-ahead log {path.name}{WAL_SUFFIX} is missing or empty, so its"
            f" newest events are missing. Nothing was changed. Put {path.name}{WAL_SUFFIX} back beside it, or restore"
            " a backup. If these events are lost for good, `pathbook views rebuild --accept-lost-events` goes on"
            " without them."
        )


def require_newest_events(path: Path) -> None:
    """Refuse the file of a log that says that it does not hold every event, if its write-ahead log is gone.

    Nothing is made or changed. A file that is missing, or that is not a database, is left to others.

    Raises:
        NewestEventsMissingError: the newest events are missing.
    """
    # a process that has just opened the log makes the write-ahead log before it writes "partial"
    if not has_write_ahead_log(path) and _says_partial(path) and not has_write_ahead_log(path):
        raise NewestEventsMissingError(path)


def _says_partial(path: Path) -> bool:
    """Tell what the file alone says. It is read as it is: SQLite locks nothing, and makes no file beside it."""
    with (
        contextlib.suppress(sqlite3.DatabaseError),
        contextlib.closing(connect_to_file(path, "mode=ro&immutable=1")) as connection,
    ):
        row = connection.execute(f"SELECT is_whole FROM {FILE_MARK.name}").fetchone()  # noqa: S608 - our own name
        return row is not None and not row[0]
    return False


def is_partial(connection: Connection) -> bool:
    """Tell whether a log says "partial", read with its write-ahead log: a process was killed between the steps."""
    if not sa.inspect(connection).has_table(FILE_MARK.name):
        return False
    return connection.execute(sa.select(FILE_MARK.c.is_whole)).scalar() is False


class FileMark:
    """Keeps the mark of one log. Threads may share it. It does nothing for a database that is not an SQLite file."""

    def __init__(self, engine: Engine) -> None:
        """Prepare the engine, before its first connection. Nothing is read or written."""
        self._engine = engine if files_of(engine) is not None else None
        self._marking = threading.Lock()
        self._is_due, self._not_before, self._pages = True, 0.0, 0
        if self._engine is not None:
            sa.event.listen(engine, "connect", _stop_checkpoints)

    def before_append(self) -> None:
        """Make the file say that it is partial, if it is time for that. Call this outside a transaction.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database fails.
        """
        if self._engine is None or not self._is_due or time.monotonic() < self._not_before:
            return
        if self._marking.acquire(
            blocking=False
        ):  # another thread of this process is at it; events need not wait
            try:
                if self._renew(self._engine):
                    self._is_due, self._pages = False, 0
                else:
                    self._not_before = time.monotonic() + RETRY_DELAY_S
            finally:
                self._marking.release()

    def appended(self, size: int) -> None:
        """Count an append of events of so many bytes."""
        self._pages += EVENT_PAGES + 2 * size // PAGE_BYTES
        self._is_due = self._is_due or self._pages >= CHECKPOINT_PAGES

    def heal(self) -> None:
        """Mark the log as whole, if a process was killed between the steps. Its write-ahead log is there.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database fails.
        """
        if self._engine is None:
            return
        with reading(self._engine) as connection:
            partial = is_partial(connection)
        if partial:
            with writing(self._engine, turn=None) as connection:
                connection.execute(HEAL)

    def close(self) -> None:
        """Leave the log marked as whole. SQLite copies that to the file when its last connection closes."""
        if self._engine is None or (
            (files := files_of(self._engine)) is not None and files.look() is not None
        ):
            return
        try:
            self.heal()
        except sa.exc.SQLAlchemyError:  # the next process that opens the log does it
            _LOG.warning("the log could not be marked as whole", exc_info=True)

    def _renew(self, engine: Engine) -> bool:
        """Do the three steps. Return whether the file says "partial" and holds all events before."""
        for _ in range(CHECKPOINT_ATTEMPTS):
            with writing(engine, turn=None) as connection:
                connection.execute(CreateTable(FILE_MARK, if_not_exists=True))
                if connection.execute(_INCREASE).rowcount == 0:
                    connection.execute(_FIRST)
                number = connection.execute(_NUMBER).scalar_one()
            reached = _checkpoint(engine)
            whole = FILE_MARK.update().where(FILE_MARK.c.number == number).values(is_whole=True)
            with writing(engine, turn=None) as connection:
                undisturbed = connection.execute(whole).rowcount == 1
            if undisturbed:
                return reached
        return False  # other processes are at it


def _checkpoint(engine: Engine) -> bool:
    """Copy the write-ahead log to the file. Return whether all of it was copied. It waits for no reader or writer.

    The write-ahead log is never cut: a short one must stay a sign of loss.
    """
    pooled = engine.raw_connection()
    try:
        cursor = pooled.cursor()
        for attempt in range(CHECKPOINT_ATTEMPTS):
            if attempt:
                time.sleep(CHECKPOINT_PAUSE_S)
            cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
            busy, pages, copied = cursor.fetchall()[0]
            if not busy and pages == copied:
                return True
        return False
    finally:
        pooled.close()


def _stop_checkpoints(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    connection.execute("PRAGMA wal_autocheckpoint = 0")
