"""Importing tables one after the other: of each what it needs, then its rows; what became of all is summed."""

from collections.abc import Callable, Sequence

import msgspec

from pathbook.client import Client
from pathbook.importing.plan import plan_table
from pathbook.importing.recipe import Recipe
from pathbook.importing.recording import Recorder
from pathbook.importing.registering import Registrar
from pathbook.importing.sources import Source
from pathbook.importing.summary import Summary

ProgressCallback = Callable[[int, int | None], None]
"""What is told how far a piece of work has come: how much is done, and of how much (None where nobody knows)."""


class Progress(msgspec.Struct, frozen=True):
    """Who is told of the rows read and recorded, over all tables, and of what is registered for one of them."""

    read: ProgressCallback
    registered: ProgressCallback
    recorded: ProgressCallback


class Importer:
    """Imports tables into one book; what the book was told for one of them it is not told again for the next.

    With `stop`, the first rejected row ends the import. Memory grows with parties, products and batches, and with
    the plan of one table at a time, never with rows.
    """

    def __init__(self, client: Client, recipe: Recipe, progress: Progress, *, stop: bool) -> None:
        self._client = client
        self._recipe = recipe
        self._progress = progress
        self._stop = stop
        self._registrar = Registrar(client, progress.registered)
        self._rows: dict[str, int | None] = {}
        self._summary = Summary(recipe)

    def import_tables(self, sources: Sequence[Source]) -> Summary:
        """Import table after table, and return what became of all.

        Raises:
            TableError: a table cannot be read; those before it stand.
            RefusedError: a batch of rows, or the book as a whole, was refused.
            UnreachableError: no answer came; to import again goes on where this ended.
        """
        self._rows = {source.name: source.rows for source in sources}
        for source in sources:
            self._import_table(source)
            if self._stop and self._summary.rejected:
                break
        return self._summary

    def _import_table(self, source: Source) -> None:
        before = self._summary.rows
        plan = plan_table(source, self._recipe, self._beyond(before, self._progress.read))
        self._rows[source.name] = plan.rows
        registered = self._registrar.register(plan)
        self._summary.add(plan, registered)
        Recorder(
            self._client,
            plan,
            registered,
            self._summary,
            stop=self._stop,
            progress=self._beyond(before, self._progress.recorded),
        ).record()

    def _beyond(self, before: int, told: ProgressCallback) -> ProgressCallback:
        """Return who tells of one table's rows as of all rows, with so many in the tables before it."""
        known = [rows for rows in self._rows.values() if rows is not None]
        total = sum(known) if len(known) == len(self._rows) else None
        return lambda done, _: told(before + done, total)
