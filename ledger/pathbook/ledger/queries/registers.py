"""What is registered: parties with their authorisations, products, batches with their recalls, packed cases."""

import datetime

from pathbook.ledger.projections.registers import (
    BatchRow,
    PartyRow,
    ProductRow,
    products_from_text,
    ranges_from_text,
)
from pathbook.ledger.queries.answers import Authorization, Batch, Case, Party, Product, Recall
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.store.views.snapshot import ViewSnapshot
from pathbook.ledger.values import Money, PartyKind, UnitRange


def party(views: ViewSnapshot, name: str) -> Party | Refusal:
    """Return a party with its authorisations."""
    row = views.party(name)
    if row is None:
        return refuse(Reason.PARTY_UNKNOWN, party=name)
    authorizations = tuple(
        Authorization(
            given.position,
            given.upline,
            given.tier,
            products_from_text(given.products),
            given.region,
            given.valid_from,
            given.valid_until,
            given.revoked_from,
        )
        for given in views.authorizations(name)
    )
    return _party(row, authorizations)


def parties(views: ViewSnapshot, after: str, limit: int) -> list[Party]:
    """Return the parties after an id, in order."""
    return [_party(row) for row in views.parties(after, limit)]


def product(views: ViewSnapshot, gtin: str) -> Product | Refusal:
    """Return the product with a GTIN of 14 digits."""
    row = views.product(gtin)
    return refuse(Reason.PRODUCT_UNKNOWN, product=gtin) if row is None else product_of(row)


def products(views: ViewSnapshot, after: str, limit: int) -> list[Product]:
    """Return the products after a GTIN, in order."""
    return [product_of(row) for row in views.products(after, limit)]


def batch(views: ViewSnapshot, number: int) -> Batch | Refusal:
    """Return the batch with a number, with its recalls."""
    row = views.batch(number)
    return refuse(Reason.BATCH_UNKNOWN, batch=number) if row is None else _with_recalls(views, row)


def batch_of_lot(views: ViewSnapshot, gtin: str, lot: str) -> Batch | Refusal:
    """Return the batch of a product with a lot number, with its recalls."""
    row = views.batch_of_lot(gtin, lot)
    return (
        refuse(Reason.BATCH_UNKNOWN, batch=f"{lot} of {gtin}") if row is None else _with_recalls(views, row)
    )


def batches(views: ViewSnapshot, gtin: str | None, after: int, limit: int) -> list[Batch] | Refusal:
    """Return the batches of a product, or of all, after a number, in order."""
    if gtin is not None and views.product(gtin) is None:
        return refuse(Reason.PRODUCT_UNKNOWN, product=gtin)
    return [batch_of(row) for row in views.batches(gtin, after, limit)]


def case(views: ViewSnapshot, sscc: str) -> Case | Refusal:
    """Return what a packed case holds."""
    row = views.case(sscc)
    if row is None:
        return refuse(Reason.CASE_UNKNOWN, sscc=sscc)
    ranges = tuple(UnitRange(part.batch, part.first, part.last) for part in views.case_ranges(sscc))
    inner = tuple(found.sscc for found in views.cases_in(sscc))
    return Case(sscc, row.outer or "", row.party, row.position, ranges, inner)


def product_of(row: ProductRow) -> Product:
    """Return the product in a row."""
    price = Money(row.suggested_minor, row.suggested_currency)
    return Product(row.product, row.brand, row.name, price, row.position)


def batch_of(row: BatchRow, recalled: tuple[Recall, ...] = ()) -> Batch:
    """Return the batch in a row."""
    return Batch(
        row.batch,
        row.product,
        row.brand,
        row.lot,
        row.size,
        datetime.date.fromisoformat(row.made_on),
        datetime.date.fromisoformat(row.expires_on) if row.expires_on is not None else None,
        Money(row.suggested_minor, row.suggested_currency),
        row.position,
        recalled,
    )


def recalls(views: ViewSnapshot, number: int) -> tuple[Recall, ...]:
    """Return the recalls of a batch, oldest first."""
    return tuple(
        Recall(
            found.position,
            ranges_from_text(number, found.ranges),
            found.note,
            found.occurred_at,
            found.lifted_position,
        )
        for found in views.recalls(number)
    )


def _with_recalls(views: ViewSnapshot, row: BatchRow) -> Batch:
    return batch_of(row, recalls(views, row.batch))


def _party(row: PartyRow, authorizations: tuple[Authorization, ...] = ()) -> Party:
    return Party(row.party, PartyKind(row.kind), row.position, authorizations)
