"""Folds the same events for several reports at once."""

from collections.abc import Iterable, Sequence

from pathbook.ledger.reports.report import Report, SumRow
from pathbook.ledger.reports.story import ToldEvent


def fold_together(
    reports: Sequence[Report], events_told: Iterable[ToldEvent]
) -> dict[Report, list[SumRow] | Exception]:
    """Fold events for several reports, which are told each event once, or return the error of a report's own fold.

    A story goes on with each event, so each report folds an event before the next one is told.
    """
    found: dict[Report, list[SumRow] | Exception] = {}
    folds = [(report, report.fold()) for report in reports]
    adds = [(report, fold.add) for report, fold in folds]
    for told in events_told:
        for report, add in adds:
            try:
                add(told)
            except Exception as error:  # noqa: BLE001 -- a report that fails must not stop another one
                found[report] = error
                adds = [each for each in adds if each[0] not in found]
    for report, fold in folds:
        if report not in found:
            try:
                found[report] = list(fold.rows())
            except Exception as error:  # noqa: BLE001 -- as above
                found[report] = error
    return found
