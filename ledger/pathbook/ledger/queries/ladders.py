"""Price ladders: what each tier paid, compared with the price suggested to consumers."""

from collections.abc import Callable
from typing import Final

from pathbook.ledger.queries.answers import Reported
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.reports.ladder import LADDER, PriceRow, Rung, rungs
from pathbook.ledger.store.views.snapshot import ViewSnapshot
from pathbook.ledger.values import Price

LADDERS_KEPT_MAX: Final = 256
"""How many ladders are kept. A ladder has some ten rungs, and takes 4 KB."""


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


class KeptLadders:
    """The ladders that were asked for last. Each is kept until its book, or the report of it, goes on.

    A ladder of 30,000 prices takes some tenths of a second. All callers that ask for it at one position get one.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, int | str], tuple[tuple[int, int], Reported[Rung]]] = {}

    def of_batch(self, views: ViewSnapshot, number: int) -> Reported[Rung] | Refusal:
        """Return what `ladder_of_batch` does."""
        return self._at(views, number, lambda: ladder_of_batch(views, number))

    def of_product(self, views: ViewSnapshot, gtin: str) -> Reported[Rung] | Refusal:
        """Return what `ladder_of_product` does."""
        return self._at(views, gtin, lambda: ladder_of_product(views, gtin))

    def _at(
        self, views: ViewSnapshot, subject: int | str, make: Callable[[], Reported[Rung] | Refusal]
    ) -> Reported[Rung] | Refusal:
        """Return the ladder of a batch or a product at the position of the views. It is made if it is not kept."""
        key, positions = (views.book, subject), (views.position, views.report(LADDER).position)
        at, ladder = self._kept.pop(key, (None, None))
        if ladder is None or at != positions:
            made = make()
            if isinstance(made, Refusal):
                return made
            ladder = made
        self._kept[key] = positions, ladder  # as the latest one
        for oldest in list(self._kept)[:-LADDERS_KEPT_MAX]:
            self._kept.pop(oldest, None)
        return ladder
