"""The signed checkpoints of the books. Each is kept for ever: what was signed once can be shown to have been signed."""

from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.schema import CreateTable

from pathbook.ledger.store.database.bulk_write import insert_missing_statement
from pathbook.ledger.store.database.engine import TEXT, create_schema, reading, writing
from pathbook.ledger.store.database.fast_read import ReaderPool
from pathbook.ledger.store.log.stream import persistence_errors

CHECKPOINT = sa.Table(
    "checkpoint",
    sa.MetaData(),
    sa.Column("book", TEXT, primary_key=True),
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("note", TEXT, nullable=False),
    sqlite_with_rowid=False,
)

_INSERT = insert_missing_statement(CHECKPOINT)
_OF_BOOK = CHECKPOINT.c.book == sa.bindparam("book")
_KEPT = sa.select(CHECKPOINT.c.size, CHECKPOINT.c.note)
_AT = _KEPT.where(_OF_BOOK, CHECKPOINT.c.size == sa.bindparam("size", type_=sa.BigInteger))
_NEWEST = _KEPT.where(_OF_BOOK).order_by(CHECKPOINT.c.size.desc()).limit(sa.literal_column("1", sa.Integer()))
_ANY = sa.select(CHECKPOINT.c.book).limit(sa.literal_column("1", sa.Integer()))


class KeptCheckpoint(NamedTuple):
    """A checkpoint as it is kept: the size of its tree, and the text of its signed note."""

    size: int
    note: str


class Checkpoints:
    """The checkpoints of all books of a log. Threads may share it. Each method raises PersistenceError of eventsourcing
    if the database fails.
    """

    def __init__(self, engine: Engine) -> None:
        """Use the database of the log. Nothing is read or written yet."""
        self._engine, self._pool = engine, ReaderPool(engine)
        self._is_made = False

    def at(self, book: str, size: int) -> KeptCheckpoint | None:
        """Return the checkpoint of a size, or None if none was signed."""
        return self._first(_AT, {"book": book, "size": size})

    def newest(self, book: str) -> KeptCheckpoint | None:
        """Return the checkpoint of the largest tree, or None if none was signed."""
        return self._first(_NEWEST, {"book": book})

    def any(self) -> bool:
        """Tell whether a checkpoint of any book was signed."""
        with persistence_errors():
            return self._has_table() and bool(self._pool.ask(_ANY, {}))

    def keep(self, book: str, size: int, note: str) -> KeptCheckpoint:
        """Keep a checkpoint, unless there is one of that size. Return the one that is kept."""
        with persistence_errors():
            if not self._has_table():
                with writing(self._engine) as connection:
                    create_schema(connection)
                    connection.execute(CreateTable(CHECKPOINT, if_not_exists=True))
            with writing(self._engine, turn=None) as connection:
                _INSERT.execute(connection, book, [(size, note)])
        kept = self.at(book, size)
        assert kept is not None, (book, size)
        return kept

    def _first(self, lookup: "sa.Select[int, str]", parameters: dict[str, object]) -> KeptCheckpoint | None:
        with persistence_errors():
            rows = self._pool.ask(lookup, parameters) if self._has_table() else []
        return KeptCheckpoint(*rows[0]) if rows else None

    def _has_table(self) -> bool:
        if not self._is_made:
            with reading(self._engine) as connection:
                self._is_made = sa.inspect(connection).has_table(CHECKPOINT.name)
        return self._is_made
