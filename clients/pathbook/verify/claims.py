"""The claims of a server about a path, compared with the path's events.

Together with the replay, this proves that the path agrees with its events, and that their hashes lead to the head
that the server names. It cannot prove that no later event was withheld, or that the events were not made up.
Signatures and proofs are for that.
"""

from collections.abc import Sequence
from typing import Final

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from pathbook.ledger.codec import TERMS, unknown_number
from pathbook.ledger.notes import Note, is_committed
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import Price
from pathbook.v1 import values_pb2
from pathbook.v1.paths_pb2 import GetPathResponse, PathStep
from pathbook.verify.replay import ContradictionError, NewerPathError, ReplayedStep

REPLAYED: Final = frozenset({"position", "event"})
"""The fields of a step from which the replay starts. The position is only the server's claim, without a proof."""


def check_claims(path: GetPathResponse, steps: Sequence[ReplayedStep]) -> None:
    """Compare all claims of a path with the result of replaying its events.

    Raises:
        ContradictionError: a claim differs from the events.
        NewerPathError: a claim that differs has a number that this program does not know.
    """
    for shown, step in zip(path.steps, steps, strict=True):
        for field, (claimed, replayed) in claims(shown, step).items():
            if claimed != replayed:
                _require_known(shown, field)
                name = field.replace("_", " ")
                raise ContradictionError(
                    f"position {shown.position}: the server shows another {name} than its event leads to"
                )
    _check_end(path, steps)


def claims(shown: PathStep, step: ReplayedStep) -> dict[str, tuple[object, object]]:
    """Return for each field of a step the server's claim and the value from the replay."""
    recorded, movement = step.recorded, step.movement
    return {
        "head": (shown.head, step.after.head),
        "recorded_at": (_nanoseconds(shown.recorded_at), recorded.recorded_at * 1_000),
        "occurred_at": (_nanoseconds(shown.occurred_at), recorded.occurred_at * 1_000),
        "kind": (int(shown.kind), int(movement.kind)),
        "corrected": (shown.corrected, step.corrected),
        "giver": (shown.giver, movement.giver),
        "receiver": (shown.receiver, movement.receiver),
        "terms": (_terms(shown), movement.terms),
        "price_paid": (
            price_of(shown.price_paid) if shown.HasField("price_paid") else None,
            movement.price_paid,
        ),
        "state": (int(shown.state), int(step.after.state)),
        "attestation": (int(shown.attestation), int(step.attestation)),
        "owner": (shown.owner, step.after.owner),
        "custodian": (shown.custodian, step.after.custodian),
        "out_of_order_position": (shown.out_of_order_position, step.out_of_order),
        "declared_position": (shown.declared_position, movement.declared),
        "left_out_bytes": (shown.left_out_bytes, 0),  # nothing is left out of what was replayed
        "note": (_is_committed(shown, step), True),
    }


def _terms(shown: PathStep) -> Terms | str | None:
    """Return the terms of a step. If they are malformed, return the problem, which equals no terms."""
    if not shown.HasField("terms"):
        return None
    try:
        return TERMS.read(shown.terms)
    except ValueError as error:
        return str(error)


def price_of(claimed: values_pb2.Price) -> Price:
    """Return a price that the server claims. For 0 units means for 1."""
    return Price(claimed.amount_minor, claimed.currency_code, claimed.per_units or 1)


def _is_committed(shown: PathStep, step: ReplayedStep) -> bool:
    """Tell whether the note of a step is the one that its event commits to. A missing note may have been erased."""
    if not shown.HasField("note"):
        return True
    return is_committed(Note(shown.note.text, shown.note.salt), step.recorded.note_commitment)


def _check_end(path: GetPathResponse, steps: Sequence[ReplayedStep]) -> None:
    """Compare the run that the server shows with the run at the end of the replay."""
    run, end = path.run, steps[-1].after
    for name, claimed, replayed in (
        ("head", run.head, end.head),
        ("last position", run.position, end.position),
        ("owner", run.owner, end.owner),
        ("custodian", run.custodian, end.custodian),
        ("state", int(run.state), int(end.state)),
    ):
        if claimed != replayed:
            _require_known(run, name)
            raise ContradictionError(f"the events shown do not lead to the {name} that the server names")


def _nanoseconds(time: Timestamp) -> int:
    return time.seconds * 1_000_000_000 + time.nanos


def _require_known(shown: Message, field: str) -> None:
    """Raise NewerPathError if a field of a claim has a number of an enum that this program does not know."""
    claimed = type(shown)()
    known = {each.name for each in shown.DESCRIPTOR.fields} - {field}
    claimed.CopyFrom(shown)
    for name in known:
        claimed.ClearField(name)
    if (unknown := unknown_number(claimed)) is not None:
        _, what = unknown
        raise NewerPathError(
            f"the server shows {what} of the path, which this program does not know. Update this program"
        )
