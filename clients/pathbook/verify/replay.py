"""Replay of a unit's path from the raw bytes of its events. Each event must follow from the events before.

The replay uses only the unit, the positions and the bytes, whether a server or a proof file has them.
pathbook.verify.claims compares the result with the other claims of a server.
"""

from collections.abc import Iterable, Sequence

import msgspec

from pathbook.ledger import events, runs
from pathbook.ledger.codec import MalformedEventError, NewerEventError, decode
from pathbook.ledger.events import RecordedEvent, RunEvent, TitleEvent
from pathbook.ledger.run import Run
from pathbook.ledger.runs import commissioned
from pathbook.ledger.steps import Movement, attestations, attested, movement, out_of_order, undone
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import Attestation, Unit
from pathbook.v1.paths_pb2 import GetPathResponse
from pathbook.verify.following import problem

MAX_STEPS = 10_000
"""The most steps that are replayed. A unit that changes hands every day has so many after 27 years."""

MAX_LEFT_OUT_BYTES = 128 * 1024 * 1024
"""The most bytes of large events that are read for a path. An event has 64 KB at most, so these are 2,000 at least."""


class ContradictionError(Exception):
    """A path contradicts itself. The message names the contradiction, and the position if there is one."""


class NewerPathError(Exception):
    """A path shows something that this program does not know, because it is newer than this program."""


class LongPathError(Exception):
    """A path has more steps, or larger events, than are replayed. It may hold, so it is no contradiction."""


class ReplayedStep(msgspec.Struct, frozen=True):
    """One event of a unit's past, with the run of the unit before and after it.

    ``before`` is None for the event that made the unit. ``movement`` is what the event did to the unit. The rest
    depends on other events of the path. ``corrected`` marks what a correction undid, and the correction.
    ``attestation`` says who vouches for the step. ``out_of_order`` is the position of an earlier step that claims a
    later time, or 0.
    """

    recorded: RecordedEvent
    movement: Movement
    before: Run | None
    after: Run
    corrected: bool = False
    attestation: Attestation = Attestation.RECORDED
    out_of_order: int = 0

    @property
    def event(self) -> RunEvent:
        """The event, which changes runs."""
        assert isinstance(self.recorded.event, RunEvent), self.recorded
        return self.recorded.event

    @property
    def transfer(self) -> int:
        """The transfer or sale by which title moved onward, or 0 if it did not."""
        hop = self.after.last_hop
        is_new = hop is not None and self.before is not None and hop.position == self.before.position
        return hop.transfer if hop is not None and is_new else 0


class _Past:
    """The steps that were replayed, and what is looked up in them."""

    def __init__(self) -> None:
        self.steps: list[ReplayedStep] = []
        self._events: dict[int, RunEvent] = {}
        self._agreed: dict[int, Terms | None] = {}
        self._attested: set[int] = set()
        self._declared: set[int] = set()

    def add(self, step: ReplayedStep) -> None:
        """Add the next step."""
        self.steps.append(step)
        self._events[step.recorded.position] = event = step.event
        self._agreed[step.transfer] = terms_of(event)
        self._attested |= attested([step.movement])
        if isinstance(event, events.ErrorDeclared):
            self._declared.add(event.position)

    def offered(self, transfer: int) -> Terms | None:
        """Return the terms of an offer of the unit."""
        offer = self._events.get(transfer)
        return offer.terms if isinstance(offer, events.TransferOffered) else None

    def was_in(self, transfer: int, unit: Unit) -> bool:  # noqa: ARG002 - all steps are of one unit
        """Tell whether the unit was among those of an event."""
        return transfer in self._events

    def agreed(self, transfer: int) -> Terms | None:
        """Return the terms on which title of the unit moved."""
        return self._agreed.get(transfer)

    def is_attested(self, transfer: int) -> bool:
        """Tell whether the receiver accepted or reported a transfer of the unit."""
        return transfer in self._attested

    def event(self, position: int) -> RunEvent | None:
        """Return an event of the unit."""
        return self._events.get(position)

    def is_declared(self, position: int) -> bool:
        """Tell whether an event of the unit was declared an error."""
        return position in self._declared


