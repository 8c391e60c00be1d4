"""The registers: parties with their authorizations and keys, products, batches with their recalls, and packed cases."""

from typing import Final

from pathbook.ledger.command_fields import OPERATOR
from pathbook.ledger.projections.keys import KeyRow
from pathbook.ledger.projections.registers import BatchRow, ProductRow
from pathbook.ledger.queries.answers import Batch, Case, Listed, Party
from pathbook.ledger.queries.filling import fill_batch, fill_batches, fill_parties, fill_party
from pathbook.ledger.queries.holders import EXAMINED_RUNS_MAX, RUNS_AT_ONCE
from pathbook.ledger.queries.lines import Lines
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.snapshot import ViewSnapshot
from pathbook.ledger.values import WRITTEN_OFF, Ranges, Unit, UnitRange

FIRST_UNIT: Final = Unit(0, 0)
"""The place before all units. Batches begin at number 1."""


def party(views: ViewSnapshot, name: str, after: int, limit: int, own: str) -> Party | Refusal:
    """Return a party with its authorizations after a position: with what ``own`` may see of them, or if "" with all."""
    row = views.party(name)
    shown = Lines(views).shown_uplines(name, own) if own else None
    if row is None or (own and shown is None):
        return refuse(Reason.PARTY_UNKNOWN, party=name)
    return fill_party(views, row, after, limit, shown)


def is_shown(views: ViewSnapshot, party: str, own: str) -> bool:
    """Tell whether ``own`` may know that a party is there: it is in its line, or was authorized by it."""
    return Lines(views).shown_uplines(party, own) is not None


def is_below(views: ViewSnapshot, party: str, own: str) -> bool:
    """Tell whether a party is below ``own``, and accepted its line."""
    return Lines(views).is_below(party, own)


def is_in_line(views: ViewSnapshot, party: str, own: str) -> bool:
    """Tell whether ``own`` may see a party: itself, one above it, or one below that accepted its line."""
    return Lines(views).is_in_line(party, own)


def parties(views: ViewSnapshot, after: str, limit: int) -> Listed[Party, str]:
    """Return the parties after an id, in order, with their authorizations."""
    rows = views.parties(after, limit + 1)
    items = fill_parties(views, rows[:limit])
    return Listed(items, items[-1].row.party if len(items) < len(rows) else None)


def keys(views: ViewSnapshot, name: str, after: int, limit: int) -> list[KeyRow] | Refusal:
    """Return the keys that a party or OPERATOR had and has, registered after a position, oldest first."""
    if name != OPERATOR and views.party(name) is None:
        return refuse(Reason.PARTY_UNKNOWN, party=name)
    return views.keys(name, after, limit)


def product(views: ViewSnapshot, gtin: str) -> ProductRow | Refusal:
    """Return the product with a GTIN of 14 digits."""
    row = views.product(gtin)
    return refuse(Reason.PRODUCT_UNKNOWN, product=gtin) if row is None else row


def products(views: ViewSnapshot, after: str, limit: int) -> list[ProductRow]:
    """Return the products after a GTIN, in order."""
    return views.products(after, limit)


def batch(views: ViewSnapshot, stream: Stream, number: int, after: int, limit: int) -> Batch | Refusal:
    """Return the batch with a number, with its recalls after a position."""
    row = batch_alone(views, number)
    return row if isinstance(row, Refusal) else fill_batch(views, stream, row, after, limit)


def batch_alone(views: ViewSnapshot, number: int) -> BatchRow | Refusal:
    """Return the batch with a number, without its recalls."""
    row = views.batch(number)
    return refuse(Reason.BATCH_UNKNOWN, batch=number) if row is None else row


def batch_of_lot(
    views: ViewSnapshot, stream: Stream, gtin: str, lot: str, after: int, limit: int
) -> Batch | Refusal:
    """Return the batch of a product with a lot number, with its recalls after a position."""
    row = views.batch_of_lot(gtin, lot)
    if row is None:
        return refuse(Reason.BATCH_UNKNOWN, batch=f"{lot} of {gtin}")
    return fill_batch(views, stream, row, after, limit)


def batches(
    views: ViewSnapshot, stream: Stream, gtin: str | None, after: int, limit: int, brand: str
) -> Listed[Batch, int] | Refusal:
    """Return the batches of a product, or of all products, after a number, in order, with their recalls.

    If a brand is named, there are only the batches of its products.
    """
    product = None if gtin is None else views.product(gtin)
    if gtin is not None and product is None:
        return refuse(Reason.PRODUCT_UNKNOWN, product=gtin)
    if brand and product is not None and product.brand != brand:
        return Listed([], None)
    rows = views.batches(gtin, after, limit + 1, brand)
    items = fill_batches(views, stream, rows[:limit])
    return Listed(items, items[-1].row.batch if len(items) < len(rows) else None)


def case(views: ViewSnapshot, sscc: str, after: Unit, limit: int) -> Case | Refusal:
    """Return the contents of a packed case from a unit on. Units that were written off since are in no case."""
    row = views.case(sscc)
    if row is None:
        return refuse(Reason.CASE_UNKNOWN, sscc=sscc)
    ranges, rest = _packed(views, sscc, after, limit)
    is_first = after == FIRST_UNIT
    return Case(row, ranges, tuple(found.sscc for found in views.cases_in(sscc)) if is_first else (), rest)


def _packed(views: ViewSnapshot, sscc: str, after: Unit, limit: int) -> tuple[Ranges, Unit | None]:
    """Return at most ``limit`` ranges of units that are packed loose in a case, and the unit from which on others are.

    Each run of a packed range is examined, because it may have been written off.
    """
    found: list[UnitRange] = []
    left = EXAMINED_RUNS_MAX
    for part in views.case_ranges(sscc):
        if (part.batch, part.last) < (after.batch, after.number):
            continue
        first = max(part.first, after.number) if part.batch == after.batch else part.first
        while first <= part.last:
            if not left:
                return tuple(found), Unit(part.batch, first)
            asked = min(limit + 1, RUNS_AT_ONCE, left)
            for run in views.held_runs(UnitRange(part.batch, first, part.last), asked):
                units = UnitRange(part.batch, max(run.first, first), min(run.last, part.last))
                left -= 1
                if run.state in WRITTEN_OFF:
                    pass
                elif found and (part.batch, units.first) == (found[-1].batch, found[-1].last + 1):
                    found[-1] = UnitRange(part.batch, found[-1].first, units.last)
                elif len(found) == limit:
                    return tuple(found), Unit(part.batch, units.first)
                else:
                    found.append(units)
                first = units.last + 1
    return tuple(found), None
