"""The registers: parties with their authorizations, products, batches with their recalls, and packed cases."""

from pathbook.ledger.projections.registers import BatchRow, ProductRow
from pathbook.ledger.queries.answers import Batch, Case, Listed, Party
from pathbook.ledger.queries.filling import fill_batches, fill_parties, recalls
from pathbook.ledger.ranges import union, without
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.snapshot import ViewSnapshot
from pathbook.ledger.values import UnitRange


def party(views: ViewSnapshot, name: str) -> Party | Refusal:
    """Return a party with its authorizations."""
    row = views.party(name)
    if row is None:
        return refuse(Reason.PARTY_UNKNOWN, party=name)
    return Party(row, tuple(views.authorizations(name)))


def parties(views: ViewSnapshot, after: str, limit: int) -> Listed[Party, str]:
    """Return the parties after an id, in order, with their authorizations."""
    rows = views.parties(after, limit + 1)
    items = fill_parties(views, rows[:limit])
    return Listed(items, items[-1].row.party if len(items) < len(rows) else None)


def product(views: ViewSnapshot, gtin: str) -> ProductRow | Refusal:
    """Return the product with a GTIN of 14 digits."""
    row = views.product(gtin)
    return refuse(Reason.PRODUCT_UNKNOWN, product=gtin) if row is None else row


def products(views: ViewSnapshot, after: str, limit: int) -> list[ProductRow]:
    """Return the products after a GTIN, in order."""
    return views.products(after, limit)


def batch(views: ViewSnapshot, stream: Stream, number: int) -> Batch | Refusal:
    """Return the batch with a number, with its recalls."""
    row = views.batch(number)
    return refuse(Reason.BATCH_UNKNOWN, batch=number) if row is None else _filled(views, stream, row)


def batch_of_lot(views: ViewSnapshot, stream: Stream, gtin: str, lot: str) -> Batch | Refusal:
    """Return the batch of a product with a lot number, with its recalls."""
    row = views.batch_of_lot(gtin, lot)
    if row is None:
        return refuse(Reason.BATCH_UNKNOWN, batch=f"{lot} of {gtin}")
    return _filled(views, stream, row)


def batches(
    views: ViewSnapshot, stream: Stream, gtin: str | None, after: int, limit: int
) -> Listed[Batch, int] | Refusal:
    """Return the batches of a product, or of all products, after a number, in order, with their recalls."""
    if gtin is not None and views.product(gtin) is None:
        return refuse(Reason.PRODUCT_UNKNOWN, product=gtin)
    rows = views.batches(gtin, after, limit + 1)
    items = fill_batches(views, stream, rows[:limit])
    return Listed(items, items[-1].row.batch if len(items) < len(rows) else None)


def case(views: ViewSnapshot, sscc: str) -> Case | Refusal:
    """Return the contents of a packed case. Units that were written off since are in no case."""
    row = views.case(sscc)
    if row is None:
        return refuse(Reason.CASE_UNKNOWN, sscc=sscc)
    packed = tuple(UnitRange(part.batch, part.first, part.last) for part in views.case_ranges(sscc))
    written_off = union(run for part in packed for run in views.written_off(part))
    ranges = without(packed, written_off)
    return Case(row, ranges, tuple(found.sscc for found in views.cases_in(sscc)))


def _filled(views: ViewSnapshot, stream: Stream, row: BatchRow) -> Batch:
    return Batch(row, recalls(views, stream, row.batch))
