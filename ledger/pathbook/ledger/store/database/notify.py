"""Hearing of what other processes wrote: PostgreSQL tells at once; who has SQLite asks now and then."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import sqlalchemy
import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

if TYPE_CHECKING:  # it takes a moment to load, and books in files have no need of it
    import psycopg

POLL_INTERVAL_S = 0.2
"""How late at most a write by another process is noticed where nobody tells."""

LISTEN_INTERVAL_S = 0.5
"""How long listening goes on before it is looked whether it shall end."""

RECONNECT_DELAY_S = 2.0
"""How long after a lost connection another is tried."""

ALL_BOOKS = ""
"""Sent in place of a book when some notices may have been missed."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)
_NOTIFY = sqlalchemy.text("SELECT pg_notify(current_setting('search_path'), :book)")


def notify(connection: Connection, book: str) -> None:
    """Tell all processes that listen, once the transaction commits, that it wrote to a book."""
    if connection.dialect.name == "postgresql":
        connection.execute(_NOTIFY, {"book": book})


class NotificationListener:
    """What other processes tell of one database. `heard` is called with a book, from a thread of its own."""

    def __init__(self, engine: Engine, heard: Callable[[str], None]) -> None:
        self._engine, self._heard = engine, heard
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="notices", daemon=True)
        self.told = engine.dialect.name == "postgresql"
        """Whether anybody tells: else one has to ask, every POLL_INTERVAL_S."""

    def start(self) -> None:
        """Listen until `close`, where anybody tells."""
        if self.told and self._thread.ident is None:
            self._thread.start()

    def close(self) -> None:
        """Listen no longer."""
        self._closing.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _listen(self) -> None:
        while not self._closing.is_set():
            try:
                with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    schema = connection.exec_driver_sql("SHOW search_path").scalar_one()
                    connection.exec_driver_sql(f'LISTEN "{schema}"')
                    self._heard(ALL_BOOKS)  # what was written before this was not told
                    self._hear(connection)
                    connection.detach()  # one that listens is of no use to others
            except (SQLAlchemyError, self._engine.dialect.loaded_dbapi.Error) as error:
                _LOG.warning(
                    "lost the notices of the database", error=str(error), retry_seconds=RECONNECT_DELAY_S
                )
                self._closing.wait(RECONNECT_DELAY_S)

    def _hear(self, connection: Connection) -> None:
        driver = cast("psycopg.Connection[object]", connection.connection.driver_connection)
        while not self._closing.is_set():
            for notice in driver.notifies(timeout=LISTEN_INTERVAL_S):
                self._heard(notice.payload)
