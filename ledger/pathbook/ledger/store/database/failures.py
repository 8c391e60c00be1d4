"""What is wrong with a database that fails: is it away, read-only, busy or full? Any other error is a bug or damage."""

import enum
import sqlite3
import threading
import time
from typing import Final

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

OUTAGE_LOG_INTERVAL_S: Final = 60.0
"""How often the same trouble of a database is logged. While it lasts, every call and every thread meets it."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class StoreTrouble(enum.Enum):
    """Why a database cannot do what it could do a moment before, or after. The value is how the log says it."""

    AWAY = "no connection"
    READ_ONLY = "read-only"
    BUSY = "busy"
    FULL = "full"


_SQLSTATES: Final = (
    ("25006", StoreTrouble.READ_ONLY),
    ("53100", StoreTrouble.FULL),
    ("53", StoreTrouble.BUSY),  # too many connections, out of memory
    ("40001", StoreTrouble.BUSY),  # serialization
    ("40P01", StoreTrouble.BUSY),  # deadlock
    ("55P03", StoreTrouble.BUSY),  # a lock did not come in time
    ("57014", StoreTrouble.BUSY),  # an operator, or a timeout, cancelled the statement
    ("08", StoreTrouble.AWAY),
    ("57P", StoreTrouble.AWAY),  # PostgreSQL stops, starts, crashed, or the database was dropped
    ("25P03", StoreTrouble.AWAY),  # PostgreSQL ended a session that idled in a transaction
    ("25P04", StoreTrouble.AWAY),
    ("28", StoreTrouble.AWAY),  # the user or the password is no longer right
    ("3D000", StoreTrouble.AWAY),  # the database was renamed
)
"""The beginnings of the codes of PostgreSQL (its manual, appendix A), the first match counts."""

_SQLITE: Final = {
    sqlite3.SQLITE_BUSY: StoreTrouble.BUSY,
    sqlite3.SQLITE_LOCKED: StoreTrouble.BUSY,
    sqlite3.SQLITE_NOMEM: StoreTrouble.BUSY,
    sqlite3.SQLITE_PROTOCOL: StoreTrouble.BUSY,
    sqlite3.SQLITE_FULL: StoreTrouble.FULL,
    sqlite3.SQLITE_READONLY: StoreTrouble.READ_ONLY,
    sqlite3.SQLITE_IOERR: StoreTrouble.AWAY,
    sqlite3.SQLITE_CANTOPEN: StoreTrouble.AWAY,
}
"""The primary result codes of SQLite."""

_PRIMARY: Final = 0xFF
"""The bits of a result code of SQLite that hold its primary code."""


def trouble_of(error: BaseException | None) -> StoreTrouble | None:
    """Return what is wrong with the database, None if the error says nothing of that kind.

    The error may be the driver's, or one that was raised from it.
    """
    while error is not None:
        if isinstance(error, PoolTimeoutError):
            return StoreTrouble.BUSY
        if isinstance(error, sqlite3.Error):
            return _SQLITE.get(getattr(error, "sqlite_errorcode", 0) & _PRIMARY)
        if type(error).__module__.partition(".")[0] == "psycopg":  # it is imported only for PostgreSQL
            return _trouble_of_postgresql(error)
        error = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error.__cause__
    return None


def _trouble_of_postgresql(error: BaseException) -> StoreTrouble | None:
    state: str | None = getattr(error, "sqlstate", None)
    if state is None:  # the driver itself raised it: it has no connection, or lost it
        is_operational = any(base.__name__ == "OperationalError" for base in type(error).__mro__)
        return StoreTrouble.AWAY if is_operational else None
    return next((trouble for begin, trouble in _SQLSTATES if state.startswith(begin)), None)


def is_lost(error: BaseException | None) -> bool:
    """Tell whether a connection that worked was lost. On a fresh one, the same may succeed at once."""
    while error is not None:
        if isinstance(error, DBAPIError):
            return error.connection_invalidated
        error = error.__cause__
    return False


class OutageLog:
    """Logs trouble with a database in one line, however many threads meet it. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told: dict[StoreTrouble, float] = {}

    def tell(self, error: BaseException) -> bool:
        """Log the trouble that an error means, unless that was done a moment ago. Return false if it means none."""
        trouble = trouble_of(error)
        if trouble is None:
            return False
        now = time.monotonic()
        with self._lock:
            is_new = now - self._told.get(trouble, -OUTAGE_LOG_INTERVAL_S) >= OUTAGE_LOG_INTERVAL_S
            if is_new:
                self._told[trouble] = now
        if is_new:
            cause = str(error).strip().partition("\n")[0]
            _LOG.warning("the database cannot be used; trying again", trouble=trouble.value, error=cause)
        return True

    def over(self) -> None:
        """Log once that the database works again, if it was told that it did not."""
        if not self._told:
            return
        with self._lock:
            told, self._told = self._told, {}
        if told:
            _LOG.info("the database works again")
