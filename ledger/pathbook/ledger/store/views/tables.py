"""The tables of the views, which may be dropped and rebuilt, and the conversion between a run and its row.

Positions and unit numbers are integers. Times are microseconds since 1970 UTC, and dates are YYYY-MM-DD.
Amounts are minor units of their currency, for as many units as the column ``per_units`` says. Enums are stored
as their numbers. The book is the first column of every key. The columns after it are the fields of the rows that
pathbook.ledger.projections makes, in order.
"""

import functools
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, SmallInteger, Table

from pathbook.ledger.hops import NOT_LOADED, Hop
from pathbook.ledger.run import Run
from pathbook.ledger.store.database.engine import TEXT
from pathbook.ledger.values import TransferStatus, UnitState

KEPT_AS = "kept_as"
"""The key in a column's info for the type that stores it, if it is narrower than the type of its parameters."""

VIEWS = MetaData()
"""Every table of the views."""


@functools.cache
def as_kept() -> MetaData:
    """Return every table of the views with the types that store its columns, to make the tables.

    They are made once in a process: that takes as long as making the tables in a database.
    """
    kept = MetaData()
    for table in VIEWS.sorted_tables:
        for column in table.to_metadata(kept).columns:
            if (narrower := column.info.get(KEPT_AS)) is not None:
                column.type = narrower()
    return kept


def _table(name: str, *columns: Column[str] | Column[int] | Column[bytes] | Index) -> Table:
    # Without row ids a row lies only in its primary key, so one search finds it and one write stores it.
    book = Column("book", TEXT, primary_key=True)
    return Table(name, VIEWS, book, *columns, sqlite_with_rowid=False)


def _text(name: str, *, key: bool = False, optional: bool = False) -> Column[str]:
    return Column(name, TEXT, primary_key=key, nullable=optional)


def _partial(name: str, *columns: str, where: sa.TextClause) -> Index:
    """An index on the rows that meet a condition."""
    return Index(name, *columns, sqlite_where=where, postgresql_where=where)


def _number(name: str, *, key: bool = False, optional: bool = False) -> Column[int]:
    return Column(name, BigInteger, primary_key=key, nullable=optional, autoincrement=False)


def _small(name: str, *, key: bool = False) -> Column[int]:
    """A number below 2^31 (of a batch, unit, line or tier, or of the units of a price).

    It takes half the space, and parameters may be of any size.
    """
    return Column(
        name, BigInteger, primary_key=key, nullable=False, autoincrement=False, info={KEPT_AS: Integer}
    )


def _bytes(name: str, *, key: bool = False) -> Column[bytes]:
    return Column(name, LargeBinary, primary_key=key, nullable=False)


def _enum(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, autoincrement=False, info={KEPT_AS: SmallInteger})


PARTY = _table(
    "party",
    _text("party", key=True),
    _enum("kind"),
    _number("position"),
    _number("corrected_position"),
    _bytes("head"),
    _number("head_position"),
)
"""The parties. ``head`` is that of the party's chain, and ``head_position`` the last event of the chain."""

AUTHORIZATION = _table(
    "authorization",
    _number("position", key=True),
    _text("party"),
    _text("upline"),
    _small("tier"),
    _text("products"),
    _text("region"),
    _number("valid_from"),
    _number("valid_until", optional=True),
    _number("revoked_from", optional=True),
    Index("authorization_of_party", "book", "party", "position"),
)

PRODUCT = _table(
    "product",
    _text("product", key=True),
    _text("brand"),
    _text("name"),
    _number("suggested_minor"),
    _text("suggested_currency"),
    _small("suggested_per_units"),
    _number("position"),
    _number("corrected_position"),
)

BATCH = _table(
    "batch",
    _small("batch", key=True),
    _text("product"),
    _text("brand"),
    _text("lot"),
    _number("size"),
    _text("made_on"),
    _text("expires_on", optional=True),
    _number("suggested_minor"),
    _text("suggested_currency"),
    _small("suggested_per_units"),
    _number("position"),
    _bytes("code_key"),
    _number("corrected_position"),
    _bytes("head"),
    _number("head_position"),
    Index("batch_of_lot", "book", "product", "lot", unique=True),
    Index("batch_of_product", "book", "product", "batch"),
    Index("batch_of_code_key", "code_key", "book", "batch"),
)
"""The batches, with the heads of their chains as in PARTY."""

