"""Loads from the views the state that the writer needs to decide, each time in one snapshot with its position."""

import datetime
from collections.abc import Callable, Iterable
from typing import TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Engine, Table

from pathbook.ledger import events
from pathbook.ledger.events import TransferAccepted as Accepted
from pathbook.ledger.hops import Hop
from pathbook.ledger.projections.cases import CaseRangeRow, CaseRow
from pathbook.ledger.projections.keys import KeyRow
from pathbook.ledger.projections.registers import (
    AuthorizationRow,
    BatchRow,
    CorrectionRow,
    PartyRow,
    ProductRow,
    RecallRow,
    corrected_event,
    products_from_text,
    ranges_from_text,
    request_hash,
)
from pathbook.ledger.projections.transfers import TransferRow
from pathbook.ledger.rules.answerable import Declarable, Transfer
from pathbook.ledger.rules.goods import Batch, Case, Product, Recall
from pathbook.ledger.rules.key_ring import Key, Keys
from pathbook.ledger.rules.parts import RequiredState
from pathbook.ledger.rules.state import IN_FORCE, Authorization, Party, State
from pathbook.ledger.spans import merged
from pathbook.ledger.store.database.engine import reading
from pathbook.ledger.store.database.fast_read import ReaderPool
from pathbook.ledger.store.log.event_hashes import StoredEntry, read_event
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.earlier_hops import load_earlier
from pathbook.ledger.store.views.list_lookups import ANY_REQUESTED
from pathbook.ledger.store.views.lookups import POSITION, has_key
from pathbook.ledger.store.views.run_lookups import load_runs, load_stocks
from pathbook.ledger.store.views.tables import (
    AUTHORIZATION,
    BATCH,
    CASE_RANGE,
    CORRECTION,
    HAS_REFERENCE,
    KEY,
    OPEN_WITH_DEADLINE,
    PACKED_CASE,
    PARTY,
    PRODUCT,
    RECALL,
    SEAL,
    STOCK,
    TRANSFER,
)
from pathbook.ledger.store.views.tracking import SQLAlchemyTrackingRecorder
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import PartyKind, Price, TransferKind, TransferStatus, UnitRange, is_consumer

_Row = TypeVar("_Row")
_Key = TypeVar("_Key", str, int, bytes)

RUNS_AT_ONCE_MAX = 20_000
"""How many runs of ranges are loaded at once. Most requests need far less, and few may look at more."""

KEYS_PER_STATEMENT_MAX = 500
"""How many keys one statement names, because databases limit the parameters of a statement."""


