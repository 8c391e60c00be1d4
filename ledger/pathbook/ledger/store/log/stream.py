"""The log: each book's events at positions 1, 2, 3 ... without gaps, on the contract of the eventsourcing library.

The notes of events are written and read with them, and lie in a table of their own
(``pathbook.ledger.store.log.notes``).
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import groupby, starmap
from typing import TypeVarTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from eventsourcing import persistence
from eventsourcing.persistence import AggregateRecorder, StoredEvent
from sqlalchemy import Connection, Engine, Select, exc

from pathbook.ledger.notes import Note
from pathbook.ledger.store.database.bulk_write import insert_statement
from pathbook.ledger.store.database.engine import TEXT, create_tables, reading, writing
from pathbook.ledger.store.database.fast_read import ReaderPool
from pathbook.ledger.store.database.notify import NotificationListener, notify
from pathbook.ledger.store.log.notes import NOTE, insert_notes, notes_at, notes_in_turn

FORMAT = 2
"""The format of the log's tables. Another number means another layout, which this program does not open."""

POSITIONS_PER_STATEMENT_MAX = 100
"""How many positions one statement names at most. There is one statement for each number of positions."""

_Columns = TypeVarTuple("_Columns")

_BEFORE_ALL = -1  # a book begins at position 1, but eventsourcing may begin at 0
_AFTER_ALL = 2**63 - 1

