"""The texts of notes. They lie beside the events, so that a text can be erased and no event changes.

They are written in the transaction of their events, and are kept with them: no view can bring a text back. An event
holds only the commitment to its note (``pathbook.ledger.notes``). A missing row means that the text was erased.

This module is the only one that touches the table. So encrypting texts for each person, and erasing them, belongs
here.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache

import sqlalchemy as sa
from sqlalchemy import Connection, Select

from pathbook.ledger.notes import Note
from pathbook.ledger.store.database.bulk_write import insert_statement
from pathbook.ledger.store.database.engine import TEXT
from pathbook.ledger.store.database.fast_read import Parameters, ReaderPool

NOTES_PER_STATEMENT_MAX = 100
"""How many notes one statement reads at most. There is one statement for each number of notes."""

_Rows = Iterable[tuple[int, bytes, str]]

NOTE = sa.Table(
    "note",
    sa.MetaData(),
    sa.Column("book", TEXT, primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("salt", sa.LargeBinary, nullable=False),
    sa.Column("text", TEXT, nullable=False),
    sqlite_with_rowid=False,
)
_INSERT = insert_statement(NOTE)
_POSITION_NAMES = [f"position_{number}" for number in range(NOTES_PER_STATEMENT_MAX)]


def insert_notes(connection: Connection, book: str, notes: Mapping[int, Note]) -> None:
    """Write notes by the positions of their events, in the transaction that appends the events."""
    _INSERT.execute(connection, book, [(position, note.salt, note.text) for position, note in notes.items()])


def notes_in_turn(connection: Connection, book: str, positions: Iterable[int]) -> dict[int, Note]:
    """Return the notes at these positions, read in the caller's transaction. Positions without a note are left out."""
    return _read(connection.execute, book, positions)


def notes_at(pool: ReaderPool, book: str, positions: Iterable[int]) -> dict[int, Note]:
    """Return the notes at these positions. Positions without a note are left out; without positions nothing is read."""
    return _read(pool.ask, book, positions)


def _read(
    ask: Callable[[Select[int, bytes, str], Parameters], _Rows], book: str, positions: Iterable[int]
) -> dict[int, Note]:
    found: dict[int, Note] = {}
    wanted = sorted(set(positions))
    for start in range(0, len(wanted), NOTES_PER_STATEMENT_MAX):
        chunk = wanted[start : start + NOTES_PER_STATEMENT_MAX]
        parameters = {"book": book, **dict(zip(_POSITION_NAMES, chunk, strict=False))}
        for position, salt, text in ask(_lookup(len(chunk)), parameters):
            found[position] = Note(text, salt)
    return found


@cache
def _lookup(count: int) -> Select[int, bytes, str]:
    """Return the statement that reads this many notes."""
    positions = [sa.bindparam(name, type_=sa.BigInteger) for name in _POSITION_NAMES[:count]]
    return sa.select(NOTE.c.position, NOTE.c.salt, NOTE.c.text).where(
        NOTE.c.book == sa.bindparam("book"), NOTE.c.position.in_(positions)
    )