class StateLoader:
    """Loads parts of a book's state, as of the position of its views."""

    def __init__(self, stream: Stream, views: Engine, tracking: SQLAlchemyTrackingRecorder) -> None:
        """Read from the views in ``views``, and read the terms of transfers from the log."""
        self._stream, self._views, self._tracking = stream, views, tracking
        self._pool = ReaderPool(views)

    def open(self, book: str, *, with_deadlines: bool = True) -> State:
        """Return a state with the position, origin, policy and last batch of the book, and deadlines of open offers."""
        with reading(self._views) as connection:
            position = self._tracking.max_tracking_id_on(connection, book) or 0
            last = sa.select(sa.func.max(BATCH.c.batch)).where(BATCH.c.book == book)
            due = sa.select(TRANSFER.c.deadline, TRANSFER.c.transfer).where(
                TRANSFER.c.book == book, OPEN_WITH_DEADLINE
            )
            last_batch = connection.execute(last).scalar() or 0
            sealed = sa.select(sa.func.max(SEAL.c.covers)).where(SEAL.c.book == book)
            last_covers = connection.execute(sealed).scalar() or 0
            rows = connection.execute(due) if with_deadlines else ()
            deadlines = sorted((row.deadline, row.transfer) for row in rows)
        recorded = [read_event(book, entry) for entry in self._stream.at(book, [1, position])]
        reached = recorded[-1].recorded_at if position and recorded else 0
        state = State(book, position, reached, last_batch)
        if position and recorded and isinstance(opened := recorded[0].event, events.BookOpened):
            state.origin, state.policy = opened.origin, opened.policy
        state.deadlines, state.last_covers = deadlines, last_covers
        return state

    def requests(self, book: str, requests: Iterable[bytes]) -> tuple[int, list[int]]:
        """Return the position of the views, and the positions at which any of these requests may have been answered."""
        hashes = msgspec.json.encode([request_hash(request) for request in requests]).decode()
        # each group asks this, and SQLAlchemy would take ten times as long to write a statement of so many keys
        with self._pool.consistent() as reader:
            ((position, _),) = reader.ask(POSITION, {"book": book})
            rows = reader.ask(ANY_REQUESTED, {"book": book, "keys": hashes})
        return position or 0, [answered for (answered,) in rows]

    def load(self, book: str, required: RequiredState) -> State:
        """Return a state with what is required. An entry that the views do not hold is None."""
        with reading(self._views) as connection:
            state = State(book, self._tracking.max_tracking_id_on(connection, book) or 0)
            _load_parties(connection, state, required)
            _load_keys(connection, state, required)
            _load_products(connection, state, required)
            _load_batches(connection, state, required)
            _load_cases(connection, state, required)
            _load_recalls(connection, state, required)
            _load_holdings(connection, state, required)
            _load_references(connection, state, required)
            declared = _declared(connection, book, required.declarables)
            known = _rows_with_keys(connection, TRANSFER, TransferRow, book, "transfer", required.transfers)
        state.transfers = dict.fromkeys(required.transfers)
        self._load_transfers(state, known)
        self._load_declarables(state, required.declarables, declared)
        self._load_purchases(state, required)
        named = self._stream.at(book, list(required.leaves)) if required.leaves else []
        state.leaves = {entry.position: entry.leaf for entry in named}
        return state

    def load_hops(self, book: str, hops: Iterable[tuple[int, Hop]]) -> bool:
        """Load the hop before each of these hops of batches. Return whether the views hold all of them."""
        with reading(self._views) as connection:
            return load_earlier(connection, book, hops)

    def entries(self, book: str, positions: list[int]) -> list[StoredEntry]:
        """Return the entries of the log at these positions."""
        return self._stream.at(book, positions)

    def _load_transfers(self, state: State, rows: list[TransferRow]) -> None:
        """Take the terms from the log: from the acceptance if there is one, else from the first event."""
        position_of = {
            (row.answered_position if row.accepted_units else row.transfer): row
            for row in rows
            if row.line == 0
        }
        for entry in self._stream.at(state.book, list(position_of)):
            row = position_of[entry.position]
            event = read_event(state.book, entry).event
            if isinstance(
                event, events.TransferOffered | Accepted | events.TransferRecorded | events.UnitsSold
            ):
                status = TransferStatus(row.status)
                terms: Terms = event.terms
                state.transfers[row.transfer] = Transfer(
                    status=status,
                    terms=terms,
                    leaf=entry.leaf,
                    deadline=row.deadline,
                    reversal_asked_by=row.reversal_asked_by,
                    reversal_asked_at=row.reversal_asked_position or 0,
                    attested=bool(row.is_attested),
                )

    def _load_declarables(self, state: State, positions: set[int], declared: set[int]) -> None:
        """Take events that may be declared errors from the log."""
        state.declarables = dict.fromkeys(positions)
        for entry in self._stream.at(state.book, [position for position in positions if position > 0]):
            event = read_event(state.book, entry).event
            if entry.position <= state.position and isinstance(event, events.DeclarableEvent):
                state.declarables[entry.position] = Declarable(event, entry.leaf, entry.position in declared)

    def _load_purchases(self, state: State, required: RequiredState) -> None:
        """Take the batches of which a consumer bought units from the log. Consumers have no stock in the views."""
        for party, product in required.holdings:
            if not is_consumer(party):
                continue
            with reading(self._views) as connection:
                sales = sa.select(TRANSFER.c.transfer).where(
                    TRANSFER.c.book == state.book, TRANSFER.c.receiver == party
                )
                positions = list(connection.execute(sales).scalars())
                of_product = sa.select(BATCH.c.batch).where(
                    BATCH.c.book == state.book, BATCH.c.product == product
                )
                batches = set(connection.execute(of_product).scalars())
            bought = [read_event(state.book, entry).event for entry in self._stream.at(state.book, positions)]
            state.holdings[party, product] = {
                part.batch
                for event in bought
                if isinstance(event, events.UnitsSold)
                for part in event.terms.ranges
                if part.batch in batches
            }


