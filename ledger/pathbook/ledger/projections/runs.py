"""Rows of runs: the present partition of each batch, and for ever the runs that events made.

A row is a run from position ``valid_from`` until, but not at, ``valid_to``. A run that an event made keeps its row
when a later event ends it, for a path is a walk along those. A run that is only what a cut left is removed when
it ends: how long it lasted depends on its neighbours, never on its own past.
"""

from collections.abc import Iterable
from typing import TypeAlias

from pathbook.ledger.runs import Change, Run

RunKey: TypeAlias = tuple[int, int, int]
"""Batch, first unit and ``valid_from``: what tells a row of a run from every other of its book."""


class RunChanges:
    """The rows of runs that a sequence of events makes, ends and removes, whatever came and went in between."""

    def __init__(self) -> None:
        self.made: dict[RunKey, Run] = {}
        self.ended: dict[RunKey, int] = {}
        self.removed: list[RunKey] = []

    def add(self, changes: Iterable[Change], position: int) -> None:
        """Take in what the event at a position changed."""
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
