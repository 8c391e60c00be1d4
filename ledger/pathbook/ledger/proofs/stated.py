"""An event compared with the command that its statement asks: who acts, on what terms, on which units.

What only the server adds is not compared: authorities, numbers of batches, fingerprints of keys, cases that are
unpacked by an acceptance. An event that a command answers has the leaf hash that the command names.
"""

import enum
from collections import Counter
from collections.abc import Iterable
from typing import Final, NamedTuple, assert_never

from pathbook.ledger import commands, events, key_events
from pathbook.ledger.command_fields import OPERATOR, AnsweringFields
from pathbook.ledger.commands import Command
from pathbook.ledger.events import Event, RecordedEvent
from pathbook.ledger.ranges import count_units, covers, joined, union, without
from pathbook.ledger.requests import request_of
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import CONSUMER_PREFIX, Ranges, Selection, gtin14, is_consumer


class Precision(enum.IntEnum):
    """How the units of an event were compared with those of its statement, which may leave the choice to the book."""

    EXACT = 0
    """They are the same, or neither names any."""

    BY_COUNT = 1
    """There are as many of each batch or product as the statement asks for."""

    BY_CASE = 2
    """The statement names cases. What lay in them is the word of the book."""


class Compared(NamedTuple):
    """The first difference between an event and its statement, or an empty text, and how their units were compared."""

    difference: str
    precision: Precision = Precision.EXACT


class Known:
    """What a reader knows of other events. It may know nothing, and then less is compared."""

    def product(self, batch: int) -> str | None:  # noqa: ARG002 - it knows none
        """Return the GTIN of a batch, or None if it is not known."""
        return None

    def size(self, batch: int) -> int | None:  # noqa: ARG002 - it knows none
        """Return how many units a batch has, or None if that is not known."""
        return None

    def contents(self, sscc: str) -> Ranges | None:  # noqa: ARG002 - it knows none
        """Return the units that lay in a case before the event, or None if that is not known."""
        return None

    def agreed(self, transfer: int) -> Terms | None:  # noqa: ARG002 - it knows none
        """Return the terms of a transfer, or None if they are not known."""
        return None

    def answered(self, command: AnsweringFields) -> bytes | None:  # noqa: ARG002 - it knows none
        """Return the leaf hash of the event that a command answers, or None if it is not known."""
        return None

    def begins(self, party: str, authorization: int) -> int | None:  # noqa: ARG002 - it knows none
        """Return when an authorization of a party begins, or None if that is not known."""
        return None


NOTHING: Final = Known()
"""A reader that knows a single event."""

_Pairs = dict[str, tuple[object, object]]
"""By a name for people: what a statement asks, and what its event says."""

_Units = tuple[Selection, Ranges]
"""The units that a statement names, and those of its event."""

_NO_UNITS: Final[_Units] = (Selection(), ())
_OTHER_KIND: Final = Compared("it asks for something else")


def acting(event: Event) -> str | None:
    """Return the party, consumer or OPERATOR that acted, and may have signed a statement. In the rest, none acts."""
    match event:
        case events.TransferOffered(terms) | events.TransferRecorded(terms) | events.UnitsSold(terms):
            return terms.giver
        case events.TransferAccepted(terms=terms):
            return terms.receiver
        case events.TransferDeclined(receiver=party) | events.TransferWithdrawn(giver=party):
            return party
        case (
            events.TransferAttested(party=party)
            | events.ReversalAsked(party=party)
            | events.TransferReversed(party=party)
            | events.UnitsWrittenOff(party=party)
            | events.CasePacked(party=party)
            | events.CaseUnpacked(party=party)
            | events.ErrorDeclared(party=party)
            | events.UnitsDelivered(custodian=party)
            | events.PurchaseConfirmed(consumer=party)
            | events.UnitsReturned(owner=party)
        ):
            return party
        case (
            events.BatchCommissioned(brand=party)
            | events.BatchCorrected(brand=party)
            | events.UnitsRecalled(brand=party)
            | events.RecallLifted(brand=party)
            | events.ProductRegistered(brand=party)
            | events.ProductCorrected(brand=party)
            | events.PartyAuthorized(upline=party)
            | events.AuthorizationRevoked(upline=party)
        ):
            return party
        case events.BookOpened() | events.PartyRegistered() | events.PartyCorrected():
            return OPERATOR
        case (
            events.TransferLapsed()
            | events.Sealed()
            | key_events.KeyRegistered()
            | key_events.KeyRevoked()
            | key_events.StatementsFiled()
        ):
            return None
        case _:
            assert_never(event)


