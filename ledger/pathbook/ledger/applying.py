"""What it takes to apply an event to runs: the steps that it counts, and the hops that it undoes."""

from typing import Final

from pathbook.ledger import events
from pathbook.ledger.events import Event
from pathbook.ledger.hops import NOT_LOADED, Hop
from pathbook.ledger.moves import changed_ranges
from pathbook.ledger.runs import Partition

APPLIED_RUN_STEPS: Final = 5
"""How many steps it counts to change a run: a hash, and a new run. To look at a run is one step."""

UNDOING: Final[frozenset[type[Event]]] = frozenset({events.TransferReversed, events.UnitsReturned})
"""The kinds of events that undo hops."""


def steps_to_apply(partitions: dict[int, Partition], event: Event) -> int:
    """Return the steps that applying an event will take: for the runs that it changes."""
    count = 0
    for part in changed_ranges(event):
        if (loaded := partitions.get(part.batch)) is not None:
            count += loaded.count(part.first, part.last)
    return APPLIED_RUN_STEPS * count


def hops_to_load(partitions: dict[int, Partition], event: Event) -> list[tuple[int, Hop]]:
    """Return the hops that an event undoes and before which no hop is loaded yet, each with its batch.

    The caller loads the hops before them. Then the event can be applied.
    """
    if type(event) not in UNDOING:
        return []
    return [
        (part.batch, hop)
        for part in changed_ranges(event)
        if part.batch in partitions
        for run in partitions[part.batch].overlapping(part.first, part.last)
        if (hop := run.last_hop) is not None and hop.earlier is NOT_LOADED
    ]
