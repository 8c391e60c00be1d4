"""Each kind of event from its message: what is missing, out of place or unheard of is refused, never guessed.

Required is whatever ``pathbook.ledger.events`` has without None: ids are not empty, positions, batch numbers and sizes
are at least 1, enums are said, times are set. Free texts, tiers and amounts are taken as they are.
"""

from collections.abc import Callable
from typing import Final

from pathbook.ledger import events
from pathbook.ledger.codec.fields import (
    Numbered,
    missing,
    read_date,
    read_money,
    read_name,
    read_number,
    read_ranges,
    read_terms,
    read_time,
)
from pathbook.ledger.events import Event
from pathbook.ledger.values import DiscrepancyKind, PartyKind, Ranges, UnitState
from pathbook.v1 import events_pb2

_DISCREPANCIES: Final = Numbered(DiscrepancyKind)
_PARTY_KINDS: Final = Numbered(PartyKind)
_STATES: Final = Numbered(UnitState)


def read_event(message: events_pb2.Event) -> Event:
    """Return what happened.

    Raises:
        ValueError: it is of no known kind, or lacks something, or has it out of place.
    """
    kind = message.WhichOneof("kind")
    if kind is None:
        raise ValueError("it is of no known kind")
    return _READ[kind](message)


def _party_registered(message: events_pb2.Event) -> Event:
    registered = message.party_registered
    return events.PartyRegistered(
        party=read_name(registered.party, "party"), kind=_PARTY_KINDS[registered.kind]
    )


def _party_authorized(message: events_pb2.Event) -> Event:
    given = message.party_authorized
    if not given.HasField("valid_from"):
        missing("valid_from")
    return events.PartyAuthorized(
        upline=read_name(given.upline, "upline"),
        party=read_name(given.party, "party"),
        tier=given.tier,
        products=tuple([read_name(gtin, "gtin") for gtin in given.gtins]),
        region=given.region,
        valid_from=read_time(given.valid_from),
        valid_until=read_time(given.valid_until) if given.HasField("valid_until") else None,
    )


def _authorization_revoked(message: events_pb2.Event) -> Event:
    ended = message.authorization_revoked
    if not ended.HasField("revoked_from"):
        missing("revoked_from")
    return events.AuthorizationRevoked(
        authorization=read_number(ended.authorization, "authorization"),
        upline=read_name(ended.upline, "upline"),
        party=read_name(ended.party, "party"),
        revoked_from=read_time(ended.revoked_from),
    )


def _product_registered(message: events_pb2.Event) -> Event:
    product = message.product_registered
    return events.ProductRegistered(
        product=read_name(product.gtin, "gtin"),
        brand=read_name(product.brand, "brand"),
        name=product.name,
        suggested_price=read_money(product.suggested_price),
    )


def _batch_commissioned(message: events_pb2.Event) -> Event:
    batch = message.batch_commissioned
    return events.BatchCommissioned(
        batch=read_number(batch.batch, "batch"),
        product=read_name(batch.gtin, "gtin"),
        brand=read_name(batch.brand, "brand"),
        lot=read_name(batch.lot, "lot"),
        size=read_number(batch.size, "size"),
        made_on=read_date(batch.made_on),
        expires_on=read_date(batch.expires_on) if batch.expires_on else None,
        suggested_price=read_money(batch.suggested_price),
    )


def _transfer_offered(message: events_pb2.Event) -> Event:
    offered = message.transfer_offered
    deadline = read_time(offered.deadline) if offered.HasField("deadline") else None
    return events.TransferOffered(read_terms(offered.terms), deadline)


def _transfer_accepted(message: events_pb2.Event) -> Event:
    accepted = message.transfer_accepted
    return events.TransferAccepted(
        transfer=read_number(accepted.transfer, "transfer"),
        terms=read_terms(accepted.terms),
        discrepancies=tuple([_discrepancy(item) for item in accepted.discrepancies]),
        unpacked=tuple([read_name(sscc, "sscc") for sscc in accepted.unpacked]),
    )


def _discrepancy(message: events_pb2.Discrepancy) -> events.Discrepancy:
    return events.Discrepancy(_DISCREPANCIES[message.kind], read_ranges(message.ranges))


def _transfer_declined(message: events_pb2.Event) -> Event:
    declined = message.transfer_declined
    return events.TransferDeclined(*_ended(declined), declined.note)