RECALL = _table(
    "recall",
    _number("position", key=True),
    _small("batch"),
    _text("ranges"),
    _number("occurred_at"),
    _number("lifted_position"),
    _number("lifted_at", optional=True),
    Index("recall_of_batch", "book", "batch", "position"),
)

CORRECTION = _table("correction", _text("subject", key=True), _number("position", key=True))
"""The corrections of each event, product, batch and party that was corrected."""

KEY = _table(
    "party_key",
    _bytes("key", key=True),
    _text("party"),
    _number("position"),
    _number("registered_at"),
    _bytes("recovery_key"),
    _text("endorser"),
    _bytes("endorser_key"),
    _bytes("replaced_key"),
    _number("revoked_position"),
    _number("revoked_at", optional=True),
    Index("party_key_of_party", "book", "party", "position"),
)
"""The keys of parties and of the operator. A key is registered once in a book, so it is its own name."""

SEAL = _table("seal", _number("covers", key=True), _number("position"))
"""The seals: which position each covers, and the position of its event."""

REQUEST = _table("request", _number("request_hash", key=True), _number("position", key=True))

PRESENT = sa.text("valid_to IS NULL")
"""The condition for runs in force. The runs in force of a batch are its partition."""

RUN = _table(
    "run",
    _small("batch", key=True),
    _small("first", key=True),
    _number("valid_from", key=True),
    _number("valid_to", optional=True),
    _small("last"),
    _number("position"),
    _small("origin"),
    _number("previous"),
    _small("previous_origin"),
    _text("owner"),
    _text("custodian"),
    _enum("state"),
    _number("transfer"),
    _text("hop"),
    _text("moved_from"),
    _bytes("head"),
    # with the owner, so that its runs are found among a million others without reading their rows
    _partial("run_present", "book", "batch", "first", "owner", where=PRESENT),
)
"""One row for each run that an event made, which is kept for ever. A run that a cut left has a row while it
is in force. Runs in force have no ``valid_to``, and are the partition of the batch. (``previous_origin``,
``previous``) is (``first``, ``valid_from``) of the row that the event before made. A unit's path is a walk
along these. ``hop`` and ``moved_from`` are the last hop of the chain, as `HopColumns` says."""

NOT_ACCEPTED = sa.text(f"status <> {TransferStatus.ACCEPTED.value}")
"""A query repeats this condition to use the indexes on transfers with another status."""

OPEN_WITH_DEADLINE = sa.text(f"status = {TransferStatus.OFFERED.value} AND deadline IS NOT NULL")
"""A query repeats this condition to use the indexes on the deadlines of open offers: of one book, and of all."""

HAS_REFERENCE = sa.text("reference <> ''")
"""A query repeats this condition to use the index on references."""

_LINE = ("transfer", "line")

TRANSFER = _table(
    "transfer",
    _number("transfer", key=True),
    _small("line", key=True),
    _enum("kind"),
    _enum("status"),
    _text("giver"),
    _text("receiver"),
    _number("amount_minor"),
    _text("currency_code"),
    _small("per_units"),
    _number("units"),
    _number("accepted_units"),
    _number("occurred_at"),
    _number("recorded_at"),
    _number("deadline", optional=True),
    _number("answered_position"),
    _text("reversal_asked_by"),
    _number("reversal_asked_position", optional=True),
    _number("returns_transfer"),
    _text("reference"),
    _enum("is_attested"),
    _enum("giver_signed"),
    _enum("receiver_signed"),
    Index("transfer_of_giver", "book", "giver", "transfer", "line"),
    Index("transfer_of_receiver", "book", "receiver", "transfer", "line"),
    # Nearly all transfers are accepted. A query for another status, above all for open offers, can skip them
    # here.
    _partial("transfer_of_giver_by_status", "book", "giver", "status", *_LINE, where=NOT_ACCEPTED),
    _partial("transfer_of_receiver_by_status", "book", "receiver", "status", *_LINE, where=NOT_ACCEPTED),
    _partial("transfer_by_reference", "book", "reference", "giver", "receiver", *_LINE, where=HAS_REFERENCE),
    _partial("transfer_deadline", "book", "deadline", where=OPEN_WITH_DEADLINE),
    _partial("offer_due", "deadline", "book", where=OPEN_WITH_DEADLINE),
)