_TABLES = sa.MetaData()
# Without row ids an event lies only in its primary key. Measured with events of 100 bytes, it takes 170 bytes
# on disk instead of 185. A commit of one event writes 6.4 KB instead of 9.1, and of 512 events 118 KB instead
# of 124. Appends (about 320,000/s, without waiting for the disk) and reads (1,700,000/s) are as fast.
EVENT = sa.Table(
    "event",
    _TABLES,
    sa.Column("book", TEXT, primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("topic", TEXT, nullable=False),
    sa.Column("state", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
NOTE.to_metadata(_TABLES)  # created with the log
_OF_BOOK = sa.select(EVENT.c.position, EVENT.c.topic, EVENT.c.state).where(
    EVENT.c.book == sa.bindparam("book")
)
_DATA_OF_BOOK = _OF_BOOK.with_only_columns(EVENT.c.state)
_RANGE = _OF_BOOK.where(
    EVENT.c.position > sa.bindparam("after"), EVENT.c.position <= sa.bindparam("through")
).limit(sa.bindparam("limit"))
_ASCENDING = _RANGE.order_by(EVENT.c.position)
_DATA = _ASCENDING.with_only_columns(EVENT.c.state)
_DESCENDING = _RANGE.order_by(EVENT.c.position.desc())
_HEAD = sa.select(sa.func.max(EVENT.c.position)).where(EVENT.c.book == sa.bindparam("book"))
_NEXT_BOOK = sa.select(sa.func.min(EVENT.c.book)).where(EVENT.c.book > sa.bindparam("book"))


def _first_entries() -> Select[str, int, bytes]:
    """Return the statement that searches for one book after the other, and reads each one's first event and head."""
    names = sa.select(sa.literal(1).label("number"), _NEXT_BOOK.scalar_subquery().label("book")).cte(
        "names", recursive=True
    )
    other = EVENT.alias("other")
    following = sa.select(sa.func.min(other.c.book)).where(other.c.book > names.c.book).scalar_subquery()
    names = names.union_all(
        sa.select(names.c.number + 1, following).where(
            names.c.book.is_not(None), names.c.number < sa.bindparam("limit")
        )
    )
    head = sa.select(sa.func.max(other.c.position)).where(other.c.book == names.c.book).scalar_subquery()
    is_first = sa.and_(EVENT.c.book == names.c.book, EVENT.c.position == 1)
    found = sa.select(names.c.book, head, EVENT.c.state).join_from(names, EVENT, is_first)
    return found.order_by(names.c.book)


_FIRST_ENTRIES = _first_entries()

_ERRORS: dict[type[exc.SQLAlchemyError], type[persistence.PersistenceError]] = {
    exc.IntegrityError: persistence.IntegrityError,
    exc.OperationalError: persistence.OperationalError,
    exc.TimeoutError: persistence.OperationalError,
    exc.DataError: persistence.DataError,
    exc.InternalError: persistence.InternalError,
    exc.ProgrammingError: persistence.ProgrammingError,
    exc.NotSupportedError: persistence.NotSupportedError,
    exc.DatabaseError: persistence.DatabaseError,
    exc.InterfaceError: persistence.InterfaceError,
}


class StoredEntry(msgspec.Struct, frozen=True, gc=False):
    """An event as the log stores it: its position, its topic (name and version), its bytes."""

    position: int
    topic: str
    data: bytes


class FirstEntry(msgspec.Struct, frozen=True, gc=False):
    """The first event of a book, as stored, with the name of the book and its last position."""

    book: str
    head: int
    data: bytes


class PositionTakenError(Exception):
    """Entries cannot be appended from `position` on, because the book's `head` is not the position before it.

    Either another writer appended first, and `head` has reached `position`. Or the log is shorter than the
    writer expects.
    """

    def __init__(self, book: str, position: int, head: int) -> None:
        super().__init__(
            f"Position {position} of book {book} cannot be written, because its head is {head}."
            " Read the events up to the head, then decide again."
        )
        self.position = position
        self.head = head


@contextlib.contextmanager
def persistence_errors() -> Iterator[None]:
    """Convert each exception of SQLAlchemy to eventsourcing's exception of the same meaning (PEP 249)."""
    try:
        yield
    except exc.SQLAlchemyError as error:
        raise _ERRORS.get(type(error), persistence.PersistenceError)(str(error)) from error


def is_passing(error: BaseException) -> bool:
    """Tell whether an error may pass by itself: the database is away, locked or full (PEP 249, OperationalError)."""
    return isinstance(error, (persistence.OperationalError, exc.OperationalError))


def is_of_database(error: BaseException) -> bool:
    """Tell whether a database raised an error."""
    return isinstance(error, (persistence.PersistenceError, exc.SQLAlchemyError))


class SQLAlchemyAggregateRecorder(AggregateRecorder):
    """The recorder of the eventsourcing library. An originator id is a book, and an originator version is a position.

    A book is text. A UUID is stored and returned as text.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        with persistence_errors():
            create_tables(engine, _TABLES, format_number=FORMAT)
        self._insert = insert_statement(EVENT)

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: object) -> None:
        """Write all of the events, or none.

        Raises:
            eventsourcing.persistence.IntegrityError: one of the positions is taken.
        """
        books = groupby(stored_events, key=lambda event: str(event.originator_id))
        with persistence_errors(), writing(self.engine, turn=None) as connection:
            for book, events in books:
                self.insert_on(connection, book, [(e.originator_version, e.topic, e.state) for e in events])

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> list[StoredEvent]:
        """The events above position `gt` up to `lte`, at most `limit`, with the last one first if `desc`."""
        book = str(originator_id)
        with persistence_errors(), reading(self.engine) as connection:
            rows = self.select_on(connection, book, gt=gt, lte=lte, desc=desc, limit=limit)
        return [StoredEvent(book, *row) for row in rows]

    def insert_on(self, connection: Connection, book: str, rows: list[tuple[int, str, bytes]]) -> None:
        """Write rows of (position, topic, bytes) in the caller's transaction. Their primary key is the fence."""
        self._insert.execute(connection, book, rows)

    def select_on(
        self,
        connection: Connection,
        book: str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[sa.Row[int, str, bytes]]:
        """Read as `select_events` does, in the caller's transaction. Rows are (position, topic, bytes)."""
        bounds = {
            "book": book,
            "after": _BEFORE_ALL if gt is None else gt,
            "through": _AFTER_ALL if lte is None else lte,
            "limit": _AFTER_ALL if limit is None else limit,
        }
        return connection.execute(_DESCENDING if desc else _ASCENDING, bounds).all()


class Turn:
    """A transaction that keeps other writers of a book out, so that a decision in it still holds when it is written."""

    def __init__(self, connection: Connection, recorder: SQLAlchemyAggregateRecorder, book: str) -> None:
        self._connection, self._recorder, self._book = connection, recorder, book
        self.appended = 0

    def read(self, after: int, limit: int) -> list[StoredEntry]:
        """At most `limit` entries above position `after`, in order."""
        rows = self._recorder.select_on(self._connection, self._book, gt=after, limit=limit)
        return list(starmap(StoredEntry, rows))

    def notes(self, positions: Iterable[int]) -> dict[int, Note]:
        """The notes of the events at these positions. Events without a note, or whose note was erased, are left out."""
        return notes_in_turn(self._connection, self._book, positions)

    def append(
        self, after: int, entries: Sequence[tuple[str, bytes]], notes: Mapping[int, Note] | None = None
    ) -> None:
        """Write entries (topic, bytes) to positions after + 1, after + 2 ..., all of them or none.

        The notes of these entries, by position, are written with them.

        Raises:
            PositionTakenError: `after` is not the head of the book. The turn must then end with this exception.
        """
        assert after >= 0, after
        if not entries:
            return
        head = _head_on(self._connection, self._book)
        if head != after:
            raise PositionTakenError(self._book, after + 1, head)
        rows = [(position, topic, data) for position, (topic, data) in enumerate(entries, after + 1)]
        try:
            self._recorder.insert_on(self._connection, self._book, rows)
        except exc.IntegrityError as conflict:  # a writer without a turn was first; the key is the fence
            raise PositionTakenError(self._book, after + 1, after + 1) from conflict
        if notes:
            insert_notes(self._connection, self._book, notes)
        notify(self._connection, self._book)
        self.appended += len(entries)


class Stream:
    """The log as the rest of the program uses it: books, positions, topics and bytes.

    Threads may share it. If the database fails (it is locked for too long, the disk is full), a subclass of
    eventsourcing.persistence.PersistenceError is raised.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._pool = ReaderPool(engine)
        self._recorder = SQLAlchemyAggregateRecorder(engine)
        self._listeners: list[Callable[[str], None]] = []
        self._listener = NotificationListener(engine, self._notify_listeners)

    @contextlib.contextmanager
    def turn(self, book: str) -> Iterator[Turn]:
        """Wait for a turn, which keeps other writers of the book out.

        When the block ends, the appended events are on disk.
        """
        with persistence_errors(), writing(self.engine, turn=book) as connection:
            turn = Turn(connection, self._recorder, book)
            yield turn
        if turn.appended:
            self._notify_listeners(book)

    def append(self, book: str, after: int, entries: Sequence[tuple[str, bytes]]) -> None:
        """Write entries as `Turn.append` does, in a turn of their own.

        Raises:
            PositionTakenError: `after` is not the head of the book.
        """
        with self.turn(book) as turn:
            turn.append(after, entries)

    def on_append(self, listener: Callable[[str], None]) -> None:
        """Register a listener, which is called with a book that was appended to, or with ALL_BOOKS.

        It must return quickly. Appends through this object are reported at once. Those of other processes are
        reported if `has_notifications`.
        """
        self._listeners.append(listener)
        self._listener.start()

    @property
    def has_notifications(self) -> bool:
        """Whether appends of other processes are reported. If not, the caller must poll for them."""
        return self._listener.has_notifications

    def close(self) -> None:
        """Stop listening for appends of other processes."""
        self._listener.close()

    def read(self, book: str, after: int, limit: int, through: int | None = None) -> list[StoredEntry]:
        """At most `limit` entries above position `after`, none above `through`, in order."""
        with persistence_errors(), reading(self.engine) as connection:
            rows = self._recorder.select_on(connection, book, gt=after, lte=through, limit=limit)
        return list(starmap(StoredEntry, rows))

    def data(self, book: str, after: int, limit: int, through: int) -> list[bytes]:
        """The bytes of the entries that `read` would return, at positions after + 1, after + 2 ..."""
        parameters = {"book": book, "after": after, "through": through, "limit": limit}
        with persistence_errors():
            return [data for (data,) in self._pool.ask(_DATA, parameters)]

    def at(self, book: str, positions: Sequence[int]) -> list[StoredEntry]:
        """The entries at these positions, each once, in order. Positions that are not written are left out."""
        return list(starmap(StoredEntry, self._read_at(_OF_BOOK, book, positions)))

    def data_at(self, book: str, positions: Sequence[int]) -> list[bytes]:
        """The bytes of the entries that `at` would return."""
        return [data for (data,) in self._read_at(_DATA_OF_BOOK, book, positions)]

    def _read_at(
        self, columns: Select[*_Columns], book: str, positions: Sequence[int]
    ) -> list[tuple[*_Columns]]:
        wanted = sorted(set(positions))
        rows: list[tuple[*_Columns]] = []
        with persistence_errors():
            for start in range(0, len(wanted), POSITIONS_PER_STATEMENT_MAX):
                chunk = wanted[start : start + POSITIONS_PER_STATEMENT_MAX]
                part = dict(zip(_POSITION_NAMES, chunk, strict=False))
                rows += self._pool.ask(_statement_for(columns, len(part)), {"book": book, **part})
        return rows

    def notes_at(self, book: str, positions: Iterable[int]) -> dict[int, Note]:
        """The notes of the events at these positions. Events without a note, or whose note was erased, are left out."""
        with persistence_errors():
            return notes_at(self._pool, book, positions)

    def head(self, book: str) -> int:
        """The last position written, or 0 if there is none."""
        with persistence_errors():
            ((head,),) = self._pool.ask(_HEAD, {"book": book})
        return head or 0

    def books(self) -> list[str]:
        """The books that have an event, in the order of their names."""
        names: list[str] = []
        with persistence_errors(), reading(self.engine) as connection:
            # This takes one search for each book. A query for distinct names would read every event.
            name = connection.execute(_NEXT_BOOK, {"book": ""}).scalar()
            while name is not None:
                names.append(name)
                name = connection.execute(_NEXT_BOOK, {"book": name}).scalar()
        return names

    def first_entries(self, after: str, limit: int) -> list[FirstEntry]:
        """The first entries of at most `limit` books after a name, in the order of their names.

        This takes one statement, and three searches for each book.
        """
        with persistence_errors(), reading(self.engine) as connection:
            rows = connection.execute(_FIRST_ENTRIES, {"book": after, "limit": limit}).all()
        return [FirstEntry(book, head, bytes(data)) for book, head, data in rows]

    def _notify_listeners(self, book: str) -> None:
        for listener in self._listeners:
            listener(book)


_POSITION_NAMES = [f"position_{number}" for number in range(POSITIONS_PER_STATEMENT_MAX)]


@cache
def _statement_for(columns: Select[*_Columns], count: int) -> Select[*_Columns]:
    """Return the statement that reads columns of the entries at this many positions."""
    positions = [sa.bindparam(name, type_=sa.BigInteger) for name in _POSITION_NAMES[:count]]
    return columns.where(EVENT.c.position.in_(positions)).order_by(EVENT.c.position)


def _head_on(connection: Connection, book: str) -> int:
    return connection.execute(_HEAD, {"book": book}).scalar() or 0


def has_log(engine: Engine) -> bool:
    """Tell whether a database holds a log. It creates nothing.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database cannot be reached, or fails.
    """
    with reading(engine) as connection:
        return sa.inspect(connection).has_table(EVENT.name)
