"""Reads the entries of a log in parts, so that no more of them than a part is in memory."""

from collections.abc import Callable, Iterator
from typing import Final

from pathbook.ledger.store.log.event_hashes import StoredEntry

READ_FIRST: Final = 100
"""How many entries the first part has. A reader may need a few large ones only. Each further part has twice as many."""

READ_AT_ONCE: Final = 1_000
"""How many entries a part has at most. The largest entries have some 40 KB."""


def entries_after(
    read: Callable[[int, int], list[StoredEntry]], position: int, limit: int | None = None
) -> Iterator[StoredEntry]:
    """Yield the entries after a position, at most so many, or all. ``read`` gets a position and a number of entries."""
    left, at_once = limit, min(READ_FIRST, READ_AT_ONCE)
    while left is None or left > 0:
        count = at_once if left is None else min(at_once, left)
        at_once = min(2 * at_once, READ_AT_ONCE)
        entries = read(position, count)
        yield from entries
        if len(entries) < count:
            return
        position += count
        left = None if left is None else left - count
