"""What may follow in the registers of a book: parties, authorizations, products, batches, recalls, cases."""

from typing import assert_never

from pathbook.audit.book import Book
from pathbook.audit.differences import DifferenceError, Rule
from pathbook.audit.movements import require_units
from pathbook.ledger import commands, events
from pathbook.ledger.events import BatchCommissioned, RecordedEvent, RegisterEvent
from pathbook.ledger.key_events import KeyRegistered, KeyRevoked, StatementsFiled
from pathbook.ledger.refusals import Refusal
from pathbook.ledger.rules import custody, party
from pathbook.ledger.values import MAX_BATCH_SIZE, PartyKind, Selection, TransferStatus, is_consumer

_ANY = "~audit"
"""The request id of a command that is decided again. No rule reads it."""


def check_register(book: Book, recorded: RecordedEvent, event: RegisterEvent | BatchCommissioned) -> None:
    """Check an event about the registers. The opening, seals, keys and statements have checks of their own.

    Authorizations and cases are decided again by the rules of the book, and the result must be the event.

    Raises:
        DifferenceError: REGISTER, AUTHORIZATION, CASE or UNITS.
    """
    state, found, rule = book.state, "", Rule.REGISTER
    match event:
        case events.BookOpened() | events.Sealed() | KeyRegistered() | KeyRevoked() | StatementsFiled():
            pass
        case events.PartyRegistered(name):
            if is_consumer(name) or not name:
                found = f"'{name}' cannot be a party"
            elif state.parties.get(name) is not None:
                found = f"{name} was registered before"
        case events.PartyCorrected(name, kind):
            known = state.parties.get(name)
            if known is None or (known.kind is PartyKind.BRAND) is not (kind is PartyKind.BRAND):
                found = f"it makes another of {name} than a registered party may become"
        case events.PartyAuthorized() | events.AuthorizationRevoked():
            found, rule = _authorization(book, recorded, event), Rule.AUTHORIZATION
        case events.ProductRegistered(product, brand):
            found = _brand(book, brand)
            if state.products.get(product) is not None:
                found = f"product {product} was registered before"
        case events.ProductCorrected(product, brand):
            registered = state.products.get(product)
            if registered is None or registered.registered.brand != brand:
                found = f"{brand} corrects product {product}, which is not its own"
        case events.BatchCommissioned():
            found = _batch(book, event)
        case events.BatchCorrected(number, brand):
            found = _owned(book, number, brand)
        case events.UnitsRecalled(brand, number, ranges):
            found = _owned(book, number, brand)
            if not ranges or any(part.batch != number for part in ranges):
                found = found or f"it recalls other units than those of batch {number}"
            require_units(book, recorded.position, [ranges])
        case events.RecallLifted(recall, brand, number):
            found = _owned(book, number, brand)
            batch = state.batches.get(number)
            known_recall = None if batch is None else batch.recalls.get(recall)
            if known_recall is None or known_recall.until is not None:
                found = found or f"it lifts a recall at position {recall} that was not in force"
        case events.ReversalAsked(transfer, name):
            asked = state.transfers.get(transfer)
            if (
                asked is None
                or asked.status not in (TransferStatus.ACCEPTED, TransferStatus.ACCEPTED_IN_PART)
                or name not in (asked.terms.giver, asked.terms.receiver)
                or asked.reversal_asked_by
            ):
                found = f"{name} could not ask to reverse the transfer at position {transfer}"
        case events.CasePacked() | events.CaseUnpacked():
            if isinstance(event, events.CasePacked):
                require_units(book, recorded.position, [event.ranges])
            found, rule = _case(book, recorded, event), Rule.CASE
        case _:
            assert_never(event)
    if found:
        raise DifferenceError(recorded.position, rule, found)


def _authorization(
    book: Book, recorded: RecordedEvent, event: events.PartyAuthorized | events.AuthorizationRevoked
) -> str:
    """Return why an authorization could not be given or revoked."""
    decided: events.Event | Refusal
    if isinstance(event, events.AuthorizationRevoked):
        revoke = commands.RevokeAuthorization(
            request_id=_ANY,
            upline=event.upline,
            authorization=event.authorization,
            revoked_from=event.revoked_from,
        )
        decided = party.revoke(book.state, revoke, recorded.recorded_at)
    else:
        authorize = commands.AuthorizeParty(
            request_id=_ANY,
            upline=event.upline,
            party=event.party,
            tier=event.tier,
            products=event.products,
            region=event.region,
            valid_from=event.valid_from,
            valid_until=event.valid_until,
        )
        decided = party.authorize(book.state, authorize, recorded.recorded_at)
    return _other(decided, event)


def _case(book: Book, recorded: RecordedEvent, event: events.CasePacked | events.CaseUnpacked) -> str:
    """Return why a case could not be packed or unpacked."""
    decided: events.Event | Refusal
    if isinstance(event, events.CaseUnpacked):
        unpack = commands.UnpackCase(request_id=_ANY, party=event.party, sscc=event.sscc)
        decided = custody.unpack(book.state, unpack)
    else:
        units = Selection(event.ranges, event.cases)
        pack = commands.PackCase(request_id=_ANY, party=event.party, sscc=event.sscc, units=units)
        decided = custody.pack(book.state, pack, recorded.occurred_at)
    return _other(decided, event)


def _other(decided: events.Event | Refusal, event: events.Event) -> str:
    if isinstance(decided, Refusal):
        return str(decided)
    return "" if decided == event else "it is not what the rules make of it"


def _brand(book: Book, name: str) -> str:
    known = book.state.parties.get(name)
    return "" if known is not None and known.kind is PartyKind.BRAND else f"{name} is no brand"


def _owned(book: Book, number: int, brand: str) -> str:
    batch = book.state.batches.get(number)
    return "" if batch is not None and batch.commissioned.brand == brand else f"{brand} has no batch {number}"


def _batch(book: Book, event: BatchCommissioned) -> str:
    state = book.state
    product = state.products.get(event.product)
    if product is None or product.registered.brand != event.brand:
        return f"{event.brand} has no product {event.product}"
    if event.batch != state.last_batch + 1:
        return f"it is batch {event.batch}, but the last one was {state.last_batch}"
    if state.lots.get((event.product, event.lot)) is not None:
        return f"lot {event.lot} of product {event.product} was made before"
    return "" if 1 <= event.size <= MAX_BATCH_SIZE else f"it has {event.size} units"
