"""Compares each event that is read with the hash that was kept when it was written.

The kept hash is the first HASH_BYTES of the event's leaf hash, combined with a hash of its topic. So a flipped bit in
either is told. A program that wrote the log before hashes were kept left none, and its events are read unchecked.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final, Protocol, TypeAlias, TypeVarTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, Engine, Select
from sqlalchemy.schema import CreateTable

from pathbook.ledger.codec import MalformedEventError, decode, leaf_hash
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.notes import Note, is_committed
from pathbook.ledger.store.database.bulk_write import insert_statement
from pathbook.ledger.store.database.engine import reading, writing
from pathbook.ledger.store.log.damage import MISSING, NO_EVENT, OTHER_NOTE, EventDamagedError
from pathbook.ledger.store.log.event_table import (
    EVENT_HASHES,
    FIRST_ENTRIES,
    HASH_BYTES,
    HASHED_BOOKS,
    HASHES,
    HEADS,
    POSITION_NAMES,
    POSITIONS_PER_STATEMENT_MAX,
    entries_at,
)

CACHED_TOPICS_MAX: Final = 256
"""Of how many topics the hash is cached. There are some thirty."""

_Columns = TypeVarTuple("_Columns")
_EntryRow: TypeAlias = tuple[int, str, bytes]
_KeptRow: TypeAlias = tuple[int, str, bytes, bytes | None]


class Ask(Protocol):
    """A function that reads the rows of a statement: with SQLAlchemy in a transaction, or over a reader."""

    def __call__(
        self, lookup: Select[*_Columns], parameters: Mapping[str, object], /
    ) -> Iterable[tuple[*_Columns]]:
        """Return the rows."""


class StoredEntry(msgspec.Struct, frozen=True, gc=False):
    """An event as the log stores it: its position, its topic (name and version), its bytes, and their leaf hash.

    ``is_kept`` tells whether its hash was kept, and so whether the entry was compared with it.
    """

    position: int
    topic: str
    data: bytes
    leaf: bytes = b""
    is_kept: bool = False


class FirstEntry(msgspec.Struct, frozen=True, gc=False):
    """The first event of a book, as stored, with the name of the book and its last position."""

    book: str
    head: int
    data: bytes


_INSERT = insert_statement(EVENT_HASHES)


def create_hashes(engine: Engine) -> None:
    """Create the table of the hashes in a log that was made before there was one."""
    with reading(engine) as connection:
        if sa.inspect(connection).has_table(EVENT_HASHES.name):
            return
    with writing(engine) as connection:
        connection.execute(CreateTable(EVENT_HASHES, if_not_exists=True))


def insert_hashes(
    connection: Connection, book: str, last: int, topics: Sequence[str], leaves: Sequence[bytes]
) -> None:
    """Write the hashes of the events up to a last position, in the transaction that appends these events."""
    _INSERT.execute(connection, book, [(last, _hashes(topics, leaves))])


def read_event(book: str, entry: StoredEntry) -> RecordedEvent:
    """Return the event of an entry.

    Raises:
        EventDamagedError: its bytes are not an event, and no hash was kept that could tell.
        pathbook.ledger.codec.NewerEventError: a newer program wrote it.
        pathbook.ledger.codec.MalformedEventError: its bytes are those that were written, but are not an event.
    """
    try:
        return decode(entry.position, entry.data, leaf=entry.leaf)
    except MalformedEventError as error:
        if entry.is_kept:
            raise
        raise EventDamagedError(book, entry.position, NO_EVENT) from error


def head_of(ask: Ask, book: str) -> int:
    """Return the last position of a book, or 0 if it has no event.

    Raises:
        EventDamagedError: events are missing that the kept hashes know.
    """
    ((found, kept),) = ask(HEADS, {"book": book})
    head = found or 0
    if kept is None or head == kept:
        return head
    if type(head) is not int or type(kept) is not int:
        raise EventDamagedError(book, 1, f"the last position reads as {head}, and is kept as {kept}")
    # A program that keeps no hashes may have appended more. If not, a position is not what it was.
    if head < kept or not list(ask(entries_at(1), {"book": book, POSITION_NAMES[0]: kept + 1})):
        raise EventDamagedError(book, min(head, kept) + 1, MISSING)
    return head


def checked(
    ask: Ask, book: str, after: int, rows: Sequence[_EntryRow], *, through: int | None, is_snapshot: bool
) -> list[StoredEntry]:
    """Return rows that were read after a position, none above ``through``, each compared with its kept hash.

    ``is_snapshot`` tells whether ``ask`` reads at the snapshot that the rows are from.

    Raises:
        EventDamagedError: a hash differs, or a position is missing that is not above the head.
    """
    leaves, kept_from = _check(ask, book, after, rows, through, is_snapshot=is_snapshot)
    return [StoredEntry(*row, leaf, row[0] >= kept_from) for row, leaf in zip(rows, leaves, strict=True)]


def checked_data(ask: Ask, book: str, after: int, rows: Sequence[_EntryRow]) -> list[bytes]:
    """Return the bytes of the entries that ``checked`` returns, for rows that are not empty. Raises as that does."""
    assert rows, after
    _check(ask, book, after, rows, None, is_snapshot=False)
    return [data for _, _, data in rows]


def _check(
    ask: Ask, book: str, after: int, rows: Sequence[_EntryRow], through: int | None, *, is_snapshot: bool
) -> tuple[list[bytes], int]:
    """Compare rows with their hashes. Return their leaf hashes, and the first position that has a kept hash."""
    if not rows:
        is_expected = (through is None or through > after) and head_of(ask, book) > max(after, 0)
        following = {"book": book, POSITION_NAMES[0]: after + 1}
        # Outside a snapshot, it may have been appended between the two reads. Then it is there now.
        if is_expected and (is_snapshot or not list(ask(entries_at(1), following))):
            raise EventDamagedError(book, after + 1, MISSING)
        return [], after + 1
    last = after + len(rows)
    positions = [row[0] for row in rows]
    if positions != list(range(after + 1, last + 1)):
        missing = next(number for number, found in enumerate(positions, after + 1) if number != found)
        raise EventDamagedError(book, missing, MISSING)
    leaves = _leaves(book, after + 1, rows)
    found = _hashes([row[1] for row in rows], leaves)
    kept_from = last + 1
    for end, hashes in ask(HASHES, {"book": book, "after": after, "last": last}):
        kept_from = min(kept_from, max(after + 1, _compare(book, after, found, end, hashes)))
    return leaves, kept_from


def checked_at(ask: Ask, book: str, positions: Sequence[int]) -> list[StoredEntry]:
    """Return the entries at these positions, at most POSITIONS_PER_STATEMENT_MAX, each compared with its kept hash.

    Positions above the head are left out.

    Raises:
        EventDamagedError: a hash differs, or a position up to the head is missing.
    """
    parameters: dict[str, object] = {"book": book, **dict(zip(POSITION_NAMES, positions, strict=False))}
    statement = entries_at(len(positions))
    rows = list(ask(statement, parameters))
    if (missing := _missing(positions, rows)) and min(missing) <= (head := head_of(ask, book)):
        rows = list(
            ask(statement, parameters)
        )  # they may have been appended between the first read and the head
        if missing := {position for position in _missing(positions, rows) if position <= head}:
            raise EventDamagedError(book, min(missing), MISSING)
    found = [row[0] for row in rows]
    if len(set(found)) < len(found):
        raise EventDamagedError(book, positions[0], "a position is found twice")
    if strange := set(found).difference(positions):
        raise EventDamagedError(
            book, positions[0], f"position {min(map(str, strange))} is found in its place"
        )
    return [checked_entry(book, *row) for row in rows]


def checked_entry(book: str, position: int, topic: str, data: bytes, kept: bytes | None) -> StoredEntry:
    """Return an entry that was read with its kept hash, or with None if none was kept.

    Raises:
        EventDamagedError: the hash differs.
    """
    if type(topic) is not str or type(data) is not bytes:
        raise EventDamagedError(book, position, NO_EVENT)
    leaf = leaf_hash(data)
    if kept is not None and kept != (found := _hashes([topic], [leaf])):
        raise EventDamagedError.differs(book, position, _shown(kept), found)
    return StoredEntry(position, topic, data, leaf, kept is not None)


def first_entries(ask: Ask, after: str, limit: int) -> list[FirstEntry]:
    """Return the first entries of at most ``limit`` books after a name, in the order of their names.

    Raises:
        EventDamagedError: the first event of a book is not what was written, or is missing.
    """
    parameters = {"book": after, "limit": limit}
    rows = list(ask(FIRST_ENTRIES, parameters))
    for book, *_ in rows:
        if type(book) is not str:
            raise EventDamagedError(str(book), 1, NO_EVENT)
    found = {row[0] for row in rows}
    last = max(found) if len(rows) >= limit else None
    for (book,) in ask(HASHED_BOOKS, parameters):
        if type(book) is str and book not in found and (last is None or book < last):
            raise EventDamagedError(book, 1, MISSING)
    return [
        FirstEntry(
            book,
            head if head == kept_head else head_of(ask, book),
            _first(book, topic, data, kept).data,
        )
        for book, head, kept_head, topic, data, kept in rows
    ]


def _first(book: str, topic: str | None, data: bytes | None, kept: bytes | None) -> StoredEntry:
    if topic is None or data is None:
        raise EventDamagedError(book, 1, MISSING)
    return checked_entry(book, 1, topic, data, kept)


def _missing(wanted: Iterable[int], rows: Iterable[_KeptRow]) -> set[int]:
    return {position for position in wanted if position > 0}.difference(row[0] for row in rows)


def require_committed(ask: Ask, book: str, notes: dict[int, Note]) -> dict[int, Note]:
    """Return notes by the positions of their events, if each is the one that its event commits to.

    Raises:
        EventDamagedError: a note is not, or an event is damaged.
    """
    for position in notes:
        if type(position) is not int:
            raise EventDamagedError(book, 1, OTHER_NOTE)
    wanted = sorted(notes)
    for start in range(0, len(wanted), POSITIONS_PER_STATEMENT_MAX):
        for entry in checked_at(ask, book, wanted[start : start + POSITIONS_PER_STATEMENT_MAX]):
            note, commitment = notes[entry.position], read_event(book, entry).note_commitment
            whole = type(note.text) is str and type(note.salt) is bytes
            if not whole or not is_committed(note, commitment):
                raise EventDamagedError(book, entry.position, OTHER_NOTE)
    return notes


def _leaves(book: str, first: int, rows: Sequence[_EntryRow]) -> list[bytes]:
    """Return the leaf hashes of rows. A flipped bit may have turned bytes or a text into something else."""
    if not {type(row[1]) for row in rows} <= {str} or not {type(row[2]) for row in rows} <= {bytes}:
        for position, row in enumerate(rows, first):
            if type(row[1]) is not str or type(row[2]) is not bytes:
                raise EventDamagedError(book, position, NO_EVENT)
    return [leaf_hash(row[2]) for row in rows]


def _hashes(topics: Iterable[str], leaves: Iterable[bytes]) -> bytes:
    """Return the hashes of events, one after the other. They are combined as one number, which costs little."""
    of_leaves = b"".join([leaf[:HASH_BYTES] for leaf in leaves])
    of_topics = b"".join(map(_topic_hash, topics))
    both = int.from_bytes(of_leaves) ^ int.from_bytes(of_topics)
    return both.to_bytes(len(of_leaves))


@lru_cache(CACHED_TOPICS_MAX)
def _topic_hash(topic: str) -> bytes:
    return hashlib.sha256(topic.encode("utf-8", "surrogatepass")).digest()[:HASH_BYTES]


def _compare(book: str, after: int, found: bytes, end: int, hashes: bytes) -> int:
    """Compare the found hashes of the events after a position with a row. Return the first position of the row."""
    if type(end) is not int or type(hashes) is not bytes or len(hashes) % HASH_BYTES:
        raise EventDamagedError.differs(book, after + 1, _shown(hashes), found[:HASH_BYTES])
    begin = end - len(hashes) // HASH_BYTES + 1
    if begin > after + len(found) // HASH_BYTES:
        return begin
    first, last = max(begin, after + 1), min(end, after + len(found) // HASH_BYTES)
    kept = hashes[(first - begin) * HASH_BYTES : (last + 1 - begin) * HASH_BYTES]
    read = found[(first - after - 1) * HASH_BYTES : (last - after) * HASH_BYTES]
    if kept != read:
        for start in range(0, len(read), HASH_BYTES):
            ours, theirs = read[start : start + HASH_BYTES], kept[start : start + HASH_BYTES]
            if ours != theirs:
                raise EventDamagedError.differs(book, first + start // HASH_BYTES, theirs, ours)
    return begin


def _shown(kept: object) -> bytes:
    return kept if isinstance(kept, bytes) else repr(kept).encode()
