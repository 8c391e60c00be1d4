"""Which requests can be signed, and the answers to statements as the responses to their requests."""

from typing import TYPE_CHECKING, Final, TypeAlias, cast

from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from pathbook.client.errors import RefusedError
from pathbook.client.reasons import RefusalReason
from pathbook.v1 import (
    batches_pb2,
    corrections_pb2,
    parties_pb2,
    registrations_pb2,
    statements_pb2,
    transfers_pb2,
)

if TYPE_CHECKING:  # the types of protobuf have two classes of descriptors, and one of them at run time
    from google.protobuf.descriptor import Descriptor

KINDS: Final = {
    field.message_type.full_name: field.name
    for field in statements_pb2.Statement.DESCRIPTOR.oneofs_by_name["request"].fields
    if field.message_type is not None
}
"""The field of a Statement for each request that can be signed, by the name of its message."""


def kind_of(request: object) -> str:
    """Return the field of a Statement for a request, "" if it cannot be signed."""
    return KINDS.get(request.DESCRIPTOR.full_name, "") if isinstance(request, Message) else ""


AnswerRequest: TypeAlias = (
    transfers_pb2.AcceptTransferRequest
    | transfers_pb2.DeclineTransferRequest
    | transfers_pb2.WithdrawTransferRequest
    | transfers_pb2.ReverseTransferRequest
    | parties_pb2.RevokeAuthorizationRequest
    | batches_pb2.LiftRecallRequest
    | corrections_pb2.DeclareErrorRequest
)
"""The requests that answer an event, which they name by its position and by its leaf hash."""


def answered_position(request: AnswerRequest) -> int:
    """Return the position that a request answers."""
    match request:
        case parties_pb2.RevokeAuthorizationRequest():
            return request.authorization
        case batches_pb2.LiftRecallRequest():
            return request.recall
        case corrections_pb2.DeclareErrorRequest():
            return request.position
        case _:
            return request.transfer


def passes_codes(refused: RefusedError) -> bool:
    """Tell whether units that are named by codes are refused for another reason than the codes.

    ResolveUnits reads the codes first. Then it asks whether the units can be transferred, which does not matter here.
    """
    return isinstance(refused.reason, RefusalReason) and not refused.reason.startswith("CODE_")


def response_to(request: object, answer: statements_pb2.FileStatementResponse) -> Message:
    """Return the answer to a statement as the response to the request that it states."""
    assert isinstance(request, Message), request
    file, name = request.DESCRIPTOR.file, request.DESCRIPTOR.name
    described = file.message_types_by_name[f"{name.removesuffix('Request')}Response"]
    response = GetMessageClass(cast("Descriptor", described))()
    for field in described.fields:  # an answer has all of them, under the same names
        value = getattr(answer, field.name)
        if isinstance(value, Message):
            getattr(response, field.name).CopyFrom(value)
        elif isinstance(value, int | str):
            setattr(response, field.name, value)
        else:
            getattr(response, field.name).extend(value)
    return response


def recorded(result: statements_pb2.FileStatementsResult) -> transfers_pb2.RecordTransfersResult:
    """Return the result of a statement in a batch as that of a write."""
    if result.HasField("refusal"):
        return transfers_pb2.RecordTransfersResult(refusal=result.refusal)
    answer = result.answer
    return transfers_pb2.RecordTransfersResult(
        receipt=answer.receipt, ranges=answer.ranges, ranges_left_out=answer.ranges_left_out
    )


def registered(result: statements_pb2.FileStatementsResult) -> registrations_pb2.RegisterResult:
    """Return the result of a statement in a batch as that of a registration."""
    if result.HasField("refusal"):
        return registrations_pb2.RegisterResult(refusal=result.refusal)
    answer = result.answer
    return registrations_pb2.RegisterResult(receipt=answer.receipt, gtin=answer.gtin, batch=answer.batch)