def _rows(
    connection: Connection,
    table: Table,
    row: Callable[..., _Row],
    book: str,
    *conditions: ColumnElement[bool] | sa.TextClause,
) -> list[_Row]:
    """Return the rows of a book that meet the conditions, in the order of the primary key."""
    columns = [column for column in table.c if column.name != "book"]
    statement = sa.select(*columns).where(table.c.book == book, *conditions).order_by(*table.primary_key)
    return [row(*values) for values in connection.execute(statement)]


def _rows_with_keys(
    connection: Connection,
    table: Table,
    row: Callable[..., _Row],
    book: str,
    name: str,
    keys: Iterable[_Key],
    *conditions: ColumnElement[bool],
) -> list[_Row]:
    """Return the rows of a book whose column has one of the keys and that meet the conditions."""
    named, column = list(keys), table.c[name]
    chunks = (
        named[begin : begin + KEYS_PER_STATEMENT_MAX]
        for begin in range(0, len(named), KEYS_PER_STATEMENT_MAX)
    )
    return [
        found
        for chunk in chunks
        for found in _rows(connection, table, row, book, has_key(connection, column, chunk), *conditions)
    ]


def _load_parties(connection: Connection, state: State, required: RequiredState) -> None:
    state.authorizations = dict.fromkeys(required.authorizations)
    for given in _rows_with_keys(
        connection, AUTHORIZATION, AuthorizationRow, state.book, "position", required.authorizations
    ):
        state.authorizations[given.position] = given.party
    state.parties = dict.fromkeys(required.parties)
    for row in _rows_with_keys(connection, PARTY, PartyRow, state.book, "party", required.parties):
        state.parties[row.party] = Party(PartyKind(row.kind), row.position)
    for given in _rows_with_keys(
        connection, AUTHORIZATION, AuthorizationRow, state.book, "party", required.parties
    ):
        party = state.parties[given.party]
        assert party is not None, given
        authorization = Authorization(
            position=given.position,
            upline=given.upline,
            tier=given.tier,
            products=products_from_text(given.products),
            valid_from=given.valid_from,
            valid_until=given.valid_until,
            revoked_from=given.revoked_from,
        )
        party.add(authorization)


def _load_keys(connection: Connection, state: State, required: RequiredState) -> None:
    state.keys = dict.fromkeys(required.keys)
    rows = _rows_with_keys(connection, KEY, KeyRow, state.book, "party", required.keys)
    for row in sorted(rows, key=lambda row: row.position):
        keys = state.keys[row.party]
        if keys is None:
            keys = state.keys[row.party] = Keys({})
        is_rotation = row.replaced_key == row.endorser_key
        key = Key(row.key, row.recovery_key, row.position, row.registered_at, row.replaced_key, is_rotation)
        key.revoked, key.endorser = row.revoked_position, row.endorser
        keys.add(key)
    state.taken_keys = dict.fromkeys(required.taken_keys)
    for row in _rows_with_keys(connection, KEY, KeyRow, state.book, "key", required.taken_keys):
        state.taken_keys[row.key] = row.position


