"""The log: each book's events at positions 1, 2, 3 ... without gaps, on the contract of the eventsourcing library."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from uuid import UUID

import sqlalchemy as sa
from eventsourcing import persistence
from eventsourcing.persistence import AggregateRecorder, StoredEvent
from sqlalchemy import Connection, Engine, exc

from pathbook.ledger.codec import leaf_hash
from pathbook.ledger.notes import Note
from pathbook.ledger.store.database.bulk_write import insert_statement
from pathbook.ledger.store.database.damage import DatabaseDamagedError
from pathbook.ledger.store.database.engine import reading, writing
from pathbook.ledger.store.database.failures import OutageLog, trouble_of
from pathbook.ledger.store.database.fast_read import ReaderPool
from pathbook.ledger.store.database.format import create_tables
from pathbook.ledger.store.database.notify import NotificationListener, notify
from pathbook.ledger.store.log.damage import MISSING, EventDamagedError
from pathbook.ledger.store.log.event_hashes import (
    FirstEntry,
    StoredEntry,
    checked,
    checked_at,
    checked_data,
    create_hashes,
    first_entries,
    head_of,
    insert_hashes,
    require_committed,
)
from pathbook.ledger.store.log.event_table import (
    ASCENDING,
    DESCENDING,
    EVENT,
    HASHED_BOOKS,
    NEXT_BOOK,
    POSITION_NAMES,
    TABLES,
    data_at,
    parts,
)
from pathbook.ledger.store.log.file_mark import FileMark
from pathbook.ledger.store.log.notes import NOTE, insert_notes, notes_at, notes_in_turn
from pathbook.ledger.store.log.person_keys import PersonCipher

FORMAT = 2
"""The format of the log's tables. Another number means another layout, which this program does not open."""

BOOKS_MAX = 2**31 - 1
"""How many books a log may have, as far as its statements count them."""

_BEFORE_ALL = -1  # a book begins at position 1, but eventsourcing may begin at 0
_AFTER_ALL = 2**63 - 1

NOTE.to_metadata(TABLES)  # created with the log

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
    """Tell whether an error may pass by itself: the database is away, busy, full or read-only. A bug does not pass."""
    return trouble_of(error) is not None


def is_of_database(error: BaseException) -> bool:
    """Tell whether a database raised an error, or is damaged."""
    return isinstance(error, (persistence.PersistenceError, exc.SQLAlchemyError, DatabaseDamagedError))


