"""The path of a unit, now or as of a position: who had it in order, what each paid, and who has it."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

import msgspec

from pathbook.ledger.codec import MalformedEventError, NewerEventError, decode
from pathbook.ledger.events import RecordedEvent, RunEvent
from pathbook.ledger.queries.answers import Batch, Correction, Path, Recall, UnitRun
from pathbook.ledger.queries.filling import recalls_of_unit
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.run import EMPTY_HEAD, next_head
from pathbook.ledger.steps import (
    Movement,
    Step,
    StepKind,
    attestations,
    movement,
    out_of_order,
    undone,
)
from pathbook.ledger.store.database.damage import DatabaseDamagedError
from pathbook.ledger.store.log.damage import OTHER_HEAD, EventDamagedError
from pathbook.ledger.store.log.event_hashes import read_event
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.snapshot import ViewSnapshot
from pathbook.ledger.store.views.unit_history import PackedRanges, PastRun, UnitHistory
from pathbook.ledger.values import WRITTEN_OFF, Unit, UnitRange, UnitState

SHOWN_EVENT_MAX_BYTES: Final = 4_096
"""The most bytes of an event that a path has. Nearly all of a longer one are about other units: it has 64 KB at most,
and 50 of them do not fit a message. A caller that needs it asks for whole events."""

EVENTS_AT_ONCE: Final = 32
"""How many events of a path are in memory at once: in 2 MB at most, and decoded in some 20. Nearly no path has more."""

CACHED_EVENTS_MAX = 8_192
"""How many decoded events are cached, in some 10 MB. An event that moved a pallet is in the path of each of
its units."""

CACHED_EVENT_MAX_BYTES = 512
"""The longest event that is cached. An event with many ranges takes far more memory decoded than as bytes."""

NO_RECALLS: Final[tuple[tuple[Recall, ...], bool]] = ((), False)
"""The recalls of a batch that has none."""

_NOT_TOLD = PackedRanges(None, None, None)
"""Cuts no run. It is used where the answer names no case."""

_STATES = {state.value: state for state in UnitState}


def path(views: ViewSnapshot, stream: Stream, unit: Unit, as_of: int, *, corrections: bool) -> Path | Refusal:
    """Return the path of a unit as of a position. 0 means the position of the views.

    Unless the caller asks for corrections, steps without effect are left out. These are offers that were
    answered, withdrawn or lapsed, and their effect on units that were not accepted. They are also transfers that
    were reversed by then, with all steps up to their reversals except deliveries that still hold, errors that were
    declared, and reports of receivers.
    """
    batch = views.batch(unit.batch)
    if batch is None or 0 < as_of < batch.position:
        return refuse(Reason.BATCH_UNKNOWN, batch=unit.batch)
    if not 0 <= unit.number < batch.size:
        named = UnitRange(unit.batch, unit.number, unit.number)
        return refuse(Reason.RANGE_BEYOND_BATCH, range=named, last=batch.size - 1)
    history = views.history(unit.batch, unit.number)
    assert history is not None, unit
    if 0 < as_of < history.position:
        history = _as_of(views, history, unit, as_of)
    recalled = recalls_of_unit(views, stream, unit) if history.is_recalled else NO_RECALLS
    return build_path(stream, views.book, unit, history, recalled, corrections=corrections)


def is_complete(history: UnitHistory, unit: Unit, as_of: int) -> bool:
    """Tell whether a history that was read by one statement is all that a path needs. It nearly always is."""
    return not (history.is_recalled or 0 < as_of < history.position or unit.number >= history.batch.size)


def _as_of(views: ViewSnapshot, history: UnitHistory, unit: Unit, as_of: int) -> UnitHistory:
    """Return the history as the views knew it at a position. Which case held the unit is known for the present only."""
    runs = [run for run in history.runs if run.position <= as_of]
    extent = views.run_extent(unit.batch, unit.number, runs[-1], as_of)
    return history._replace(position=as_of, sscc="", packed=_NOT_TOLD, extent=extent, runs=runs, events=None)


def build_path(
    stream: Stream,
    book: str,
    unit: Unit,
    history: UnitHistory,
    recalled: tuple[tuple[Recall, ...], bool],
    *,
    corrections: bool,
) -> Path:
    """Build the path of a unit from its history, and from the recalls that name it. There may be others."""
    corrected = history.batch.corrected_position
    correction = None
    if corrected:
        (entry,) = stream.at(book, [corrected])
        correction = Correction(corrected, entry.data, None)
    steps = _steps(stream, book, unit, history)
    return Path(
        unit,
        history.product,
        Batch(history.batch, *recalled),
        _run(unit, history),
        tuple(steps if corrections else _in_force(steps)),
        history.position,
        correction,
    )


def with_events(stream: Stream, book: str, steps: Iterable[Step]) -> Iterator[Step]:
    """Yield steps of a path with the events that were left out of it. Each is read when its step is asked for."""
    for step in steps:
        if step.left_out_bytes:
            (entry,) = stream.at(book, [step.position])
            yield msgspec.structs.replace(step, data=entry.data, left_out_bytes=0)
        else:
            yield step


class _Happened(msgspec.Struct, frozen=True, gc=False):
    """What a path needs of an event of its unit. Its other units are not in it, however many they are."""

    movement: Movement
    occurred_at: int
    recorded_at: int
    has_note: bool
    is_signed: bool
    data: bytes
    left_out_bytes: int


def _steps(stream: Stream, book: str, unit: Unit, history: UnitHistory) -> list[Step]:
    """Return a step for each run that an event of the unit's history made, oldest first."""
    rows = history.runs
    events = list(_events(stream, book, unit, history))
    movements = [event.movement for event in events]
    corrected = undone(movements, [row.custodian for row in rows])
    vouched = attestations(movements, [event.is_signed for event in events])
    disorder = out_of_order(movements, [event.occurred_at for event in events], corrected)
    # nearly no path has a note, and then nothing is read for it
    noted = [row.position for row, event in zip(rows, events, strict=True) if event.has_note]
    notes = stream.notes_at(book, noted)
    return [
        Step(
            position=row.position,
            movement=event.movement,
            corrected=index in corrected,
            attestation=vouched[index],
            occurred_at=event.occurred_at,
            recorded_at=event.recorded_at,
            out_of_order=0 if (other := disorder[index]) is None else rows[other].position,
            state=_STATES[row.state],
            owner=row.owner,
            custodian=row.custodian,
            data=event.data,
            head=row.head,
            note=notes.get(row.position),
            left_out_bytes=event.left_out_bytes,
        )
        for index, (row, event) in enumerate(zip(rows, events, strict=True))
    ]


