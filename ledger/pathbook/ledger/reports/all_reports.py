"""All reports of this program. A report that stands here is built, followed, backed up and checked."""

from typing import Final

from pathbook.ledger.reports.ladder import LADDER
from pathbook.ledger.reports.report import Report

REPORTS: Final[tuple[Report, ...]] = (LADDER,)
"""All reports of this program. Their names differ."""
