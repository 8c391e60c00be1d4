"""Rows of the registers: parties, authorizations, products, batches, recalls, and the answered requests."""

from bisect import bisect_right
from operator import itemgetter
from typing import NamedTuple

import msgspec

from pathbook.ledger import events
from pathbook.ledger.chains import ChainHead
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.values import Ranges, UnitRange


class PartyRow(NamedTuple):
    """A party as registered, or as corrected last at ``corrected_position`` (0: never). ``kind`` is a PartyKind.

    The head is that of its chain.
    """

    party: str
    kind: int
    position: int
    corrected_position: int
    head: bytes
    head_position: int


class PartyCorrection(NamedTuple):
    """A change of a row: the right kind of a party."""

    party: str
    kind: int
    corrected_position: int


class PartyHead(NamedTuple):
    """A change of a row: the head of the chain of a party."""

    party: str
    head: bytes
    head_position: int


class AuthorizationRow(NamedTuple):
    """An authorization by its position. ``products`` is a JSON list. Times are in microseconds since 1970 UTC."""

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
    """A change of a row: the time at which an authorization ends because it was revoked."""

    position: int
    revoked_from: int


class ProductRow(NamedTuple):
    """A product by its GTIN of 14 digits. The suggested price is in minor units, for a number of units.

    ``corrected_position`` is that of its last correction, or 0.
    """

    product: str
    brand: str
    name: str
    suggested_minor: int
    suggested_currency: str
    suggested_per_units: int
    position: int
    corrected_position: int


class ProductCorrection(NamedTuple):
    """A change of a row: what is right of a product."""

    product: str
    name: str
    suggested_minor: int
    suggested_currency: str
    suggested_per_units: int
    corrected_position: int


class BatchRow(NamedTuple):
    """A batch by its number. Dates are YYYY-MM-DD.

    The suggested price is in minor units of its currency, for a number of units. ``code_key`` is the fingerprint of the
    key with which its codes are made. ``corrected_position`` is that of its last correction, or 0. The head is that of
    its chain.
    """

    batch: int
    product: str
    brand: str
    lot: str
    size: int
    made_on: str
    expires_on: str | None
    suggested_minor: int
    suggested_currency: str
    suggested_per_units: int
    position: int
    code_key: bytes
    corrected_position: int
    head: bytes
    head_position: int


class BatchCorrection(NamedTuple):
    """A change of a row: what is right of a batch."""

    batch: int
    made_on: str
    expires_on: str | None
    suggested_minor: int
    suggested_currency: str
    suggested_per_units: int
    corrected_position: int


class CorrectionRow(NamedTuple):
    """A correction by its position, and what it corrects, as text of `corrected_event` and the functions after it."""

    subject: str
    position: int


class BatchHead(NamedTuple):
    """A change of a row: the head of the chain of a batch."""

    batch: int
    head: bytes
    head_position: int


class RecallRow(NamedTuple):
    """A recall by its position. ``ranges`` is text of `ranges_to_text`.

    While it is in force, ``lifted_position`` is 0 and ``lifted_at`` is None.
    """

    position: int
    batch: int
    ranges: str
    occurred_at: int
    lifted_position: int
    lifted_at: int | None


class RecallEnd(NamedTuple):
    """A change of a row: the position at which a recall was lifted, and from when it no longer holds."""

    position: int
    lifted_position: int
    lifted_at: int


class SealRow(NamedTuple):
    """A seal: the position that it covers, and the position of its event."""

    covers: int
    position: int


class RequestRow(NamedTuple):
    """The position at which a request was answered, by its `request_hash`. The event there has all 16 bytes."""

    request_hash: int
    position: int


def request(recorded: RecordedEvent) -> tuple[int, int]:
    """Return the fields of a RequestRow. A plain tuple is faster, as in `pathbook.ledger.projections.transfers`."""
    return request_hash(recorded.request), recorded.position


def request_hash(request: bytes) -> int:
    """Return the first 64 bits of a request, as `pathbook.ledger.requests.request_of` returns it, signed.

    Two requests may have the same. So it finds events that may have answered a request. Only the 16 bytes in the
    event tell whether one did.
    """
    return int.from_bytes(request[:8], "big", signed=True)


def party(event: events.PartyRegistered, position: int, head: ChainHead) -> PartyRow:
    """Return the row of a registered party, with the head of its chain."""
    return PartyRow(event.party, event.kind.value, position, 0, *head)


