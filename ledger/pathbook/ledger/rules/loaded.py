"""Whether all that a usual transfer needs is loaded, told at a glance."""

from typing import Final

from pathbook.ledger.commands import RecordTransfer
from pathbook.ledger.rules.parts import RequiredState
from pathbook.ledger.rules.state import State

RANGE_RUN_STEPS: Final = 2
"""How many steps a run in the ranges of a request counts. Deciding looks at it more than once."""

FEW_UNITS: Final = 100
"""The runs of so few units, with all ranges of a request taken to be as long, are not counted: each unit counts as a
run of its own. For nearly all requests that is more than there are, and takes a tenth of the time."""


def steps_if_loaded(state: State, required: RequiredState, command: RecordTransfer) -> int:
    """Return the steps of a transfer that needs nothing, as most do, or 0 if it has to be examined.

    It names one short range of a batch without cases, and its sides and all above them were examined before. To see
    this takes a third of the time.
    """
    giver, receiver, units, lines = command.giver, command.receiver, command.units, required.lines
    if giver not in lines or receiver not in lines or giver not in state.keys:
        return 0
    if command.reference or command.reported_by or units.cases or units.quantities or len(units.ranges) != 1:
        return 0
    part = units.ranges[0]
    batch, partition = state.batches.get(part.batch), state.partitions.get(part.batch)
    if batch is None or partition is None or batch.packed:
        return 0
    count = part.last - part.first + 1
    if not (part.first >= 0 and 0 < count <= FEW_UNITS and part.last < batch.commissioned.size):
        return 0
    return 0 if partition.missing(part.first, part.last) else 1 + RANGE_RUN_STEPS * count
