"""The telling of a group of events to reports: those that need the past of units share the stories."""

from collections.abc import Callable, Iterable, Sequence

from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.reports.report import Report, SumRow
from pathbook.ledger.reports.story import untold
from pathbook.ledger.reports.sums import fold_together
from pathbook.ledger.store.views.story_cache import StoryCache


class Telling:
    """What events add to reports that are at the position before them. Those that need stories share one telling."""

    def __init__(
        self,
        stories: StoryCache,
        book: str,
        after: int,
        events: Sequence[RecordedEvent],
        sharing: Callable[[], Sequence[Report]],
    ) -> None:
        self._stories, self._book, self._after, self._events = stories, book, after, events
        self._sharing = sharing
        self._folded: dict[Report, list[SumRow] | Exception] = {}

    def rows_without_stories(self, report: Report) -> Iterable[SumRow] | None:
        """Return what the events add to a report, or None if it needs stories."""
        return None if report.needs_stories else self.rows(report)

    def rows(self, report: Report) -> Iterable[SumRow]:
        """Return what the events add to a report. Raises what its fold raises."""
        if report not in self._folded:
            alike = {each for each in self._sharing() if each.needs_stories == report.needs_stories}
            together = [report, *(alike - self._folded.keys() - {report})]
            if report.needs_stories:
                told = self._stories.told(self._book, self._after, self._events)
            else:
                told = untold(self._events)
            self._folded |= fold_together(together, told)
        found = self._folded[report]
        if isinstance(found, Exception):
            raise found
        return found
