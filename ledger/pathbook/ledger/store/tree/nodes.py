"""The table of the nodes of the trees: of each level of tiles above the lowest, the nodes that never change.

There is a row for each complete subtree of 256 leaves, 65,536 leaves, and so on. The hashes of the leaves themselves
are not kept: they follow from the events, and would take a fifth of the log. The rows of a level have no gaps. So
the last one tells how far the table goes.
"""

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.schema import CreateTable

from pathbook.ledger.proofs.tree import HASH_BYTES
from pathbook.ledger.store.database.bulk_write import insert_missing_statement
from pathbook.ledger.store.database.engine import TEXT, create_schema, reading, writing
from pathbook.ledger.store.database.fast_read import ReaderPool

TREE_NODE = sa.Table(
    "tree_node",
    sa.MetaData(),
    sa.Column("book", TEXT, primary_key=True),
    sa.Column("level", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

LOWEST_LEVEL = 1
"""The lowest level of tiles whose nodes are kept, each over 256 leaves."""

_INSERT = insert_missing_statement(TREE_NODE)
_OF_LEVEL = sa.and_(
    TREE_NODE.c.book == sa.bindparam("book"), TREE_NODE.c.level == sa.bindparam("level", type_=sa.BigInteger)
)
_LAST = sa.select(sa.func.max(TREE_NODE.c.number)).where(_OF_LEVEL)
_HASHES = (
    sa.select(TREE_NODE.c.number, TREE_NODE.c.hash)
    .where(
        _OF_LEVEL,
        TREE_NODE.c.number >= sa.bindparam("first", type_=sa.BigInteger),
        TREE_NODE.c.number < sa.bindparam("end", type_=sa.BigInteger),
    )
    .order_by(TREE_NODE.c.number)
)


class TreeNodes:
    """The kept nodes of all books of a log. Threads may share it, and processes may write the same rows at once.

    Each method raises what SQLAlchemy raises if the database fails.
    """

    def __init__(self, engine: Engine) -> None:
        """Use the database of the log. Nothing is read or written yet."""
        self._engine, self._pool = engine, ReaderPool(engine)
        self._is_made = False

    def count(self, book: str) -> int:
        """Return how many nodes of the lowest level are kept."""
        if not self._has_table():
            return 0
        ((last,),) = self._pool.ask(_LAST, {"book": book, "level": LOWEST_LEVEL})
        return 0 if last is None else last + 1

    def hashes(self, book: str, level: int, first: int, end: int) -> bytes | None:
        """Return the nodes first .. end - 1 of a level of tiles, one after the other. None if one is missing."""
        if not self._has_table():
            return None
        rows = self._pool.ask(_HASHES, {"book": book, "level": level, "first": first, "end": end})
        if [number for number, _ in rows] != list(range(first, end)):
            return None
        if not all(type(data) is bytes and len(data) == HASH_BYTES for _, data in rows):
            return None  # a flipped bit makes bytes something else
        return b"".join([data for _, data in rows])

    def insert(self, book: str, rows: Iterable[tuple[int, int, bytes]]) -> None:
        """Keep nodes, as (level, number, hash). Those that are kept already stay as they are."""
        found = list(rows)
        if not found:
            return
        if not self._has_table():
            with writing(self._engine) as connection:
                create_schema(connection)
                connection.execute(CreateTable(TREE_NODE, if_not_exists=True))
        with writing(self._engine, turn=None) as connection:
            _INSERT.execute(connection, book, found)

    def drop(self, book: str | None = None) -> None:
        """Delete the nodes of a book, or of all books."""
        if self._has_table():
            with writing(self._engine, turn=None) as connection:
                delete = TREE_NODE.delete()
                connection.execute(delete if book is None else delete.where(TREE_NODE.c.book == book))

    def _has_table(self) -> bool:
        if not self._is_made:
            with reading(self._engine) as connection:
                self._is_made = sa.inspect(connection).has_table(TREE_NODE.name)
        return self._is_made
