"""Price ladders: what each tier paid, compared with the price suggested to consumers."""

from pathbook.ledger.queries.answers import Reported
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.reports.ladder import LADDER, PriceRow, Rung, rungs
from pathbook.ledger.store.views.snapshot import ViewSnapshot
from pathbook.ledger.values import Price


def ladder_of_batch(views: ViewSnapshot, number: int) -> Reported[Rung] | Refusal:
    """Return what each tier paid for units of a batch. BATCH_UNKNOWN."""
    batch = views.batch(number)
    if batch is None:
        return refuse(Reason.BATCH_UNKNOWN, batch=number)
    report = views.report(LADDER)
    suggested = Price(batch.suggested_minor, batch.suggested_currency, batch.suggested_per_units)
    return Reported(rungs(report.of_batch(number, PriceRow), suggested), report.position)


def ladder_of_product(views: ViewSnapshot, gtin: str) -> Reported[Rung] | Refusal:
    """Return what each tier paid for units of all batches of a product. PRODUCT_UNKNOWN."""
    if views.product(gtin) is None:
        return refuse(Reason.PRODUCT_UNKNOWN, product=gtin)
    report = views.report(LADDER)
    return Reported(rungs(report.of_product(gtin, PriceRow), views.suggestion(gtin)), report.position)
