"""Planning one table ahead: while a table is recorded, a thread reads the next one and makes its plan.

The book takes longer to record a table than it takes to read one. So all tables but the first are read while the
importer would only wait.
"""

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Final

from pathbook.importing.plan import Plan, plan_table
from pathbook.importing.recipe import Recipe
from pathbook.importing.sources import Source

REPORT_INTERVAL_S: Final = 0.1
"""How often progress is reported while there is nothing to do but to wait for a plan."""


class _AbandonedError(Exception):
    """The import has ended, and no caller waits for the plan that is being made."""


class Planner:
    """Plans tables. `progress` is called with `bytes_read`, those of all tables so far, by the thread that waits."""

    def __init__(
        self, sources: Sequence[Source], recipe: Recipe, progress: Callable[[int, int | None], None]
    ) -> None:
        self._sources, self._recipe, self._progress = sources, recipe, progress
        self._total = sum(source.stamp.size for source in sources)
        self.bytes_read = 0
        self._abandoned = False

    def plans(self) -> Generator[Plan, None, None]:
        """Yield the plan of each table, in order. The next plan is made while the caller works with one.

        Raises:
            TableError: a table cannot be read. The plans before it were yielded.
        """
        with ThreadPoolExecutor(1, "plan") as thread:
            try:
                before, ahead = 0, thread.submit(self._plan, self._sources[0], 0)
                for source, following in zip(self._sources, [*self._sources[1:], None], strict=True):
                    plan = self._waited(ahead)
                    before += source.stamp.size
                    if following is not None:
                        ahead = thread.submit(self._plan, following, before)
                    yield plan
            finally:
                self._abandoned = True  # the end of the thread is waited for

    def _plan(self, source: Source, before: int) -> Plan:
        def of_all(done: int, _: int | None) -> None:
            if self._abandoned:
                raise _AbandonedError
            self.bytes_read = before + done

        return plan_table(source, self._recipe, of_all)

    def _waited(self, ahead: Future[Plan]) -> Plan:
        while not wait([ahead], REPORT_INTERVAL_S).done:
            self._progress(self.bytes_read, self._total)
        return ahead.result()