def required_signer(event: Event) -> str:
    """Return the party that must sign an event in a book of signing parties, "" if the event needs no signature."""
    party = acting(event)
    return party if party and not is_consumer(party) else ""


def difference(recorded: RecordedEvent, command: Command, known: Known = NOTHING) -> Compared:
    """Return the first difference between an event and the command that its statement asks.

    The note is not compared here, because a command has its text, and an event and a statement its commitment.
    """
    if recorded.request != request_of(command.actor, command.request_id):
        return Compared("it is another request")
    if recorded.occurred_at != (command.occurred_at or recorded.recorded_at):
        return Compared("it claims another time")
    if isinstance(command, AnsweringFields):
        leaf = known.answered(command)
        if not command.answered_leaf or leaf not in (None, command.answered_leaf):
            return Compared("it answers another event than the one at that position")
    event = recorded.event
    if isinstance(event, events.TransferAccepted) and isinstance(command, commands.AcceptTransfer):
        return _acceptance(event, command)
    found = _of_units(event, command, known)
    pairs, (selection, ranges) = found or (_of_registers(recorded, command, known), _NO_UNITS)
    if pairs is None:
        return _OTHER_KIND
    for name, (asked, said) in pairs.items():
        if asked != said:
            return Compared(f"it states another {name}")
    return _units(selection, ranges, known)


def _of_units(event: Event, command: Command, known: Known) -> tuple[_Pairs, _Units] | None:
    """Return what is compared of an event about units, or None if it is not what such a command causes."""
    match command, event:  # the most frequent kinds come first, because a match tries its cases in turn
        case commands.RecordTransfer(reported_by=by), events.TransferRecorded(terms) if by in (
            "",
            command.giver,
        ):
            return _terms(command, command.receiver, command.giver, terms), (command.units, terms.ranges)
        case commands.SellUnits(), events.UnitsSold(terms):
            buyer = CONSUMER_PREFIX + command.consumer
            return _terms(command, buyer, command.seller, terms), (command.units, terms.ranges)
        case commands.OfferTransfer(), events.TransferOffered(terms, deadline):
            pairs = _terms(command, command.receiver, command.giver, terms, command.extra_allowed)
            return pairs | {"deadline": (command.deadline, deadline)}, (command.units, terms.ranges)
        case commands.RecordTransfer(reported_by=by), events.TransferAttested(transfer, party, ranges):
            return _attested(command, known.agreed(transfer)) | {"party": (by, party)}, (
                command.units,
                ranges,
            )
        case commands.DeliverUnits(), events.UnitsDelivered(custodian, receiver, ranges):
            pairs = {"custodian": (command.custodian, custodian), "receiver": (command.receiver, receiver)}
            return pairs, (command.units, ranges)
        case commands.ReturnUnits(), events.UnitsReturned(owner, lines):
            ranges = union(part for line in lines for part in line.terms.ranges)
            return {"owner": (command.owner, owner)}, (command.units, ranges)
        case commands.WriteOffUnits(), events.UnitsWrittenOff(party, ranges, state):
            pairs = {"party": (command.party, party), "state": (command.state, state)}
            return pairs, (command.units, ranges)
        case commands.PackCase(), events.CasePacked(sscc, party, ranges, cases):
            loose = Selection(command.units.ranges, (), command.units.quantities)
            pairs = {
                "case": (command.sscc, sscc),
                "party": (command.party, party),
                "set of cases": (sorted(command.units.cases), sorted(cases)),
            }
            return pairs, (loose, ranges)
        case _:
            return None


