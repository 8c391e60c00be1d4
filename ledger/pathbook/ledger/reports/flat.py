"""Flat tables of a book, for analysis in SQL: what each event says of units, batches, parties and offers, as rows.

The rows of an event depend on the event alone. So the tables can be written by ranges of positions, and be continued.
None stands for what an event does not say. Positions, unit numbers and times are integers, and times are microseconds
since 1970 UTC. Dates are YYYY-MM-DD. Enums are their names in lower case, such as ``with_title``.
"""

import datetime
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, assert_never

import msgspec

from pathbook.ledger import events, key_events
from pathbook.ledger.codec.table import FIELD_OF
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.moves import Move, moves_of
from pathbook.ledger.reports.ladder import tier_of
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import Delivery, Price, Ranges, TransferStatus, UnitState

_STATES: Final = {state: state.name.lower() for state in UnitState}
_DELIVERIES: Final = {delivery: delivery.name.lower() for delivery in Delivery}
_STATUSES: Final = {status: status.name.lower() for status in TransferStatus}


class EventRow(NamedTuple):
    """The stored bytes of an event. ``leaf`` is their RFC 6962 leaf hash, and ``kind`` the field of the contract."""

    book: str
    position: int
    leaf: bytes
    recorded_at: int
    kind: str
    bytes: bytes


class MoveRow(NamedTuple):
    """One range of units that an event changed, and what both sides agreed on.

    Attributes:
        book: its name.
        position: of the event.
        line: of the row among those of its event, from 0.
        batch: of the units.
        first: unit.
        last: unit.
        units: how many.
        kind: of the event, as in EventRow.
        hops: 1 if title goes from giver to receiver, -1 if such a hop is undone, else 0. The sum of ``hops * units``
            by receiver and price is what was bought and kept.
        written_off: 1 if the giver writes the units off, -1 if that is declared an error, else 0.
        giver: of the terms, or who acts.
        receiver: of the terms, or who gets the goods or confirms the purchase.
        giver_tier: at that time for the product: -1 without a tier, 1000 for a consumer. None if there are no terms.
        receiver_tier: the same of the receiver.
        currency_code: of the price.
        amount_minor: of the price, in minor units, for ``per_units`` units.
        per_units: of the price.
        transfer: the transfer or sale that the event makes, answers or undoes.
        delivery: with_title, or later.
        reference: the number of a document.
        state: that the units have after it, if the event alone says it.
        occurred_at: as the party claims.
        recorded_at: as the writer set it.
    """

    book: str
    position: int
    line: int
    batch: int
    first: int
    last: int
    units: int
    kind: str
    hops: int
    written_off: int
    giver: str | None
    receiver: str | None
    giver_tier: int | None
    receiver_tier: int | None
    currency_code: str | None
    amount_minor: int | None
    per_units: int | None
    transfer: int | None
    delivery: str | None
    reference: str | None
    state: str | None
    occurred_at: int
    recorded_at: int


class BatchHistoryRow(NamedTuple):
    """What an event says of a batch: all when it is commissioned, and what was corrected when it is corrected."""

    book: str
    position: int
    batch: int
    product: str | None
    brand: str
    lot: str | None
    size: int | None
    made_on: str
    expires_on: str | None
    suggested_minor: int
    suggested_currency: str
    suggested_per_units: int


class PartyHistoryRow(NamedTuple):
    """The kind of a party, as registered or corrected: brand, agent or shop."""

    book: str
    position: int
    party: str
    kind: str


class OfferHistoryRow(NamedTuple):
    """An offer, or its end. ``transfer`` is the position of the offer.

    The end of an accepted offer has the units and the price that were accepted. An accepted offer may be reversed.
    """

    book: str
    position: int
    transfer: int
    status: str
    giver: str
    receiver: str
    units: int
    currency_code: str | None
    amount_minor: int | None
    per_units: int | None
    deadline: int | None
    occurred_at: int
    recorded_at: int


Row = EventRow | MoveRow | BatchHistoryRow | PartyHistoryRow | OfferHistoryRow

FLAT_TABLES: Final[Mapping[str, type[Row]]] = {
    "event": EventRow,
    "move": MoveRow,
    "batch_history": BatchHistoryRow,
    "party_history": PartyHistoryRow,
    "offer_history": OfferHistoryRow,
}
"""The rows of each flat table by its name. A column never changes its meaning, and later ones are added at the end."""


