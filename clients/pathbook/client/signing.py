"""Signed requests: how a request becomes a statement, which is signed once and sent as it is."""

import secrets
import time
from collections.abc import Iterable, MutableSequence, Sequence
from typing import TypeVar

import grpc
from google.protobuf.message import Message

from pathbook.client.errors import RefusedError
from pathbook.client.options import Signer
from pathbook.client.statements import AnswerRequest, answered_position, kind_of
from pathbook.ledger.codec.records import leaf_hash
from pathbook.ledger.codes import parse_code
from pathbook.ledger.notes import SALT_BYTES, note_commitment
from pathbook.ledger.proofs.statements import BATCH, STATEMENT, batch_text, pre_authentication_encoding
from pathbook.ledger.proofs.tree import root_of
from pathbook.ledger.refusals import Refusal
from pathbook.v1 import statements_pb2, transfers_pb2, values_pb2

Write = TypeVar("Write", bound=Message)


def sign_statement(signer: Signer, request: object, book: str) -> statements_pb2.FileStatementRequest:
    """Return the call that files a request as a statement. Its note lies beside the statement.

    Raises:
        RefusedError: a code in it cannot be read.
    """
    assert isinstance(request, Message), request
    stated, note, salt = _stated(request)
    statement = _statement(signer, stated)
    signature = signer.sign(pre_authentication_encoding(STATEMENT, statement))
    return statements_pb2.FileStatementRequest(
        book=book, statement=statement, signature=signature, note=note, note_salt=salt
    )


def sign_batch(
    signer: Signer, requests: Sequence[Message], book: str
) -> statements_pb2.FileStatementsRequest:
    """Return the call that files requests as statements with one signature.

    Raises:
        RefusedError: a code in one of them cannot be read.
        ValueError: one of them has a note.
    """
    statements = []
    for request in requests:
        stated, note, _ = _stated(request)
        if note:
            raise ValueError(
                "A request with a note is signed alone. Call its own method, or leave the note out."
            )
        statements.append(_statement(signer, stated))
    root = root_of(map(leaf_hash, statements))
    text = batch_text(signer.origin, signer.party, signer.key, len(statements), root)
    signature = signer.sign(pre_authentication_encoding(BATCH, text))
    return statements_pb2.FileStatementsRequest(book=book, statements=statements, signature=signature)


def answered_by(request: object) -> tuple[int, bool] | None:
    """Return the position that a request answers, and whether it answers what agreed the transfer there.

    None means that it answers no event, or names its leaf hash already.
    """
    if not isinstance(request, AnswerRequest) or request.answered_leaf:
        return None
    return answered_position(request), isinstance(request, transfers_pb2.ReverseTransferRequest)


def bind(request: object, data: bytes) -> None:
    """Let a request answer the event with these stored bytes, and no other. Without bytes, the book refuses it."""
    if isinstance(request, AnswerRequest) and data:
        request.answered_leaf = leaf_hash(data)


def codes_in(requests: Iterable[object]) -> list[str]:
    """Return the printed codes that requests name."""
    return [code for request in requests for codes, _ in _places_of_codes(request) for code in codes]


def _statement(signer: Signer, request: Message) -> bytes:
    """Return the bytes of a statement: fields in the order of their numbers, and none that has its default."""
    statement = statements_pb2.Statement(origin=signer.origin, party=signer.party, key=signer.key)
    statement.signed_at.FromSeconds(int(time.time()))  # a book asks for minutes, and a proof keeps each byte
    getattr(statement, kind_of(request)).CopyFrom(request)
    return statement.SerializeToString(deterministic=True)


def _stated(request: Write) -> tuple[Write, str, bytes]:
    """Return a request as a statement has it, and its note and the salt of that.

    The origin names the book, so the book is left out. Codes become the units that they name: a printed code says
    them by itself, so that no server is believed. A commitment stands for the note.
    """
    stated = type(request)()
    stated.CopyFrom(request)
    stated.ClearField("book")
    for codes, ranges in _places_of_codes(stated):
        ranges.extend(map(_unit, codes))
        del codes[:]
    note: str = getattr(stated, "note", "")
    if not note:
        return stated, "", b""
    salt = secrets.token_bytes(SALT_BYTES)
    stated.ClearField("note")
    setattr(stated, "note_commitment", note_commitment(salt, note))  # noqa: B010 - not all requests have it
    return stated, note, salt


def _places_of_codes(
    request: object,
) -> list[tuple[MutableSequence[str], MutableSequence[values_pb2.UnitRange]]]:
    """Return each list of codes in a request, with the list of ranges that names the same units."""
    if isinstance(request, transfers_pb2.AcceptTransferRequest):
        claims = [(claim.codes, claim.ranges) for claim in request.discrepancies]
        return [*claims, (request.extra_codes, request.extra)]
    units = getattr(request, "units", None)
    return [(units.codes, units.ranges)] if isinstance(units, values_pb2.Selection) else []


def _unit(code: str) -> values_pb2.UnitRange:
    parsed = parse_code(code)
    if isinstance(parsed, Refusal):
        facts = dict(parsed.facts)
        raise RefusedError(parsed.reason.name, str(parsed), facts, grpc.StatusCode.INVALID_ARGUMENT)
    return values_pb2.UnitRange(batch=parsed.batch, first=parsed.number, last=parsed.number)