def party_correction(event: events.PartyCorrected, position: int) -> PartyCorrection:
    """Return the change of a corrected party."""
    return PartyCorrection(event.party, event.kind.value, position)


def authorization(event: events.PartyAuthorized, position: int) -> AuthorizationRow:
    """Return the row of a new authorization."""
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
    """Return the change of a revoked authorization."""
    return AuthorizationEnd(event.authorization, event.revoked_from)


def product(event: events.ProductRegistered, position: int) -> ProductRow:
    """Return the row of a registered product."""
    price = event.suggested_price
    return ProductRow(
        product=event.product,
        brand=event.brand,
        name=event.name,
        suggested_minor=price.amount_minor,
        suggested_currency=price.currency_code,
        suggested_per_units=price.per_units,
        position=position,
        corrected_position=0,
    )


def product_correction(event: events.ProductCorrected, position: int) -> ProductCorrection:
    """Return the change of a corrected product."""
    price = event.suggested_price
    return ProductCorrection(
        product=event.product,
        name=event.name,
        suggested_minor=price.amount_minor,
        suggested_currency=price.currency_code,
        suggested_per_units=price.per_units,
        corrected_position=position,
    )


def batch(event: events.BatchCommissioned, position: int, head: ChainHead) -> BatchRow:
    """Return the row of a commissioned batch, with the head of its chain."""
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
        suggested_per_units=price.per_units,
        position=position,
        code_key=event.code_key,
        corrected_position=0,
        head=head.head,
        head_position=head.head_position,
    )


def batch_correction(event: events.BatchCorrected, position: int) -> BatchCorrection:
    """Return the change of a corrected batch."""
    price = event.suggested_price
    return BatchCorrection(
        batch=event.batch,
        made_on=event.made_on.isoformat(),
        expires_on=event.expires_on.isoformat() if event.expires_on is not None else None,
        suggested_minor=price.amount_minor,
        suggested_currency=price.currency_code,
        suggested_per_units=price.per_units,
        corrected_position=position,
    )


def corrected_event(position: int) -> str:
    """Return the subject of a correction of an event."""
    return f"event {position}"


def corrected_product(gtin: str) -> str:
    """Return the subject of a correction of a product, by its GTIN of 14 digits."""
    return f"product {gtin}"


def corrected_batch(number: int) -> str:
    """Return the subject of a correction of a batch."""
    return f"batch {number}"


def corrected_party(party: str) -> str:
    """Return the subject of a correction of a party."""
    return f"party {party}"


def recall(event: events.UnitsRecalled, recorded: RecordedEvent) -> RecallRow:
    """Return the row of a new recall."""
    return RecallRow(
        recorded.position, event.batch, ranges_to_text(event.ranges), recorded.occurred_at, 0, None
    )


def recall_end(event: events.RecallLifted, recorded: RecordedEvent) -> RecallEnd:
    """Return the change of a lifted recall."""
    return RecallEnd(event.recall, recorded.position, recorded.occurred_at)


def products_to_text(products: tuple[str, ...]) -> str:
    """Write GTINs as a JSON list."""
    return msgspec.json.encode(products).decode()


def products_from_text(text: str) -> tuple[str, ...]:
    """Read GTINs from text of `products_to_text`."""
    return msgspec.json.decode(text, type=tuple[str, ...])


def ranges_to_text(ranges: Ranges) -> str:
    """Write ranges of one batch as a JSON list of [first, last]."""
    return msgspec.json.encode([(part.first, part.last) for part in ranges]).decode()


def ranges_from_text(batch: int, text: str) -> Ranges:
    """Read ranges of a batch from text of `ranges_to_text`."""
    pairs = msgspec.json.decode(text, type=list[tuple[int, int]])
    return tuple(UnitRange(batch, first, last) for first, last in pairs)


def narrowed_text(text: str, number: int) -> tuple[str, int] | None:
    """Return text of the one range that holds a unit, and how many other ranges there are. None if no range holds it.

    The ranges of a recall are in order. Nothing is made of them but their numbers, because a recall may have thousands.
    """
    pairs = msgspec.json.decode(text, type=list[tuple[int, int]])
    index = bisect_right(pairs, number, key=itemgetter(0)) - 1
    if index < 0 or number > pairs[index][1]:
        return None
    return msgspec.json.encode(pairs[index : index + 1]).decode(), len(pairs) - 1
