"""Folds the same events for several reports at once."""

from collections.abc import Iterable, Sequence
from typing import cast

from pathbook.ledger.reports.adding import Adding, Key
from pathbook.ledger.reports.report import Report, SumRow
from pathbook.ledger.reports.story import ToldEvent


class Sums:
    """The rows of a report, to which more are added."""

    def __init__(self, report: Report) -> None:
        self._key, self._adding = len(report.key), Adding(len(report.sums))

    def add(self, rows: Iterable[SumRow]) -> None:
        """Add rows to those that are there."""
        add, key = self._adding.add, self._key
        for row in rows:
            add(cast("Key", row[:key]), *cast("tuple[int, ...]", row[key:]))

    def rows(self) -> list[SumRow]:
        """Return one row for each key, without those whose sums are all 0."""
        return list(self._adding.rows())


def fold_together(
    reports: Sequence[Report], events_told: Iterable[ToldEvent]
) -> dict[Report, list[SumRow] | Exception]:
    """Fold events for several reports, which are told each event once, or return the error of a report's own fold.

    A story goes on with each event, so each report folds an event before the next one is told.
    """
    sums = [(report, Sums(report)) for report in reports]
    failed: dict[Report, Exception] = {}
    for told in events_told:
        for report, added in sums:
            if failed and report in failed:
                continue
            try:
                added.add(report.fold((told,)))
            except Exception as error:  # noqa: BLE001 -- a report that fails must not stop another one
                failed[report] = error
    return {report: failed.get(report) or added.rows() for report, added in sums}
