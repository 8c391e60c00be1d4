"""What an event was to one unit: a step of its path."""

import enum
from typing import assert_never

import msgspec

from pathbook.ledger import events
from pathbook.ledger.events import Event, Terms
from pathbook.ledger.values import AuthorizationStatus, Delivery, Money, Ranges, Unit, UnitState

BRAND_TIER = 0
"""The tier of a brand, which nobody gives it."""


class StepKind(enum.IntEnum):
    """What an event was to the unit."""

    COMMISSIONED = 1
    TRANSFERRED = 2
    DELIVERED = 3
    SOLD = 4
    CONFIRMED = 5
    RETURNED = 6
    WRITTEN_OFF = 7
    OFFERED = 8
    RELEASED = 9
    REVERSED = 10


class Step(msgspec.Struct, frozen=True, gc=False):
    """One event of a unit's past: what it was to the unit, who gave and received, and what it left behind.

    ``giver`` and ``receiver`` are "" where there is none. ``corrected`` marks what was reversed later and what
    reverses it. ``data`` is the event as stored and hashed, ``head`` the hash of the unit's past up to it.
    """

    position: int
    kind: StepKind
    corrected: bool
    occurred_at: int
    recorded_at: int
    giver: str
    receiver: str
    giver_tier: int | None
    receiver_tier: int | None
    giver_authorization: AuthorizationStatus | None
    receiver_authorization: AuthorizationStatus | None
    unit_price: Money | None
    delivery: Delivery | None
    state: UnitState
    data: bytes
    head: bytes


class Movement(msgspec.Struct, frozen=True, gc=False):
    """What an event was to a unit. ``transfer`` is the one that it agreed or reversed, 0 for none.

    ``giver`` and ``receiver`` are "" for nobody; tiers and standings are there where the event says them.
    """

    kind: StepKind
    giver: str = ""
    receiver: str = ""
    giver_tier: int | None = None
    receiver_tier: int | None = None
    giver_authorization: AuthorizationStatus | None = None
    receiver_authorization: AuthorizationStatus | None = None
    unit_price: Money | None = None
    delivery: Delivery | None = None
    transfer: int = 0


def movement(event: Event, position: int, unit: Unit) -> Movement:
    """Return what the event at a position, which changed the unit's run, was to the unit."""
    match event:
        case events.BatchCommissioned(brand=brand):
            return Movement(StepKind.COMMISSIONED, receiver=brand, receiver_tier=BRAND_TIER)
        case events.TransferOffered(terms):
            return _onward(StepKind.OFFERED, terms)
        case events.TransferRecorded(terms):
            return _onward(StepKind.TRANSFERRED, terms, position)
        case events.TransferAccepted(transfer, terms) if _holds(terms.ranges, unit):
            return _onward(StepKind.TRANSFERRED, terms, transfer)
        case events.UnitsSold(terms):
            return _onward(StepKind.SOLD, terms, position)
        case events.TransferReversed(transfer, terms):
            return _back(StepKind.REVERSED, terms, transfer)
        case events.UnitsReturned(lines=lines):
            return _back(
                StepKind.RETURNED, next(line.terms for line in lines if _holds(line.terms.ranges, unit))
            )
        case events.TransferAccepted(terms=terms):  # the unit was offered, and is among the discrepancies
            return Movement(StepKind.RELEASED, terms.giver, terms.receiver)
        case (
            events.TransferDeclined(giver=giver, receiver=receiver)
            | events.TransferWithdrawn(giver=giver, receiver=receiver)
            | events.TransferLapsed(giver=giver, receiver=receiver)
        ):
            return Movement(StepKind.RELEASED, giver, receiver)
        case events.UnitsDelivered(custodian, receiver):
            return Movement(StepKind.DELIVERED, custodian, receiver)
        case events.PurchaseConfirmed(consumer, _, price_paid):
            return Movement(StepKind.CONFIRMED, receiver=consumer, unit_price=price_paid)
        case events.UnitsWrittenOff(party):
            return Movement(StepKind.WRITTEN_OFF, party)
        case (
            events.PartyRegistered()
            | events.PartyAuthorized()
            | events.AuthorizationRevoked()
            | events.ProductRegistered()
            | events.ReversalAsked()
            | events.CasePacked()
            | events.CaseUnpacked()
            | events.UnitsRecalled()
            | events.RecallLifted()
        ):
            raise AssertionError(event)  # these change no run
        case _:
            assert_never(event)


def _onward(kind: StepKind, terms: Terms, transfer: int = 0) -> Movement:
    return Movement(
        kind,
        terms.giver,
        terms.receiver,
        terms.giver_tier,
        terms.receiver_tier,
        terms.giver_authorization,
        terms.receiver_authorization,
        terms.unit_price,
        terms.delivery,
        transfer,
    )


def _back(kind: StepKind, terms: Terms, transfer: int = 0) -> Movement:
    """Who had received gives, and who had given receives, at the price then paid."""
    return Movement(
        kind,
        terms.receiver,
        terms.giver,
        terms.receiver_tier,
        terms.giver_tier,
        terms.receiver_authorization,
        terms.giver_authorization,
        terms.unit_price,
        terms.delivery,
        transfer,
    )


def _holds(ranges: Ranges, unit: Unit) -> bool:
    return any(part.batch == unit.batch and part.first <= unit.number <= part.last for part in ranges)