def _load_products(connection: Connection, state: State, required: RequiredState) -> None:
    state.products = dict.fromkeys(required.products)
    for row in _rows_with_keys(connection, PRODUCT, ProductRow, state.book, "product", required.products):
        price = Price(row.suggested_minor, row.suggested_currency, row.suggested_per_units)
        state.products[row.product] = Product(
            events.ProductRegistered(row.product, row.brand, row.name, price), row.position
        )
    state.lots = dict.fromkeys(required.lots)
    lots = sa.tuple_(BATCH.c.product, BATCH.c.lot)
    named = list(required.lots)
    for begin in range(0, len(named), KEYS_PER_STATEMENT_MAX // 2):
        chunk = named[begin : begin + KEYS_PER_STATEMENT_MAX // 2]
        for batch in _rows(connection, BATCH, BatchRow, state.book, lots.in_(chunk)):
            state.lots[batch.product, batch.lot] = batch.batch


def _load_batches(connection: Connection, state: State, required: RequiredState) -> None:
    state.batches = dict.fromkeys(required.batches)
    book, numbers = state.book, required.batches
    for row in _rows_with_keys(connection, BATCH, BatchRow, book, "batch", numbers):
        state.batches[row.batch] = Batch(_commissioned(row), [], {})
    state.partitions |= load_runs(connection, book, required.runs, RUNS_AT_ONCE_MAX)
    absent = {number for number, batch in state.batches.items() if batch is None}
    stocks = {key: part for key, part in required.stocks.items() if key[0] not in absent}
    for number, stock in load_stocks(connection, book, stocks).items():
        state.partitions[number] = merged(state.partitions.get(number), stock)
    for part in _rows_with_keys(connection, CASE_RANGE, CaseRangeRow, book, "batch", numbers):
        _loaded_batch(state, part.batch).packed.append((part.first, part.last, part.sscc))
    for made in _rows_with_keys(connection, RECALL, RecallRow, book, "batch", numbers):
        ranges = ranges_from_text(made.batch, made.ranges)
        recall = Recall(ranges, made.occurred_at, made.lifted_at)
        _loaded_batch(state, made.batch).recalls[made.position] = recall


def _loaded_batch(state: State, number: int) -> Batch:
    batch = state.batches[number]
    assert batch is not None, number
    return batch


def _commissioned(row: BatchRow) -> events.BatchCommissioned:
    return events.BatchCommissioned(
        batch=row.batch,
        product=row.product,
        brand=row.brand,
        lot=row.lot,
        size=row.size,
        made_on=datetime.date.fromisoformat(row.made_on),
        expires_on=datetime.date.fromisoformat(row.expires_on) if row.expires_on else None,
        suggested_price=Price(row.suggested_minor, row.suggested_currency, row.suggested_per_units),
        code_key=row.code_key,
    )


def _load_cases(connection: Connection, state: State, required: RequiredState) -> None:
    state.cases = dict.fromkeys(required.cases)
    book, names = state.book, required.cases
    contents: dict[str, list[UnitRange]] = {}
    for part in _rows_with_keys(connection, CASE_RANGE, CaseRangeRow, book, "sscc", names):
        contents.setdefault(part.sscc, []).append(UnitRange(part.batch, part.first, part.last))
    inner: dict[str, list[str]] = {}
    for case in _rows_with_keys(connection, PACKED_CASE, CaseRow, book, "outer", names):
        inner.setdefault(case.outer or "", []).append(case.sscc)
    for row in _rows_with_keys(connection, PACKED_CASE, CaseRow, book, "sscc", names):
        ranges, cases = contents.get(row.sscc, []), inner.get(row.sscc, [])
        state.cases[row.sscc] = Case(tuple(sorted(ranges)), tuple(cases), row.party, row.outer or "")


def _load_recalls(connection: Connection, state: State, required: RequiredState) -> None:
    state.recalls = dict.fromkeys(required.recalls)
    for row in _rows_with_keys(connection, RECALL, RecallRow, state.book, "position", required.recalls):
        state.recalls[row.position] = row.batch


def _load_references(connection: Connection, state: State, required: RequiredState) -> None:
    state.references = dict.fromkeys(required.references)
    # in the order of the index
    key = sa.tuple_(TRANSFER.c.reference, TRANSFER.c.giver, TRANSFER.c.receiver)
    named = [(reference, giver, receiver) for giver, receiver, reference in required.references]
    for begin in range(0, len(named), KEYS_PER_STATEMENT_MAX // 3):
        chunk = named[begin : begin + KEYS_PER_STATEMENT_MAX // 3]
        in_force = TRANSFER.c.status.in_([status.value for status in IN_FORCE])
        for row in _rows(
            connection, TRANSFER, TransferRow, state.book, HAS_REFERENCE, key.in_(chunk), in_force
        ):
            if row.kind != TransferKind.RETURN.value:
                state.references[row.giver, row.receiver, row.reference] = row.transfer


def _declared(connection: Connection, book: str, positions: Iterable[int]) -> set[int]:
    """Return those of the positions whose events were declared errors."""
    subjects = {corrected_event(position): position for position in positions}
    rows = _rows_with_keys(connection, CORRECTION, CorrectionRow, book, "subject", subjects)
    return {subjects[row.subject] for row in rows}


def _load_holdings(connection: Connection, state: State, required: RequiredState) -> None:
    for party, product in required.holdings:
        owned = (
            sa.select(STOCK.c.batch)
            .join(BATCH, sa.and_(BATCH.c.book == STOCK.c.book, BATCH.c.batch == STOCK.c.batch))
            .where(
                STOCK.c.book == state.book,
                STOCK.c.party == party,
                STOCK.c.owned > 0,
                BATCH.c.product == product,
            )
        )
        state.holdings[party, product] = set(connection.execute(owned).scalars())
