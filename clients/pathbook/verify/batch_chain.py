"""The chain of a batch, which proves that no recall and no correction of it was withheld."""

from collections.abc import Sequence
from typing import Final

import msgspec

from pathbook.ledger import events
from pathbook.ledger.events import BatchCommissioned, RecordedEvent
from pathbook.ledger.values import WRITTEN_OFF, UnitState
from pathbook.verify.corrections import CorrectedBatch, corrected_by
from pathbook.verify.replay import ContradictionError, ReplayedStep
from pathbook.verify.verdicts import Outcome, Policy, Result

LISTED_MAX: Final = 5
"""The most recalls that a finding lists. It counts the others."""


class BatchPast(msgspec.Struct, frozen=True):
    """What all events of a batch's own chain lead to: the batch as corrected, and the recalls that are in force."""

    corrected: CorrectedBatch
    recalls: dict[int, events.UnitsRecalled]

    def recalls_of(self, number: int) -> list[int]:
        """Return the positions of the recalls in force that name a unit."""
        return [
            position
            for position, recall in self.recalls.items()
            if any(part.first <= number <= part.last for part in recall.ranges)
        ]


def past_of(
    made: BatchCommissioned, chain: Sequence[RecordedEvent], steps: Sequence[ReplayedStep]
) -> BatchPast:
    """Replay the chain of a batch, which has all of its events. ``steps`` are those of one of its units.

    Raises:
        ContradictionError: an event is not by the brand, or does not follow from those before.
    """
    corrected, recalls = CorrectedBatch(made), dict[int, events.UnitsRecalled]()
    for item in chain[1:]:
        event, where = item.event, f"position {item.position}"
        if isinstance(event, events.BatchCorrected):
            corrected = corrected_by(item, made, steps)
        elif isinstance(event, events.UnitsRecalled | events.RecallLifted):
            if event.brand != made.brand:
                raise ContradictionError(f"{where}: {event.brand} recalled what {made.brand} made")
            if isinstance(event, events.UnitsRecalled):
                if not event.ranges:
                    raise ContradictionError(f"{where} recalls no units")
                if any(part.batch != made.batch or part.last >= made.size for part in event.ranges):
                    raise ContradictionError(f"{where} recalls units that the batch does not have")
                recalls[item.position] = event
            elif recalls.pop(event.recall, None) is None:
                raise ContradictionError(f"{where} lifts a recall that was not in force")
    return BatchPast(corrected, recalls)


def judge(past: BatchPast, number: int, state: UnitState, policy: Policy) -> Outcome:
    """Tell whether a unit was written off or is recalled. The chain has all recalls of the batch."""
    if state in WRITTEN_OFF:
        return Result.FAILED, f"written off as {state.name.lower()}"
    found = list(map(str, past.recalls_of(number)))
    if not found:
        return Result.OK, "none in force, by all sealed events of the batch"
    more = f" and {len(found) - LISTED_MAX} more" if len(found) > LISTED_MAX else ""
    result = Result.NOTED if policy.allow_recalled else Result.FAILED
    return result, f"recalled at position {', '.join(found[:LISTED_MAX])}{more}"
