"""The path of a unit: every hand it passed through, what each paid, who holds it, now or as of a position."""

from functools import lru_cache

from pathbook.ledger.codec import decode
from pathbook.ledger.events import RecordedEvent, RunEvent
from pathbook.ledger.projections.registers import RecallRow
from pathbook.ledger.queries.answers import Batch, Path, UnitRun
from pathbook.ledger.queries.registers import recalls
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.steps import Movement, Step, StepKind, movement, undone
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.snapshot import ViewSnapshot
from pathbook.ledger.store.views.unit_history import Made, Past
from pathbook.ledger.values import WRITTEN_OFF, Unit, UnitRange, UnitState

MAX_KEPT = 8_192
"""How many events are kept decoded, some 10 MB: one that moved a pallet is in the path of every unit on it."""

MAX_KEPT_BYTES = 512
"""The longest event that is kept: an event of many ranges takes far more decoded than as bytes."""

_STATES = {state.value: state for state in UnitState}


def path(views: ViewSnapshot, stream: Stream, unit: Unit, as_of: int, *, corrections: bool) -> Path | Refusal:
    """Return the path of a unit as of a position, 0 for where the views stand.

    Left out, unless corrections are asked for: offers that were answered, withdrawn or lapsed; what that did to
    units not accepted; transfers reversed by then, with all up to their reversals.
    """
    batch = views.batch(unit.batch)
    if batch is None or 0 < as_of < batch.position:
        return refuse(Reason.BATCH_UNKNOWN, batch=unit.batch)
    if not 0 <= unit.number < batch.size:
        named = UnitRange(unit.batch, unit.number, unit.number)
        return refuse(Reason.RANGE_BEYOND_BATCH, range=named, last=batch.size - 1)
    past = views.past(unit.batch, unit.number)
    assert past is not None, unit
    if 0 < as_of < past.position:
        past = _as_of(views, past, unit, as_of)
    return told(stream, views.book, unit, past, recalls(views, unit.batch), corrections=corrections)


def says_all(past: Past, unit: Unit, as_of: int) -> bool:
    """Tell whether a unit's past, found in one statement, says all there is to its path, as it nearly always does."""
    return not (past.recalled or 0 < as_of < past.position or unit.number >= past.batch.size)


def _as_of(views: ViewSnapshot, past: Past, unit: Unit, as_of: int) -> Past:
    """Return what the views knew at a position. What was packed in cases is known of the present only."""
    made = [run for run in past.made if run.position <= as_of]
    held = views.held(unit.batch, unit.number, made[-1], as_of)
    return past._replace(position=as_of, sscc="", held=held, made=made)


def told(
    stream: Stream, book: str, unit: Unit, past: Past, recalled: tuple[RecallRow, ...], *, corrections: bool
) -> Path:
    """Return the path of a unit from its past and the recalls of its batch."""
    steps = _steps(stream, book, unit, past.made)
    return Path(
        unit,
        past.product,
        Batch(past.batch, recalled),
        _run(unit, past),
        tuple(steps if corrections else _resolved(steps)),
        past.position,
    )


def _steps(stream: Stream, book: str, unit: Unit, rows: list[Made]) -> list[Step]:
    """Return a step for each run that an event of the unit's past made, oldest first."""
    data = stream.data_at(book, [row.position for row in rows])
    events = [
        _kept(row.position, event) if len(event) <= MAX_KEPT_BYTES else decode(row.position, event)
        for row, event in zip(rows, data, strict=True)
    ]
    movements = [_movement(recorded, unit) for recorded in events]
    corrected = undone(movements)
    return [
        Step(
            position=row.position,
            movement=item,
            corrected=index in corrected,
            occurred_at=recorded.occurred_at,
            recorded_at=recorded.recorded_at,
            state=_STATES[row.state],
            data=event,
            head=row.head,
        )
        for index, (row, event, recorded, item) in enumerate(zip(rows, data, events, movements, strict=True))
    ]


def _movement(recorded: RecordedEvent, unit: Unit) -> Movement:
    event = recorded.event
    assert isinstance(event, RunEvent), event  # a unit's past is what changed its run
    return movement(event, recorded.position, unit)


@lru_cache(MAX_KEPT)
def _kept(position: int, data: bytes) -> RecordedEvent:
    """Decode, or find what the same bytes were decoded to before."""
    return decode(position, data)


def _resolved(steps: list[Step]) -> list[Step]:
    """Leave out what came to nothing. An offer that is not the last step was answered by the next."""
    return [
        step
        for step in steps
        if not step.corrected
        and step.movement.kind is not StepKind.RELEASED
        and (step.movement.kind is not StepKind.OFFERED or step is steps[-1])
    ]


def _run(unit: Unit, past: Past) -> UnitRun:
    held, last = past.held, past.made[-1]
    state = _STATES[last.state]
    return UnitRun(
        range=UnitRange(unit.batch, held.first, held.last),
        owner=held.owner,
        custodian=held.custodian,
        state=state,
        transfer=held.transfer,
        position=last.position,
        head=last.head,
        sscc="" if state in WRITTEN_OFF else past.sscc,
    )