def _of_registers(recorded: RecordedEvent, command: Command, known: Known) -> _Pairs | None:
    """Return what is compared of an event that answers, corrects or registers, or None if it is of another kind."""
    match command, recorded.event:
        case commands.DeclineTransfer(), events.TransferDeclined() as event:
            return {
                "transfer": (command.transfer, event.transfer),
                "party": (command.receiver, event.receiver),
            }
        case commands.WithdrawTransfer(), events.TransferWithdrawn() as event:
            return {"transfer": (command.transfer, event.transfer), "party": (command.giver, event.giver)}
        case commands.ReverseTransfer(), events.ReversalAsked() | events.TransferReversed() as event:
            return {"transfer": (command.transfer, event.transfer), "party": (command.party, event.party)}
        case commands.DeclareError(), events.ErrorDeclared() as event:
            return {"position": (command.position, event.position), "party": (command.party, event.party)}
        case commands.UnpackCase(), events.CaseUnpacked(sscc, party):
            return {"case": (command.sscc, sscc), "party": (command.party, party)}
        case commands.RecallUnits(), events.UnitsRecalled() as event:
            return {
                "brand": (command.brand, event.brand),
                "batch": (command.batch, event.batch),
                "set of units": (_recalled(command, event, known), event.ranges),
            }
        case commands.LiftRecall(), events.RecallLifted() as event:
            return {"recall": (command.recall, event.recall), "brand": (command.brand, event.brand)}
        case commands.AuthorizeParty(), events.PartyAuthorized() as event:
            return {
                "upline": (command.upline, event.upline),
                "party": (command.party, event.party),
                "tier": (command.tier, event.tier),
                "set of products": (sorted({*map(gtin14, command.products)}, key=str), list(event.products)),
                "region": (command.region, event.region),
                "beginning": (command.valid_from or recorded.recorded_at, event.valid_from),
                "end": (command.valid_until, event.valid_until),
            }
        case commands.RevokeAuthorization(), events.AuthorizationRevoked() as event:
            return {
                "authorization": (command.authorization, event.authorization),
                "upline": (command.upline, event.upline),
                "end": (
                    command.revoked_from or _end_at_once(recorded, event, known),
                    event.revoked_from,
                ),
            }
        case commands.RegisterProduct(), events.ProductRegistered() as event:
            return {
                "product": (gtin14(command.product), event.product),
                "brand": (command.brand, event.brand),
                "name": (command.name, event.name),
                "price": (command.suggested_price, event.suggested_price),
            }
        case commands.CommissionBatch(), events.BatchCommissioned() as event:
            return {
                "product": (gtin14(command.product), event.product),
                "brand": (command.brand, event.brand),
                "lot": (command.lot, event.lot),
                "size": (command.size, event.size),
                "day of making": (command.made_on, event.made_on),
                "day of expiry": (command.expires_on, event.expires_on),
                "price": (command.suggested_price or event.suggested_price, event.suggested_price),
            }
        case commands.CorrectProduct(), events.ProductCorrected() as event:
            return {
                "product": (gtin14(command.product), event.product),
                "brand": (command.brand, event.brand),
                "name": (command.name or event.name, event.name),
                "price": (command.suggested_price or event.suggested_price, event.suggested_price),
            }
        case commands.CorrectBatch(), events.BatchCorrected() as event:
            expires_on = None if command.never_expires else command.expires_on or event.expires_on
            return {
                "batch": (command.batch, event.batch),
                "brand": (command.brand, event.brand),
                "day of making": (command.made_on or event.made_on, event.made_on),
                "day of expiry": (expires_on, event.expires_on),
                "price": (command.suggested_price or event.suggested_price, event.suggested_price),
            }
        case commands.RegisterParty(), events.PartyRegistered(party, kind):
            return {"party": (command.party, party), "kind": (command.kind, kind)}
        case commands.CorrectParty(), events.PartyCorrected(party, kind):
            return {"party": (command.party, party), "kind": (command.kind, kind)}
        case _:
            return None


def _terms(
    command: commands.RecordTransfer | commands.SellUnits | commands.OfferTransfer,
    receiver: str,
    giver: str,
    terms: Terms,
    extra_allowed: int = 0,
) -> _Pairs:
    return {
        "giver": (giver, terms.giver),
        "receiver": (receiver, terms.receiver),
        "price": (command.unit_price, terms.unit_price),
        "delivery": (command.delivery, terms.delivery),
        "reference": (command.reference, terms.reference),
        "choice of units": (bool(command.units.quantities), terms.chosen_by_book),
        "number of extra units allowed": (extra_allowed, terms.extra_allowed),
    }


