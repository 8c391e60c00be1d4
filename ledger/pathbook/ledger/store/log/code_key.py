"""The fingerprints of the keys that codes here are made with, oldest first: the memory of what a key file must hold.

A key is remembered before the first batch is made with it. So the list has the keys of all batches, and it is as
short as the list of keys, however many batches there are.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.schema import CreateTable

from pathbook.ledger.store.database.engine import create_schema, reading, writing
from pathbook.ledger.store.log.stream import persistence_errors

CODE_KEY = sa.Table(
    "code_key",
    sa.MetaData(),
    sa.Column("generation", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("fingerprint", sa.LargeBinary, nullable=False),
)


class CodeKeysInUse:
    """The keys in use here, by their fingerprints. All books of a database share them. Threads may share it."""

    def __init__(self, engine: Engine) -> None:
        """Use the database of the log. Nothing is read or written yet."""
        self._engine = engine

    def known(self) -> tuple[bytes, ...]:
        """Return the fingerprints of all keys that were ever in use here, oldest first.

        Raises:
            eventsourcing.persistence.PersistenceError: the database fails.
        """
        with persistence_errors(), reading(self._engine) as connection:
            return _known(connection) if sa.inspect(connection).has_table(CODE_KEY.name) else ()

    def remember(self, fingerprints: Sequence[bytes]) -> tuple[bytes, ...]:
        """Remember the keys of a ring, oldest first, if the ring begins with the keys that are known already.

        Return the keys that are known then. If they are not those of the ring, then the ring lacks some of them, or
        has them in another order, and nothing was changed.

        Raises:
            eventsourcing.persistence.PersistenceError: the database fails.
        """
        wanted = tuple(fingerprints)
        if (known := self.known()) == wanted:
            return known
        with persistence_errors(), writing(self._engine) as connection:
            create_schema(connection)
            connection.execute(CreateTable(CODE_KEY, if_not_exists=True))
            if connection.dialect.name == "postgresql":  # another server may be remembering another key
                connection.exec_driver_sql(f"LOCK TABLE {CODE_KEY.name} IN EXCLUSIVE MODE")
            known = _known(connection)
            more = wanted[len(known) :]
            if wanted[: len(known)] != known or not more:
                return known
            rows = [
                {"generation": number, "fingerprint": name}
                for number, name in enumerate(more, len(known) + 1)
            ]
            connection.execute(CODE_KEY.insert(), rows)
            return wanted


def _known(connection: Connection) -> tuple[bytes, ...]:
    found = connection.execute(sa.select(CODE_KEY.c.fingerprint).order_by(CODE_KEY.c.generation)).scalars()
    return tuple(map(bytes, found))
