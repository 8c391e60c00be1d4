"""Which units a quantity takes: what expires first, and nothing that was expired or recalled at that time."""

from pathbook.ledger.commands import ConfirmPurchase, RecordTransfer, SellUnits
from pathbook.ledger.events import PurchaseConfirmed, TransferRecorded, UnitsDelivered, UnitsReturned
from pathbook.ledger.refusals import Reason, Refusal
from pathbook.ledger.values import Price, Quantity, Selection, UnitRange
from tests.scenario import MASK, NOON, Story

LOTS = """
brand acme
agent ann
product mask 30000 CNY of acme
batch EXPIRED of mask size 10 made 2024-01-01 expires 2025-12-31 by acme
batch LATE of mask size 10 made 2025-01-01 expires 2029-01-01 by acme
batch SOON of mask size 10 made 2025-06-01 expires 2026-01-15 by acme
batch NEVER of mask size 10 made 2023-01-01 by acme
"""


def taken(story: Story) -> tuple[UnitRange, ...]:
    """Return the units of the last transfer."""
    event = story.events[-1]
    assert isinstance(event, TransferRecorded)
    return event.terms.ranges


def facts(story: Story) -> dict[str, str]:
    """Return the facts of the last refusal."""
    refusal = story.commands[-1][1]
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.STOCK_TOO_SMALL
    return dict(refusal.facts)


def test_what_expires_first_is_taken_first() -> None:
    """An expired lot is passed over, then the soonest to expire is taken, and what never expires comes last."""
    story = Story(LOTS)
    story.tell("record 12 of mask acme > ann at 1")
    assert taken(story) == (UnitRange(2, 0, 1), UnitRange(3, 0, 9))
    story.tell("record 9 of mask acme > ann at 1")
    assert taken(story) == (UnitRange(2, 2, 9), UnitRange(4, 0, 0))


def test_a_lot_may_be_taken_until_its_day_has_ended_everywhere() -> None:
    """At noon UTC of the day after, a lot that expired on the last day is passed over, and not before."""
    story = Story(LOTS)
    assert NOON % 86_400_000_000 == 43_200_000_000
    story.now = NOON - 1
    story.tell("record 1 of mask acme > ann at 1")
    assert taken(story) == (UnitRange(1, 0, 0),)
    story.now = NOON
    story.tell("record 1 of mask acme > ann at 1")
    assert taken(story) == (UnitRange(3, 0, 0),)


def test_a_quantity_asks_the_time_that_it_occurred_at() -> None:
    """What was sold before a lot expired, or before it was recalled, may be taken from it."""
    story = Story(LOTS)
    story.tell("""
    today is 2026-06-01
    recall batch 2 by acme on 2026-05-01
    record 2 of mask acme > ann at 1 on 2025-12-01
    """)
    assert taken(story) == (UnitRange(1, 0, 1),)
    story.tell("record 2 of mask acme > ann at 1 on 2026-01-10")
    assert taken(story) == (UnitRange(3, 0, 1),)
    story.tell("record 2 of mask acme > ann at 1 on 2026-04-01")
    assert taken(story) == (UnitRange(2, 0, 1),)
    story.tell("record 2 of mask acme > ann at 1 on 2026-05-02")
    assert taken(story) == (UnitRange(4, 0, 1),)


def test_a_refusal_says_what_was_passed_over() -> None:
    """Each unit that a quantity does not take is counted once: expired, recalled, reserved, or in a case."""
    story = Story(LOTS)
    story.tell("""
    recall batch 2 units 2:0-4 by acme
    pack 106141412345678908 with 2:3-6 by acme
    offer 3:0-2 acme > ann at 1
    record 100 of mask acme > ann at 1   -> STOCK_TOO_SMALL
    """)
    found = facts(story)
    assert (found["available"], found["count"]) == ("20", "100")
    counts = {name: found[name] for name in ("expired", "recalled", "reserved", "packed")}
    assert counts == {"expired": "10", "recalled": "5", "reserved": "3", "packed": "2"}
    story.tell("record 8 of 2 acme > ann at 1 -> STOCK_TOO_SMALL")
    assert (facts(story)["available"], facts(story)["recalled"], facts(story)["packed"]) == ("3", "5", "2")
    story.tell("record 1 of 1 acme > ann at 1 -> STOCK_TOO_SMALL\nrecord 3 of 2 acme > ann at 1 -> ok")


def test_a_consumer_confirms_and_returns_what_it_bought_first() -> None:
    """A quantity of a consumer takes its own units, those of the oldest sale first, by batch and by product."""
    story = Story(LOTS)
    story.tell("""
    record 2:0-9 4:0-9 acme > ann at 1
    sell 4:5 ann > wei at 2
    sell 2:7-8 ann > wei at 2
    sell 2:0-1 ann > wei at 2
    sell 2:2-3 ann > ken at 2
    confirm 2 of 2 by wei at 2
    """)
    event = story.events[-1]
    assert isinstance(event, PurchaseConfirmed)
    assert event.ranges == (UnitRange(2, 7, 8),)
    story.tell("confirm 2 of mask by wei at 2")
    event = story.events[-1]
    assert isinstance(event, PurchaseConfirmed)
    assert event.ranges == (UnitRange(2, 0, 0), UnitRange(4, 5, 5))
    story.tell("confirm 2 of 2 by wei at 2 -> STOCK_TOO_SMALL\nreturn 2 of 2 by consumer:wei")
    returned = story.events[-1]
    assert isinstance(returned, UnitsReturned)
    assert [line.terms.ranges for line in returned.lines] == [(UnitRange(2, 7, 8),)]
    story.tell("return 4 of mask by consumer:wei -> STOCK_TOO_SMALL\nreturn 3 of mask by consumer:wei")
    story.tell("return 1 of mask by consumer:wei -> STOCK_TOO_SMALL")


