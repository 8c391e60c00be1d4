"""Rows of runs: the current partition of each batch, and permanently the runs that events made.

A row is a run in force at the positions ``valid_from`` <= position < ``valid_to``. A run that an event made keeps its
row after a later event ends it, because a path is a walk along these rows. A run that is only the remainder of a cut
is removed when it ends. How long it lasted depends on its neighbours, not on its own past.
"""

from collections.abc import Iterable
from typing import TypeAlias

from pathbook.ledger.run import Change, Run

RunKey: TypeAlias = tuple[int, int, int]
"""Batch, first unit and ``valid_from``, which identify the row of a run within its book."""


class RunChanges:
    """The rows of runs that a sequence of events makes, ends and removes.

    A remainder that one event of the sequence leaves and another ends has no row.
    """

    def __init__(self) -> None:
        self.made: dict[RunKey, Run] = {}
        self.ended: dict[RunKey, int] = {}
        self.removed: list[RunKey] = []

    def add(self, changes: Iterable[Change], position: int) -> None:
        """Add the changes of the event at a position."""
        made = self.made
        for change in changes:
            batch, before = change.batch, change.before
            if before is not None:
                key = batch, before.first, before.valid_from
                if before.valid_from == before.position:
                    assert before.valid_from < position, (key, position)  # an event names each unit once
                    self.ended[key] = position
                elif made.pop(key, None) is None:
                    self.removed.append(key)
            made[batch, change.changed.first, position] = change.changed
            for left in change.remainders:
                made[batch, left.first, position] = left
