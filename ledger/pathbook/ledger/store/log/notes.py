"""The texts of notes. They lie beside the events, so that a text can be erased and no event changes.

They are written in the transaction of their events, and are kept with them: no view can bring a text back. An event
holds only the commitment to its note (``pathbook.ledger.notes``). A missing row means that the text was erased.

A log that was given a cipher (`PersonCipher`) seals each text with the key of its author before it is written. So the
text is on no disk, in no write-ahead log and in no backup, and erasing the key erases it everywhere. Notes of earlier
programs are not sealed. A sealed note has no salt in its row, because the salt is sealed with the text. Without a
cipher, sealed notes are read as if they were erased.
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping
from functools import cache

import sqlalchemy as sa
from sqlalchemy import Connection, Select

from pathbook.ledger.notes import SALT_BYTES, Note
from pathbook.ledger.store.database.bulk_write import insert_statement
from pathbook.ledger.store.database.engine import TEXT
from pathbook.ledger.store.database.fast_read import Parameters, ReaderPool
from pathbook.ledger.store.log.person_keys import Ask, PersonCipher, key_for_writing, key_of, whose

NOTES_PER_STATEMENT_MAX = 100
"""How many notes one statement reads at most. There is one statement for each number of notes."""

DAMAGED = Note("", b"")
"""Stands for a sealed note that was changed. No event commits to it."""

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


def insert_notes(
    connection: Connection, book: str, notes: Mapping[int, Note], cipher: PersonCipher | None
) -> None:
    """Write notes by the positions of their events, in the transaction that appends the events."""
    rows = [
        (position, *_sealed(connection, book, position, note, cipher)) for position, note in notes.items()
    ]
    _INSERT.execute(connection, book, rows)


def notes_in_turn(
    connection: Connection, book: str, positions: Iterable[int], cipher: PersonCipher | None
) -> dict[int, Note]:
    """Return the notes at these positions, read in the caller's transaction. Positions without a note are left out."""
    return _read(connection.execute, connection.execute, book, positions, cipher)


def notes_at(
    pool: ReaderPool, book: str, positions: Iterable[int], cipher: PersonCipher | None
) -> dict[int, Note]:
    """Return the notes at these positions. Positions without a note are left out; without positions nothing is read."""
    return _read(pool.ask, pool.ask, book, positions, cipher)


def _sealed(
    connection: Connection, book: str, position: int, note: Note, cipher: PersonCipher | None
) -> tuple[bytes, str]:
    """Return the salt and the text of a row. That of a sealed note names the author, whose key opens it."""
    if cipher is None:
        return note.salt, note.text
    key = key_for_writing(connection, cipher, book, note.author)
    sealed = cipher.seal(
        key, whose(book, note.author), _place(position), note.salt + note.text.encode("utf-8")
    )
    return b"", f"{note.author} {b64encode(sealed).decode('ascii')}"


def _opened(
    book: str, position: int, text: str, cipher: PersonCipher, key_of_author: Callable[[str], bytes | None]
) -> Note | None:
    """Return a sealed note, or None if it was erased. One that was changed has no text, so no event commits to it."""
    author, _, written = text.rpartition(" ")
    try:
        sealed = b64decode(written, validate=True)
    except (binascii.Error, ValueError):
        return DAMAGED
    key, person = key_of_author(author), whose(book, author)
    if len(sealed) <= SALT_BYTES:
        return DAMAGED
    if key is None or not cipher.opens(key, person):
        return None
    found = cipher.open(key, person, _place(position), sealed)
    return (
        DAMAGED if found is None else Note(found[SALT_BYTES:].decode("utf-8", "replace"), found[:SALT_BYTES])
    )


def _place(position: int) -> bytes:
    return f"note {position}".encode("ascii")


def _read(
    ask: Callable[[Select[int, bytes, str], Parameters], _Rows],
    ask_key: Ask,
    book: str,
    positions: Iterable[int],
    cipher: PersonCipher | None,
) -> dict[int, Note]:
    found: dict[int, Note] = {}
    keys: dict[str, bytes | None] = {}

    def key_of_author(author: str) -> bytes | None:
        if author not in keys:
            keys[author] = key_of(ask_key, book, author)
        return keys[author]

    wanted = sorted(set(positions))
    for start in range(0, len(wanted), NOTES_PER_STATEMENT_MAX):
        chunk = wanted[start : start + NOTES_PER_STATEMENT_MAX]
        parameters = {"book": book, **dict(zip(_POSITION_NAMES, chunk, strict=False))}
        for position, salt, text in ask(_lookup(len(chunk)), parameters):
            if salt != b"":
                found[position] = Note(text, salt)
            elif cipher is not None:
                note = _opened(book, position, text, cipher, key_of_author)
                if note is not None:
                    found[position] = note
    return found


@cache
def _lookup(count: int) -> Select[int, bytes, str]:
    """Return the statement that reads this many notes."""
    positions = [sa.bindparam(name, type_=sa.BigInteger) for name in _POSITION_NAMES[:count]]
    return sa.select(NOTE.c.position, NOTE.c.salt, NOTE.c.text).where(
        NOTE.c.book == sa.bindparam("book"), NOTE.c.position.in_(positions)
    )
