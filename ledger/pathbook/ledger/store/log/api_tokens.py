"""The API tokens of a server, beside the log and never in it: hashes of secrets, and what each token may.

A client certificate may stand in the place of a secret: then the name in it is kept.

Each change has the next number, so that a server reads only what other servers changed. The secrets themselves are
nowhere.
"""

import contextlib
from collections.abc import Callable, Iterator
from itertools import starmap
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from pathbook.ledger.store.database.engine import TEXT, reading, writing
from pathbook.ledger.store.database.late_tables import has_table, make_table
from pathbook.ledger.store.log.stream import persistence_errors

API_TOKEN = sa.Table(
    "api_token",
    sa.MetaData(),
    sa.Column("token", TEXT, primary_key=True),
    sa.Column("secret_hash", sa.LargeBinary, nullable=False),
    sa.Column("role", TEXT, nullable=False),
    sa.Column("book", TEXT, nullable=False),
    sa.Column("party", TEXT, nullable=False),
    sa.Column("label", TEXT, nullable=False),
    sa.Column("certificate", TEXT, nullable=False),
    sa.Column("made_at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
    sa.Column("revoked_at", sa.BigInteger, nullable=False),
    sa.Column("change", sa.BigInteger, nullable=False, unique=True),
)

_NEXT_CHANGE: Final = sa.select(sa.func.coalesce(sa.func.max(API_TOKEN.c.change), 0) + 1)


class ApiToken(NamedTuple):
    """A token as it is kept. Times are in microseconds since 1970 UTC, 0 for never.

    Attributes:
        token: its id, which is no secret.
        secret_hash: SHA-256 of its secret, 32 bytes; b"" if a certificate stands in its place.
        role: what its bearer is, a word.
        book: the book that it is for, "" for every book.
        party: the party for which its bearer speaks, "" for none.
        label: what it is for, as its maker says.
        certificate: whose client certificate it is, "" for a token with a secret.
        made_at: when it was made.
        expires_at: when it ends by itself.
        revoked_at: when it was revoked.
        change: the number of its last change, 1, 2, 3 ... for all tokens together. It is given when it is written.
    """

    token: str
    secret_hash: bytes
    role: str
    book: str
    party: str
    label: str
    certificate: str
    made_at: int
    expires_at: int
    revoked_at: int = 0
    change: int = 0


_row: Final[Callable[..., ApiToken]] = ApiToken
"""Makes a token of the columns of a row."""


class ApiTokens:
    """The tokens of all servers of a log. Threads may share it. Methods raise PersistenceError of eventsourcing."""

    def __init__(self, engine: Engine) -> None:
        """Use the database of the log. Nothing is read or written yet."""
        self._engine = engine

    def add(self, token: ApiToken) -> None:
        """Keep a new token."""
        with self._writing() as (connection, change):
            connection.execute(API_TOKEN.insert(), token._replace(change=change)._asdict())

    def revoke(self, token: str, at: int) -> None:
        """Revoke a token at a time, unless it is revoked already, or is not there."""
        with self._writing() as (connection, change):
            in_force = sa.and_(API_TOKEN.c.token == token, API_TOKEN.c.revoked_at == 0)
            connection.execute(API_TOKEN.update().where(in_force).values(revoked_at=at, change=change))

    def find(self, token: str) -> ApiToken | None:
        """Return the token with an id."""
        found = self._select(sa.select(API_TOKEN).where(API_TOKEN.c.token == token))
        return found[0] if found else None

    def changed_since(self, change: int) -> list[ApiToken]:
        """Return the tokens that changed after a change, in the order of their changes. 0 for all."""
        return self._select(
            sa.select(API_TOKEN).where(API_TOKEN.c.change > change).order_by(API_TOKEN.c.change)
        )

    def page(self, book: str | None, after: str, limit: int) -> list[ApiToken]:
        """Return at most ``limit`` tokens after an id, in order: those of a book, or all if it is None."""
        query = sa.select(API_TOKEN).where(API_TOKEN.c.token > after).order_by(API_TOKEN.c.token).limit(limit)
        return self._select(query if book is None else query.where(API_TOKEN.c.book == book))

    def _select(self, query: sa.Select[*tuple[object, ...]]) -> list[ApiToken]:
        with persistence_errors(), reading(self._engine) as connection:
            if not has_table(connection, API_TOKEN):
                return []
            return list(starmap(_row, connection.execute(query).all()))

    @contextlib.contextmanager
    def _writing(self) -> Iterator[tuple[Connection, int]]:
        """Write in turn. Yield the connection, and the number of this change."""
        with persistence_errors():
            make_table(self._engine, API_TOKEN)
            with writing(self._engine) as connection:
                yield connection, connection.execute(_NEXT_CHANGE).scalar_one()
