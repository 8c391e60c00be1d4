"""The mark in the file of an SQLite log: whether the file alone, without its write-ahead log, holds every event.

SQLite first writes an event to the write-ahead log beside the file, ``events.sqlite-wal``. Without it the file opens
without an error, and its newest events are missing. So before a process appends its first event, it brings "partial"
into the file itself, and "whole" into the write-ahead log:

1. It commits "partial".
2. A checkpoint copies that to the file, with all events before.
3. It commits "whole".

A reader of the file with its write-ahead log reads "whole". So does a reader of a copy that SQLite made (``.backup``),
and of a file to which SQLite has copied its write-ahead log, as it does when the last process closes it. A file that
says "partial" has lost its write-ahead log. A copy that SQLite made between the steps 1 and 3 says so, too, but has
another schema version than the one beside the mark.

SQLite's own checkpoints would copy "whole" to the file while later events are not in it. So they are off, and these
steps take their place. A lock on the write-ahead log lets one process at a time do them. The next process that opens
the log after one that was killed between the steps marks it as whole.
"""

import contextlib
import fcntl
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import sqlalchemy as sa
import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.schema import CreateTable

from pathbook.ledger.store.database.engine import connect_to_file, writing
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
    sa.Column("is_whole", sa.Boolean, nullable=False),
    sa.Column("schema_version", sa.Integer, nullable=False),  # when the log was last marked as partial
)
_PARTIAL = FILE_MARK.insert().prefix_with("OR REPLACE")
_WHOLE = FILE_MARK.update().values(is_whole=True)
_MARK = sa.select(FILE_MARK.c.is_whole)
_SCHEMA_VERSION: Final = "PRAGMA schema_version"
_PARTIAL_SINCE: Final = f"SELECT schema_version FROM {FILE_MARK.name} WHERE NOT is_whole"  # noqa: S608 - our own name


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
        version = connection.execute(_SCHEMA_VERSION).fetchone()
        return bool(connection.execute(_PARTIAL_SINCE).fetchone() == version)
    return False


def heal(connection: Connection, path: Path) -> None:
    """Mark a log as whole, if a process was killed between the steps. Its write-ahead log must be there.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database fails.
    """
    partial = sa.inspect(connection).has_table(FILE_MARK.name) and connection.execute(_MARK).scalar() is False
    connection.rollback()
    if partial:
        with _alone(path) as alone:
            if alone:  # else another process is at the steps
                connection.execute(_WHOLE)
                connection.commit()


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[bool]:
    """Keep other processes from the steps, and yield true. Yield false if one of them is at the steps."""
    # SQLite has no locks of its own on the write-ahead log; those that it has on other files would be released here
    with path.with_name(path.name + WAL_SUFFIX).open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


class FileMark:
    """Keeps the mark of one log. Threads may share it. It does nothing for a database that is not an SQLite file."""

    def __init__(self, engine: Engine) -> None:
        """Prepare the engine, before its first connection. Nothing is read or written."""
        self._engine, self._files = engine, files_of(engine)
        self._marking = threading.Lock()
        self._is_due, self._not_before, self._pages = True, 0.0, 0
        if self._files is not None:
            sa.event.listen(engine, "connect", _stop_checkpoints)

    def before_append(self) -> None:
        """Make the file say that it is partial, if it is time for that. Call this outside a transaction.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database fails.
            FileChangedError: a file of the log was removed, replaced or cut.
        """
        if self._files is None or not self._is_due or time.monotonic() < self._not_before:
            return
        self._files.require_unchanged()
        if self._marking.acquire(
            blocking=False
        ):  # another thread of this process is at it; events need not wait
            try:
                if self._renew(self._files.path):
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
        """Mark the log as whole, as the function `heal` does, on a connection of the engine."""
        if self._files is not None and self._files.look() is None:
            with self._engine.connect() as connection:
                heal(connection, self._files.path)

    def close(self) -> None:
        """Leave the log marked as whole. SQLite copies that to the file when its last connection closes."""
        try:
            self.heal()
        except (sa.exc.SQLAlchemyError, OSError):  # the next process that opens the log does it
            _LOG.warning("the log could not be marked as whole", exc_info=True)

    def _renew(self, path: Path) -> bool:
        """Do the steps. Return whether the file says "partial"."""
        with contextlib.ExitStack() as stack:
            try:
                if not stack.enter_context(_alone(path)):
                    return False
            except OSError:  # the next transaction says what is wrong with the file
                return False
            with writing(self._engine, turn=None) as connection:
                connection.execute(CreateTable(FILE_MARK, if_not_exists=True))
                version = connection.exec_driver_sql(_SCHEMA_VERSION).scalar_one()
                connection.execute(_PARTIAL.values(one=1, is_whole=False, schema_version=version))
            try:
                for attempt in range(CHECKPOINT_ATTEMPTS):
                    if attempt:
                        time.sleep(CHECKPOINT_PAUSE_S)
                    _checkpoint(self._engine)
                    if _says_partial(path):
                        return True
            finally:
                with writing(self._engine, turn=None) as connection:
                    connection.execute(_WHOLE)
        return False  # a reader of an older snapshot kept the checkpoint from copying that much


def _checkpoint(engine: Engine) -> None:
    """Copy the write-ahead log to the file, as far as no reader needs the file as it is. It does not wait.

    The write-ahead log is never cut: a short one must stay a sign of loss.
    """
    pooled = engine.raw_connection()
    try:
        cursor = pooled.cursor()
        cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
        cursor.fetchall()
    finally:
        pooled.close()


def _stop_checkpoints(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    connection.execute("PRAGMA wal_autocheckpoint = 0")
