"""The keys of people, beside the log and never in it: each is wrapped by a key that lies apart from the database.

A person is a party or a consumer of a book. What is sealed with its key is random bytes to a reader without that key,
wherever a copy of it lies.
"""

from collections.abc import Callable, Iterable
from typing import Final, Protocol

import sqlalchemy as sa
from sqlalchemy import Connection, Select

from pathbook.ledger.store.database.bulk_write import insert_missing_statement
from pathbook.ledger.store.database.engine import TEXT
from pathbook.ledger.store.database.fast_read import Parameters

PERSON: Final = sa.Table(
    "person",
    sa.MetaData(),
    sa.Column("book", TEXT, primary_key=True),
    sa.Column("party", TEXT, primary_key=True),
    sa.Column("wrapped_key", sa.LargeBinary, nullable=False),
    sa.Column("details", sa.LargeBinary, nullable=False),
)
"""A row for each person of which something is kept: its key, and what its party or operator says of it, sealed."""

_INSERT: Final = insert_missing_statement(PERSON)
_KEY_OF: Final = sa.select(PERSON.c.wrapped_key).where(
    PERSON.c.book == sa.bindparam("book"), PERSON.c.party == sa.bindparam("party")
)

Ask = Callable[[Select[bytes], Parameters], Iterable[tuple[bytes] | sa.Row[bytes]]]


class PersonCipher(Protocol):
    """Seals and opens what belongs to a person: ``whose`` names it and its book, and ``place`` says what is sealed."""

    def new_key(self, whose: bytes) -> bytes:
        """Return a new key, wrapped."""

    def seal(self, wrapped: bytes, whose: bytes, place: bytes, data: bytes) -> bytes:
        """Return data sealed with a wrapped key. It opens only for the same person and place."""

    def open(self, wrapped: bytes, whose: bytes, place: bytes, sealed: bytes) -> bytes | None:
        """Return what was sealed, or None if it was not sealed so."""

    def opens(self, wrapped: bytes, whose: bytes) -> bool:
        """Tell whether a wrapped key was wrapped by the key that lies apart."""

    def handle(self, book: str, handle: str) -> bytes:
        """Return the keyed hash of a public handle."""


def whose(book: str, party: str) -> bytes:
    """Return the name of a person and its book, as they are sealed with."""
    return f"{book}\0{party}".encode()


def key_of(ask: Ask, book: str, party: str) -> bytes | None:
    """Return the wrapped key of a person, or None if it has none, or was erased."""
    for (found,) in ask(_KEY_OF, {"book": book, "party": party}):
        return found
    return None


def key_for_writing(connection: Connection, cipher: PersonCipher, book: str, party: str) -> bytes:
    """Return the wrapped key of a person in the caller's transaction. It gets one if it has none."""
    found = key_of(connection.execute, book, party)
    if found is not None:
        return found
    _INSERT.execute(connection, book, [(party, cipher.new_key(whose(book, party)), b"")])
    found = key_of(connection.execute, book, party)  # another process may have been first
    assert found is not None, party
    return found
