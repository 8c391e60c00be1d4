"""What a server shows of a path, compared with the events that it shows with it.

Together with the replay this says: the path is what its events say, and their hashes lead to the head that the
server names. It cannot say that no later event was withheld, or that the events were not made up; signatures
and proofs are for that.
"""

from collections.abc import Sequence
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from pathbook.ledger.codec import TERMS
from pathbook.ledger.events import Terms
from pathbook.ledger.steps import undone
from pathbook.ledger.values import Money
from pathbook.v1 import values_pb2
from pathbook.v1.paths_pb2 import GetPathResponse, PathStep
from pathbook.verify.replay import ContradictionError, ReplayedStep

REPLAYED: Final = frozenset({"position", "event"})
"""The fields of a step that the replay starts from. Where an event stands is the server's word: no proof says it."""


def check_claims(path: GetPathResponse, steps: Sequence[ReplayedStep]) -> None:
    """Compare all that a path says with what its events were replayed to.

    Raises:
        ContradictionError: the server says something else than its events.
    """
    corrected = undone([step.movement for step in steps])
    for index, (said, step) in enumerate(zip(path.steps, steps, strict=True)):
        for field, (shown, led_to) in claims(said, step, corrected=index in corrected).items():
            if shown != led_to:
                name = field.replace("_", " ")
                raise ContradictionError(
                    f"position {said.position}: the server shows another {name} than its event leads to"
                )
    _check_end(path, steps)


def claims(said: PathStep, step: ReplayedStep, *, corrected: bool) -> dict[str, tuple[object, object]]:
    """Return, by field of a step, what the server shows and what the bytes of its event lead to."""
    recorded, movement = step.recorded, step.movement
    return {
        "head": (said.head, step.after.head),
        "recorded_at": (_nanoseconds(said.recorded_at), recorded.recorded_at * 1_000),
        "occurred_at": (_nanoseconds(said.occurred_at), recorded.occurred_at * 1_000),
        "kind": (int(said.kind), int(movement.kind)),
        "corrected": (said.corrected, corrected),
        "giver": (said.giver, movement.giver),
        "receiver": (said.receiver, movement.receiver),
        "terms": (_terms(said), movement.terms),
        "price_paid": (_price_paid(said), movement.price_paid),
        "state": (int(said.state), int(step.after.state)),
        "attestation": (said.attestation, values_pb2.ATTESTATION_RECORDED),
    }


def _terms(said: PathStep) -> Terms | str | None:
    """Return the terms that a step shows; what cannot be read as terms is equal to none."""
    if not said.HasField("terms"):
        return None
    try:
        return TERMS.read(said.terms)
    except ValueError as error:
        return str(error)


def _price_paid(said: PathStep) -> Money | None:
    price = said.price_paid
    return Money(price.amount_minor, price.currency_code) if said.HasField("price_paid") else None


def _check_end(path: GetPathResponse, steps: Sequence[ReplayedStep]) -> None:
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
