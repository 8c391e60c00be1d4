"""What a server shows of a path, held against the events that it shows with it.

Together with the replay this says: the path is what its events say, and their hashes lead to the head that the
server names. It cannot say that no later event was withheld, or that the events were not made up; signatures
and proofs are for that.
"""

from collections.abc import Sequence
from typing import NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp

from pathbook.ledger import events
from pathbook.ledger.events import Terms
from pathbook.ledger.values import AuthorizationStatus, Delivery, Money
from pathbook.v1 import paths_pb2, values_pb2
from pathbook.v1.paths_pb2 import GetPathResponse, PathStep, PathStepKind
from pathbook.verify.replay import ContradictionError, Step, undone

BRAND_TIER = 0
"""The tier of a brand, which nobody gives it."""


class Side(NamedTuple):
    """Who gives or receives, "" for nobody; tier and standing where the event says them."""

    name: str = ""
    tier: int | None = None
    standing: AuthorizationStatus | None = None


NOBODY = Side()


class Reading(NamedTuple):
    """What a server has to show of one event of a unit's past."""

    kind: PathStepKind.ValueType
    giver: Side = NOBODY
    receiver: Side = NOBODY
    unit_price: Money | None = None
    delivery: Delivery | None = None


def check_claims(path: GetPathResponse, steps: Sequence[Step]) -> None:
    """Compare all that a path says with what its events were replayed to.

    Raises:
        ContradictionError: the server says something else than its events.
    """
    came_to_nothing = undone(steps)
    for index, (said, step) in enumerate(zip(path.steps, steps, strict=True)):
        _hold_step(said, step)
        if said.corrected is not (index in came_to_nothing):
            raise ContradictionError(
                f"position {said.position}: the server hides a step that stands, or shows one undone"
            )
    _hold_end(path, steps)


def read(step: Step) -> Reading:
    """Return what the event of a step was to the unit."""
    match step.event:
        case events.BatchCommissioned(brand=brand):
            return Reading(paths_pb2.PATH_STEP_KIND_COMMISSIONED, receiver=Side(brand, BRAND_TIER))
        case events.TransferOffered(terms):
            return _onward(paths_pb2.PATH_STEP_KIND_OFFERED, terms)
        case events.TransferAccepted(terms=terms) if not step.transfer:  # the unit is among the discrepancies
            return Reading(paths_pb2.PATH_STEP_KIND_RELEASED, Side(terms.giver), Side(terms.receiver))
        case events.TransferRecorded(terms) | events.TransferAccepted(terms=terms):
            return _onward(paths_pb2.PATH_STEP_KIND_TRANSFERRED, terms)
        case events.UnitsSold(terms):
            return _onward(paths_pb2.PATH_STEP_KIND_SOLD, terms)
        case events.TransferReversed(terms=terms):
            return _back(paths_pb2.PATH_STEP_KIND_REVERSED, terms)
        case events.UnitsReturned(lines=lines):
            came_by = step.before.chain[-1] if step.before is not None and step.before.chain else 0
            terms = next(line.terms for line in lines if line.transfer == came_by)
            return _back(paths_pb2.PATH_STEP_KIND_RETURNED, terms)
        case (
            events.TransferDeclined(giver=giver, receiver=receiver)
            | events.TransferWithdrawn(giver=giver, receiver=receiver)
            | events.TransferLapsed(giver=giver, receiver=receiver)
        ):
            return Reading(paths_pb2.PATH_STEP_KIND_RELEASED, Side(giver), Side(receiver))
        case events.UnitsDelivered(custodian, receiver):
            return Reading(paths_pb2.PATH_STEP_KIND_DELIVERED, Side(custodian), Side(receiver))
        case events.PurchaseConfirmed(consumer, price_paid=paid):
            return Reading(paths_pb2.PATH_STEP_KIND_CONFIRMED, receiver=Side(consumer), unit_price=paid)
        case events.UnitsWrittenOff(party):
            return Reading(paths_pb2.PATH_STEP_KIND_WRITTEN_OFF, Side(party))
        case _:
            raise AssertionError(step.event)  # the replay lets only events pass that change a run


def _onward(kind: PathStepKind.ValueType, terms: Terms) -> Reading:
    return Reading(kind, _giver(terms), _receiver(terms), terms.unit_price, terms.delivery)


def _back(kind: PathStepKind.ValueType, terms: Terms) -> Reading:
    return Reading(kind, _receiver(terms), _giver(terms), terms.unit_price, terms.delivery)


def _giver(terms: Terms) -> Side:
    return Side(terms.giver, terms.giver_tier, terms.giver_authorization)


def _receiver(terms: Terms) -> Side:
    return Side(terms.receiver, terms.receiver_tier, terms.receiver_authorization)


def _hold_step(said: PathStep, step: Step) -> None:
    """Compare what the server says of a step with what the bytes of its event say."""
    recorded, reading, price = step.recorded, read(step), said.unit_price
    paid = reading.unit_price
    giver_tier = said.giver_tier if said.HasField("giver_tier") else None
    receiver_tier = said.receiver_tier if said.HasField("receiver_tier") else None
    for name, shown, held in (
        ("head", said.head, step.after.head),
        ("recording time", _nanoseconds(said.recorded_at), recorded.recorded_at * 1_000),
        ("time", _nanoseconds(said.occurred_at), recorded.occurred_at * 1_000),
        ("kind of step", int(said.kind), int(reading.kind)),
        ("giver", said.giver, reading.giver.name),
        ("receiver", said.receiver, reading.receiver.name),
        (
            "price",
            (price.amount_minor, price.currency_code),
            (paid.amount_minor, paid.currency_code) if paid else (0, ""),
        ),
        ("tier of the giver", giver_tier, reading.giver.tier),
        ("tier of the receiver", receiver_tier, reading.receiver.tier),
        ("standing of the giver", int(said.giver_authorization), int(reading.giver.standing or 0)),
        ("standing of the receiver", int(said.receiver_authorization), int(reading.receiver.standing or 0)),
        ("delivery", int(said.delivery), int(reading.delivery or 0)),
        ("state", int(said.state), int(step.after.state)),
        ("attestation", said.attestation, values_pb2.ATTESTATION_RECORDED),
    ):
        if shown != held:
            raise ContradictionError(
                f"position {said.position}: the server shows another {name} than its event leads to"
            )


def _hold_end(path: GetPathResponse, steps: Sequence[Step]) -> None:
    """Compare where the server says the unit is with where its events led."""
    run, end = path.run, steps[-1].after
    for name, shown, led_to in (
        ("head", run.head, end.head),
        ("last position", run.position, end.position),
        ("owner", run.owner, end.owner),
        ("custodian", run.custodian, end.custodian),
        ("state", int(run.state), int(end.state)),
    ):
        if shown != led_to:
            raise ContradictionError(f"the events shown do not lead to the {name} that the server names")


def _nanoseconds(time: Timestamp) -> int:
    return time.seconds * 1_000_000_000 + time.nanos
