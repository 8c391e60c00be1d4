"""What reports keep of each hop of a batch: who gave and got how many units, when, and for which price."""

from functools import lru_cache
from typing import Final

import msgspec

from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.reports.registered import DAY_US
from pathbook.ledger.terms import Authority, Terms
from pathbook.ledger.values import Price

SHARED_MAX: Final = 10_000
"""How many prices, times and authorities hops share in memory. Most hops have one that was there before."""


class AgreedHop(msgspec.Struct, frozen=True, gc=False):
    """A hop with what was agreed for the ``units`` of one batch: ``position`` is that of the event that moved them.

    ``transfer`` is the id of the transfer or sale: the position of its offer, or else of the event itself. ``day`` is
    that of ``occurred_at``. ``is_claimed`` tells whether a party claimed this time. Without that, all that are recorded
    together have one. ``has_reference`` tells whether the terms name a document. The rest of the terms is left out,
    because a follower keeps the hops of all batches in motion.
    """

    transfer: int
    position: int
    occurred_at: int
    day: int
    is_claimed: bool
    has_reference: bool
    giver: str
    receiver: str
    unit_price: Price
    authority: Authority
    units: int


def agreed_hop(recorded: RecordedEvent, transfer: int, terms: Terms, batch: int, units: int) -> AgreedHop:
    """Return the hop of the units of one batch that an event moves by a transfer."""
    occurred_at = recorded.occurred_at
    # By position, as this is done for nearly every event.
    return AgreedHop(
        transfer,
        recorded.position,
        _shared_time(occurred_at),
        _shared_day(occurred_at // DAY_US),
        occurred_at != recorded.recorded_at,
        bool(terms.reference),
        terms.giver,
        terms.receiver,
        _shared_price(terms.unit_price),
        _shared_authority(terms.authority(batch)),
        units,
    )


# Each returns its argument, or an equal one of before. Without that, they take most of the memory of a hop.


@lru_cache(SHARED_MAX)
def _shared_time(time: int) -> int:
    return time


@lru_cache(SHARED_MAX)
def _shared_day(day: int) -> int:
    return day


@lru_cache(SHARED_MAX)
def _shared_price(price: Price) -> Price:
    return price


@lru_cache(SHARED_MAX)
def _shared_authority(authority: Authority) -> Authority:
    return authority
