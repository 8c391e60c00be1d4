"""Progress of long work on stderr, shown after two seconds: a bar on a terminal, else lines."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from pathbook.cli import printing

if TYPE_CHECKING:  # most work ends before anything is drawn
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

FIRST_DRAW_DELAY_S: Final = 2.0
"""Work that ends sooner shows no progress."""

LINE_INTERVAL_S: Final = 5.0
"""The time between two lines if stderr is not a terminal."""

DRAW_INTERVAL_S: Final = 0.1
"""The time between two drawings if stderr is a terminal."""


class Progress:
    """``with Progress() as progress: work(progress.of("rows recorded"))``. The callable takes done and total."""

    def __init__(self) -> None:
        self._next = time.monotonic() + FIRST_DRAW_DELAY_S
        self._bars: Bars | None = None
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        """Start the clock."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Erase the bar."""
        if self._bars is not None:
            self._bars.stop()

    def of(self, what: str) -> Callable[[int, int | None], None]:
        """Return a callable that a piece of work calls with its progress. A total of None is unknown."""

        def report(done: int, total: int | None) -> None:
            now = time.monotonic()
            if now < self._next:
                return
            if sys.stderr.isatty():
                self._next = now + DRAW_INTERVAL_S
                self._draw(what, done, total)
            else:
                self._next = now + LINE_INTERVAL_S
                printing.echo(f"{what}: {done}" + ("" if total is None else f" of {total}"), err=True)

        return report

    def _draw(self, what: str, done: int, total: int | None) -> None:
        if self._bars is None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bars

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
            )
            self._bars = Bars(*columns, console=Console(stderr=True), transient=True)
            self._bars.start()
        if what not in self._tasks:
            for task in self._tasks.values():
                self._bars.update(task, visible=False)
            self._tasks[what] = self._bars.add_task(what, total=total)
        self._bars.update(self._tasks[what], completed=done, total=total)
