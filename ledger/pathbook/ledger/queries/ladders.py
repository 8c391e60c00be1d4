"""Price ladders: what each tier paid, compared with the price suggested to consumers."""

from collections.abc import Callable
from typing import Final

from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.reports.ladder import Rung, rungs
from pathbook.ledger.store.views.snapshot import ViewSnapshot
from pathbook.ledger.values import Price

LADDERS_KEPT_MAX: Final = 256
"""How many ladders are kept. A ladder has some ten rungs, and takes 4 KB."""


class KeptLadders:
    """The ladders that were asked for last. Each is kept until its book goes on.

    A ladder of 30,000 prices takes some tenths of a second. All callers that ask for it at one position get one.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, int | str], tuple[int, list[Rung]]] = {}

    def at(self, position: int, book: str, subject: int | str, make: Callable[[], list[Rung]]) -> list[Rung]:
        """Return the ladder of a batch or a product of a book at a position. It is made if it is not kept."""
        key = book, subject
        at, ladder = self._kept.pop(key, (0, []))
        if at != position:
            ladder = make()
        self._kept[key] = position, ladder  # as the latest one
        for oldest in list(self._kept)[:-LADDERS_KEPT_MAX]:
            self._kept.pop(oldest, None)
        return ladder


def ladder_of_batch(views: ViewSnapshot, kept: KeptLadders, number: int) -> list[Rung] | Refusal:
    """Return what each tier paid for units of a batch."""
    batch = views.batch(number)
    if batch is None:
        return refuse(Reason.BATCH_UNKNOWN, batch=number)
    suggested = Price(batch.suggested_minor, batch.suggested_currency, batch.suggested_per_units)

    def make() -> list[Rung]:
        return rungs(views.prices_of_batch(number), suggested)

    return kept.at(views.position, views.book, number, make)


def ladder_of_product(views: ViewSnapshot, kept: KeptLadders, gtin: str) -> list[Rung] | Refusal:
    """Return what each tier paid for units of all batches of a product."""
    if views.product(gtin) is None:
        return refuse(Reason.PRODUCT_UNKNOWN, product=gtin)

    def make() -> list[Rung]:
        return rungs(views.prices_of_product(gtin), views.suggestion(gtin))

    return kept.at(views.position, views.book, gtin, make)
