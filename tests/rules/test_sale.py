"""Rules for consumers: sale, confirmation and return."""

from pathbook.ledger.refusals import Refusal
from tests.scenario import Story

SHOP = """
brand acme
agent ann
shop cat
product mask 30000 CNY of acme
batch L1 of mask size 100 made 2025-12-01 by acme
record 1:0-9 acme > ann at 15000
record 1:0-4 ann > cat at 20000
"""


def test_a_sold_unit_cannot_move_until_it_is_returned() -> None:
    """After the sale no party can transfer the unit, and a return gives it back to the shop."""
    Story(SHOP).tell("""
    sell 1:0 cat > wei at 29900                 -> ok
    who owns 1:0                                -> consumer:wei
    record 1:0 cat > ann at 1                   -> UNITS_SOLD
    offer 1:0 cat > ann at 1                    -> UNITS_SOLD
    sell 1:0 cat > eve at 1                     -> UNITS_SOLD
    return 1:0 by cat                           -> UNITS_NOT_OWNED
    return 1:0 by consumer:wei                  -> ok
    who owns 1:0                                -> cat
    how is 1:0                                  -> in_stock
    sell 1:0 cat > eve at 29900                 -> ok
    """)


def test_only_the_buyer_confirms_and_only_once() -> None:
    """Only the buyer on record confirms a sold unit, only once, and at any price."""
    Story(SHOP).tell("""
    confirm 1:0 by wei at 29900                 -> UNITS_NOT_SOLD
    sell 1:0 cat > wei at 29900
    confirm 1:0 by eve at 29900                 -> NOT_THE_BUYER
    confirm 1:0 by wei at 35000                 -> ok
    confirm 1:0 by wei at 35000                 -> PURCHASE_ALREADY_CONFIRMED
    sell 1:1 cat > w:i at 1                     -> CONSUMER_MALFORMED
    """)


def test_returns_go_back_hop_by_hop_to_the_brand() -> None:
    """Each return goes one hop back, to the giver of that hop, until the brand owns the units again."""
    Story(SHOP).tell("""
    return 1:0-9 by cat                         -> UNITS_NOT_OWNED
    return 1:0-4 by cat                         -> ok
    who owns 1:4                                -> ann
    return 1:0-9 by ann                         -> ok
    who owns 1:9                                -> acme
    return 1:0 by acme                          -> NOTHING_TO_RETURN
    """)


def test_a_return_may_span_transfers() -> None:
    """Units of several transfers go back in one return, each to the giver of its own transfer."""
    story = Story(SHOP)
    story.tell("""
    record 1:20-29 acme > cat at 17000
    return 1:3-4,1:20-21 by cat                 -> ok
    who owns 1:3                                -> ann
    who owns 1:20                               -> acme
    """)


def test_cloud_stock_is_returned_without_moving_the_goods() -> None:
    """A return gives back the title, and goods that never left the warehouse stay there."""
    Story(SHOP).tell("""
    record 1:50 acme > ann at 15000 later
    return 1:50 by ann                          -> ok
    who owns 1:50                               -> acme
    who has 1:50                                -> acme
    """)


def test_recalled_units_go_back_but_not_onward() -> None:
    """A recall stops transfers, offers and sales, allows returns, and can be lifted."""
    Story(SHOP).tell("""
    offer 1:2 cat > ann at 1 as pending
    recall batch 1 units 1:0-4 by ann           -> NOT_A_BRAND
    recall batch 2 by acme                      -> BATCH_UNKNOWN
    recall batch 1 units 1:90-100 by acme       -> RANGE_BEYOND_BATCH
    recall batch 1 units 1:0-4 by acme as lead  -> ok
    sell 1:0 cat > wei at 1                     -> UNITS_RECALLED
    record 1:0 cat > ann at 1                   -> UNITS_RECALLED
    record 1:5 ann > cat at 1                   -> ok
    accept pending by ann                       -> UNITS_RECALLED
    deliver 1:0 cat > ann                       -> UNITS_RECALLED
    deliver 1:1 cat > acme                      -> ok
    record 1:0 cat > ann at 1 on 2025-12-31     -> ok
    return 1:3 by cat                           -> ok
    lift lead by ann                            -> NOT_A_BRAND
    lift 99 by acme                             -> RECALL_UNKNOWN
    lift lead by acme                           -> ok
    lift lead by acme                           -> RECALL_ALREADY_LIFTED
    sell 1:4 cat > wei at 1                     -> ok
    """)


def test_a_consumer_reads_how_many_of_its_units_lie_in_cases() -> None:
    """A quantity takes no packed units, and its refusal counts those of a consumer, too."""
    story = Story(SHOP)
    story.tell("""
    pack 106141412345678908 with 1:0-2 by cat
    sell 1:0-4 cat > wei at 300
    return 3 of 1 by consumer:wei                 -> STOCK_TOO_SMALL
    """)
    _, refusal = story.commands[-1]
    assert isinstance(refusal, Refusal)
    facts = dict(refusal.facts)
    assert (facts["available"], facts["packed"], facts["reserved"]) == ("2", "3", "0")
    story.tell("return 2 of 1 by consumer:wei -> ok")


def test_a_confirmation_is_declared_an_error_only_for_its_own_sale() -> None:
    """A consumer that bought the same unit again corrects the confirmation of the last sale, not that of the first."""
    Story(SHOP).tell("""
    sell 1:0 cat > wei at 300
    confirm 1:0 by wei at 300 as early
    return 1:0 by consumer:wei
    sell 1:0 cat > wei at 310
    confirm 1:0 by wei at 310 as late
    declare early an error by consumer:wei        -> EVENT_BUILT_UPON
    declare late an error by consumer:wei         -> ok
    how is 1:0                                    -> sold
    """)
