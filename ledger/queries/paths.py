"""The path of a unit: every hand it passed through, what each paid, who holds it, now or as of a position."""

from ledger.codec import decode
from ledger.events import RecordedEvent
from ledger.queries.answers import Path, Step, StepKind, UnitRun
from ledger.queries.registers import batch_of, product_of, recalls
from ledger.queries.steps import Movement, movement
from ledger.refusals import Reason, Refusal, refuse
from ledger.store.moment import Moment
from ledger.store.paths import PastRow
from ledger.store.stream import MAX_PICKED, StoredEntry, Stream
from ledger.values import WRITTEN_OFF, Unit, UnitRange, UnitState


def path(views: Moment, stream: Stream, unit: Unit, as_of: int, *, corrections: bool) -> Path | Refusal:
    """Return the path of a unit as of a position, 0 for where the views stand.

    Left out, unless corrections are asked for: offers that were answered, withdrawn or lapsed; what that did to
    units not accepted; transfers reversed by then, with all up to their reversals.
    """
    goods = views.goods(unit.batch)
    if goods is None or 0 < as_of < goods.batch.position:
        return refuse(Reason.BATCH_UNKNOWN, batch=unit.batch)
    if not 0 <= unit.number < goods.batch.size:
        named = UnitRange(unit.batch, unit.number, unit.number)
        return refuse(Reason.RANGE_BEYOND_BATCH, range=named, last=goods.batch.size - 1)
    as_of = min(as_of or views.position, views.position)
    known = [row for row in views.walk(unit.batch, unit.number) if row.position <= as_of]
    steps = _steps(stream, views.book, unit, known[::-1])
    return Path(
        unit,
        product_of(goods.product),
        batch_of(goods.batch, recalls(views, unit.batch) if goods.recalled else ()),
        _run(views, unit, known[0], as_of, packed=goods.packed and as_of == views.position),
        tuple(steps if corrections else _resolved(steps)),
        as_of,
    )


def _steps(stream: Stream, book: str, unit: Unit, rows: list[PastRow]) -> list[Step]:
    """Return a step for each run that an event of the unit's past made, oldest first."""
    positions = [row.position for row in rows]
    entries = [
        entry
        for begin in range(0, len(positions), MAX_PICKED)
        for entry in stream.at(book, positions[begin : begin + MAX_PICKED])
    ]
    events = [decode(entry.position, entry.data) for entry in entries]
    movements = [movement(recorded.event, recorded.position, unit) for recorded in events]
    undone = _undone(movements)
    return [
        _step(row, entry, recorded, item, corrected=index in undone)
        for index, (row, entry, recorded, item) in enumerate(
            zip(rows, entries, events, movements, strict=True)
        )
    ]


def _undone(movements: list[Movement]) -> set[int]:
    """Return which steps a reversal made as if they had never been: its transfer, itself, and all between.

    What lies between had come to nothing before, a sale and its return for example, and was built on that transfer.
    """
    began = {
        item.transfer: index for index, item in enumerate(movements) if item.kind is StepKind.TRANSFERRED
    }
    ended = [
        (began[item.transfer], index)
        for index, item in enumerate(movements)
        if item.kind is StepKind.REVERSED
    ]
    return {index for begin, end in ended for index in range(begin, end + 1)}


def _step(
    row: PastRow, entry: StoredEntry, recorded: RecordedEvent, item: Movement, *, corrected: bool
) -> Step:
    return Step(
        row.position,
        item.kind,
        corrected,
        recorded.occurred_at,
        recorded.recorded_at,
        item.giver.name,
        item.receiver.name,
        item.giver.tier,
        item.receiver.tier,
        item.giver.standing,
        item.receiver.standing,
        item.unit_price,
        item.delivery,
        UnitState(row.state),
        entry.data,
        row.head,
    )


def _resolved(steps: list[Step]) -> list[Step]:
    """Leave out what came to nothing. An offer that is not the last step was answered by the next."""
    return [
        step
        for step in steps
        if not step.corrected
        and step.kind is not StepKind.RELEASED
        and (step.kind is not StepKind.OFFERED or step is steps[-1])
    ]


def _run(views: Moment, unit: Unit, row: PastRow, as_of: int, *, packed: bool) -> UnitRun:
    """Return the run in force at a position. What was packed in cases is known of the present only."""
    first, last = row.first, row.last
    if row.valid_to is not None or as_of < row.valid_from:
        first, last = views.extent(unit.batch, unit.number, row, as_of)
    state = UnitState(row.state)
    packed = packed and state not in WRITTEN_OFF
    return UnitRun(
        UnitRange(unit.batch, first, last),
        row.owner,
        row.custodian,
        state,
        row.transfer,
        row.position,
        row.head,
        views.outermost_case(unit.batch, unit.number) if packed else "",
    )
