"""A batch as its last correction left it. The correction is an event, which is compared with the events of the path."""

from collections.abc import Sequence

import msgspec

from pathbook.ledger.codec import MalformedEventError, decode
from pathbook.ledger.events import BatchCommissioned, BatchCorrected, RecordedEvent
from pathbook.ledger.money import print_price
from pathbook.v1.paths_pb2 import GetPathResponse
from pathbook.verify.replay import ContradictionError, ReplayedStep


class CorrectedBatch(msgspec.Struct, frozen=True):
    """What is right of a batch, the position of its last correction, or 0, and what its commissioning said instead."""

    right: BatchCommissioned
    position: int = 0
    before: tuple[str, ...] = ()


def corrected_batch(
    path: GetPathResponse, made: BatchCommissioned, steps: Sequence[ReplayedStep]
) -> CorrectedBatch:
    """Return the batch that an event made, with the correction that the path shows, if it shows one.

    Raises:
        ContradictionError: the correction is malformed, is not of this batch or not by its brand, or does not fit in
            between the events of the path.
    """
    if not path.HasField("batch_correction"):
        return CorrectedBatch(made)
    position = path.batch_correction.position
    try:
        recorded = decode(position, path.batch_correction.event)
    except MalformedEventError as error:
        raise ContradictionError(str(error)) from error
    return corrected_by(recorded, made, steps)


def corrected_by(
    recorded: RecordedEvent, made: BatchCommissioned, steps: Sequence[ReplayedStep]
) -> CorrectedBatch:
    """Return the batch that an event made, as another event corrected it. Raises ContradictionError as above."""
    event, position = recorded.event, recorded.position
    if not isinstance(event, BatchCorrected) or event.batch != made.batch:
        raise ContradictionError(f"the event at position {position} does not correct batch {made.batch}")
    if event.brand != made.brand:
        raise ContradictionError(
            f"{event.brand} corrected the batch at position {position}, but {made.brand} made it"
        )
    if position <= steps[0].recorded.position:
        raise ContradictionError(f"the batch was corrected at position {position}, before it was made")
    _check_order(recorded, steps)
    right = msgspec.structs.replace(
        made, made_on=event.made_on, expires_on=event.expires_on, suggested_price=event.suggested_price
    )
    return CorrectedBatch(right, position, tuple(_before(made, right)))


def _check_order(correction: RecordedEvent, steps: Sequence[ReplayedStep]) -> None:
    """Check that the events of the path and the correction have one order, by their positions and their times."""
    for step in steps:
        other = step.recorded
        earlier, later = sorted((correction, other), key=lambda each: each.position)
        if earlier.position == later.position or earlier.recorded_at > later.recorded_at:
            raise ContradictionError(
                f"the batch cannot have been corrected at position {correction.position} at the recorded time,"
                f" because of the event at position {other.position}"
            )


def _before(made: BatchCommissioned, right: BatchCommissioned) -> list[str]:
    found = []
    if made.made_on != right.made_on:
        found.append(f"made {made.made_on}")
    if made.expires_on != right.expires_on:
        found.append(f"expires {made.expires_on or 'never'}")
    if made.suggested_price != right.suggested_price:
        found.append(f"suggested price {print_price(made.suggested_price)}")
    return found
