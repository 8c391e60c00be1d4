"""Lookups in the tables of custody: the rows of many keys or ranges with one statement."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice, starmap
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Table, TextClause

from pathbook.ledger.proofs.custody import TILE_WIDTH
from pathbook.ledger.store.custody.tables import (
    BATCH,
    BLOCK,
    LINK,
    PARTY,
    TILE,
    BatchRow,
    BlockRow,
    LinkRow,
    PartyRow,
    TileRow,
)
from pathbook.ledger.store.database.fast_read import ReadSnapshot
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
    """Blocks first .. last of a batch."""

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
        self, snapshot: ReadSnapshot, book: str, keys: Iterable[tuple[object, ...]]
    ) -> Iterator[tuple[object, ...]]:
        """Yield the rows. One that several keys name comes several times."""
        wanted = iter(sorted(set(keys)))
        while part := list(islice(wanted, KEYS_PER_STATEMENT_MAX)):
            statement = self._statements[snapshot.kind]
            yield from snapshot.rows(statement, {"book": book, "given": json.dumps(part)})


# The run of the first unit of a block may begin in an earlier block: in the last one that has runs.
_BLOCKS: Final = _Lookup(
    BLOCK,
    f"""
    found.book = :book AND found.batch = given.batch AND found.block <= given.last
    AND found.block >= coalesce((
        SELECT block_at.block FROM custody_block AS block_at
        WHERE block_at.book = :book AND block_at.batch = given.batch AND block_at.block <= given.first
        AND block_at.first <= given.first * {TILE_WIDTH}
        ORDER BY block_at.block DESC LIMIT 1
    ), given.first)
    """,  # noqa: S608 - only a number
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

_LINKS: Final = _Lookup(
    LINK,
    "found.book = :book AND found.register = given.register AND found.number = given.number",
    register="bigint",
    number="bigint",
)


def blocks_of(snapshot: ReadSnapshot, book: str, spans: Iterable[Span]) -> Iterator[BlockRow]:
    """Yield the blocks that are kept in these spans, with the block of the run that has the first unit of a span."""
    return starmap(BlockRow, _BLOCKS.rows(snapshot, book, spans))


def tiles_of(snapshot: ReadSnapshot, book: str, ranges: Iterable[TileRange]) -> Iterator[TileRow]:
    """Yield the tiles of these ranges that are kept."""
    return starmap(TileRow, _TILES.rows(snapshot, book, ranges))


def batches_of(snapshot: ReadSnapshot, book: str, ranges: Iterable[tuple[int, int]]) -> Iterator[BatchRow]:
    """Yield the batches of these ranges of numbers."""
    return starmap(BatchRow, _BATCHES.rows(snapshot, book, ranges))


def parties_of(snapshot: ReadSnapshot, book: str, ranges: Iterable[tuple[int, int]]) -> Iterator[PartyRow]:
    """Yield the parties of these ranges of numbers."""
    return starmap(PartyRow, _PARTIES.rows(snapshot, book, ranges))


def parties_named(snapshot: ReadSnapshot, book: str, names: Iterable[str]) -> Iterator[PartyRow]:
    """Yield the parties with these ids."""
    keys = ((name,) for name in names)
    return starmap(PartyRow, _PARTIES_BY_NAME.rows(snapshot, book, keys))


def links_of(
    snapshot: ReadSnapshot, book: str, register: int, numbers: Iterable[int]
) -> dict[int, list[int]]:
    """Return by the number of each chain the positions of its events, in order."""
    found: dict[int, list[int]] = {number: [] for number in numbers}
    keys = ((register, number) for number in found)
    for row in starmap(LinkRow, _LINKS.rows(snapshot, book, keys)):
        found[row.number].append(row.position)
    for positions in found.values():
        positions.sort()
    return found