def replay(path: GetPathResponse) -> tuple[ReplayedStep, ...]:
    """Return the steps of a path that a server returned, oldest first, at least one. It must have its corrections.

    Raises:
        ContradictionError: an event is malformed, or does not follow from the events before.
        LongPathError: the path has more than MAX_STEPS steps, or lacks events because of their size.
        NewerPathError: an event is newer than this program, and none before it contradicts.
    """
    if not path.steps:
        raise ContradictionError("the server showed no event of this unit, not even its commissioning")
    if len(path.steps) > MAX_STEPS or path.next_page_token:
        raise LongPathError(f"the path has more than {MAX_STEPS} steps; at most so many are replayed")
    if left_out := left_out_bytes(path):
        raise LongPathError(f"{left_out} bytes of its events were not read; at most {MAX_LEFT_OUT_BYTES} are")
    unit = Unit(path.unit.batch, path.unit.number)
    return replay_events(unit, ((shown.position, shown.event) for shown in path.steps))


def replay_events(unit: Unit, stored: Iterable[tuple[int, bytes]]) -> tuple[ReplayedStep, ...]:
    """Return the steps of a unit's past, of which each event is given by its position and its stored bytes.

    Raises:
        ContradictionError: an event is malformed, or does not follow from the events before.
        NewerPathError: an event is newer than this program, and none before it contradicts.
    """
    past = _Past()
    for position, data in stored:
        past.add(_next(past, position, data, unit))
    return _marked(past.steps)


def left_out_bytes(path: GetPathResponse) -> int:
    """Return how many bytes the events have that a path lacks. They must be read before it can be replayed."""
    return sum(step.left_out_bytes for step in path.steps)


def terms_of(event: RunEvent) -> Terms | None:
    """Return the terms on which an event moved title onward, or None if it moved no title."""
    return event.terms if isinstance(event, TitleEvent) else None


def _marked(steps: Sequence[ReplayedStep]) -> tuple[ReplayedStep, ...]:
    """Return the steps with what is known of each only when all of them were replayed."""
    movements = [step.movement for step in steps]
    corrected = undone(movements, [step.after.custodian for step in steps])
    vouched = attestations(movements, [step.recorded.signed is not None for step in steps])
    disorder = out_of_order(movements, [step.recorded.occurred_at for step in steps], corrected)
    return tuple(
        msgspec.structs.replace(
            step,
            corrected=index in corrected,
            attestation=vouched[index],
            out_of_order=0 if (other := disorder[index]) is None else steps[other].recorded.position,
        )
        for index, step in enumerate(steps)
    )


def _next(past: _Past, position: int, data: bytes, unit: Unit) -> ReplayedStep:
    """Decode the next event, check that it follows from those before, and apply it to the unit's run."""
    where, steps = f"position {position}", past.steps
    if position < 1:
        raise ContradictionError(f"{where} does not exist, because positions begin at 1")
    try:
        recorded = decode(position, data, strict=True)
    except MalformedEventError as error:
        raise ContradictionError(str(error)) from error
    except NewerEventError as error:
        raise NewerPathError(str(error)) from error
    if steps and recorded.position <= steps[-1].recorded.position:
        last = steps[-1].recorded.position
        raise ContradictionError(f"{where} is listed after position {last}, but positions must increase")
    if steps and recorded.recorded_at < steps[-1].recorded.recorded_at:
        raise ContradictionError(f"{where} was recorded earlier than the step before it")
    event = recorded.event
    if not isinstance(event, RunEvent):
        raise ContradictionError(f"{where} does not concern this unit")
    if isinstance(event, events.BatchCommissioned) is bool(steps):
        raise ContradictionError(
            f"{where}: the commissioning of the batch must be the first step, and only that"
        )
    before = steps[-1].after if steps else None
    if isinstance(event, events.BatchCommissioned):
        if event.batch != unit.batch or unit.number >= event.size:
            raise ContradictionError(
                f"{where} made batch {event.batch}, of {event.size} units, without this unit"
            )
        after = commissioned(event, recorded.position, recorded.leaf).runs[0]
    else:
        assert before is not None, where
        if found := problem(event, before, past, unit):
            raise ContradictionError(f"{where}: {found}")
        changed = runs.after(before, recorded, unit)
        if changed is None:
            raise ContradictionError(f"{where} does not concern this unit, or concerns it twice")
        after = changed
    return ReplayedStep(recorded, movement(event, recorded.position, unit), before, after)
