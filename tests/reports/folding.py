"""Reports in memory: the rows to which groups of events lead, as a follower would add them up."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.reports.report import Report
from pathbook.ledger.reports.story import BatchStory, told

Row = TypeVar("Row")


def summed(
    report: Report, groups: Iterable[Sequence[RecordedEvent]]
) -> dict[tuple[object, ...], tuple[int, ...]]:
    """Return the sums of a report by key, built from groups of events. Rows without sums are removed."""
    stories: dict[int, BatchStory] = {}
    width, table = len(report.key), dict[tuple[object, ...], tuple[int, ...]]()
    for group in groups:
        for row in report.folded(told(group, stories)):
            key, amounts = row[:width], row[width:]
            sums = table.get(key, (0,) * len(amounts))
            table[key] = tuple(_whole(a) + _whole(b) for a, b in zip(sums, amounts, strict=True))
    return {key: sums for key, sums in table.items() if any(sums)}


def _whole(amount: object) -> int:
    assert isinstance(amount, int), amount
    return amount


def rows_of(report: Report, groups: Iterable[Sequence[RecordedEvent]], make: Callable[..., Row]) -> list[Row]:
    """Return the rows of a report, in order of their keys."""
    return [make(*key, *sums) for key, sums in sorted(summed(report, groups).items(), key=repr)]
