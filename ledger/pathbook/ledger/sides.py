"""The sides of an event: the parties that it is about, and the units by which it is a brand's."""

from typing import Final, assert_never

import msgspec

from pathbook.ledger import events, key_events
from pathbook.ledger.events import Event
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import Ranges


class Sides(msgspec.Struct, frozen=True):
    """Whom an event is about.

    Attributes:
        parties: the parties and consumers, of which each may see it.
        ranges: the units that it names. A brand may see it if all of them are of its products.
        transfer: the transfer that it is about but does not repeat, 0 if there is none: its sides are those, too.
        is_open: whether every caller may see it, because it is about the whole book.
    """

    parties: frozenset[str] = frozenset()
    ranges: Ranges = ()
    transfer: int = 0
    is_open: bool = False


EVERY_SIDE: Final = Sides(is_open=True)
"""The sides of what is about the whole book."""


def sides_of(event: Event) -> Sides:
    """Return the sides of an event."""
    match event:
        case events.BookOpened() | events.Sealed():
            return EVERY_SIDE
        case (
            events.TransferOffered(terms)
            | events.TransferRecorded(terms)
            | events.UnitsSold(terms)
            | events.TransferReversed(terms=terms)
        ):
            return _of_terms(terms, terms.ranges)
        case events.TransferAccepted(terms=terms, discrepancies=discrepancies):
            left = tuple(part for each in discrepancies for part in each.ranges)
            return _of_terms(terms, terms.ranges + left)
        case (
            events.TransferDeclined(giver=giver, receiver=receiver, ranges=ranges)
            | events.TransferWithdrawn(giver=giver, receiver=receiver, ranges=ranges)
            | events.TransferLapsed(giver=giver, receiver=receiver, ranges=ranges)
            | events.UnitsDelivered(custodian=giver, receiver=receiver, ranges=ranges)
        ):
            return Sides(frozenset((giver, receiver)), ranges)
        case events.TransferAttested(transfer, party, ranges):
            return Sides(frozenset((party,)), ranges, transfer)
        case events.ReversalAsked(transfer, party):
            return Sides(frozenset((party,)), (), transfer)
        case events.PurchaseConfirmed(consumer, ranges):
            return Sides(frozenset((consumer,)), ranges)
        case events.UnitsReturned(owner, lines):
            takers = {line.terms.giver for line in lines}
            ranges = tuple(part for line in lines for part in line.terms.ranges)
            # a return to several parties shows each line to all of them, so only its owner sees it
            return Sides(frozenset((owner, *takers)) if len(takers) == 1 else frozenset((owner,)), ranges)
        case events.UnitsWrittenOff(party, ranges) | events.CasePacked(_, party, ranges):
            return Sides(frozenset((party,)), ranges)
        case events.ErrorDeclared(party=party, declared=declared):
            found = sides_of(declared)
            return msgspec.structs.replace(found, parties=found.parties | {party})
        case (
            events.CaseUnpacked(party=party)
            | events.PartyRegistered(party)
            | events.PartyCorrected(party)
            | events.ProductRegistered(brand=party)
            | events.ProductCorrected(brand=party)
            | events.BatchCommissioned(brand=party)
            | events.BatchCorrected(brand=party)
            | events.UnitsRecalled(brand=party)
            | events.RecallLifted(brand=party)
            | key_events.KeyRegistered(party)
            | key_events.KeyRevoked(party)
            | key_events.StatementsFiled(party)
        ):
            return Sides(frozenset((party,)))
        case (
            events.PartyAuthorized(upline=upline, party=party)
            | events.AuthorizationRevoked(upline=upline, party=party)
        ):
            return Sides(frozenset((upline, party)))
        case _:
            assert_never(event)


def _of_terms(terms: Terms, ranges: Ranges) -> Sides:
    return Sides(frozenset((terms.giver, terms.receiver)), ranges)
