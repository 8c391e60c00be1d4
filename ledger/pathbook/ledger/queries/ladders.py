"""Price ladders: what each tier paid, compared with the price suggested to consumers."""

from itertools import starmap
from typing import Final

import msgspec

from pathbook.ledger.queries.fingerprints import Pause
from pathbook.ledger.queries.report_parts import Asked, Insight, Part, read_parts
from pathbook.ledger.refusals import Refusal
from pathbook.ledger.reports.ladder import LADDER, PriceRow, rungs
from pathbook.ledger.reports.mark_ups import Ladder, ladder
from pathbook.ledger.reports.paid import PAID
from pathbook.ledger.reports.report import Report
from pathbook.ledger.reports.wanted import Wanted, not_kept
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.snapshot import ViewSnapshot
from pathbook.ledger.values import Price

LADDERS_KEPT_MAX: Final = 256
"""How many ladders are kept. A ladder has some ten rungs, and takes 4 KB."""


def report_of(wanted: Wanted) -> Report:
    """Return the report that answers: the ladder, or what was paid if sides or days are wanted, which has more rows."""
    return LADDER if not_kept(LADDER, wanted) is None else PAID


def ask_ladder(views: ViewSnapshot, stream: Stream, asked: Asked, pause: Pause) -> Insight[Ladder] | Refusal:
    """Return what each tier paid. Prices are compared with a suggested one only for one batch or one product."""
    part = Part(report_of(asked.wanted), asked.wanted, tuple(PriceRow._fields[:-1]))
    found = read_parts(views, stream, asked, [part], pause)
    if isinstance(found, Refusal):
        return found
    paid = list(starmap(PriceRow, found.rows[0]))
    return Insight(ladder(rungs(paid, _suggested(views, asked.wanted))), found.position)


def _suggested(views: ViewSnapshot, wanted: Wanted) -> Price | None:
    if wanted.batch:
        batch = views.batch(wanted.batch)
        assert batch is not None, wanted
        return Price(batch.suggested_minor, batch.suggested_currency, batch.suggested_per_units)
    return views.suggestion(wanted.product) if wanted.product else None


class KeptLadders:
    """The ladders that were asked for last. Each is kept until its book, or the report of it, goes on.

    A ladder of 30,000 prices takes some tenths of a second. All callers that ask for it at one position get one.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, Asked], tuple[tuple[int, int], Insight[Ladder]]] = {}

    def ask(
        self, views: ViewSnapshot, stream: Stream, asked: Asked, pause: Pause
    ) -> Insight[Ladder] | Refusal:
        """Return what `ask_ladder` does. The ladder is made if it is not kept."""
        key = views.book, msgspec.structs.replace(asked, now=0)
        positions = views.position, views.report(report_of(asked.wanted)).position
        at, found = self._kept.pop(key, (None, None))
        if found is None or at != positions:
            made = ask_ladder(views, stream, asked, pause)
            if isinstance(made, Refusal):
                return made
            found = made
        self._kept[key] = positions, found  # as the latest one
        for oldest in list(self._kept)[:-LADDERS_KEPT_MAX]:
            self._kept.pop(oldest, None)
        return found
