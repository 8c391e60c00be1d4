"""A cache of the runs of batches in use, between one group of events and the next."""

from collections import OrderedDict
from collections.abc import Iterable

from sqlalchemy import Connection

from pathbook.ledger.runs import Partition
from pathbook.ledger.spans import merged
from pathbook.ledger.store.views.run_lookups import load_runs
from pathbook.ledger.values import UnitRange

CACHED_RUNS_MAX = 150_000
"""The most runs that are cached between two groups of events, in about 100 MB. The most recently used batches stay.

A month of a state's sales makes 200,000 runs. Twice as many cached made following it no faster, as only the runs that
an event touches are loaded.
"""


class RunCache:
    """Runs of batches of all books. The runs of one book are all as of the same position."""

    def __init__(self, limit: int = CACHED_RUNS_MAX) -> None:
        """Cache this many runs at most."""
        self._limit = limit
        self._cached: OrderedDict[tuple[str, int], Partition] = OrderedDict()
        self._run_count = 0
        self._positions: dict[str, int] = {}

    def take(
        self, connection: Connection, book: str, position: int, ranges: Iterable[UnitRange]
    ) -> dict[int, Partition]:
        """Take the partitions of batches out of the cache, as of the position of the views.

        Each has at least the runs that have units of the ranges, because those that are not cached are loaded. A batch
        that does not exist is left out. The caller may change the partitions, and owns them until it gives them back.
        """
        if self._positions.get(book) != position:
            for key in [key for key in self._cached if key[0] == book]:
                self._pop(key)
            self._positions[book] = position
        taken: dict[int, Partition] = {}
        missing: list[UnitRange] = []
        for part in ranges:
            partition = taken.get(part.batch) or self._pop((book, part.batch))
            if partition is None:
                missing.append(part)
            else:
                taken[part.batch] = partition
                missing += partition.missing(part.first, part.last)
        if missing:
            for batch, loaded in load_runs(connection, book, missing).items():
                taken[batch] = merged(taken.get(batch), loaded)
        return taken

    def has_all(self, book: str, ranges: Iterable[UnitRange]) -> bool:
        """Tell whether all runs that have units of the ranges are cached."""
        for part in ranges:
            partition = self._cached.get((book, part.batch))
            if partition is None or partition.missing(part.first, part.last):
                return False
        return True

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
