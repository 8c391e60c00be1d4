"""All reports of this program. A report that stands here is built, followed, backed up and checked."""

from typing import Final

from pathbook.ledger.reports.depths import DEPTHS
from pathbook.ledger.reports.domino import OFFERS
from pathbook.ledger.reports.findings import FINDINGS
from pathbook.ledger.reports.holdings import HOLDINGS
from pathbook.ledger.reports.ladder import LADDER
from pathbook.ledger.reports.paid import PAID
from pathbook.ledger.reports.report import Report
from pathbook.ledger.reports.runway import RUNWAY
from pathbook.ledger.reports.scorecard import FACTS
from pathbook.ledger.reports.sell_through import SELL_THROUGH
from pathbook.ledger.reports.ties import KEYS, TRADES

REPORTS: Final[tuple[Report, ...]] = (
    LADDER,
    PAID,
    HOLDINGS,
    SELL_THROUGH,
    RUNWAY,
    DEPTHS,
    OFFERS,
    TRADES,
    KEYS,
    FACTS,
    FINDINGS,
)
"""All reports of this program. Their names differ."""
