"""Reading tables without a book: which rows can be read, and which are rejected before any book is asked."""

from collections.abc import Sequence

from pathbook.importing.importer import Progress
from pathbook.importing.lines import Line, LineReader, Rejection
from pathbook.importing.plan import Plan, plan_table
from pathbook.importing.recipe import Recipe
from pathbook.importing.registering import Registered
from pathbook.importing.rejected import RejectedFile
from pathbook.importing.sources import Source
from pathbook.importing.summary import Summary
from pathbook.importing.tables import read_rows


def read_tables(
    sources: Sequence[Source],
    recipe: Recipe,
    progress: Progress,
    *,
    stop: bool,
    rejected: RejectedFile | None,
) -> Summary:
    """Read tables and count what a recipe rejects. `readable` counts the other rows, on which a book would decide.

    With `stop`, the first rejected row ends the reading.

    Raises:
        TableError: a table cannot be read.
    """
    summary = Summary(recipe)
    total, before = sum(source.stamp.size for source in sources), 0
    for source in sources:

        def of_all(done: int, _: int | None, before: int = before) -> None:
            progress.read(before + done, total)

        plan = plan_table(source, recipe, of_all)
        summary.add(plan, Registered())
        _read(plan, summary, stop=stop, rejected=rejected)
        before += source.stamp.size
        if stop and summary.rejected:
            break
    return summary


def _read(plan: Plan, summary: Summary, *, stop: bool, rejected: RejectedFile | None) -> None:
    reader = LineReader(plan.recipe, plan.source.name)
    for row in read_rows(plan.source.path, plan.recipe, plan.source.stamp):
        line = reader.read(row)
        rejection = plan.contradiction(line) if isinstance(line, Line) else line
        if rejection is None:
            summary.readable += 1
            continue
        assert isinstance(rejection, Rejection)
        summary.reject(rejection)
        if rejected is not None:
            rejected.add(row, rejection.reason)
        if stop:
            return
