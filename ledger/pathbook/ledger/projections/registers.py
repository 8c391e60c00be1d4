"""Rows of what was registered: parties, authorisations, products, batches, recalls, and the requests answered."""

from hashlib import sha256
from typing import NamedTuple

import msgspec

from pathbook.ledger import events
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.values import Ranges, UnitRange


class PartyRow(NamedTuple):
    """A party as registered; ``kind`` is a PartyKind."""

    party: str
    kind: int
    position: int


class AuthorizationRow(NamedTuple):
    """An authorisation by its position; ``products`` a JSON list, times in microseconds since 1970 UTC."""

    position: int
    party: str
    upline: str
    tier: int
    products: str
    region: str
    valid_from: int
    valid_until: int | None
    revoked_from: int | None


class AuthorizationEnd(NamedTuple):
    """From when an authorisation no longer holds."""

    position: int
    revoked_from: int


class ProductRow(NamedTuple):
    """A product by its GTIN of 14 digits; the suggested price in minor units of its currency."""

    product: str
    brand: str
    name: str
    suggested_minor: int
    suggested_currency: str
    position: int


class BatchRow(NamedTuple):
    """A batch by its number; dates as YYYY-MM-DD, the suggested price in minor units of its currency."""

    batch: int
    product: str
    brand: str
    lot: str
    size: int
    made_on: str
    expires_on: str | None
    suggested_minor: int
    suggested_currency: str
    position: int


class RecallRow(NamedTuple):
    """A recall by its position; ``ranges`` as `ranges_to_text` writes them, lifted at 0 while it stands."""

    position: int
    batch: int
    ranges: str
    note: str
    occurred_at: int
    lifted_position: int


class RecallEnd(NamedTuple):
    """Where a recall was lifted."""

    position: int
    lifted_position: int


class RequestRow(NamedTuple):
    """At which position a request was answered, by the `request_hash` of its id: the event there says the id."""

    request_hash: int
    position: int


def request(recorded: RecordedEvent) -> tuple[int, int]:
    """Remember which request an event answers: a plain tuple with the fields of a RequestRow, as transfers are."""
    return request_hash(recorded.request_id), recorded.position


def request_hash(request_id: str) -> int:
    """Return the first 64 bits of the SHA-256 of a request's id, signed: a fifth of the space of an id.

    Two ids may have the same, so it finds events that may have answered a request, never says that they did.
    """
    return int.from_bytes(sha256(request_id.encode()).digest()[:8], "big", signed=True)


def party(event: events.PartyRegistered, position: int) -> PartyRow:
    """A party begins."""
    return PartyRow(event.party, event.kind.value, position)


def authorization(event: events.PartyAuthorized, position: int) -> AuthorizationRow:
    """An authorisation begins."""
    return AuthorizationRow(
        position=position,
        party=event.party,
        upline=event.upline,
        tier=event.tier,
        products=products_to_text(event.products),
        region=event.region,
        valid_from=event.valid_from,
        valid_until=event.valid_until,
        revoked_from=None,
    )


def authorization_end(event: events.AuthorizationRevoked) -> AuthorizationEnd:
    """An authorisation ends early."""
    return AuthorizationEnd(event.authorization, event.revoked_from)


def product(event: events.ProductRegistered, position: int) -> ProductRow:
    """A product begins."""
    price = event.suggested_price
    return ProductRow(
        event.product, event.brand, event.name, price.amount_minor, price.currency_code, position
    )


def batch(event: events.BatchCommissioned, position: int) -> BatchRow:
    """A batch begins."""
    price = event.suggested_price
    return BatchRow(
        batch=event.batch,
        product=event.product,
        brand=event.brand,
        lot=event.lot,
        size=event.size,
        made_on=event.made_on.isoformat(),
        expires_on=event.expires_on.isoformat() if event.expires_on is not None else None,
        suggested_minor=price.amount_minor,
        suggested_currency=price.currency_code,
        position=position,
    )


def recall(event: events.UnitsRecalled, recorded: RecordedEvent) -> RecallRow:
    """A recall begins."""
    return RecallRow(
        recorded.position, event.batch, ranges_to_text(event.ranges), event.note, recorded.occurred_at, 0
    )


def recall_end(event: events.RecallLifted, position: int) -> RecallEnd:
    """A recall is lifted."""
    return RecallEnd(event.recall, position)


def products_to_text(products: tuple[str, ...]) -> str:
    """Write GTINs as a JSON list."""
    return msgspec.json.encode(products).decode()


def products_from_text(text: str) -> tuple[str, ...]:
    """Read GTINs from what `products_to_text` wrote."""
    return msgspec.json.decode(text, type=tuple[str, ...])


def ranges_to_text(ranges: Ranges) -> str:
    """Write ranges of one batch as a JSON list of [first, last]."""
    return msgspec.json.encode([(part.first, part.last) for part in ranges]).decode()


def ranges_from_text(batch: int, text: str) -> Ranges:
    """Read ranges of a batch from what `ranges_to_text` wrote."""
    pairs = msgspec.json.decode(text, type=list[tuple[int, int]])
    return tuple(UnitRange(batch, first, last) for first, last in pairs)
