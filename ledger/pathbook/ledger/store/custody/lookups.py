"""Lookups in the tables of custody: the rows of many keys or ranges with one statement."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice, starmap
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection, Table, TextClause

from pathbook.ledger.store.custody.tables import BATCH, PARTY, RUN, TILE, BatchRow, PartyRow, RunRow, TileRow
from pathbook.ledger.store.database.given_rows import KINDS, given_rows, joined

KEYS_PER_STATEMENT_MAX: Final = 5_000
"""How many keys or ranges one statement looks up. It bounds how much of an answer is in memory twice."""


class TileRange(NamedTuple):
    """The tiles first .. last of a level of a tree."""

    tree: int
    level: int
    first: int
    last: int


class Span(NamedTuple):
    """Units first .. last of a batch."""

    batch: int
    first: int
    last: int


class _Lookup:
    """A statement for many keys. Its condition compares the columns of a table with those that are given."""

    def __init__(self, table: Table, condition: str, **types: str) -> None:
        """Compile it for each kind of database. ``types`` are those of the columns that are given."""
        columns = [column for column in table.c if column.name != "book"]
        named = ", ".join(f"found.{column.name}" for column in columns)
        right = f"{table.name} AS found"
        self._statements: dict[str, sa.sql.expression.TextualSelect] = {}
        for kind in KINDS:
            sql = f"WITH {given_rows(kind, **types)} {joined(kind, 'given', right, named, condition)}"
            statement: TextClause = sa.text(sql)
            self._statements[kind] = statement.columns(*columns)

    def rows(
        self, connection: Connection, book: str, keys: Iterable[tuple[object, ...]]
    ) -> Iterator[tuple[object, ...]]:
        """Yield the rows. One that several keys name comes several times."""
        wanted = iter(sorted(set(keys)))
        while part := list(islice(wanted, KEYS_PER_STATEMENT_MAX)):
            statement = self._statements[connection.dialect.name]
            yield from connection.execute(statement, {"book": book, "given": json.dumps(part)})


# The first run of a range is the last one that begins before it or with it.
_RUNS: Final = _Lookup(
    RUN,
    """
    found.book = :book AND found.batch = given.batch AND found.first <= given.last
    AND found.first >= coalesce((
        SELECT run_at.first FROM custody_run AS run_at
        WHERE run_at.book = :book AND run_at.batch = given.batch AND run_at.first <= given.first
        ORDER BY run_at.first DESC LIMIT 1
    ), given.first)
    """,
    batch="bigint",
    first="bigint",
    last="bigint",
)
_TILES: Final = _Lookup(
    TILE,
    """
    found.book = :book AND found.tree = given.tree AND found.level = given.level
    AND found.number >= given.first AND found.number <= given.last
    """,
    tree="bigint",
    level="bigint",
    first="bigint",
    last="bigint",
)
_BATCHES: Final = _Lookup(
    BATCH,
    "found.book = :book AND found.batch >= given.first AND found.batch <= given.last",
    first="bigint",
    last="bigint",
)
_PARTIES: Final = _Lookup(
    PARTY,
    "found.book = :book AND found.number >= given.first AND found.number <= given.last",
    first="bigint",
    last="bigint",
)
_PARTIES_BY_NAME: Final = _Lookup(PARTY, "found.book = :book AND found.party = given.party", party="text")


def runs_of(connection: Connection, book: str, spans: Iterable[Span]) -> Iterator[RunRow]:
    """Yield the runs that have any of these units."""
    return starmap(RunRow, _RUNS.rows(connection, book, spans))


def tiles_of(connection: Connection, book: str, ranges: Iterable[TileRange]) -> Iterator[TileRow]:
    """Yield the tiles of these ranges that are kept."""
    return starmap(TileRow, _TILES.rows(connection, book, ranges))


def batches_of(connection: Connection, book: str, ranges: Iterable[tuple[int, int]]) -> Iterator[BatchRow]:
    """Yield the batches of these ranges of numbers."""
    return starmap(BatchRow, _BATCHES.rows(connection, book, ranges))


def parties_of(connection: Connection, book: str, ranges: Iterable[tuple[int, int]]) -> Iterator[PartyRow]:
    """Yield the parties of these ranges of numbers."""
    return starmap(PartyRow, _PARTIES.rows(connection, book, ranges))


def parties_named(connection: Connection, book: str, names: Iterable[str]) -> Iterator[PartyRow]:
    """Yield the parties with these ids."""
    keys = ((name,) for name in names)
    return starmap(PartyRow, _PARTIES_BY_NAME.rows(connection, book, keys))
