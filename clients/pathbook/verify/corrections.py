"""The last correction of a batch, which the server shows beside a path: an event, compared with the path's events."""

from collections.abc import Sequence

from pathbook.ledger.codec import MalformedEventError, decode
from pathbook.ledger.events import BatchCommissioned, BatchCorrected, RecordedEvent
from pathbook.v1.paths_pb2 import GetPathResponse
from pathbook.verify.replay import ContradictionError, ReplayedStep


def batch_correction(
    path: GetPathResponse, made: BatchCommissioned, steps: Sequence[ReplayedStep]
) -> tuple[int, BatchCorrected] | None:
    """Return the position and the event of the correction that a path shows, or None if it shows none.

    Raises:
        ContradictionError: the event is malformed, is no correction of this batch by its brand, or does not fit in
            between the events of the path.
    """
    if not path.HasField("batch_correction"):
        return None
    position = path.batch_correction.position
    try:
        recorded = decode(position, path.batch_correction.event)
    except MalformedEventError as error:
        raise ContradictionError(str(error)) from error
    event = recorded.event
    if not isinstance(event, BatchCorrected) or event.batch != made.batch:
        raise ContradictionError(f"the event at position {position} does not correct batch {made.batch}")
    if event.brand != made.brand:
        raise ContradictionError(
            f"{event.brand} corrected the batch at position {position}, but {made.brand} made it"
        )
    if position <= steps[0].recorded.position:
        raise ContradictionError(f"the batch was corrected at position {position}, before it was made")
    _check_order(recorded, steps)
    return position, event


def _check_order(correction: RecordedEvent, steps: Sequence[ReplayedStep]) -> None:
    """Check that the events of the path and the correction have one order, by their positions and their times."""
    for step in steps:
        other = step.recorded
        earlier, later = sorted((correction, other), key=lambda each: each.position)
        if earlier.position == later.position or earlier.recorded_at > later.recorded_at:
            raise ContradictionError(
                f"the correction of the batch at position {correction.position} does not fit to the event at"
                f" position {other.position}"
            )
