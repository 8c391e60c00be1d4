"""The tables of custody: they move only from one seal to the next, all in one transaction.

They lie in the place of the views, and are made again with it. The columns are the fields of the rows below, in order.
"""

from collections.abc import Iterable
from itertools import starmap
from struct import Struct
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, Connection, Engine, Index, LargeBinary, MetaData, Table

from pathbook.ledger.proofs.custody import HeadRun
from pathbook.ledger.store.database.bulk_write import insert_statement, put_statement
from pathbook.ledger.store.database.engine import TEXT, reading, writing
from pathbook.ledger.store.database.fast_read import ReadSnapshot

CUSTODY: Final = MetaData()
"""Every table of custody."""

BATCHES: Final = 0
"""The number that tiles of the register of batches have, where others have that of their batch."""

PARTIES: Final = -1
"""The number that tiles of the register of parties have."""


class SealRow(NamedTuple):
    """What the tables are: the custody as of ``covers``, whose Sealed is at ``position`` and has these counts and root.

    A position of 0 says that they are on their way from one seal to another, and are not to be read.
    """

    covers: int
    position: int
    batches: int
    parties: int
    root: bytes


class BlockRow(NamedTuple):
    """The runs of a batch that begin in a block, as `pathbook.ledger.proofs.heads.Heads` has blocks.

    ``first`` is the first unit of the first of them, and ``runs`` are all of them, as `packed_runs` writes them. So one
    row has what is hashed together, instead of sixteen.
    """

    batch: int
    block: int
    first: int
    runs: bytes


class TileRow(NamedTuple):
    """A tile of the tree of a batch (its number), of the register of BATCHES or of that of PARTIES."""

    tree: int
    level: int
    number: int
    hashes: bytes


class BatchRow(NamedTuple):
    """A batch: its size, the root of its custody tree, and the head of its chain."""

    batch: int
    size: int
    root: bytes
    head: bytes


class PartyRow(NamedTuple):
    """A party: its number in the order of registration, from 1, and the head of its chain. OPERATOR has number 0."""

    number: int
    party: str
    head: bytes


class LinkRow(NamedTuple):
    """An event of the chain of a batch (in the register BATCHES, by its number) or of a party (in PARTIES)."""

    register: int
    number: int
    position: int


NOT_SEALED: Final = SealRow(0, 0, 0, 0, b"")
"""The tables of a book of which nothing is sealed."""


def _table(name: str, *columns: Column[str] | Column[int] | Column[bytes] | Index) -> Table:
    book = Column("book", TEXT, primary_key=True)
    return Table(name, CUSTODY, book, *columns, sqlite_with_rowid=False)


def _number(name: str, *, key: bool = False) -> Column[int]:
    return Column(name, BigInteger, primary_key=key, nullable=False, autoincrement=False)


def _bytes(name: str) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=False)


SEAL: Final = _table(
    "custody",
    *map(_number, ("covers", "position", "batches", "parties")),
    _bytes("root"),
)
BLOCK: Final = _table(
    "custody_block",
    _number("batch", key=True),
    _number("block", key=True),
    _number("first"),
    _bytes("runs"),
)
TILE: Final = _table(
    "custody_tile",
    _number("tree", key=True),
    _number("level", key=True),
    _number("number", key=True),
    _bytes("hashes"),
)
BATCH: Final = _table(
    "custody_batch", _number("batch", key=True), _number("size"), _bytes("root"), _bytes("head")
)
PARTY: Final = _table(
    "custody_party",
    _number("number", key=True),
    Column("party", TEXT, nullable=False),
    _bytes("head"),
    Index("custody_party_of_name", "book", "party", unique=True),
)
LINK: Final = _table(
    "custody_link",
    _number("register", key=True),
    _number("number", key=True),
    _number("position", key=True),
)

PUT_SEAL: Final = put_statement(SEAL)
PUT_BLOCK: Final = put_statement(BLOCK)
PUT_TILE: Final = put_statement(TILE)
PUT_BATCH: Final = put_statement(BATCH)
PUT_PARTY: Final = put_statement(PARTY)
ADD_LINK: Final = insert_statement(LINK)


def open_custody(engine: Engine) -> None:
    """Make the tables in the place of the views, which must be open, unless they are there."""
    with reading(engine) as connection:
        if sa.inspect(connection).has_table(PARTY.name):
            return
    with writing(engine) as connection:
        CUSTODY.create_all(connection)


def empty_custody(connection: Connection) -> None:
    """Remove all rows. The sealer then fills the tables again from the log."""
    for table in CUSTODY.sorted_tables:
        if sa.inspect(connection).has_table(table.name):
            connection.execute(table.delete())


_LAST_SEAL: Final = sa.select(*(SEAL.c[name] for name in SealRow._fields)).where(
    SEAL.c.book == sa.bindparam("book")
)


def last_seal(snapshot: ReadSnapshot, book: str) -> SealRow:
    """Return what the tables of a book are."""
    return next(starmap(SealRow, snapshot.rows(_LAST_SEAL, {"book": book})), NOT_SEALED)


_RUN: Final = Struct(">II32sQI")
"""A run in the bytes of a block: the fields of HeadRun, in order."""


def packed_runs(runs: Iterable[HeadRun]) -> bytes:
    """Return runs as the bytes of a row."""
    return b"".join(starmap(_RUN.pack, runs))


def unpacked_runs(data: bytes) -> list[HeadRun]:
    """Return the runs in the bytes of a row."""
    return list(starmap(HeadRun, _RUN.iter_unpack(data)))