class _Said(msgspec.Struct, frozen=True, gc=False):
    """What an event says of the units of one of its moves, besides the ranges and the state."""

    giver: str | None = None
    receiver: str | None = None
    transfer: int | None = None
    price: Price | None = None
    hops: int = 0
    written_off: int = 0
    terms: Terms | None = None


def rows_of(book: str, recorded: RecordedEvent, data: bytes) -> Iterator[Row]:
    """Yield all rows of an event of a book, whose stored bytes are given."""
    kind = FIELD_OF[type(recorded.event)]
    yield EventRow(book, recorded.position, recorded.leaf, recorded.recorded_at, kind, data)
    yield from move_rows(book, recorded)
    yield from _register_rows(book, recorded)


def move_rows(book: str, recorded: RecordedEvent) -> Iterator[MoveRow]:
    """Yield a row for each range whose units an event changes."""
    moves = moves_of(recorded.event, recorded.position)
    if not moves:
        return
    kind, line = FIELD_OF[type(recorded.event)], 0
    for move, said in zip(moves, _said(recorded, moves), strict=True):
        price, terms = said.price, said.terms
        delivery = None if terms is None else _DELIVERIES[terms.delivery]
        reference = None if terms is None else terms.reference or None
        state = None if move.state is None else _STATES[move.state]
        for part in move.ranges:
            giver_tier = receiver_tier = None
            if terms is not None:
                authority = terms.authority(part.batch)
                giver_tier = tier_of(terms.giver, authority.giver_tier)
                receiver_tier = tier_of(terms.receiver, authority.receiver_tier)
            yield MoveRow(
                book, recorded.position, line, part.batch, part.first, part.last, part.last - part.first + 1,
                kind, said.hops, said.written_off, said.giver, said.receiver, giver_tier, receiver_tier,
                None if price is None else price.currency_code,
                None if price is None else price.amount_minor,
                None if price is None else price.per_units,
                said.transfer, delivery, reference, state, recorded.occurred_at, recorded.recorded_at,
            )  # fmt: skip
            line += 1


def _on_terms(terms: Terms, hops: int, transfer: int) -> _Said:
    return _Said(terms.giver, terms.receiver, transfer, terms.unit_price, hops, terms=terms)


def _said(recorded: RecordedEvent, moves: list[Move]) -> list[_Said]:
    """Return what an event says of the units of each of its moves."""
    event, position = recorded.event, recorded.position
    match event:  # the most frequent kinds come first, because a match tries its cases in turn
        case events.TransferRecorded(terms=terms) | events.UnitsSold(terms=terms):
            return [_on_terms(terms, 1, position)]
        case events.TransferOffered(terms=terms):
            return [_on_terms(terms, 0, position)]
        case events.TransferAccepted(transfer=transfer, terms=terms):
            released = _Said(terms.giver, terms.receiver, transfer)
            return [_on_terms(terms, 1, transfer), released]
        case (
            events.TransferDeclined(transfer=transfer, giver=giver, receiver=receiver)
            | events.TransferWithdrawn(transfer=transfer, giver=giver, receiver=receiver)
            | events.TransferLapsed(transfer=transfer, giver=giver, receiver=receiver)
        ):
            return [_Said(giver, receiver, transfer)]
        case events.TransferReversed(transfer=transfer, terms=terms):
            return [_on_terms(terms, -1, transfer)]
        case events.UnitsReturned(lines=lines):
            return [_on_terms(line.terms, -1, line.transfer) for line in lines]
        case events.UnitsDelivered(custodian=custodian, receiver=receiver):
            return [_Said(custodian, receiver)]
        case events.PurchaseConfirmed(consumer=consumer, price_paid=price):
            return [_Said(receiver=consumer, price=price)]
        case events.UnitsWrittenOff(party=party):
            return [_Said(party, written_off=1)]
        case events.TransferAttested(transfer=transfer, party=party):
            return [_Said(receiver=party, transfer=transfer)]
        case events.ErrorDeclared(party=party, declared=declared):
            undone = -1 if isinstance(declared, events.UnitsWrittenOff) else 0
            return [_Said(party, written_off=undone)] * len(moves)
        case (
            events.BookOpened()
            | events.PartyRegistered()
            | events.PartyAuthorized()
            | events.AuthorizationRevoked()
            | events.ProductRegistered()
            | events.BatchCommissioned()
            | events.ReversalAsked()
            | events.CasePacked()
            | events.CaseUnpacked()
            | events.UnitsRecalled()
            | events.RecallLifted()
            | events.ProductCorrected()
            | events.BatchCorrected()
            | events.PartyCorrected()
            | events.Sealed()
            | key_events.KeyRegistered()
            | key_events.KeyRevoked()
            | key_events.StatementsFiled()
        ):
            return []
        case _:
            assert_never(event)


