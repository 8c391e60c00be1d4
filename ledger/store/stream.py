"""The log: every book's events at positions 1, 2, 3 ... without gaps, kept on eventsourcing's recorder contract."""

import contextlib
import itertools
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias
from uuid import UUID

import msgspec
import sqlalchemy.exc
from eventsourcing import persistence
from eventsourcing.persistence import AggregateRecorder, StoredEvent
from sqlalchemy import BigInteger, Column, Connection, Engine, LargeBinary, MetaData, Table, Text, select

from ledger.store.database import create_tables, reading, writing

FORMAT = 1
"""The format of the log's tables; another number is another layout, which this program does not open."""

POLL_SECONDS = 0.2
"""How late at most an append by another process is noticed; one by this process wakes at once."""

MAX_PICKED = 10_000
"""The most positions one `at` may name: each is a parameter of one statement, and SQLite takes 32,766."""

_LAST_POSITION = 2**63 - 1
_EVERY_POSITION = -1  # eventsourcing counts from 0 or 1, a book from 1

_TABLES = MetaData()
# Without row ids an event lies in its primary key and nowhere else. Measured with events of 100 bytes: 162-170
# bytes an event instead of 183-185, and 6.4 KB of write-ahead log for a single append instead of 9.1 (118 instead
# of 124 for 512 at once); appends 280,000-400,000/s and reads 1,500,000-1,900,000/s as fast or a little faster.
EVENT = Table(
    "event",
    _TABLES,
    Column("book", Text, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("topic", Text, nullable=False),
    Column("state", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
_ENTRY = select(EVENT.c.position, EVENT.c.topic, EVENT.c.state)

_Row: TypeAlias = tuple[str, int, str, bytes]


class StoredEntry(msgspec.Struct, frozen=True, gc=False):
    """An event as it lies in the log: its position, its topic (name and version), and its bytes."""

    position: int
    topic: str
    data: bytes


class PositionTaken(Exception):  # noqa: N818 -- of two writers one is told so: that is how a book has an order
    """The entries would not follow the book's `head`, so `position`, where they were to begin, is not free.

    Another writer was first (`head` is `position` or more), or the log is shorter than the writer thought.
    """

    def __init__(self, book: str, position: int, head: int) -> None:
        super().__init__(
            f"Position {position} of book {book} cannot be written, for its head is {head}:"
            " read on from what you know and decide again."
        )
        self.position = position
        self.head = head


class SQLAlchemyAggregateRecorder(AggregateRecorder):
    """Eventsourcing's recorder on any database SQLAlchemy speaks to: originator id = book, version = position.

    Books are named by text; an id that is a UUID is kept, and given back, as its text.
    """

    def __init__(self, engine: Engine) -> None:
        with persistence_errors():
            create_tables(engine, _TABLES, format_number=FORMAT)
        self.engine = engine
        # The driver takes rows as they are. SQLAlchemy's own many-row insert makes a dictionary of each: half as fast.
        self._insert = str(EVENT.insert().compile(engine))

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: object) -> None:
        """Write all of them or none.

        Raises:
            eventsourcing.persistence.IntegrityError: one of the positions is taken.
        """
        with persistence_errors(), writing(self.engine) as connection:
            self.insert_on(
                connection,
                [(str(s.originator_id), s.originator_version, s.topic, s.state) for s in stored_events],
            )

    def insert_on(self, connection: Connection, rows: list[_Row]) -> None:
        """Write rows (book, position, topic, bytes) within a transaction of the caller's."""
        if rows:
            connection.exec_driver_sql(self._insert, rows)

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> list[StoredEvent]:
        """The events at positions above `gt` and up to `lte`, the last first if `desc`, `limit` at most."""
        book = str(originator_id)
        after = _EVERY_POSITION if gt is None else gt
        query = _ENTRY.where(EVENT.c.book == book, EVENT.c.position > after)
