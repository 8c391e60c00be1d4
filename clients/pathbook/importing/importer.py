"""Import of several tables, one after the other. For each table its plan is registered, then its rows are recorded."""

import contextlib
from collections.abc import Callable, Sequence

import msgspec

from pathbook.client import Client, Signer
from pathbook.importing.plan import Plan
from pathbook.importing.planning import Planner
from pathbook.importing.recipe import Recipe
from pathbook.importing.recording import Recorder
from pathbook.importing.registering import Registrar
from pathbook.importing.rejected import RejectedFile
from pathbook.importing.sources import Source
from pathbook.importing.summary import Summary

ProgressCallback = Callable[[int, int | None], None]
"""A function that is called with the progress of some work: how much is done, and the total, or None if unknown."""


class Progress(msgspec.Struct, frozen=True):
    """The callbacks for bytes read and bytes recorded, over all tables, and for things registered, of one table."""

    read: ProgressCallback
    registered: ProgressCallback
    recorded: ProgressCallback


class Importer:
    """Imports tables into one book. Parties and products of one table are not registered again for the next.

    With `stop`, the first rejected row ends the import. Rejected rows are written to `rejected`. A `signer` signs the
    transfers and returns, and what its party registers for them.

    Memory grows with parties, products and batches, and with the plans of two tables: the one that is recorded, and the
    next one, which is read meanwhile. It does not grow with rows, except with those that occur more than once in a
    table.
    """

    def __init__(
        self,
        client: Client,
        recipe: Recipe,
        progress: Progress,
        *,
        stop: bool,
        rejected: RejectedFile | None = None,
        signer: Signer | None = None,
    ) -> None:
        self._client = client.with_options(signer=signer)
        self._recipe = recipe
        self._progress = progress
        self._stop = stop
        self._registrar = Registrar(client, progress.registered, signer)
        self._rejected = rejected
        self._bytes = self._before = 0
        self._summary = Summary(recipe)

    def import_tables(self, sources: Sequence[Source]) -> Summary:
        """Import one table after the other, and return the summary of all.

        Raises:
            TableError: a table cannot be read. The tables before it are recorded.
            RefusedError: a batch of rows, or the book as a whole, was refused.
            UnreachableError: the server did not answer. Another import of the same tables continues from here.
        """
        self._bytes = sum(source.stamp.size for source in sources)
        with contextlib.closing(Planner(sources, self._recipe, self._progress.read).plans()) as plans:
            for plan in plans:
                self._import_table(plan)
                self._before += plan.source.stamp.size
                if self._stop and self._summary.rejected:
                    break
        return self._summary

    def _import_table(self, plan: Plan) -> None:
        registered = self._registrar.register(plan)
        self._summary.add(plan, registered)
        Recorder(
            self._client,
            plan,
            registered,
            self._summary,
            stop=self._stop,
            progress=self._over_all(self._progress.recorded),
            rejected=self._rejected,
        ).record()

    def _over_all(self, callback: ProgressCallback) -> ProgressCallback:
        """Return a callback for the bytes of one table that reports those of all tables."""
        before, total = self._before, self._bytes
        return lambda done, _: callback(before + done, total)
