"""How each kind of event changes runs: which ranges, and what becomes of owner, custodian, state and chain."""

from collections.abc import Sequence
from typing import Final, assert_never

import msgspec

from pathbook.ledger import events, key_events
from pathbook.ledger.events import Event
from pathbook.ledger.ranges import union, without
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import Delivery, Ranges, UnitRange, UnitState

# Looked up once, because the lookup of an enum member takes as long as making a run.
_IN_STOCK: Final = UnitState.IN_STOCK
_OFFERED: Final = UnitState.OFFERED
_SOLD: Final = UnitState.SOLD
_WITH_TITLE: Final = Delivery.WITH_TITLE


class Move(msgspec.Struct, frozen=True, gc=False):
    """How an event changes the runs in its ranges. A field that is None changes nothing.

    ``push`` is a transfer that becomes the last hop. ``pop_from`` is the custodian to whom the last hop moved the
    goods. This hop is removed, and goods that still lie with this custodian go back to where it moved them from.
    ``in_hand`` sets the state to SOLD if a consumer owns the units, and else to IN_STOCK.
    """

    ranges: Ranges
    owner: str | None = None
    custodian: str | None = None
    state: UnitState | None = None
    reserved_by: int = 0
    push: int = 0
    pop_from: str | None = None
    in_hand: bool = False


def changed_ranges(event: Event) -> Sequence[UnitRange]:
    """Return the ranges whose runs an event changes. Of a batch that is commissioned, there are none yet."""
    if isinstance(event, (events.TransferRecorded, events.UnitsSold)):
        return event.terms.ranges
    return [part for move in moves_of(event, 0) for part in move.ranges]


def moves_of(event: Event, position: int) -> list[Move]:
    """Return how an event changes runs. Events about the book, parties, products, cases and recalls change none."""
    match event:  # the most frequent kinds come first, because a match tries its cases in turn
        case events.TransferRecorded():
            return [_onward(event.terms, _IN_STOCK, position)]
        case events.UnitsSold():
            return [_onward(event.terms, _SOLD, position)]
        case events.TransferOffered(terms):
            return [Move(terms.ranges, state=_OFFERED, reserved_by=position)]
        case events.TransferAccepted(transfer, terms, discrepancies):
            # all at once, because neighbors that stay behind for different reasons have the same past
            released = union(part for item in discrepancies for part in item.ranges)
            return [_onward(terms, _IN_STOCK, transfer), Move(released, state=_IN_STOCK)]
        case (
            events.TransferDeclined(ranges=ranges)
            | events.TransferWithdrawn(ranges=ranges)
            | events.TransferLapsed(ranges=ranges)
        ):
            return [Move(ranges, state=_IN_STOCK)]
        case events.TransferReversed(terms=terms):
            return [_back(terms)]
        case events.UnitsReturned(lines=lines):
            return [_back(line.terms) for line in lines]
        case events.UnitsDelivered(receiver=receiver, ranges=ranges):
            return [Move(ranges, custodian=receiver)]
        case events.PurchaseConfirmed(ranges=ranges):
            return [Move(ranges, state=UnitState.CONFIRMED)]
        case events.UnitsWrittenOff(ranges=ranges, state=state):
            return [Move(ranges, state=state)]
        case events.TransferAttested(ranges=ranges):
            return [Move(ranges)]
        case events.ErrorDeclared(declared=declared):
            return _undoing(declared)
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


def _undoing(declared: events.DeclarableEvent) -> list[Move]:
    """Return how the declaration that an event was an error changes runs."""
    match declared:
        case events.UnitsWrittenOff(ranges=ranges, confirmed=confirmed):
            return [
                Move(confirmed, state=UnitState.CONFIRMED),
                Move(without(ranges, confirmed), in_hand=True),
            ]
        case events.PurchaseConfirmed(ranges=ranges):
            return [Move(ranges, state=_SOLD)]
        case events.UnitsDelivered(custodian=custodian, ranges=ranges):
            return [Move(ranges, custodian=custodian)]
        case events.ReversalAsked():
            return []
        case _:
            assert_never(declared)


def _onward(terms: Terms, state: UnitState, transfer: int) -> Move:
    custodian = terms.receiver if terms.delivery is _WITH_TITLE else None
    return Move(terms.ranges, terms.receiver, custodian, state, 0, transfer)


def _back(terms: Terms) -> Move:
    return Move(terms.ranges, terms.giver, state=_IN_STOCK, pop_from=terms.receiver)
