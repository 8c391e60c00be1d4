"""Price ladders: what each tier paid, compared with the price suggested to consumers."""

from itertools import starmap
from typing import Final

import msgspec

from pathbook.ledger.queries.fingerprints import Pause
from pathbook.ledger.queries.report_parts import Asked, Insight, Part, Source, open_parts, recorded_by
from pathbook.ledger.refusals import Reason, Refusal
from pathbook.ledger.reports.ladder import LADDER, PriceRow, rungs
from pathbook.ledger.reports.mark_ups import Ladder, ladder
from pathbook.ledger.reports.paid import PAID
from pathbook.ledger.reports.registered import month_of
from pathbook.ledger.reports.report import Report
from pathbook.ledger.reports.shared_rungs import Payment, SharedRung, shared_rungs
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
    """Return what each tier paid. Prices are compared with a suggested one only for one batch or one product.

    The ladder of a party and a product has what others paid for it, too, as far as the party is shown that. If the
    product has too many prices for that, the party gets its own rungs.
    """
    wanted = asked.wanted
    part = Part(report_of(wanted), wanted, tuple(PriceRow._fields[:-1]))
    source = open_parts(views, stream, asked, [part], pause)
    if isinstance(source, Refusal):
        return source
    rows = source.rows(part)
    if isinstance(rows, Refusal):
        return rows
    paid, suggested = list(starmap(PriceRow, rows)), _suggested(views, wanted)
    shared: list[SharedRung] = []
    is_left_out = False
    if is_of_party(asked) and source.position:
        payments = _payments(source, Wanted(product=wanted.product))
        # not by the clock: of a month that is over for the clock, events may still be missing in the report
        month = month_of(recorded_by(stream, views.book, source.position))
        if payments is not None:
            shared = shared_rungs(payments, wanted.party, month, suggested)
        else:  # who has no part in a product is not told how much others trade in it
            own = _payments(source, wanted)
            is_left_out = own is None or bool(own)
    return Insight(ladder(rungs(paid, suggested), shared, is_left_out=is_left_out), source.position)


def _payments(source: Source, wanted: Wanted) -> list[Payment] | None:
    """Return what was paid of what is wanted, by sides and months. None if these are too many for an answer."""
    rows = source.rows(Part(PAID, wanted, tuple(Payment._fields[:-1])))
    if isinstance(rows, Refusal):
        assert rows.reason is Reason.REPORT_TOO_LARGE, rows
        return None
    return list(starmap(Payment, rows))


def is_of_party(asked: Asked) -> bool:
    """Tell whether a ladder is that of a party and a product, and of nothing else.

    Only then it says what others paid. Of each further filter, and of each earlier position, two answers could be
    subtracted from each other, until a single price is left.
    """
    wanted = asked.wanted
    is_now = not asked.as_of and asked.known_at is None
    return is_now and bool(wanted.party and wanted.product) and wanted.names() == ["product", "party"]


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
