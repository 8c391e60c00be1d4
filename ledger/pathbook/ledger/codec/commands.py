"""The command that the request of a statement asks. Every reader of a statement reads the same one."""

from typing import TypeAlias, assert_never

from pathbook.ledger.codec import register_commands, requests, unit_commands
from pathbook.ledger.commands import Command
from pathbook.ledger.refusals import Reason, RefusedRequestError, refuse
from pathbook.ledger.values import Selection
from pathbook.v1 import batches_pb2, corrections_pb2, parties_pb2, transfers_pb2

_OfUnits: TypeAlias = (
    transfers_pb2.RecordTransferRequest
    | transfers_pb2.SellUnitsRequest
    | transfers_pb2.ReturnUnitsRequest
    | transfers_pb2.OfferTransferRequest
    | transfers_pb2.DeliverUnitsRequest
    | transfers_pb2.WriteOffUnitsRequest
    | batches_pb2.PackCaseRequest
)
"""The requests that name their units in a selection."""

_Noted: TypeAlias = (
    transfers_pb2.ReturnUnitsRequest
    | transfers_pb2.DeclineTransferRequest
    | transfers_pb2.ReverseTransferRequest
    | transfers_pb2.WriteOffUnitsRequest
    | batches_pb2.RecallUnitsRequest
    | corrections_pb2.DeclareErrorRequest
)
"""The requests that may have a note."""

_Registration: TypeAlias = (
    batches_pb2.RegisterProductRequest
    | batches_pb2.CommissionBatchRequest
    | parties_pb2.RegisterPartyRequest
    | parties_pb2.AuthorizePartyRequest
    | parties_pb2.RevokeAuthorizationRequest
    | corrections_pb2.CorrectProductRequest
    | corrections_pb2.CorrectBatchRequest
    | corrections_pb2.CorrectPartyRequest
)
"""The requests about parties and goods that name no units."""

StatedRequest: TypeAlias = (
    _OfUnits
    | _Noted
    | transfers_pb2.AcceptTransferRequest
    | transfers_pb2.WithdrawTransferRequest
    | batches_pb2.UnpackCaseRequest
    | batches_pb2.LiftRecallRequest
    | _Registration
)
"""The requests that a statement may have."""


def command_of(
    request: StatedRequest, *, note: str = "", note_salt: bytes = b"", code_key: bytes = b""
) -> Command:
    """Return the command that the request of a statement asks.

    A reader has no note and no key of codes, and none of them changes what is asked: it compares `committed_note`.

    Args:
        request: of the statement.
        note: to which the request commits.
        note_salt: with which it does.
        code_key: the fingerprint of the server's key of codes, for a batch.

    Raises:
        RefusedRequestError: a field cannot be read, or the request has what no statement has: codes, or the text of
            a note.
    """
    match request:  # the most frequent kinds come first, because a match tries its cases in turn
        case transfers_pb2.RecordTransferRequest():
            return unit_commands.record_transfer(request, _units(request))
        case transfers_pb2.SellUnitsRequest():
            return unit_commands.sell_units(request, _units(request))
        case transfers_pb2.OfferTransferRequest():
            return unit_commands.offer_transfer(request, _units(request))
        case transfers_pb2.AcceptTransferRequest():
            requests.bounded(named_by(request))
            _require_no_codes(
                len(request.extra_codes) + sum([len(claim.codes) for claim in request.discrepancies])
            )
            return unit_commands.accept_transfer(request, ((),) * len(request.discrepancies), ())
        case transfers_pb2.ReturnUnitsRequest():
            _require_no_note(request)
            return unit_commands.return_units(request, _units(request), note, note_salt)
        case transfers_pb2.DeclineTransferRequest():
            _require_no_note(request)
            return unit_commands.decline_transfer(request, note, note_salt)
        case transfers_pb2.WithdrawTransferRequest():
            return unit_commands.withdraw_transfer(request)
        case transfers_pb2.ReverseTransferRequest():
            _require_no_note(request)
            return unit_commands.reverse_transfer(request, note, note_salt)
        case transfers_pb2.DeliverUnitsRequest():
            return unit_commands.deliver_units(request, _units(request))
        case transfers_pb2.WriteOffUnitsRequest():
            _require_no_note(request)
            return unit_commands.write_off_units(request, _units(request), note, note_salt)
        case batches_pb2.PackCaseRequest():
            return unit_commands.pack_case(request, _units(request))
        case batches_pb2.UnpackCaseRequest():
            return unit_commands.unpack_case(request)
        case batches_pb2.RecallUnitsRequest():
            _require_no_note(request)
            return unit_commands.recall_units(request, note, note_salt)
        case batches_pb2.LiftRecallRequest():
            return unit_commands.lift_recall(request)
        case corrections_pb2.DeclareErrorRequest():
            _require_no_note(request)
            return register_commands.declare_error(request, note, note_salt)
        case _:
            return _registration_of(request, code_key)


def _registration_of(request: _Registration, code_key: bytes) -> Command:
    match request:
        case batches_pb2.RegisterProductRequest():
            return register_commands.register_product(request)
        case batches_pb2.CommissionBatchRequest():
            return register_commands.commission_batch(request, code_key)
        case parties_pb2.RegisterPartyRequest():
            return register_commands.register_party(request)
        case parties_pb2.AuthorizePartyRequest():
            return register_commands.authorize_party(request)
        case parties_pb2.RevokeAuthorizationRequest():
            return register_commands.revoke_authorization(request)
        case corrections_pb2.CorrectProductRequest():
            return register_commands.correct_product(request)
        case corrections_pb2.CorrectBatchRequest():
            return register_commands.correct_batch(request)
        case corrections_pb2.CorrectPartyRequest():
            return register_commands.correct_party(request)
        case _:
            assert_never(request)


def committed_note(request: StatedRequest) -> bytes:
    """Return the commitment to a note that the request of a statement has, or nothing if it has none."""
    return request.note_commitment if isinstance(request, _Noted) else b""


def named_by(request: StatedRequest) -> int:
    """Return how many ranges, codes, cases and quantities a request names. The cost of deciding grows with them."""
    if isinstance(request, _OfUnits):
        return requests.named_in(request.units)
    if isinstance(request, transfers_pb2.AcceptTransferRequest):
        claimed = sum([1 + len(claim.ranges) + len(claim.codes) for claim in request.discrepancies])
        return claimed + len(request.extra) + len(request.extra_codes)
    return len(request.ranges) if isinstance(request, batches_pb2.RecallUnitsRequest) else 0


def _units(request: _OfUnits) -> Selection:
    units = requests.selected(request)
    _require_no_codes(len(units.codes))
    return requests.selection(units, ())


def _require_no_codes(count: int) -> None:
    if count:
        raise RefusedRequestError(refuse(Reason.STATEMENT_HAS_CODES))


def _require_no_note(request: _Noted) -> None:
    if request.note:
        problem = "it has the text of a note, and not its commitment"
        raise RefusedRequestError(refuse(Reason.STATEMENT_MALFORMED, problem=problem))
