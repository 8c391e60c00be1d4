"""The command of each request that a statement may have is read in one place, for servers and for verifiers."""

from typing import Final, get_args

import pytest
from google.protobuf.descriptor import FieldDescriptor

from pathbook.ledger import commands
from pathbook.ledger.codec.commands import StatedRequest, command_of, committed_note, named_by
from pathbook.ledger.key_commands import FileStatements, RegisterKey, RevokeKey
from pathbook.ledger.refusals import Reason, RefusedRequestError
from pathbook.v1.statements_pb2 import Statement
from pathbook.v1.transfers_pb2 import DeclineTransferRequest
from pathbook.v1.values_pb2 import UNIT_STATE_LOST, Price, Selection, UnitRange

REQUESTS: Final = list(Statement.DESCRIPTOR.oneofs_by_name["request"].fields)

NOT_STATED: Final = {
    *(commands.OpenBook, commands.ConfirmPurchase, commands.LapseTransfer, commands.Seal),
    *(RegisterKey, RevokeKey, FileStatements),
}
"""The commands of books, consumers, writers and keys, which no statement asks."""


def filled(field: FieldDescriptor) -> StatedRequest:
    """Return a request of a kind, with what no command can be read without."""
    request: StatedRequest = getattr(Statement(), field.name)
    fields = request.DESCRIPTOR.fields_by_name
    if "units" in fields:
        request.units.CopyFrom(Selection(ranges=[UnitRange(batch=1, first=2, last=3)]))  # type: ignore[union-attr] # as it has one
    for name in ("unit_price", "suggested_price"):
        if name in fields:
            getattr(request, name).CopyFrom(Price(amount_minor=5, currency_code="CNY"))
    if field.name == "commission_batch":
        request.made_on = "2026-01-02"  # type: ignore[union-attr] # as it has one
    if field.name == "write_off_units":
        request.state = UNIT_STATE_LOST  # type: ignore[union-attr] # as it has one
    return request


@pytest.mark.parametrize("field", REQUESTS, ids=lambda field: field.name)
def test_the_command_of_each_request_is_read(field: FieldDescriptor) -> None:
    """A statement's field is named as the command that it asks, and its request has the caller's id."""
    request = filled(field)
    request.request_id = "mine"
    command = command_of(request)
    assert command.request_id == "mine"
    assert type(command).__struct_config__.tag == field.name


def test_every_command_of_a_party_can_be_stated() -> None:
    """No command is forgotten, but those that a statement cannot ask."""
    stated = {type(command_of(filled(field))) for field in REQUESTS}
    assert stated == set(get_args(commands.Command)) - NOT_STATED


def test_a_note_is_committed_to() -> None:
    """The commands that may have a note are those whose requests may commit to one, and a text is refused."""
    noted = {
        field.name
        for field in REQUESTS
        if "note" in getattr(Statement(), field.name).DESCRIPTOR.fields_by_name
    }
    assert noted == {kind.__struct_config__.tag for kind in get_args(commands.NotedCommand)}
    for field in REQUESTS:
        request = filled(field)
        assert committed_note(request) == b""
        if field.name in noted:
            request.note_commitment = bytes(range(32))  # type: ignore[union-attr] # as it has one
            assert committed_note(request) == bytes(range(32))
            request.note = "text"  # type: ignore[union-attr] # as it has one
            with pytest.raises(RefusedRequestError) as refused:
                command_of(request)
            assert refused.value.refusal.reason is Reason.STATEMENT_MALFORMED


def test_the_note_beside_a_statement_is_in_its_command() -> None:
    """The text and the salt that come beside a statement are those of its command."""
    command = command_of(DeclineTransferRequest(receiver="ann"), note="wet", note_salt=b"salt")
    assert command == commands.DeclineTransfer(
        request_id="", receiver="ann", transfer=0, note="wet", note_salt=b"salt"
    )


@pytest.mark.parametrize("field", REQUESTS, ids=lambda field: field.name)
def test_codes_are_counted_and_refused(field: FieldDescriptor) -> None:
    """What names units is counted with its codes, and codes are refused."""
    request = filled(field)
    if "units" not in request.DESCRIPTOR.fields_by_name:
        assert named_by(request) == 0
        return
    request.units.codes.append("code")  # type: ignore[union-attr] # as it has one
    assert named_by(request) == 2
    with pytest.raises(RefusedRequestError) as refused:
        command_of(request)
    assert refused.value.refusal.reason is Reason.STATEMENT_HAS_CODES