def _events(stream: Stream, book: str, unit: Unit, history: UnitHistory) -> Iterator[_Happened]:
    """Yield what a path needs of each event of a unit's history. Unless they were read with it, a few are at a time."""
    head = EMPTY_HEAD
    for start in range(0, len(history.runs), EVENTS_AT_ONCE):
        some = history.runs[start : start + EVENTS_AT_ONCE]
        if history.events is None:
            data = stream.unchecked_data_at(book, [row.position for row in some])
        else:
            data = history.events[start : start + EVENTS_AT_ONCE]
        for event, recorded in zip(data, _whole_events(stream, book, head, some, data), strict=True):
            is_long = len(event) > SHOWN_EVENT_MAX_BYTES
            yield _Happened(
                _movement(recorded, unit),
                recorded.occurred_at,
                recorded.recorded_at,
                bool(recorded.note_commitment),
                recorded.signed is not None,
                b"" if is_long else event,
                len(event) if is_long else 0,
            )
        head = some[-1].head


def _whole_events(
    stream: Stream, book: str, head: bytes, rows: list[PastRun], data: list[bytes]
) -> list[RecordedEvent]:
    """Return events that were compared with the heads of the runs that they made, after a head.

    This takes no further read.

    Raises:
        pathbook.ledger.store.log.damage.EventDamagedError: an event is not the one that the head was made of.
        pathbook.ledger.store.database.damage.DatabaseDamagedError: the event is whole, and the head in the views is
            not.
    """
    try:
        events = [
            _decode_cached(row.position, event)
            if len(event) <= CACHED_EVENT_MAX_BYTES
            else decode(row.position, event)
            for row, event in zip(rows, data, strict=True)
        ]
    except (MalformedEventError, NewerEventError, TypeError):
        for entry in stream.at(book, [row.position for row in rows]):
            read_event(book, entry)  # it names the event that is damaged
        raise
    for row, recorded in zip(rows, events, strict=True):
        head = next_head(head, recorded.leaf, row.position)
        if head != row.head:
            (entry,) = stream.at(book, [row.position])
            if not entry.is_kept:
                raise EventDamagedError(book, row.position, OTHER_HEAD)
            cause = f"its head at position {row.position} of book '{book}' is not that of the event"
            raise DatabaseDamagedError(is_log=False, name="The table of runs in the views", cause=cause)
    return events


def _movement(recorded: RecordedEvent, unit: Unit) -> Movement:
    event = recorded.event
    assert isinstance(event, RunEvent), event  # a unit's history holds only events that changed its run
    return movement(event, recorded.position, unit)


@lru_cache(CACHED_EVENTS_MAX)
def _decode_cached(position: int, data: bytes) -> RecordedEvent:
    """Decode an event. The result for the same bytes is cached."""
    return decode(position, data)


def _in_force(steps: list[Step]) -> list[Step]:
    """Leave out steps without effect.

    An offer that is not the last step was answered by the next step. The report of a receiver answers nothing.
    """
    last = next(step for step in reversed(steps) if step.movement.kind is not StepKind.ATTESTED)
    return [
        step
        for step in steps
        if not step.corrected
        and step.movement.kind not in (StepKind.RELEASED, StepKind.ATTESTED)
        and (step.movement.kind is not StepKind.OFFERED or step is last)
    ]


def _run(unit: Unit, history: UnitHistory) -> UnitRun:
    """Return the run of a unit. All of its units have the same past, and are in the same case or in none.

    A written-off unit is in no case, even if it lay in one.
    """
    extent, last = history.extent, history.runs[-1]
    state = _STATES[last.state]
    is_written_off = state in WRITTEN_OFF
    first, end = _in_the_same_case(unit.number, _NOT_TOLD if is_written_off else history.packed)
    return UnitRun(
        range=UnitRange(
            unit.batch, max(extent.first, first), extent.last if end is None else min(extent.last, end)
        ),
        owner=last.owner,
        custodian=last.custodian,
        state=state,
        transfer=extent.transfer,
        position=last.position,
        head=last.head,
        sscc="" if is_written_off else history.sscc,
    )


def _in_the_same_case(number: int, packed: PackedRanges) -> tuple[int, int | None]:
    """Return the first and the last unit (None: no bound) that are in the same packed range as a unit, or in none."""
    first, last, next_first = packed
    if first is None or last is None:
        return 0, None if next_first is None else next_first - 1
    if number <= last:
        return first, last
    return last + 1, None if next_first is None else next_first - 1
