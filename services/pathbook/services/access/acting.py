"""Who would act by a request: a caller writes only in the name of its own party."""

from typing import Final

from google.protobuf.message import Message

from pathbook.services.access.callers import Caller, Role
from pathbook.services.translate.statuses import Failure, failed
from pathbook.v1.keys_pb2 import RegisterKeyRequest
from pathbook.v1.parties_pb2 import RegisterPartyRequest
from pathbook.v1.registrations_pb2 import RegisterRequest
from pathbook.v1.transfers_pb2 import RecordTransferRequest, RecordTransfersRequest
from pathbook.v1.values_pb2 import PARTY_KIND_BRAND

ACTING_FIELDS: Final = {
    "AcceptTransferRequest": "receiver",
    "AuthorizePartyRequest": "upline",
    "CommissionBatchRequest": "brand",
    "CorrectBatchRequest": "brand",
    "CorrectProductRequest": "brand",
    "DeclareErrorRequest": "party",
    "DeclineTransferRequest": "receiver",
    "DeliverUnitsRequest": "custodian",
    "GetEventByRequestRequest": "party",
    "LiftRecallRequest": "brand",
    "OfferTransferRequest": "giver",
    "PackCaseRequest": "party",
    "RecallUnitsRequest": "brand",
    "RegisterProductRequest": "brand",
    "ResolveUnitsRequest": "owner",
    "ReturnUnitsRequest": "owner",
    "ReverseTransferRequest": "party",
    "RevokeAuthorizationRequest": "upline",
    "SellUnitsRequest": "seller",
    "UnpackCaseRequest": "party",
    "WithdrawTransferRequest": "giver",
    "WriteOffUnitsRequest": "party",
}
"""The field of each request that names the party that acts."""

ONLY_OF_A_BRAND: Final = ("product", "batch", "party")
"""The registrations that only a brand makes."""


def actor_of(request: Message) -> str:
    """Return the party that acts by a request that is in ACTING_FIELDS, or that records a transfer."""
    if isinstance(request, RecordTransferRequest):
        return request.reported_by or request.giver
    return str(getattr(request, ACTING_FIELDS[request.DESCRIPTOR.name]))


def require_itself(caller: Caller, request: Message) -> None:
    """Refuse a request, or a batch of them, by which another party than the caller's would act.

    Raises:
        CallFailedError: NOT_ITSELF, or ROLE_NOT_ALLOWED for a thing that the role does not register.
    """
    match request:
        case RecordTransfersRequest():
            for entry in request.entries:
                if (kind := entry.WhichOneof("entry")) is not None:  # one without is refused on its own
                    _require(caller, getattr(entry, kind))
        case RegisterRequest():
            for registration in request.entries:
                if (thing := registration.WhichOneof("entry")) is None:
                    continue
                if thing in ONLY_OF_A_BRAND and caller.role is not Role.BRAND:
                    what = f"To register a {thing}"
                    raise failed(Failure.ROLE_NOT_ALLOWED, what=what, role=caller.role.value)
                _require(caller, getattr(registration, thing))
        case _:
            _require(caller, request)


def require_own_key(caller: Caller, request: RegisterKeyRequest) -> None:
    """Refuse a key that another one than its party brings, unless an earlier key of the party stands for it.

    An endorsement alone does not say that the party wants the key: any upline could name itself, and then sign in the
    name of a party that has no key yet. The first key of the operator endorses itself.

    Raises:
        CallFailedError: CALLER_UNKNOWN or NOT_ITSELF.
    """
    is_by_own_key = request.endorser == request.party and bool(request.replaced_key)
    if is_by_own_key or caller.role is Role.OPERATOR:
        return
    if caller.role is Role.PUBLIC:
        raise failed(Failure.CALLER_UNKNOWN, method="KeyService.RegisterKey")
    if not caller.party or caller.party != request.party:
        raise failed(Failure.NOT_ITSELF, party=caller.party, actor=request.party[:100])


def _require(caller: Caller, request: Message) -> None:
    if isinstance(request, RegisterPartyRequest):
        if request.kind == PARTY_KIND_BRAND:
            raise failed(Failure.ROLE_NOT_ALLOWED, what="To register a brand", role=caller.role.value)
        return
    if (actor := actor_of(request)) != caller.party:
        raise failed(Failure.NOT_ITSELF, party=caller.party, actor=actor[:100])
