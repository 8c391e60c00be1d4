"""Statements: the bytes that a party signs, read strictly."""

from typing import Final

import msgspec
from google.protobuf.message import DecodeError

from pathbook.ledger.codec.commands import StatedRequest
from pathbook.ledger.codec.fields import LATEST_TIME, read_time
from pathbook.ledger.codec.records import unknown_field
from pathbook.ledger.values import KEY_BYTES
from pathbook.v1 import statements_pb2

MAX_STATEMENT_BYTES: Final = 2**16 - 1
"""The most bytes of a statement. An event has no more, and keeps its statement."""


class MalformedStatementError(ValueError):
    """These bytes are no statement, or not written as a statement must be. The message says why, without a subject."""


class NewerStatementError(MalformedStatementError):
    """These bytes have a field that this program does not know. A book refuses them, but a newer one may not have."""


class Statement(msgspec.Struct, frozen=True):
    """A request that a party signed.

    Attributes:
        origin: of the book for which it counts.
        party: that signed, or OPERATOR.
        key: its Ed25519 public key.
        signed_at: in microseconds since 1970 UTC.
        kind: the name of the request in ``pathbook.v1.Statement``, such as ``record_transfer``.
        request: the request, whose book is empty.
    """

    origin: str
    party: str
    key: bytes
    signed_at: int
    kind: str
    request: StatedRequest


def read_statement(data: bytes) -> Statement:
    """Return the statement that was written as these bytes.

    There is one way to write a statement, so that no two programs read two things from one signature.

    Raises:
        NewerStatementError: a field is unknown.
        MalformedStatementError: a field is given twice, out of order, longer than need be or missing, a statement names
            its book twice, or it has more bytes than MAX_STATEMENT_BYTES.
    """
    if len(data) > MAX_STATEMENT_BYTES:
        raise MalformedStatementError(
            f"it has {len(data)} bytes, and at most {MAX_STATEMENT_BYTES} are allowed"
        )
    try:
        message = statements_pb2.Statement.FromString(data)
    except DecodeError as error:
        raise MalformedStatementError("it is no protobuf message") from error
    message.DiscardUnknownFields()
    if message.SerializeToString() != data:
        if unknown_field(statements_pb2.Statement.FromString(data)) is not None:
            raise NewerStatementError("a field is unknown")
        raise MalformedStatementError(
            "a field is given twice, out of order, longer than need be or of another type"
        )
    kind = message.WhichOneof("request")
    if kind is None:
        raise MalformedStatementError("it asks nothing")
    if not message.HasField("signed_at"):
        raise MalformedStatementError("it does not say when it was signed")
    try:
        signed_at = read_time(message.signed_at)
    except ValueError as error:
        raise MalformedStatementError(str(error)) from error
    if not 0 < signed_at <= LATEST_TIME:
        raise MalformedStatementError("the time at which it was signed is not after 1970")
    if len(message.key) != KEY_BYTES:
        raise MalformedStatementError(f"its key has {len(message.key)} bytes, not {KEY_BYTES}")
    request: StatedRequest = getattr(message, kind)
    if request.book:
        raise MalformedStatementError("its request names a book, and its origin names one already")
    return Statement(message.origin, message.party, message.key, signed_at, kind, request)
