"""Refusals as a party or the public gets them: they say nothing of what is another's.

Rules check who asks right after they find what is asked for. So a refusal of a stranger can be told as if the thing
were not there.
"""

from typing import Final

from google.protobuf.message import Message

from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.services.access.callers import Caller
from pathbook.v1.batches_pb2 import UnpackCaseRequest
from pathbook.v1.transfers_pb2 import AcceptTransferRequest

ANOTHER: Final = "another party"
"""What stands in a sentence in the place of a party that the caller may not know."""

AS_IF_MISSING: Final[dict[Reason, tuple[Reason, str]]] = {
    Reason.NOT_THE_RECEIVER: (Reason.TRANSFER_UNKNOWN, "transfer"),
    Reason.NOT_THE_GIVER: (Reason.TRANSFER_UNKNOWN, "transfer"),
    Reason.NOT_A_SIDE: (Reason.TRANSFER_UNKNOWN, "transfer"),
    Reason.NOT_THE_ACTOR: (Reason.EVENT_NOT_DECLARABLE, "position"),
    Reason.NOT_THE_UPLINE: (Reason.AUTHORIZATION_UNKNOWN, "authorization"),
    Reason.NOT_THE_PACKER: (Reason.CASE_UNKNOWN, "sscc"),
}
"""The refusals of strangers that become those of missing things, and the fact that both name."""

OF_ANOTHER_BRAND: Final = {"batch": Reason.BATCH_UNKNOWN, "recall": Reason.RECALL_UNKNOWN}
"""What a brand gets for the batch or the recall of another one, by the field of its request. Products are no secret."""

NOT_TO_MOVE: Final = (
    Reason.UNITS_NOT_OWNED,
    Reason.UNITS_NOT_IN_CUSTODY,
    Reason.RANGE_BEYOND_BATCH,
    Reason.BATCH_UNKNOWN,
    Reason.CASE_UNKNOWN,
)
"""The refusals of units to move that are told as one, because they would tell the sizes of batches and of stock."""

OF_EXTRA: Final = frozenset(
    {
        *NOT_TO_MOVE,
        Reason.CASE_EMPTY,
        Reason.CASE_IN_CASE,
        Reason.EXTRA_OTHER_PRODUCT,
        Reason.UNITS_IN_CASE,
        Reason.UNITS_RECALLED,
        Reason.UNITS_RESERVED,
        Reason.UNITS_SOLD,
        Reason.UNITS_WRITTEN_OFF,
    }
)
"""The refusals of extra units that are told as one, because they would tell the receiver what else the giver does."""

HIDDEN_FACTS: Final[dict[Reason, dict[str, str]]] = {
    Reason.UNITS_NOT_SOLD: {"owner": ANOTHER},
    Reason.CASE_OF_SEVERAL_OWNERS: {"range": "that you named", "owner": "one party", "other": ANOTHER},
    Reason.CASE_IN_CASE: {"outer": "that is around it"},
}
"""The facts that are replaced, by the reason."""

TOLD_EVENLY: Final = frozenset(
    {
        *(reason for reason, _ in AS_IF_MISSING.values()),
        *OF_ANOTHER_BRAND.values(),
        *NOT_TO_MOVE,
        Reason.FINDING_UNKNOWN,
        Reason.PARTY_UNKNOWN,
        Reason.PRODUCT_UNKNOWN,
        Reason.REQUEST_UNKNOWN,
    }
)
"""The refusals that say of what is another's that it is not there. So they must not come sooner or later either."""

EVEN_S: Final = 0.02
"""A refusal that is told evenly comes at a multiple of this time after the call began. To find that a thing is
another's takes a view, an event or a line more than to find nothing: mostly less than a millisecond."""

_STOCK: Final = dict.fromkeys(("expired", "recalled", "reserved", "packed"), "some")


def refuse_to_move(reason: Reason, party: str) -> Refusal:
    """Return the one refusal of units that a party cannot move: they are not its own, or are not there."""
    other = f"{ANOTHER} or do not exist"
    return refuse(reason, range="that you named", owner=other, custodian=other, party=party)


def masked(caller: Caller, request: Message, refusal: Refusal, not_to_move: Reason | None) -> Refusal:
    """Return a refusal as a caller gets it.

    Args:
        caller: who gets it, in its book.
        request: what it asked.
        refusal: as the book says it.
        not_to_move: UNITS_NOT_OWNED or UNITS_NOT_IN_CUSTODY if the request moves units, which tells of all units that
            its party cannot move. None for other requests.
    """
    if caller.sees_everything:
        return refusal
    facts = dict(refusal.facts)
    if (missing := AS_IF_MISSING.get(refusal.reason)) is not None:
        reason, fact = missing
        return refuse(reason, **{fact: facts[fact]})
    if refusal.reason is Reason.NOT_THE_BRAND:
        for field, reason in OF_ANOTHER_BRAND.items():
            if named := getattr(request, field, 0):
                return refuse(reason, **{field: named})
    if isinstance(request, UnpackCaseRequest) and refusal.reason in NOT_TO_MOVE:
        return refuse(Reason.CASE_UNKNOWN, sscc=request.sscc)
    if isinstance(request, AcceptTransferRequest) and (request.extra or request.extra_codes):
        if refusal.reason in OF_EXTRA:
            return refuse_to_move(Reason.UNITS_NOT_OWNED, "the giver")
    elif not_to_move is not None and refusal.reason in NOT_TO_MOVE:
        return refuse_to_move(not_to_move, caller.party)
    if refusal.reason is Reason.STOCK_TOO_SMALL and facts["party"] != caller.party:
        return refuse(Reason.STOCK_TOO_SMALL, **facts | {"available": "fewer"} | _STOCK)
    if (hidden := HIDDEN_FACTS.get(refusal.reason)) is not None:
        return refuse(refusal.reason, **facts | hidden)
    return refusal
