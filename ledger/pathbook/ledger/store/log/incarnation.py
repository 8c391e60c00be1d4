"""The incarnations of a book: a restored book goes on as another one, so that its readers can tell the histories apart.

Two histories of a book may have other events at the same position. What they share ends at the position that was
restored. The first incarnation has no row: its id is derived from the first event. So a book that is opened again
under an old name is another one, too.
"""

from collections.abc import Mapping, Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.schema import CreateTable

from pathbook.ledger.codec import leaf_hash
from pathbook.ledger.store.database.engine import TEXT, create_schema, reading
from pathbook.ledger.store.log.event_table import EVENT
from pathbook.ledger.store.log.stream import Stream, persistence_errors

ID_BYTES = 8
"""The length of the id of an incarnation. It is written as 16 hexadecimal digits."""

INCARNATION = sa.Table(
    "incarnation",
    sa.MetaData(),
    sa.Column("book", TEXT, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("id", TEXT, nullable=False),
    sa.Column("after_position", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)


class Incarnation(msgspec.Struct, frozen=True):
    """One life of a book: its id, and the last position that it took over from the life before it."""

    id: str
    after_position: int


class Lineage(msgspec.Struct, frozen=True):
    """The incarnations of a book, oldest first. There is at least one."""

    incarnations: tuple[Incarnation, ...]

    @property
    def present(self) -> str:
        """The id of the incarnation that goes on."""
        return self.incarnations[-1].id

    def shared_with(self, other: str) -> int | None:
        """Return the last position that an incarnation shares with the present one.

        None means that it is the present one. An incarnation that this book never had shares nothing: 0.
        """
        ids = [incarnation.id for incarnation in self.incarnations]
        if other not in ids:
            return 0
        later = self.incarnations[ids.index(other) + 1 :]
        return min((incarnation.after_position for incarnation in later), default=None)


class Incarnations:
    """The lineages of the books of a log. Threads may share it.

    A lineage is read once. It changes only by a restore, for which all servers of the log are stopped.
    """

    def __init__(self, stream: Stream) -> None:
        """Use the database of the log. Nothing is read yet."""
        self._stream = stream
        self._found: dict[str, Lineage] = {}

    def of(self, book: str) -> Lineage:
        """Return the lineage of a book that has an event.

        Raises:
            eventsourcing.persistence.PersistenceError: the database fails.
        """
        found = self._found.get(book)
        if found is None:
            with persistence_errors(), reading(self._stream.engine) as connection:
                found = self._found[book] = lineage(connection, book)
        return found


def lineage(connection: Connection, book: str) -> Lineage:
    """Return the lineage of a book that has an event, in the caller's transaction."""
    is_first = sa.and_(EVENT.c.book == book, EVENT.c.position == 1)
    first: bytes = connection.execute(sa.select(EVENT.c.state).where(is_first)).scalar_one()
    of_book = sa.select(INCARNATION.c.id, INCARNATION.c.after_position).where(INCARNATION.c.book == book)
    known = sa.inspect(connection).has_table(INCARNATION.name)
    rows = connection.execute(of_book.order_by(INCARNATION.c.number)).all() if known else ()
    restored = [Incarnation(id_, after) for id_, after in rows]
    return Lineage((Incarnation(leaf_hash(first)[:ID_BYTES].hex(), 0), *restored))


def begin_incarnations(connection: Connection, ids: Mapping[str, str], heads: Mapping[str, int]) -> None:
    """Begin another incarnation of each book after its head, in the caller's transaction.

    ``ids`` are new, and random.
    """
    create_schema(connection)
    connection.execute(CreateTable(INCARNATION, if_not_exists=True))
    last = sa.select(INCARNATION.c.book, sa.func.max(INCARNATION.c.number)).group_by(INCARNATION.c.book)
    numbers = {book: number for book, number in connection.execute(last).all()}  # noqa: C416 - rows are no pairs to mypy
    rows: Sequence[dict[str, object]] = [
        {"book": book, "number": numbers.get(book, 0) + 1, "id": id_, "after_position": heads[book]}
        for book, id_ in ids.items()
    ]
    if rows:
        connection.execute(INCARNATION.insert(), rows)
