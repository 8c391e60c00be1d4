"""Rows of transfers, sales and the lines of returns: giver, receiver, units, price and status.

New rows are plain tuples with the fields of a TransferRow, and a test compares the two. There is a row for each
transfer. With keywords a row takes twelve times as long (1.2 microseconds instead of 0.1), which is a fortieth of the
cost of an event.
"""

from typing import NamedTuple

from pathbook.ledger.events import RecordedEvent, ReturnLine, TransferAccepted
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import TransferKind, TransferStatus

FIRST_LINE = 0
"""The line of a transfer or sale, which has only one. A return has lines 0, 1, 2 ..."""


# Looked up once, because the lookup of an enum member and its value takes as long as making a row.
_TRANSFER, _SALE, _RETURN = (kind.value for kind in TransferKind)
_OFFERED, _ACCEPTED = TransferStatus.OFFERED.value, TransferStatus.ACCEPTED.value


class TransferRow(NamedTuple):
    """A line of a transfer. ``transfer`` is the position that began it.

    ``kind`` is a TransferKind, and ``status`` is a TransferStatus. The price is in minor units of its currency for
    ``per_units`` units. Times are in microseconds since 1970 UTC. 0 and "" mean none.

    ``is_attested`` is 1 if the receiver accepted or reported the transfer, too. ``giver_signed`` is 1 if its event
    rests on a statement, and ``receiver_signed`` if the acceptance or report of the receiver does.
    """

    transfer: int
    line: int
    kind: int
    status: int
    giver: str
    receiver: str
    amount_minor: int
    currency_code: str
    per_units: int
    units: int
    accepted_units: int
    occurred_at: int
    recorded_at: int
    deadline: int | None
    answered_position: int
    reversal_asked_by: str
    reversal_asked_position: int | None
    returns_transfer: int
    reference: str
    is_attested: int
    giver_signed: int
    receiver_signed: int


class TransferAnswer(NamedTuple):
    """A change of a row: how an offer was answered, and at which position."""

    transfer: int
    line: int
    status: int
    accepted_units: int
    answered_position: int
    is_attested: int
    receiver_signed: int


class TransferAttestation(NamedTuple):
    """A change of a row: its receiver reported the transfer, too."""

    transfer: int
    line: int
    is_attested: int
    receiver_signed: int


class TransferReversal(NamedTuple):
    """A change of a row: the transfer was reversed."""

    transfer: int
    line: int
    status: int


class ReversalRequest(NamedTuple):
    """A change of a row: which side asked to reverse the transfer, and at which position. "" and None mean none."""

    transfer: int
    line: int
    reversal_asked_by: str
    reversal_asked_position: int | None


def offered(recorded: RecordedEvent, terms: Terms, deadline: int | None) -> tuple[object, ...]:
    """Return the row of an offer, which is not answered yet."""
    price = terms.unit_price
    return (
        recorded.position,
        FIRST_LINE,
        _TRANSFER,
        _OFFERED,
        terms.giver,
        terms.receiver,
        price.amount_minor,
        price.currency_code,
        price.per_units,
        _units(terms),
        0,
        recorded.occurred_at,
        recorded.recorded_at,
        deadline,
        0,
        "",
        None,
        0,
        terms.reference,
        0,
        0 if recorded.signed is None else 1,
        0,
    )


def transferred(recorded: RecordedEvent, terms: Terms) -> tuple[object, ...]:
    """Return the row of a transfer that was recorded in one step."""
    return _agreed(recorded, FIRST_LINE, _TRANSFER, terms, terms.giver, terms.receiver, 0)


def sold(recorded: RecordedEvent, terms: Terms) -> tuple[object, ...]:
    """Return the row of a sale."""
    return _agreed(recorded, FIRST_LINE, _SALE, terms, terms.giver, terms.receiver, 0)


def returned(recorded: RecordedEvent, number: int, line: ReturnLine) -> tuple[object, ...]:
    """Return the row of a line of a return. The receiver of its terms gives, at the price that was paid."""
    terms = line.terms
    return _agreed(recorded, number, _RETURN, terms, terms.receiver, terms.giver, line.transfer)


def accepted(event: TransferAccepted, recorded: RecordedEvent) -> TransferAnswer:
    """Return the change of an offer that was accepted, wholly or in part."""
    status = TransferStatus.ACCEPTED_IN_PART if event.discrepancies else TransferStatus.ACCEPTED
    units, signed = _units(event.terms), 0 if recorded.signed is None else 1
    return TransferAnswer(event.transfer, FIRST_LINE, status.value, units, recorded.position, 1, signed)


def closed(transfer: int, status: TransferStatus, position: int) -> TransferAnswer:
    """Return the change of an offer that was declined or withdrawn, or that lapsed."""
    return TransferAnswer(transfer, FIRST_LINE, status.value, 0, position, 0, 0)


def attested(transfer: int, recorded: RecordedEvent) -> TransferAttestation:
    """Return the change of a transfer that its receiver reported, too."""
    return TransferAttestation(transfer, FIRST_LINE, 1, 0 if recorded.signed is None else 1)


def reversal_asked(transfer: int, party: str, position: int | None) -> ReversalRequest:
    """Return the change of a transfer that one side asked to reverse, or "" and None: that no side asks to."""
    return ReversalRequest(transfer, FIRST_LINE, party, position)


def reversed_by_both(transfer: int) -> TransferReversal:
    """Return the change of a transfer that both sides agreed to reverse."""
    return TransferReversal(transfer, FIRST_LINE, TransferStatus.REVERSED.value)


def _agreed(
    recorded: RecordedEvent,
    line: int,
    kind: int,
    terms: Terms,
    giver: str,
    receiver: str,
    returns_transfer: int,
) -> tuple[object, ...]:
    units, price, position = _units(terms), terms.unit_price, recorded.position
    return (
        position,
        line,
        kind,
        _ACCEPTED,
        giver,
        receiver,
        price.amount_minor,
        price.currency_code,
        price.per_units,
        units,
        units,
        recorded.occurred_at,
        recorded.recorded_at,
        None,
        position,
        "",
        None,
        returns_transfer,
        terms.reference,
        0,
        0 if recorded.signed is None else 1,
        0,
    )


def _units(terms: Terms) -> int:
    total = 0
    for part in terms.ranges:
        total += part.last - part.first + 1
    return total
