"""What a server shows of a path, held against the events that it shows with it.

Together with the replay this says: the path is what its events say, and their hashes lead to the head that the
server names. It cannot say that no later event was withheld, or that the events were not made up; signatures
and proofs are for that.
"""

from collections.abc import Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from ledger.events import Terms, TransferReversed
from pathbook.replay import Contradiction, Step, terms_of
from pathbook.v1.paths_pb2 import GetPathResponse, PathStep, PathStepKind

HOPS = (PathStepKind.PATH_STEP_KIND_TRANSFERRED, PathStepKind.PATH_STEP_KIND_SOLD)
"""The steps by which title moves onward."""


def hold_against(path: GetPathResponse, steps: Sequence[Step]) -> None:
    """Compare all that a path says with what its events were replayed to.

    Raises:
        Contradiction: the server says something else than its events.
    """
    undone = {step.event.transfer for step in steps if isinstance(step.event, TransferReversed)}
    for said, step in zip(path.steps, steps, strict=True):
        _hold_step(said, step)
        if step.transfer and said.corrected is not (step.transfer in undone):
            raise Contradiction(
                f"position {said.position}: the server hides a hop that stands, or shows one undone"
            )
    _hold_end(path, steps)


def _hold_step(said: PathStep, step: Step) -> None:
    """Compare what the server says of a step with what the bytes of its event say."""
    recorded, hop = step.recorded, step.transfer != 0
    _same(
        said.position,
        [
            ("head", said.head, step.after.head),
            ("recording time", _microseconds(said.recorded_at), recorded.recorded_at),
            ("time", _microseconds(said.occurred_at), recorded.occurred_at),
            ("state", int(said.state), int(step.after.state)),
            ("kind of step", said.kind in HOPS, hop),
        ],
    )
    terms = terms_of(step.event)
    if hop and terms is not None:
        _hold_terms(said, terms)


def _hold_terms(said: PathStep, terms: Terms) -> None:
    """Compare the sides, price, tiers and standing marks that the server shows of a hop with its terms."""
    price, paid = terms.unit_price, said.unit_price
    _same(
        said.position,
        [
            ("giver", said.giver, terms.giver),
            ("receiver", said.receiver, terms.receiver),
            ("price", (paid.amount_minor, paid.currency_code), (price.amount_minor, price.currency_code)),
            ("tier of the giver", said.giver_tier if said.HasField("giver_tier") else None, terms.giver_tier),
            (
                "tier of the receiver",
                said.receiver_tier if said.HasField("receiver_tier") else None,
                terms.receiver_tier,
            ),
            ("standing of the giver", int(said.giver_standing), int(terms.giver_standing)),
            ("standing of the receiver", int(said.receiver_standing), int(terms.receiver_standing or 0)),
            ("delivery", int(said.delivery), int(terms.delivery)),
        ],
    )


def _same(position: int, compared: Sequence[tuple[str, object, object]]) -> None:
    """Raise Contradiction where what the server shows is not what the event of a position holds."""
    for name, shown, held in compared:
        if shown != held:
            raise Contradiction(
                f"position {position}: the server shows another {name} than its event leads to"
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
            raise Contradiction(f"the events shown do not lead to the {name} that the server names")


def _microseconds(time: Timestamp) -> int:
    return time.seconds * 1_000_000 + time.nanos // 1_000