PACKED_CASE = _table(
    "packed_case",
    _text("sscc", key=True),
    _text("outer", optional=True),
    _text("party"),
    _number("position"),
    Index("packed_case_in_outer", "book", "outer"),
)

CASE_RANGE = _table(
    "case_range",
    _small("batch", key=True),
    _small("first", key=True),
    _small("last"),
    _text("sscc"),
    Index("case_range_in_case", "book", "sscc"),
)

NOTHING_LEFT = sa.text("owned = 0 AND in_custody = 0 AND reserved = 0")
"""The removal repeats this condition to use the index on rows of the stock that must be removed."""

STOCK = _table(
    "stock",
    _text("party", key=True),
    _small("batch", key=True),
    _number("owned"),
    _number("in_custody"),
    _number("reserved"),
    _partial("stock_to_remove", "book", "owned", "in_custody", "reserved", where=NOTHING_LEFT),
)
"""The stock of parties by batch. A row of all zeros is removed."""

REFILL = _table("refill", _number("through"))
"""The position that a book's views must reach before they are complete, after they were emptied or dropped."""


class RunRow(NamedTuple):
    """The columns of a row of RUN, without the book."""

    batch: int
    first: int
    valid_from: int
    valid_to: int | None
    last: int
    position: int
    origin: int
    previous: int
    previous_origin: int
    owner: str
    custodian: str
    state: int
    transfer: int
    hop: str
    moved_from: str
    head: bytes


class HopColumns(NamedTuple):
    """The columns of a row of RUN that tell its last hop.

    ``hop`` has the hop's transfer, position and origin in decimal, separated by commas, or 0 if there is no hop. In
    most rows it is empty, because the other columns tell them: the transfer of the row made the row from the run that
    the event before made, or the row has no transfer. The hops before the last one are found in the same columns of
    the row that (``origin``, ``position``) names. So a row takes the same room however many hops it has.
    """

    transfer: int
    previous: int
    previous_origin: int
    hop: str
    moved_from: str


_STATES = {state.value: state for state in UnitState}


def row_from_run(batch: int, run: Run, valid_to: int | None = None) -> tuple[object, ...]:
    """Return the fields of a RunRow for a run of a batch.

    It is in force until just before ``valid_to`` (None: still).
    """
    return (  # A plain tuple is faster: a RunRow takes as long to create as everything else here.
        batch,
        run.first,
        run.valid_from,
        valid_to,
        run.last,
        run.position,
        run.origin,
        run.previous,
        run.previous_origin,
        run.owner,
        run.custodian,
        run.state.value,
        run.transfer,
        _hop_to_text(run),
        "" if run.last_hop is None else run.last_hop.moved_from,
        run.head,
    )


def run_from_row(row: RunRow) -> Run:
    """Return the run that a row holds."""
    return Run(
        first=row.first,
        last=row.last,
        valid_from=row.valid_from,
        position=row.position,
        origin=row.origin,
        previous=row.previous,
        previous_origin=row.previous_origin,
        owner=row.owner,
        custodian=row.custodian,
        state=_STATES[row.state],
        transfer=row.transfer,
        last_hop=last_hop(
            HopColumns(row.transfer, row.previous, row.previous_origin, row.hop, row.moved_from)
        ),
        head=row.head,
    )


def last_hop(row: HopColumns) -> Hop | None:
    """Return the last hop that a row holds. The hops before it are not loaded."""
    if not row.hop:
        if not row.transfer:
            return None
        return Hop(row.transfer, row.moved_from, row.previous, row.previous_origin, NOT_LOADED)
    transfer, *moved = map(int, row.hop.split(","))
    if not moved:
        return None
    position, origin = moved
    return Hop(transfer, row.moved_from, position, origin, NOT_LOADED)


def _hop_to_text(run: Run) -> str:
    hop = run.last_hop
    if hop is None:
        return "0" if run.transfer else ""
    if (hop.transfer, hop.position, hop.origin) == (run.transfer, run.previous, run.previous_origin):
        return ""
    return f"{hop.transfer},{hop.position},{hop.origin}"
