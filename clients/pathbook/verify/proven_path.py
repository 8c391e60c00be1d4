"""A proven path as the message that a server would answer with, so that it is drawn and printed as any other."""

from google.protobuf.timestamp_pb2 import Timestamp

from pathbook.ledger.codec import TERMS
from pathbook.ledger.events import ProductCorrected, ProductRegistered, RecordedEvent, UnitsRecalled
from pathbook.ledger.values import Price
from pathbook.v1 import batches_pb2, corrections_pb2, paths_pb2, values_pb2
from pathbook.verify.proof import ProvenPath
from pathbook.verify.replay import ReplayedStep


def as_message(path: ProvenPath) -> paths_pb2.GetPathResponse:
    """Return the message. It has no notes, and the name of the product only if the proof has the brand's chain."""
    end, unit, past = path.steps[-1].after, path.proof.unit, path.past
    made, correction = past.corrected.right, past.corrected.position
    return paths_pb2.GetPathResponse(
        unit=values_pb2.Unit(batch=unit.batch, number=unit.number),
        product=batches_pb2.Product(gtin=made.product, brand=made.brand, name=_name(path)),
        batch=batches_pb2.Batch(
            batch=made.batch,
            gtin=made.product,
            brand=made.brand,
            lot=made.lot,
            size=made.size,
            made_on=made.made_on.isoformat(),
            expires_on=made.expires_on.isoformat() if made.expires_on else "",
            suggested_price=_price(made.suggested_price),
            position=path.steps[0].recorded.position,
            corrected_position=correction,
            code_key=made.code_key.hex(),
            recalls=[
                _recall(item, unit.number)
                for item in path.proven.batch_events
                if item.position in past.recalls_of(unit.number)
            ],
        ),
        run=paths_pb2.Run(
            owner=end.owner,
            custodian=end.custodian,
            state=values_pb2.UnitState.ValueType(end.state),
            transfer=end.transfer,
            position=end.position,
            head=end.head,
        ),
        steps=[
            _step(step, data)
            for step, (_, data) in zip(
                path.steps, [*path.proof.batch_events[:1], *path.proof.events], strict=True
            )
        ],
        as_of_position=path.proven.sealed.covers,
        batch_correction=next(
            (
                corrections_pb2.Correction(position=position, event=data)
                for position, data in path.proof.batch_events
                if position == correction
            ),
            None,
        ),
    )


def _name(path: ProvenPath) -> str:
    """Return the name of the product, as its brand last gave it."""
    made, name = path.proven.made, ""
    for item in path.proven.parties.get(made.brand, ()):
        event = item.event
        if isinstance(event, ProductRegistered | ProductCorrected) and event.product == made.product:
            name = event.name
    return name


def _recall(recorded: RecordedEvent, number: int) -> batches_pb2.Recall:
    event = recorded.event
    assert isinstance(event, UnitsRecalled), event
    part = next(part for part in event.ranges if part.first <= number <= part.last)
    return batches_pb2.Recall(
        position=recorded.position,
        ranges=[values_pb2.UnitRange(batch=part.batch, first=part.first, last=part.last)],
        occurred_at=_timestamp(recorded.occurred_at),
    )


def _step(step: ReplayedStep, data: bytes) -> paths_pb2.PathStep:
    recorded, moved = step.recorded, step.movement
    message = paths_pb2.PathStep(
        position=recorded.position,
        kind=paths_pb2.PathStepKind.ValueType(moved.kind),
        corrected=step.corrected,
        occurred_at=_timestamp(recorded.occurred_at),
        recorded_at=_timestamp(recorded.recorded_at),
        giver=moved.giver,
        receiver=moved.receiver,
        price_paid=None if moved.price_paid is None else _price(moved.price_paid),
        state=values_pb2.UnitState.ValueType(step.after.state),
        attestation=values_pb2.Attestation.ValueType(step.attestation),
        event=data,
        head=step.after.head,
        owner=step.after.owner,
        custodian=step.after.custodian,
        out_of_order_position=step.out_of_order,
        declared_position=moved.declared,
    )
    if moved.terms is not None:
        TERMS.write(message.terms, moved.terms)
    return message


def _price(found: Price) -> values_pb2.Price:
    return values_pb2.Price(
        amount_minor=found.amount_minor, currency_code=found.currency_code, per_units=found.per_units
    )


def _timestamp(microseconds: int) -> Timestamp:
    seconds, rest = divmod(microseconds, 1_000_000)
    return Timestamp(seconds=seconds, nanos=rest * 1_000)
