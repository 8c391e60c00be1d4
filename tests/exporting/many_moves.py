"""A book of many moves, made without a writer: pallets of each batch go down five tiers, all batches in turn."""

import datetime
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from pathbook.ledger import events
from pathbook.ledger.codec import encode
from pathbook.ledger.events import Event, Policy
from pathbook.ledger.terms import Authority, Terms
from pathbook.ledger.values import AuthorizationStatus, Delivery, PartyKind, Price, UnitRange
from tests.scenario import CODE_KEY, MASK, NOON

TIERS: Final = 5
UNITS: Final = 10
"""How many units move at once."""

SUGGESTED: Final = 30_000

_AUTHORIZED: Final = AuthorizationStatus.AUTHORIZED


def entries(moves: int, batches: int) -> Iterator[tuple[str, bytes]]:
    """Yield the stored events of a book with so many moves, at least, over so many batches. They follow the rules."""
    pallets = -(-moves // (TIERS * batches))
    for position, event in enumerate(_events(pallets, batches), 1):
        number = position.to_bytes(16)
        yield encode(
            event,
            recorded_at=NOON + position,
            occurred_at=NOON + position,
            request=number,
            request_digest=number,
        )


def _events(pallets: int, batches: int) -> Iterator[Event]:
    names = ["acme", *(f"agent-{tier}" for tier in range(1, TIERS + 1))]
    yield events.BookOpened("book", "pathbook/book", CODE_KEY, Policy())
    for name in names:
        yield events.PartyRegistered(name, PartyKind.BRAND if name == "acme" else PartyKind.AGENT)
    for tier, (upline, party) in enumerate(pairwise(names), 1):
        yield events.PartyAuthorized(upline, party, tier, (), "", NOON, None)
    yield events.ProductRegistered(MASK, "acme", "mask", Price(SUGGESTED, "CNY"))
    for batch in range(1, batches + 1):
        expires = datetime.date(2027, 1, 1 + batch % 28)
        yield events.BatchCommissioned(
            batch, MASK, "acme", f"L{batch}", pallets * UNITS, datetime.date(2025, 12, 1), expires,
            Price(SUGGESTED, "CNY"), CODE_KEY,
        )  # fmt: skip
    for pallet in range(pallets):
        first, last = pallet * UNITS, pallet * UNITS + UNITS - 1
        for tier, (giver, receiver) in enumerate(pairwise(names), 1):
            authority = Authority((), tier - 1, tier, _AUTHORIZED, _AUTHORIZED)
            for batch in range(1, batches + 1):
                price = Price(12_000 + 3_000 * tier + (7 * pallet + batch) % 500, "CNY")
                ranges = (UnitRange(batch, first, last),)
                terms = Terms(giver, receiver, ranges, price, Delivery.WITH_TITLE, (authority,), "")
                yield events.TransferRecorded(terms)