def _register_rows(book: str, recorded: RecordedEvent) -> Iterator[Row]:
    """Yield what an event says of batches, parties and offers."""
    event, position = recorded.event, recorded.position
    match event:
        case events.TransferRecorded() | events.UnitsSold():
            return  # the most frequent kinds come first, because a match tries its cases in turn
        case events.TransferOffered(terms=terms, deadline=deadline):
            yield _agreed(book, recorded, position, TransferStatus.OFFERED, terms, deadline)
        case events.TransferAccepted(transfer=transfer, terms=terms, discrepancies=discrepancies):
            status = TransferStatus.ACCEPTED_IN_PART if discrepancies else TransferStatus.ACCEPTED
            yield _agreed(book, recorded, transfer, status, terms)
        case events.TransferReversed(transfer=transfer, terms=terms):
            yield _agreed(book, recorded, transfer, TransferStatus.REVERSED, terms)
        case events.TransferDeclined():
            yield _ended(book, recorded, TransferStatus.DECLINED, event)
        case events.TransferWithdrawn():
            yield _ended(book, recorded, TransferStatus.WITHDRAWN, event)
        case events.TransferLapsed():
            yield _ended(book, recorded, TransferStatus.LAPSED, event)
        case events.BatchCommissioned():
            yield BatchHistoryRow(
                book, position, event.batch, event.product, event.brand, event.lot, event.size,
                *_dated(event.made_on, event.expires_on, event.suggested_price),
            )  # fmt: skip
        case events.BatchCorrected():
            yield BatchHistoryRow(
                book, position, event.batch, None, event.brand, None, None,
                *_dated(event.made_on, event.expires_on, event.suggested_price),
            )  # fmt: skip
        case events.PartyRegistered(party=party, kind=kind) | events.PartyCorrected(party=party, kind=kind):
            yield PartyHistoryRow(book, position, party, kind.name.lower())
        case (
            events.BookOpened()
            | events.PartyAuthorized()
            | events.AuthorizationRevoked()
            | events.ProductRegistered()
            | events.ReversalAsked()
            | events.UnitsDelivered()
            | events.PurchaseConfirmed()
            | events.UnitsReturned()
            | events.UnitsWrittenOff()
            | events.CasePacked()
            | events.CaseUnpacked()
            | events.UnitsRecalled()
            | events.RecallLifted()
            | events.TransferAttested()
            | events.ErrorDeclared()
            | events.ProductCorrected()
            | events.Sealed()
            | key_events.KeyRegistered()
            | key_events.KeyRevoked()
            | key_events.StatementsFiled()
        ):
            pass  # they say nothing of these
        case _:
            assert_never(event)


def _agreed(
    book: str,
    recorded: RecordedEvent,
    transfer: int,
    status: TransferStatus,
    terms: Terms,
    deadline: int | None = None,
) -> OfferHistoryRow:
    price = terms.unit_price
    return OfferHistoryRow(
        book, recorded.position, transfer, _STATUSES[status], terms.giver, terms.receiver, _count(terms.ranges),
        price.currency_code, price.amount_minor, price.per_units, deadline,
        recorded.occurred_at, recorded.recorded_at,
    )  # fmt: skip


def _ended(
    book: str,
    recorded: RecordedEvent,
    status: TransferStatus,
    event: events.TransferDeclined | events.TransferWithdrawn | events.TransferLapsed,
) -> OfferHistoryRow:
    return OfferHistoryRow(
        book, recorded.position, event.transfer, _STATUSES[status], event.giver, event.receiver,
        _count(event.ranges), None, None, None, None, recorded.occurred_at, recorded.recorded_at,
    )  # fmt: skip


def _count(ranges: Ranges) -> int:
    return sum([part.count for part in ranges])


def _dated(
    made_on: datetime.date, expires_on: datetime.date | None, suggested: Price
) -> tuple[str, str | None, int, str, int]:
    expires = None if expires_on is None else expires_on.isoformat()
    return made_on.isoformat(), expires, suggested.amount_minor, suggested.currency_code, suggested.per_units
