"""What becomes of the connections of an engine that was disposed of while threads still had them."""

from typing import Final

import sqlalchemy
from sqlalchemy import Engine
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

_DISPOSALS: Final = "pathbook_disposals"


def close_what_returns_late(engine: Engine) -> None:
    """Have a connection closed that a thread returns only after its engine was disposed of.

    SQLAlchemy would put it into the old pool, where it stays open until the garbage collector finds it.
    """
    disposals = 0

    @sqlalchemy.event.listens_for(engine, "engine_disposed")
    def _count(_engine: Engine) -> None:
        nonlocal disposals
        disposals += 1

    @sqlalchemy.event.listens_for(engine, "connect")
    def _mark(_connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
        entry.info[_DISPOSALS] = disposals

    @sqlalchemy.event.listens_for(engine, "checkin")
    def _close(connection: DBAPIConnection | None, entry: ConnectionPoolEntry) -> None:
        if connection is not None and entry.info.get(_DISPOSALS) != disposals:
            connection.close()
