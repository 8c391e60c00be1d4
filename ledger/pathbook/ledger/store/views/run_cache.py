"""A cache of the partitions of batches in use, between one group of events and the next."""

from collections import OrderedDict
from collections.abc import Iterable
from itertools import starmap

import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from pathbook.ledger.runs import Partition
from pathbook.ledger.store.views.tables import RUN, RunRow, run_from_row

CACHED_RUNS_MAX = 300_000
"""The most runs that are cached between two groups of events, in about 150 MB. The most recently used ones stay.

A month of a state's sales makes 200,000 runs. With a smaller cache, following the end of a month cost three
times as much.
"""

_PRESENT = (
    sa.select(*list(RUN.c)[1:])
    .where(RUN.c.book == bindparam("book"), RUN.c.batch == bindparam("batch"), RUN.c.valid_to.is_(None))
    .order_by(RUN.c.first)
)


def load_partition(connection: Connection, book: str, batch: int) -> Partition | None:
    """Return the present partition of a batch, or None if the views hold no such batch."""
    rows = connection.execute(_PRESENT, {"book": book, "batch": batch})
    runs = [run_from_row(row) for row in starmap(RunRow, rows)]
    return Partition(batch, runs) if runs else None


class RunCache:
    """Runs of batches of all books. The runs of one book are all as of the same position."""

    def __init__(self, limit: int = CACHED_RUNS_MAX) -> None:
        """Cache this many runs at most."""
        self._limit = limit
        self._cached: OrderedDict[tuple[str, int], Partition] = OrderedDict()
        self._run_count = 0
        self._positions: dict[str, int] = {}

    def take(
        self, connection: Connection, book: str, position: int, batches: Iterable[int]
    ) -> dict[int, Partition]:
        """Take the partitions of batches out of the cache, as of the position of the views.

        A partition that is not cached is loaded, and a batch that does not exist is left out. The caller may
        change the partitions, and owns them until it gives them back.
        """
        if self._positions.get(book) != position:
            for key in [key for key in self._cached if key[0] == book]:
                self._pop(key)
            self._positions[book] = position
        taken = {}
        for batch in batches:
            partition = self._pop((book, batch)) or load_partition(connection, book, batch)
            if partition is not None:
                taken[batch] = partition
        return taken

    def has_all(self, book: str, batches: Iterable[int]) -> bool:
        """Tell whether all of these batches are cached."""
        return all((book, batch) in self._cached for batch in batches)

    def give_back(self, book: str, position: int, partitions: dict[int, Partition]) -> None:
        """Cache the taken partitions again, as of a later position. The least recently used ones are evicted."""
        self._positions[book] = position
        for batch, partition in partitions.items():
            self._cached[book, batch] = partition
            self._run_count += len(partition.runs)
        while self._run_count > self._limit:
            self._pop(next(iter(self._cached)))

    def _pop(self, key: tuple[str, int]) -> Partition | None:
        partition = self._cached.pop(key, None)
        if partition is not None:
            self._run_count -= len(partition.runs)
        return partition