def test_a_consumer_confirms_a_purchase_in_a_case() -> None:
    """To confirm a purchase no case is opened, so a quantity takes units in cases as well."""
    story = Story(LOTS)
    story.tell("""
    pack 106141412345678908 with 2:0-3 by acme
    sell case 106141412345678908 acme > wei at 2
    confirm 4 of 2 by wei at 2
    return 1 of 2 by consumer:wei       -> STOCK_TOO_SMALL
    """)


def test_sold_goods_are_delivered_by_quantity() -> None:
    """What a consumer bought and waits for is delivered by its number."""
    story = Story(LOTS)
    story.tell("""
    sell 2:4-6 acme > wei at 2 later
    sell 2:1 acme > wei at 2
    deliver 3 of mask acme > consumer:wei
    """)
    event = story.events[-1]
    assert isinstance(event, UnitsDelivered)
    assert event.ranges == (UnitRange(2, 4, 6),)


def test_quantities_of_one_request_take_different_units() -> None:
    """Several quantities and ranges of one request name each unit once."""
    story = Story(LOTS)
    command = RecordTransfer(
        request_id="r",
        giver="acme",
        receiver="ann",
        units=Selection((UnitRange(3, 0, 4),), (), (Quantity(3, batch=3), Quantity(4, product=MASK))),
        unit_price=Price(1, "CNY"),
    )
    story.ask(command)
    assert taken(story) == (UnitRange(2, 0, 1), UnitRange(3, 0, 9))


def test_only_what_was_sold_to_a_consumer_is_delivered_to_it() -> None:
    """Unsold units, and units of another buyer, are not delivered to a consumer."""
    Story(LOTS).tell("""
    deliver 2:0 acme > consumer:wei              -> UNITS_NOT_SOLD
    sell 2:0 acme > ken at 2 later
    deliver 2:0 acme > consumer:wei              -> NOT_THE_BUYER
    deliver 2:0-1 acme > consumer:ken            -> UNITS_NOT_SOLD
    deliver 2:0 acme > ann                       -> ok
    deliver 2:0 ann > consumer:ken               -> ok
    deliver 2:0 consumer:ken > consumer:wei      -> NOT_THE_BUYER
    deliver 2:0 consumer:ken > ann               -> ok
    """)


def test_a_command_of_a_consumer_names_it_in_the_refusal() -> None:
    """A consumer without such units is told how many it has, and is not sent to look at a stock."""
    story = Story(LOTS)
    story.tell("sell 2:0 acme > wei at 2\nconfirm 2 of 2 by wei at 2 -> STOCK_TOO_SMALL")
    assert (facts(story)["party"], facts(story)["available"]) == ("consumer:wei", "1")
    assert isinstance(story.commands[-1][0], ConfirmPurchase)
    assert isinstance(story.commands[-2][0], SellUnits)


def test_a_return_by_quantity_takes_what_came_by_a_transfer() -> None:
    """A brand that bought units back returns these, and not units that never left it."""
    story = Story(LOTS)
    story.tell("""
    record 2:5-6 acme > ann at 1
    record 2:5-6 ann > acme at 1
    return 3 of 2 by acme                -> STOCK_TOO_SMALL
    return 2 of 2 by acme
    who owns 2:5                         -> ann
    who owns 2:0                         -> acme
    """)


def test_a_delivery_by_quantity_passes_over_what_is_recalled() -> None:
    """Recalled goods may be delivered only to a brand. So elsewhere a quantity takes the sound ones behind them."""
    story = Story(LOTS)
    story.tell("""
    record 1:0-9 acme > ann at 1 later
    recall batch 1 units 1:0-4 by acme
    deliver 3 of 1 acme > ann                      -> ok
    who has 1:5                                    -> ann
    who has 1:0                                    -> acme
    deliver 3 of 1 acme > ann                      -> STOCK_TOO_SMALL
    """)
    assert (facts(story)["available"], facts(story)["recalled"], facts(story)["expired"]) == ("2", "5", "0")
    story.tell("""
    deliver 1:0-4 acme > ann                       -> UNITS_RECALLED
    deliver 1:5-9 acme > ann                       -> UNITS_NOT_IN_CUSTODY
    sell 2:0-4 acme > wei at 1 later
    recall batch 2 units 2:0-1 by acme
    deliver 2 of 2 acme > consumer:wei             -> ok
    who has 2:2                                    -> consumer:wei
    record 3:0-4 acme > ann at 1
    record 3:0-4 ann > acme at 1 later
    recall batch 3 units 3:0-1 by acme
    deliver 2 of 3 ann > acme                      -> ok
    who has 3:0                                    -> acme
    """)
