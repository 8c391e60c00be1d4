"""Values from the fields of requests that only a server reads: books, positions, GTINs of lists, notes.

Each function raises CallFailedError, with the field's name, if it cannot read the field. The fields of which
commands are made are read by `pathbook.ledger.codec.requests`.
"""

import secrets
from typing import Protocol

from google.protobuf.message import Message

from pathbook.ledger.codec.requests import ranges
from pathbook.ledger.notes import SALT_BYTES
from pathbook.ledger.refusals import Reason, refuse
from pathbook.ledger.values import UnitRange, gtin14, is_identifier
from pathbook.services.translate.statuses import Failure, RefusedCallError, failed


def book_name(book: str) -> str:
    """Return the name of a book."""
    if not is_identifier(book):
        raise RefusedCallError(refuse(Reason.BOOK_MALFORMED, book=book))
    return book


def position(number: int, field: str) -> int:
    """Return a position, or 0 for none."""
    if number < 0:
        raise failed(Failure.POSITION_NEGATIVE, field=field, position=number)
    return number


def within(book: str, number: int, head: int) -> int:
    """Return a position, if the book has reached it."""
    if number > head:
        raise failed(Failure.POSITION_BEYOND_HEAD, book=book, position=number, head=head)
    return number


def gtin(text: str) -> str:
    """Return a required GTIN, as 14 digits."""
    if not text:
        raise RefusedCallError(refuse(Reason.VALUE_MISSING, field="gtin"))
    digits = gtin14(text)
    if digits is None:
        raise RefusedCallError(refuse(Reason.GTIN_CHECK_DIGIT, gtin=text))
    return digits


class Noted(Protocol):
    """A request that may have a note."""

    note: str
    note_commitment: bytes


def note(request: Noted) -> tuple[str, bytes]:
    """Return the note of a request, and random bytes with which it is hashed, or nothing if there is no note.

    A commitment without the note is refused, because the note would be lost. It counts only in a statement.
    """
    if not request.note:
        if request.note_commitment:
            raise RefusedCallError(refuse(Reason.VALUE_MISSING, field="note"))
        return "", b""
    return request.note, secrets.token_bytes(SALT_BYTES)


def unit_range(request: Message, field: str) -> UnitRange:
    """Return a required range of units."""
    if not request.HasField(field):
        raise RefusedCallError(refuse(Reason.VALUE_MISSING, field=field))
    (units,) = ranges([getattr(request, field)])
    return units
