"""Notifications of what other processes wrote. PostgreSQL sends them; a file of SQLite is looked at instead."""

import contextlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import sqlalchemy
import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from pathbook.ledger.store.database.failures import OutageLog

if TYPE_CHECKING:  # it takes a moment to load, and books in files do not need it
    import psycopg

POLL_INTERVAL_S = 0.2
"""How late at most a process notices a write of another process if the database sends no notifications."""

LOOK_INTERVAL_S = 0.005
"""How often a listener looks whether another process wrote to a file of SQLite. A look takes some 5 microseconds."""

LISTEN_INTERVAL_S = 0.1
"""How often a listener checks whether it must stop. A process that ends waits as long for each of its two listeners."""

RECONNECT_FIRST_DELAY_S = 0.1
"""How long a listener waits after a lost connection before it connects again. Each further pause is twice as long."""

RECONNECT_MAX_DELAY_S = 1.0
"""How long it waits at most, so that what was written is in the views soon after the database is back."""

ALL_BOOKS = ""
"""Passed instead of a book when notifications may have been missed."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)
_NOTIFY = sqlalchemy.text("SELECT pg_notify(current_setting('search_path'), :book)")


def notify(connection: Connection, book: str) -> None:
    """Notify all listening processes, once the transaction commits, that it wrote to a book."""
    if connection.dialect.name == "postgresql":
        connection.execute(_NOTIFY, {"book": book})


class NotificationListener:
    """A listener for one database's notifications. It calls `on_notification` with a book, in a thread of its own.

    With ``looks``, it looks at a file of SQLite, which sends none, and calls `on_notification` with ALL_BOOKS after any
    commit to the file, whichever process made it.
    """

    def __init__(
        self,
        engine: Engine,
        on_notification: Callable[[str], None],
        outages: OutageLog,
        *,
        looks: bool = False,
    ) -> None:
        self._engine, self._on_notification, self._outages = engine, on_notification, outages
        self._closing = threading.Event()
        self.has_notifications = engine.dialect.name == "postgresql"
        """Whether the database sends notifications. If not, the process must poll every POLL_INTERVAL_S."""
        self._listens = self.has_notifications or looks
        target = self._listen if self.has_notifications else self._look
        self._thread = threading.Thread(target=target, name="notifications", daemon=True)

    def start(self) -> None:
        """Listen until `close`, if the database sends notifications or is looked at."""
        if self._listens and self._thread.ident is None:
            self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._closing.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _listen(self) -> None:
        delay = RECONNECT_FIRST_DELAY_S
        while not self._closing.is_set():
            try:
                with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    schema = connection.exec_driver_sql("SHOW search_path").scalar_one()
                    connection.exec_driver_sql(f'LISTEN "{schema}"')
                    delay = RECONNECT_FIRST_DELAY_S
                    self._on_notification(ALL_BOOKS)  # earlier writes sent no notification to this connection
                    self._forward_notifications(connection)
                    connection.detach()  # a connection that listens must not return to the pool
            except (SQLAlchemyError, self._engine.dialect.loaded_dbapi.Error) as error:
                if not self._outages.tell(error):
                    _LOG.warning("cannot listen for notifications", error=str(error), retry_seconds=delay)
                self._closing.wait(delay)
                delay = min(2 * delay, RECONNECT_MAX_DELAY_S)

    def _look(self) -> None:
        """Report each commit to a file. The process polls too, so a look that fails is only tried again later."""
        while not self._closing.is_set():
            try:
                # SQLAlchemy would begin a transaction, within which another commit is not seen
                with contextlib.closing(self._engine.raw_connection()) as connection:
                    cursor, seen = connection.cursor(), None
                    while not self._closing.wait(LOOK_INTERVAL_S):
                        # it changes with each commit of any other connection
                        version = cursor.execute("PRAGMA data_version").fetchone()
                        if version != seen:
                            seen = version
                            self._on_notification(ALL_BOOKS)
            except (SQLAlchemyError, self._engine.dialect.loaded_dbapi.Error):
                self._closing.wait(POLL_INTERVAL_S)

    def _forward_notifications(self, connection: Connection) -> None:
        driver = cast("psycopg.Connection[object]", connection.connection.driver_connection)
        while not self._closing.is_set():
            for notification in driver.notifies(timeout=LISTEN_INTERVAL_S):
                self._on_notification(notification.payload)