def _ended(
    message: events_pb2.TransferDeclined | events_pb2.TransferWithdrawn | events_pb2.TransferLapsed,
) -> tuple[int, str, str, Ranges]:
    giver, receiver = read_name(message.giver, "giver"), read_name(message.receiver, "receiver")
    return read_number(message.transfer, "transfer"), giver, receiver, read_ranges(message.ranges)


def _reversal_asked(message: events_pb2.Event) -> Event:
    asked = message.reversal_asked
    return events.ReversalAsked(
        read_number(asked.transfer, "transfer"), read_name(asked.party, "party"), asked.note
    )


def _transfer_reversed(message: events_pb2.Event) -> Event:
    undone = message.transfer_reversed
    transfer, party = read_number(undone.transfer, "transfer"), read_name(undone.party, "party")
    return events.TransferReversed(transfer, read_terms(undone.terms), party)


def _units_delivered(message: events_pb2.Event) -> Event:
    delivered = message.units_delivered
    return events.UnitsDelivered(
        custodian=read_name(delivered.custodian, "custodian"),
        receiver=read_name(delivered.receiver, "receiver"),
        ranges=read_ranges(delivered.ranges),
    )


def _purchase_confirmed(message: events_pb2.Event) -> Event:
    bought = message.purchase_confirmed
    consumer = read_name(bought.consumer, "consumer")
    return events.PurchaseConfirmed(consumer, read_ranges(bought.ranges), read_money(bought.price_paid))


def _units_returned(message: events_pb2.Event) -> Event:
    returned = message.units_returned
    return events.UnitsReturned(
        owner=read_name(returned.owner, "owner"),
        lines=tuple([_return_line(line) for line in returned.lines]),
        note=returned.note,
    )


def _return_line(message: events_pb2.ReturnLine) -> events.ReturnLine:
    return events.ReturnLine(read_number(message.transfer, "transfer"), read_terms(message.terms))


def _units_written_off(message: events_pb2.Event) -> Event:
    lost = message.units_written_off
    return events.UnitsWrittenOff(
        party=read_name(lost.party, "party"),
        ranges=read_ranges(lost.ranges),
        state=_STATES[lost.state],
        note=lost.note,
    )


def _case_packed(message: events_pb2.Event) -> Event:
    packed = message.case_packed
    return events.CasePacked(
        sscc=read_name(packed.sscc, "sscc"),
        party=read_name(packed.party, "party"),
        ranges=read_ranges(packed.ranges),
        cases=tuple([read_name(sscc, "sscc") for sscc in packed.cases]),
    )


def _case_unpacked(message: events_pb2.Event) -> Event:
    unpacked = message.case_unpacked
    return events.CaseUnpacked(read_name(unpacked.sscc, "sscc"), read_name(unpacked.party, "party"))


def _units_recalled(message: events_pb2.Event) -> Event:
    recalled = message.units_recalled
    brand, batch = read_name(recalled.brand, "brand"), read_number(recalled.batch, "batch")
    return events.UnitsRecalled(brand, batch, read_ranges(recalled.ranges), recalled.note)


def _recall_lifted(message: events_pb2.Event) -> Event:
    lifted = message.recall_lifted
    recall, batch = read_number(lifted.recall, "recall"), read_number(lifted.batch, "batch")
    return events.RecallLifted(recall, read_name(lifted.brand, "brand"), batch)


_READ: Final[dict[str, Callable[[events_pb2.Event], Event]]] = {
    "party_registered": _party_registered,
    "party_authorized": _party_authorized,
    "authorization_revoked": _authorization_revoked,
    "product_registered": _product_registered,
    "batch_commissioned": _batch_commissioned,
    "transfer_offered": _transfer_offered,
    "transfer_accepted": _transfer_accepted,
    "transfer_declined": _transfer_declined,
    "transfer_withdrawn": lambda message: events.TransferWithdrawn(*_ended(message.transfer_withdrawn)),
    "transfer_lapsed": lambda message: events.TransferLapsed(*_ended(message.transfer_lapsed)),
    "transfer_recorded": lambda message: events.TransferRecorded(read_terms(message.transfer_recorded.terms)),
    "reversal_asked": _reversal_asked,
    "transfer_reversed": _transfer_reversed,
    "units_delivered": _units_delivered,
    "units_sold": lambda message: events.UnitsSold(read_terms(message.units_sold.terms)),
    "purchase_confirmed": _purchase_confirmed,
    "units_returned": _units_returned,
    "units_written_off": _units_written_off,
    "case_packed": _case_packed,
    "case_unpacked": _case_unpacked,
    "units_recalled": _units_recalled,
    "recall_lifted": _recall_lifted,
}
