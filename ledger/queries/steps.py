"""What an event was to one unit: a step of its path."""

from typing import assert_never

import msgspec

from ledger.events import (
    AuthorizationRevoked,
    BatchCommissioned,
    CasePacked,
    CaseUnpacked,
    Event,
    PartyAuthorized,
    PartyRegistered,
    ProductRegistered,
    PurchaseConfirmed,
    RecallLifted,
    ReversalAsked,
    Terms,
    TransferAccepted,
    TransferDeclined,
    TransferLapsed,
    TransferOffered,
    TransferRecorded,
    TransferReversed,
    TransferWithdrawn,
    UnitsDelivered,
    UnitsRecalled,
    UnitsReturned,
    UnitsSold,
    UnitsWrittenOff,
)
from ledger.queries.answers import StepKind
from ledger.values import Delivery, Money, Ranges, Standing, Unit

BRAND_TIER = 0
"""The tier of a brand, which nobody gives it."""


class Hand(msgspec.Struct, frozen=True):
    """One side of a step: "" for nobody; tier and standing where the event says them."""

    name: str = ""
    tier: int | None = None
    standing: Standing | None = None


NOBODY = Hand()


class Movement(msgspec.Struct, frozen=True):
    """What an event was to a unit. ``transfer`` is the one that it agreed or reversed, 0 for none."""

    kind: StepKind
    giver: Hand = NOBODY
    receiver: Hand = NOBODY
    unit_price: Money | None = None
    delivery: Delivery | None = None
    transfer: int = 0


def movement(event: Event, position: int, unit: Unit) -> Movement:
    """Return what the event at a position, which changed the unit's run, was to the unit."""
    match event:
        case BatchCommissioned(brand=brand):
            return Movement(StepKind.COMMISSIONED, receiver=Hand(brand, BRAND_TIER))
        case TransferOffered(terms):
            return _onward(StepKind.OFFERED, terms)
        case TransferRecorded(terms):
            return _onward(StepKind.TRANSFERRED, terms, position)
        case TransferAccepted(transfer, terms) if _holds(terms.ranges, unit):
            return _onward(StepKind.TRANSFERRED, terms, transfer)
        case UnitsSold(terms):
            return _onward(StepKind.SOLD, terms, position)
        case TransferReversed(transfer, terms):
            return _back(StepKind.REVERSED, terms, transfer)
        case UnitsReturned(lines=lines):
            return _back(
                StepKind.RETURNED, next(line.terms for line in lines if _holds(line.terms.ranges, unit))
            )
        case TransferAccepted(terms=terms):  # the unit was offered, and is among the discrepancies
            return Movement(StepKind.RELEASED, Hand(terms.giver), Hand(terms.receiver))
        case (
            TransferDeclined(giver=giver, receiver=receiver)
            | TransferWithdrawn(giver=giver, receiver=receiver)
            | TransferLapsed(giver=giver, receiver=receiver)
        ):
            return Movement(StepKind.RELEASED, Hand(giver), Hand(receiver))
        case UnitsDelivered(custodian, receiver):
            return Movement(StepKind.DELIVERED, Hand(custodian), Hand(receiver))
        case PurchaseConfirmed(consumer, _, price_paid):
            return Movement(StepKind.CONFIRMED, receiver=Hand(consumer), unit_price=price_paid)
        case UnitsWrittenOff(party):
            return Movement(StepKind.WRITTEN_OFF, Hand(party))
        case (
            PartyRegistered()
            | PartyAuthorized()
            | AuthorizationRevoked()
            | ProductRegistered()
            | ReversalAsked()
            | CasePacked()
            | CaseUnpacked()
            | UnitsRecalled()
            | RecallLifted()
        ):
            raise AssertionError(event)  # these change no run
        case _:
            assert_never(event)


def _onward(kind: StepKind, terms: Terms, transfer: int = 0) -> Movement:
    return Movement(kind, _giver(terms), _receiver(terms), terms.unit_price, terms.delivery, transfer)


def _back(kind: StepKind, terms: Terms, transfer: int = 0) -> Movement:
    """Who had received gives, and who had given receives, at the price then paid."""
    return Movement(kind, _receiver(terms), _giver(terms), terms.unit_price, terms.delivery, transfer)


def _giver(terms: Terms) -> Hand:
    return Hand(terms.giver, terms.giver_tier, terms.giver_standing)


def _receiver(terms: Terms) -> Hand:
    return Hand(terms.receiver, terms.receiver_tier, terms.receiver_standing)


def _holds(ranges: Ranges, unit: Unit) -> bool:
    return any(part.batch == unit.batch and part.first <= unit.number <= part.last for part in ranges)
