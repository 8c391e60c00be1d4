"""What stories of batches keep: little of each hop, and no hand-over twice."""

import datetime
import tracemalloc

import msgspec

from pathbook.ledger import events
from pathbook.ledger.codec import decode, encode
from pathbook.ledger.events import Event, RecordedEvent
from pathbook.ledger.reports.agreed_hops import AgreedHop
from pathbook.ledger.reports.marks import BatchMarks
from pathbook.ledger.reports.story import BatchStory, tell
from pathbook.ledger.requests import DIGEST_BYTES, REQUEST_BYTES
from pathbook.ledger.run import NO_HEAD
from pathbook.ledger.terms import Authority, Terms
from pathbook.ledger.values import AuthorizationStatus, Delivery, Price, UnitRange
from tests.scenario import CODE_KEY, DAY, MASK, NOON

DELIVERIES = 3_000
ENTRY_BYTES = 270
"""For each run or hop. What the allocator rounds up comes on top, and makes it the 290 of CACHED_STORIES_MAX."""

COMMISSIONED = events.BatchCommissioned(
    batch=1,
    product=MASK,
    brand="acme",
    lot="L1",
    size=100 * DELIVERIES,
    made_on=datetime.date(2025, 12, 1),
    expires_on=None,
    suggested_price=Price(30_000, "CNY"),
    code_key=CODE_KEY,
)
AUTHORIZED = AuthorizationStatus.AUTHORIZED


def read(position: int, event: Event, occurred_at: int) -> RecordedEvent:
    """Return an event as it is read from a log, where no two share anything."""
    _, data = encode(
        event,
        recorded_at=NOON,
        occurred_at=occurred_at,
        request=bytes(REQUEST_BYTES),
        request_digest=bytes(DIGEST_BYTES),
    )
    return decode(position, data)


def delivered(number: int, giver: str, receiver: str, price: int) -> Event:
    """Return a transfer of a hundred units of the batch."""
    part = UnitRange(1, 100 * number, 100 * number + 99)
    authority = Authority((), 0, 1, AUTHORIZED, AUTHORIZED)
    reference = f"delivery {number}"
    return events.TransferRecorded(
        Terms(giver, receiver, (part,), Price(price, "CNY"), Delivery.WITH_TITLE, (authority,), reference)
    )


def test_a_story_takes_no_more_memory_than_the_limit_of_the_cache_assumes() -> None:
    """Runs and hops of an import, whose transfers claim their times and come in pairs, take the stated bytes."""
    stories: dict[int, BatchStory] = {}
    tell(stories, read(1, COMMISSIONED, NOON))
    tracemalloc.start()
    try:
        for number in range(DELIVERIES):
            price, claimed = 1_000 + number % 40, NOON - DAY * (1 + number % 30)
            bought = delivered(number, "acme", "ann", price)
            sold = delivered(number, "ann", f"shop-{number % 200}", price + 500)
            tell(stories, read(1_000 + 2 * number, bought, claimed))
            tell(stories, read(1_001 + 2 * number, sold, claimed))
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert stories[1].size == 3 * DELIVERIES
    assert {run.head for run in stories[1].partition.runs} == {NO_HEAD}
    assert taken / stories[1].size < ENTRY_BYTES


def test_handovers_with_the_same_hash_are_kept_apart() -> None:
    """Only those agree that are alike, although Python gives -1 and -2 the same hash."""
    authority = Authority((), 0, 1, AUTHORIZED, AUTHORIZED)
    first = AgreedHop(2, 2, -1, -1, True, False, "acme", "ann", Price(100, "CNY"), authority, 5)
    other = msgspec.structs.replace(first, transfer=3, position=3, occurred_at=-2)
    again = msgspec.structs.replace(first, transfer=4, position=4, unit_price=Price(10_000, "CNY", 100))
    other_again = msgspec.structs.replace(other, transfer=5, position=5)
    marks = BatchMarks(COMMISSIONED)
    for hop in (first, other, again, other_again):
        marks.hand_over(hop)
    assert marks.same_handovers(first) == marks.same_handovers(again) == [first, again]
    assert marks.same_handovers(other) == marks.same_handovers(other_again) == [other, other_again]
