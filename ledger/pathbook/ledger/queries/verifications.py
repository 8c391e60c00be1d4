"""What was verified, and which units unusually often: the counts beside the log, filtered by the registers."""

from typing import Final

import msgspec

from pathbook.ledger.queries.fingerprints import Pause
from pathbook.ledger.queries.report_parts import ROWS_MAX, Asked, Insight, unknown, wanted_batches
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.reports.registered import DAY_US, day_of
from pathbook.ledger.reports.verified import OftenRule, Verified, verified
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.log.verifications import HOURS_OF_DAY, Verifications
from pathbook.ledger.store.views.snapshot import ViewSnapshot

WINDOW_DAYS: Final = 30
"""Over how many days verifications are counted, if the question names no first day."""

KEPT: Final = frozenset({"batch", "product", "brand", "first_day", "last_day"})
"""The filters that counts have."""


def ask_verifications(
    views: ViewSnapshot,
    _stream: Stream,
    asked: Asked,
    _pause: Pause,
    *,
    number: int | None,
    rule: OftenRule,
    limit: int,
    verifications: Verifications,
) -> Insight[Verified] | Refusal:
    """Return how often codes of what is wanted were verified in some days.

    BATCH_UNKNOWN, PRODUCT_UNKNOWN, PARTY_UNKNOWN, FILTER_NOT_KEPT, VALUE_MISSING, REPORT_TOO_LARGE.
    """
    wanted = asked.wanted
    others = [name for name in wanted.names() if name not in KEPT]
    if asked.as_of or asked.known_at is not None:
        others.append("as_of_position or known_at")
    if others:
        return refuse(Reason.FILTER_NOT_KEPT, report="verifications", filter=others[0])
    if number is not None and not wanted.batch:
        return refuse(Reason.VALUE_MISSING, field="filter.batch")
    if (refused := unknown(views, wanted)) is not None:
        return refused
    batches = wanted_batches(views, wanted)
    if isinstance(batches, Refusal):
        return batches
    last = asked.now // DAY_US if wanted.last_day is None else wanted.last_day
    first = last - WINDOW_DAYS + 1 if wanted.first_day is None else wanted.first_day
    dropped = verifications.dropped_through(views.book)
    rows = verifications.rows(views.book, batches, (first, last), ROWS_MAX + 1)
    if len(rows) > ROWS_MAX:
        return refuse(Reason.REPORT_TOO_LARGE, limit=ROWS_MAX, what="counts of verifications")
    found = verified(rows, rule, limit, number)
    if dropped is not None and first <= (day := dropped // HOURS_OF_DAY):
        found = msgspec.structs.replace(found, partial_through=day_of(min(day, last)))
    return Insight(found, views.position)
