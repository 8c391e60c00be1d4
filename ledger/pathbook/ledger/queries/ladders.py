"""Price ladders: what each tier paid, compared with the price suggested to consumers."""

from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.reports.ladder import Rung, rungs
from pathbook.ledger.store.views.snapshot import ViewSnapshot
from pathbook.ledger.values import Price


def ladder_of_batch(views: ViewSnapshot, number: int) -> list[Rung] | Refusal:
    """Return what each tier paid for units of a batch."""
    batch = views.batch(number)
    if batch is None:
        return refuse(Reason.BATCH_UNKNOWN, batch=number)
    suggested = Price(batch.suggested_minor, batch.suggested_currency, batch.suggested_per_units)
    return rungs(views.prices_of_batch(number), suggested)


def ladder_of_product(views: ViewSnapshot, gtin: str) -> list[Rung] | Refusal:
    """Return what each tier paid for units of all batches of a product."""
    if views.product(gtin) is None:
        return refuse(Reason.PRODUCT_UNKNOWN, product=gtin)
    return rungs(views.prices_of_product(gtin), views.suggestion(gtin))