class SQLAlchemyAggregateRecorder(AggregateRecorder):
    """The recorder of the eventsourcing library. An originator id is a book, and an originator version is a position.

    A book is text. A UUID is stored and returned as text.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.cipher: PersonCipher | None = None
        with persistence_errors():
            create_tables(engine, TABLES, format_number=FORMAT)
            create_hashes(engine)
        self._insert = insert_statement(EVENT)

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: object) -> None:
        """Write all of the events, or none.

        Raises:
            eventsourcing.persistence.IntegrityError: one of the positions is taken.
        """
        books = groupby(stored_events, key=lambda event: str(event.originator_id))
        with persistence_errors(), writing(self.engine, turn=None) as connection:
            for book, events in books:
                self._insert_in_runs(
                    connection, book, [(e.originator_version, e.topic, e.state) for e in events]
                )

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

    def _insert_in_runs(
        self, connection: Connection, book: str, rows: Sequence[tuple[int, str, bytes]]
    ) -> None:
        """Write rows that may have gaps. The hashes are kept for one run of positions after the other."""
        for _, numbered in groupby(enumerate(rows), key=lambda item: item[1][0] - item[0]):
            run = [row for _, row in numbered]
            self.insert_on(connection, book, run, [leaf_hash(data) for _, _, data in run])

    def insert_on(
        self,
        connection: Connection,
        book: str,
        rows: list[tuple[int, str, bytes]],
        leaves: Sequence[bytes],
    ) -> None:
        """Write rows of (position, topic, bytes) without gaps in the caller's transaction, and keep their hashes.

        The primary key of the rows is the fence. ``leaves`` are the leaf hashes of the bytes.
        """
        self._insert.execute(connection, book, rows)
        insert_hashes(connection, book, rows[-1][0], [topic for _, topic, _ in rows], leaves)

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
        return connection.execute(DESCENDING if desc else ASCENDING, bounds).all()


class Turn:
    """A transaction that keeps other writers of a book out, so that a decision in it still holds when it is written."""

    def __init__(self, connection: Connection, recorder: SQLAlchemyAggregateRecorder, book: str) -> None:
        self._connection, self._recorder, self._book = connection, recorder, book
        self.appended = self.size = 0

    def read(self, after: int, limit: int) -> list[StoredEntry]:
        """At most `limit` entries above position `after`, in order.

        Raises:
            pathbook.ledger.store.log.damage.EventDamagedError: one of them is not what was written, or is missing.
        """
        rows = self._recorder.select_on(self._connection, self._book, gt=after, limit=limit)
        ask = self._connection.execute
        return checked(ask, self._book, after, rows, through=None, is_snapshot=False)

    def notes(self, positions: Iterable[int]) -> dict[int, Note]:
        """The notes of the events at these positions. Events without a note, or whose note was erased, are left out."""
        found = notes_in_turn(self._connection, self._book, positions, self._recorder.cipher)
        return require_committed(self._connection.execute, self._book, found)

    def append(
        self,
        after: int,
        entries: Sequence[tuple[str, bytes]],
        notes: Mapping[int, Note] | None = None,
        leaves: Sequence[bytes] | None = None,
    ) -> None:
        """Write entries (topic, bytes) to positions after + 1, after + 2 ..., all of them or none.

        The notes of these entries, by position, are written with them, and so are their hashes. ``leaves`` are the
        leaf hashes of the bytes, if the caller has them.

        Raises:
            PositionTakenError: `after` is not the head of the book. The turn must then end with this exception.
            pathbook.ledger.store.log.damage.EventDamagedError: the head is missing.
        """
        assert after >= 0, after
        if not entries:
            return
        head = head_of(self._connection.execute, self._book)
        if head != after:
            raise PositionTakenError(self._book, after + 1, head)
        rows = [(position, topic, data) for position, (topic, data) in enumerate(entries, after + 1)]
        if leaves is None:
            leaves = [leaf_hash(data) for _, data in entries]
        try:
            self._recorder.insert_on(self._connection, self._book, rows, leaves)
        except exc.IntegrityError as conflict:  # a writer without a turn was first; the key is the fence
            raise PositionTakenError(self._book, after + 1, after + 1) from conflict
        if notes:
            insert_notes(self._connection, self._book, notes, self._recorder.cipher)
        notify(self._connection, self._book)
        self.appended += len(entries)
        self.size += sum(len(data) for _, data in entries)


class Stream:
    """The log as the rest of the program uses it: books, positions, topics and bytes.

    Threads may share it. If the database fails (it is locked for too long, the disk is full), a subclass of
    eventsourcing.persistence.PersistenceError is raised. If it is damaged,
    pathbook.ledger.store.database.damage.DatabaseDamagedError is raised. Each event that is read is compared with the
    hash that was kept when it was written. If that differs, or if the event is missing,
    pathbook.ledger.store.log.damage.EventDamagedError is raised.
    """

    def __init__(self, engine: Engine, *, beside_writers: bool = False) -> None:
        """Open the log. ``beside_writers`` tells that other processes append to it, so it is looked at often."""
        self.engine = engine
        self._pool, self._mark = ReaderPool(engine), FileMark(engine)
        self._recorder = SQLAlchemyAggregateRecorder(engine)
        with persistence_errors():
            self._mark.heal()
        self._listeners: list[Callable[[str], None]] = []
        self._commit_listeners: list[Callable[[int, float], None]] = []
        self.outages = OutageLog()
        self._listener = NotificationListener(
            engine, self._notify_listeners, self.outages, looks=beside_writers
        )

    @contextlib.contextmanager
    def turn(self, book: str) -> Iterator[Turn]:
        """Wait for a turn, which keeps other writers of the book out.

        When the block ends, the appended events are on disk.
        """
        began = time.monotonic()
        with persistence_errors():
            self._mark.before_append()
            with writing(self.engine, turn=book) as connection:
                turn = Turn(connection, self._recorder, book)
                yield turn
        if turn.appended:
            self._mark.appended(turn.size)
            self._notify_listeners(book)
            for committed in self._commit_listeners:
                committed(turn.appended, time.monotonic() - began)

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
        reported if `has_notifications`, and mostly if the log is open ``beside_writers``.
        """
        self._listeners.append(listener)
        self._listener.start()

    def on_commit(self, listener: Callable[[int, float], None]) -> None:
        """Register a listener. It gets the events of each turn, and the seconds of it until they were on disk."""
        self._commit_listeners.append(listener)

    @property
    def has_notifications(self) -> bool:
        """Whether appends of other processes are reported. If not, the caller must poll for them."""
        return self._listener.has_notifications

    def close(self) -> None:
        """Stop listening for appends of other processes, and leave the log whole in its file."""
        self._listener.close()
        self._mark.close()

    def read(self, book: str, after: int, limit: int, through: int | None = None) -> list[StoredEntry]:
        """At most `limit` entries above position `after`, none above `through`, in order."""
        if limit < 1:
            return []
        with persistence_errors(), reading(self.engine) as connection:
            rows = self._recorder.select_on(connection, book, gt=after, lte=through, limit=limit)
            return checked(connection.execute, book, after, rows, through=through, is_snapshot=True)

    def data(self, book: str, after: int, limit: int, through: int) -> list[bytes]:
        """The bytes of the entries that `read` would return, at positions after + 1, after + 2 ..."""
        parameters = {"book": book, "after": after, "through": through, "limit": limit}
        with persistence_errors():
            rows = self._pool.ask(ASCENDING, parameters)
            if rows:
                return checked_data(self._pool.ask, book, after, rows)
        return [
            entry.data for entry in self.read(book, after, limit, through)
        ]  # it tells if they are missing

    def at(self, book: str, positions: Sequence[int]) -> list[StoredEntry]:
        """The entries at these positions, each once, in order. Positions above the head are left out."""
        with persistence_errors():
            return [entry for part in parts(positions) for entry in checked_at(self._pool.ask, book, part)]

    def unchecked_data_at(self, book: str, positions: Sequence[int]) -> list[bytes]:
        """The bytes of the entries at these positions, none above the head. The caller compares them with heads."""
        found: list[bytes] = []
        with persistence_errors():
            for part in parts(positions):
                parameters = dict(zip(POSITION_NAMES, part, strict=False))
                rows = self._pool.ask(data_at(len(part)), {"book": book, **parameters})
                if len(rows) != len(part):
                    checked_at(self._pool.ask, book, part)  # it names the position that is missing
                    raise EventDamagedError(book, part[0], MISSING)
                found += [data for (data,) in rows]
        return found

    def seal_notes(self, cipher: PersonCipher) -> None:
        """Seal notes from now on with the keys of their authors, and open them. The table of people must be there."""
        self._recorder.cipher = cipher

    def notes_at(self, book: str, positions: Iterable[int]) -> dict[int, Note]:
        """The notes of the events at these positions. Events without a note, or whose note was erased, are left out."""
        with persistence_errors():
            found = notes_at(self._pool, book, positions, self._recorder.cipher)
            return require_committed(self._pool.ask, book, found)

    def head(self, book: str) -> int:
        """The last position written, or 0 if there is none."""
        with persistence_errors():
            return head_of(self._pool.ask, book)

    def books(self) -> list[str]:
        """The books that have an event, or a kept hash of one that is missing, in the order of their names."""
        with persistence_errors(), reading(self.engine) as connection:
            # This takes one search for each book. A query for distinct names would read every event.
            names = set(connection.execute(HASHED_BOOKS, {"book": "", "limit": BOOKS_MAX}).scalars())
            name = connection.execute(NEXT_BOOK, {"book": ""}).scalar()
            while name is not None:
                names.add(name)
                name = connection.execute(NEXT_BOOK, {"book": name}).scalar()
        # a flipped bit makes a text something else
        return sorted(name for name in names if type(name) is str)

    def first_entries(self, after: str, limit: int) -> list[FirstEntry]:
        """The first entries of at most `limit` books after a name, in the order of their names.

        This takes two statements, and some five searches for each book.
        """
        with persistence_errors(), reading(self.engine) as connection:
            return first_entries(connection.execute, after, limit)

    def _notify_listeners(self, book: str) -> None:
        for listener in self._listeners:
            listener(book)