def _attested(command: commands.RecordTransfer, agreed: Terms | None) -> _Pairs:
    """Return what is compared of a receiver's report, which must have the terms of the transfer that it attests."""
    if agreed is None:
        return {"transfer": (True, False)}
    return {
        "giver": (command.giver, agreed.giver),
        "receiver": (command.receiver, agreed.receiver),
        "price": (True, command.unit_price.is_worth(agreed.unit_price)),
        "delivery": (command.delivery, agreed.delivery),
        "reference": (command.reference, agreed.reference),
    }


def _acceptance(event: events.TransferAccepted, command: commands.AcceptTransfer) -> Compared:
    """Compare an acceptance. That it answers this offer was compared before."""
    if (command.transfer, command.receiver) != (event.transfer, event.terms.receiver):
        return Compared("it accepts another offer")
    if (joined(command.extra) if command.extra else ()) != event.extra:
        return Compared("it states another set of extra units")
    for claim, found in zip(command.discrepancies, event.discrepancies, strict=False):
        said = joined(claim.ranges) if claim.ranges else claim.count
        counted = found.ranges if claim.ranges else count_units(found.ranges)
        if (claim.kind, said) != (found.kind, counted):
            return Compared("it states another discrepancy")
    if len(command.discrepancies) != len(event.discrepancies):
        return Compared("it states another number of discrepancies")
    by_count = any(not claim.ranges for claim in command.discrepancies)
    return Compared("", Precision.BY_COUNT if by_count else Precision.EXACT)


def _end_at_once(recorded: RecordedEvent, event: events.AuthorizationRevoked, known: Known) -> int:
    """Return when a revocation without a time ends an authorization: now, or when it begins if that is later."""
    begins = known.begins(event.party, event.authorization)
    return max(recorded.recorded_at, event.revoked_from if begins is None else begins)


def _recalled(command: commands.RecallUnits, event: events.UnitsRecalled, known: Known) -> object:
    """Return the units that a recall asks for. Without ranges they are all units of the batch, and never none."""
    if command.ranges:
        return joined(command.ranges)
    size = known.size(event.batch)
    part = event.ranges[0] if len(event.ranges) == 1 else None
    is_whole = part is not None and part.first == 0 and (size is None or part.last == size - 1)
    return event.ranges if is_whole else None


def _units(selection: Selection, ranges: Ranges, known: Known) -> Compared:
    """Compare the units of an event with a selection: ranges exactly, the others as far as they are known."""
    if not selection.cases and not selection.quantities:
        is_same = (joined(selection.ranges) if selection.ranges else ()) == ranges
        return Compared("" if is_same else "it states another set of units")
    contents = [known.contents(sscc) for sscc in selection.cases]
    stated = union((*selection.ranges, *(part for found in contents if found is not None for part in found)))
    if not covers(ranges, stated):
        return Compared("it states another set of units")
    has_all_cases = all(found is not None for found in contents)
    if has_all_cases and not selection.quantities:
        return Compared("" if stated == ranges else "it states another set of units")
    precision = Precision.BY_COUNT if has_all_cases else Precision.BY_CASE
    problem = _wrong_count(without(ranges, stated), selection, known, is_all=has_all_cases)
    return Compared(problem, precision)


def _wrong_count(chosen: Ranges, selection: Selection, known: Known, *, is_all: bool) -> str:
    """Return why units that the book chose cannot be the quantities of a selection, or an empty text.

    ``is_all`` says that there may be no others. If the product of a batch is not known, it may be any.
    """
    left = Counter[int]()
    for part in chosen:
        left[part.batch] += part.count
    wanted = Counter[str]()
    for quantity in selection.quantities:
        if quantity.batch:
            left[quantity.batch] -= quantity.count
        else:
            wanted[gtin14(quantity.product) or quantity.product] += quantity.count
    if any(count < 0 for count in left.values()):
        return "it has fewer units of a batch"
    unknown = 0
    for batch, count in left.items():
        product = known.product(batch)
        if product is None:
            unknown += count
        else:
            wanted[product] -= count
    if is_all and any(count < 0 for count in wanted.values()):
        return "it has more units of a product"
    missing = sum(_above_zero(wanted.values()))
    if missing > unknown:
        return "it has fewer units of a product"
    return "it has more units" if is_all and missing < unknown else ""


def _above_zero(counts: Iterable[int]) -> Iterable[int]:
    return (count for count in counts if count > 0)
