"""The partitions of the batches in motion, kept at hand between one sequence of events and the next."""

from collections import OrderedDict
from collections.abc import Iterable
from itertools import starmap

import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from pathbook.ledger.runs import Partition
from pathbook.ledger.store.views.tables import RUN, RunRow, run_from_row

CACHED_RUNS_MAX = 300_000
"""The most runs kept in memory between two sequences of events: about 150 MB. Those last used stay.

A month of a state's sales makes 200,000: with fewer at hand, following the end of a month cost three times as much.
"""

_PRESENT = (
    sa.select(*list(RUN.c)[1:])
    .where(RUN.c.book == bindparam("book"), RUN.c.batch == bindparam("batch"), RUN.c.valid_to.is_(None))
    .order_by(RUN.c.first)
)


def load_partition(connection: Connection, book: str, batch: int) -> Partition | None:
    """Return the present partition of a batch, None if the views know no such batch."""
    rows = connection.execute(_PRESENT, {"book": book, "batch": batch})
    runs = [run_from_row(row) for row in starmap(RunRow, rows)]
    return Partition(batch, runs) if runs else None


class RunCache:
    """The runs of batches of all books, each book's as of one position."""

    def __init__(self, limit: int = CACHED_RUNS_MAX) -> None:
        """Keep so many runs at the most."""
        self._limit = limit
        self._kept: OrderedDict[tuple[str, int], Partition] = OrderedDict()
        self._runs = 0
        self._positions: dict[str, int] = {}

    def take(
        self, connection: Connection, book: str, position: int, batches: Iterable[int]
    ) -> dict[int, Partition]:
        """Hand over the partitions of batches as of the position at which the views stand.

        What is not kept is loaded, what does not exist is left out. Who took them may change them, and keeps them
        unless they are given back.
        """
        if self._positions.get(book) != position:
            for key in [key for key in self._kept if key[0] == book]:
                self._pop(key)
            self._positions[book] = position
        taken = {}
        for batch in batches:
            partition = self._pop((book, batch)) or load_partition(connection, book, batch)
            if partition is not None:
                taken[batch] = partition
        return taken

    def keep(self, book: str, batches: Iterable[int]) -> bool:
        """Tell whether all of these batches are kept."""
        return all((book, batch) in self._kept for batch in batches)

    def give_back(self, book: str, position: int, partitions: dict[int, Partition]) -> None:
        """Keep what was taken, as of a later position; in exchange, let go what was not used for longest."""
        self._positions[book] = position
        for batch, partition in partitions.items():
            self._kept[book, batch] = partition
            self._runs += len(partition.runs)
        while self._runs > self._limit:
            self._pop(next(iter(self._kept)))

    def _pop(self, key: tuple[str, int]) -> Partition | None:
        partition = self._kept.pop(key, None)
        if partition is not None:
            self._runs -= len(partition.runs)
        return partition
