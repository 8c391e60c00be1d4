"""Each kind of event to its message.

Fields are assigned, not given to constructors: a message in a message is then filled in place, not copied.
"""

from typing import Final, TypeAlias, assert_never

from pathbook.ledger import events
from pathbook.ledger.codec.fields import write_money, write_ranges, write_terms, write_time
from pathbook.ledger.events import Event
from pathbook.v1 import events_pb2, values_pb2

# each number stands at its own place: see pathbook.ledger.codec.fields
_DISCREPANCIES: Final = values_pb2.DiscrepancyKind.values()
_PARTY_KINDS: Final = values_pb2.PartyKind.values()
_STATES: Final = values_pb2.UnitState.values()

_Registration: TypeAlias = (
    events.PartyRegistered
    | events.PartyAuthorized
    | events.AuthorizationRevoked
    | events.ProductRegistered
    | events.BatchCommissioned
)
_Goods: TypeAlias = (
    events.UnitsDelivered
    | events.PurchaseConfirmed
    | events.UnitsWrittenOff
    | events.CasePacked
    | events.CaseUnpacked
    | events.UnitsRecalled
    | events.RecallLifted
)


def write_event(message: events_pb2.Event, event: Event) -> None:
    """Write what happened. What fills most books comes first, for a match tries its cases in turn."""
    match event:
        case events.TransferRecorded():
            write_terms(message.transfer_recorded.terms, event.terms)
        case events.UnitsSold():
            write_terms(message.units_sold.terms, event.terms)
        case events.TransferOffered():
            write_terms(message.transfer_offered.terms, event.terms)
            if event.deadline is not None:
                write_time(message.transfer_offered.deadline, event.deadline)
        case events.TransferAccepted():
            _write_accepted(message.transfer_accepted, event)
        case events.TransferDeclined():
            _write_ended(message.transfer_declined, event)
            message.transfer_declined.note = event.note
        case events.TransferWithdrawn():
            _write_ended(message.transfer_withdrawn, event)
        case events.TransferLapsed():
            _write_ended(message.transfer_lapsed, event)
        case events.ReversalAsked():
            asked = message.reversal_asked
            asked.transfer, asked.party, asked.note = event.transfer, event.party, event.note
        case events.TransferReversed():
            undone = message.transfer_reversed
            undone.transfer, undone.party = event.transfer, event.party
            write_terms(undone.terms, event.terms)
        case events.UnitsReturned():
            returned = message.units_returned
            returned.owner, returned.note = event.owner, event.note
            for line in event.lines:
                write_terms(returned.lines.add(transfer=line.transfer).terms, line.terms)
        case (
            events.PartyRegistered()
            | events.PartyAuthorized()
            | events.AuthorizationRevoked()
            | events.ProductRegistered()
            | events.BatchCommissioned()
        ):
            _write_registration(message, event)
        case _:
            _write_goods(message, event)


def _write_registration(message: events_pb2.Event, event: _Registration) -> None:
    match event:
        case events.PartyRegistered():
            party = message.party_registered
            party.party, party.kind = event.party, _PARTY_KINDS[event.kind]
        case events.PartyAuthorized():
            given = message.party_authorized
            given.upline, given.party, given.tier = event.upline, event.party, event.tier
            given.gtins.extend(event.products)
            given.region = event.region
            write_time(given.valid_from, event.valid_from)
            if event.valid_until is not None:
                write_time(given.valid_until, event.valid_until)
        case events.AuthorizationRevoked():
            ended = message.authorization_revoked
            ended.authorization, ended.upline, ended.party = event.authorization, event.upline, event.party
            write_time(ended.revoked_from, event.revoked_from)
        case events.ProductRegistered():
            product = message.product_registered
            product.gtin, product.brand, product.name = event.product, event.brand, event.name
            write_money(product.suggested_price, event.suggested_price)
        case events.BatchCommissioned():
            batch = message.batch_commissioned
            batch.batch, batch.gtin, batch.brand = event.batch, event.product, event.brand
            batch.lot, batch.size, batch.made_on = event.lot, event.size, event.made_on.isoformat()
            if event.expires_on is not None:
                batch.expires_on = event.expires_on.isoformat()
            write_money(batch.suggested_price, event.suggested_price)
        case _:
            assert_never(event)


def _write_goods(message: events_pb2.Event, event: _Goods) -> None:
    match event:
        case events.UnitsDelivered():
            delivered = message.units_delivered
            delivered.custodian, delivered.receiver = event.custodian, event.receiver
            write_ranges(delivered.ranges.add, event.ranges)
        case events.PurchaseConfirmed():
            message.purchase_confirmed.consumer = event.consumer
            write_ranges(message.purchase_confirmed.ranges.add, event.ranges)
            write_money(message.purchase_confirmed.price_paid, event.price_paid)
        case events.UnitsWrittenOff():
            lost = message.units_written_off
            lost.party, lost.state, lost.note = event.party, _STATES[event.state], event.note
            write_ranges(lost.ranges.add, event.ranges)
        case events.CasePacked():
            packed = message.case_packed
            packed.sscc, packed.party = event.sscc, event.party
            write_ranges(packed.ranges.add, event.ranges)
            packed.cases.extend(event.cases)
        case events.CaseUnpacked():
            message.case_unpacked.sscc, message.case_unpacked.party = event.sscc, event.party
        case events.UnitsRecalled():
            recalled = message.units_recalled
            recalled.brand, recalled.batch, recalled.note = event.brand, event.batch, event.note
            write_ranges(recalled.ranges.add, event.ranges)
        case events.RecallLifted():
            lifted = message.recall_lifted
            lifted.recall, lifted.brand, lifted.batch = event.recall, event.brand, event.batch
        case _:
            assert_never(event)


def _write_accepted(message: events_pb2.TransferAccepted, event: events.TransferAccepted) -> None:
    message.transfer = event.transfer
    write_terms(message.terms, event.terms)
    for item in event.discrepancies:
        write_ranges(message.discrepancies.add(kind=_DISCREPANCIES[item.kind]).ranges.add, item.ranges)
    message.unpacked.extend(event.unpacked)


def _write_ended(
    message: events_pb2.TransferDeclined | events_pb2.TransferWithdrawn | events_pb2.TransferLapsed,
    event: events.TransferDeclined | events.TransferWithdrawn | events.TransferLapsed,
) -> None:
    message.transfer, message.giver, message.receiver = event.transfer, event.giver, event.receiver
    write_ranges(message.ranges.add, event.ranges)
