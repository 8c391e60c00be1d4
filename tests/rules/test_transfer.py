"""Rules for transfers: offered, answered, recorded, reversed."""

from tests.scenario import Story

CHAIN = """
brand acme
agent ann
agent ben
shop cat
product mask 30000 CNY of acme
batch L1 of mask size 100 made 2025-12-01 by acme
authorize ann tier 1 by acme
authorize ben tier 2 by ann
"""


def test_an_offer_reserves_units_until_it_is_accepted() -> None:
    """Offered units belong to the giver, cannot be offered twice, and belong to the receiver after acceptance."""
    Story(CHAIN).tell("""
    offer 1:0-9 acme > ann at 15000 as first   -> ok
    how is 1:5                                 -> offered
    who owns 1:5                               -> acme
    offer 1:5 acme > ben at 15000              -> UNITS_RESERVED
    record 1:9-10 acme > ben at 15000          -> UNITS_RESERVED
    accept first by ben                        -> NOT_THE_RECEIVER
    accept first by ann                        -> ok
    accept first by ann                        -> TRANSFER_ANSWERED
    who owns 1:5                               -> ann
    who has 1:5                                -> ann
    how is 1:5                                 -> in_stock
    """)


def test_an_unaccepted_offer_frees_its_units() -> None:
    """Units of a declined, withdrawn or lapsed offer stay with the giver, who is free to move them."""
    Story(CHAIN).tell("""
    offer 1:0-9 acme > ann at 15000 as one                        -> ok
    decline one by ben                                            -> NOT_THE_RECEIVER
    decline one by ann                                            -> ok
    offer 1:0-9 acme > ann at 15000 as two                        -> ok
    withdraw two by ann                                           -> NOT_THE_GIVER
    withdraw two by acme                                          -> ok
    offer 1:0-9 acme > ann at 15000 until 2026-01-01              -> DEADLINE_PASSED
    offer 1:0-9 acme > ann at 15000 until 2026-01-05 as three     -> ok
    lapse three                                                   -> DEADLINE_NOT_REACHED
    today is 2026-01-05
    accept three by ann                                           -> TRANSFER_LAPSED
    lapse three                                                   -> ok
    lapse three                                                   -> TRANSFER_ANSWERED
    record 1:0-9 acme > ann at 15000                              -> ok
    """)


def test_an_offer_may_be_accepted_without_its_discrepancies() -> None:
    """Units claimed as short, damaged or wrong item stay with the giver, and the others move."""
    Story(CHAIN).tell("""
    offer 1:0-9 acme > ann at 15000 as first                      -> ok
    accept first by ann but short 11                              -> DISCREPANCY_NOT_OFFERED
    accept first by ann but damaged 1:10-11                       -> DISCREPANCY_NOT_OFFERED
    accept first by ann but short 1:3 and damaged 1:3             -> DISCREPANCY_NOT_OFFERED
    accept first by ann but short 10                              -> NOTHING_ACCEPTED
    accept first by ann but damaged 1:3-4 and short 2             -> ok
    who owns 1:2                                                  -> ann
    who owns 1:3                                                  -> acme
    how is 1:3                                                    -> in_stock
    who owns 1:7                                                  -> ann
    who owns 1:8                                                  -> acme
    """)


def test_an_acceptance_has_twenty_discrepancies_at_most() -> None:
    """An acceptance with 21 discrepancies is refused."""
    many = " and ".join(["short 1"] * 21)
    Story(CHAIN).tell(f"""
    offer 1:0-99 acme > ann at 15000 as first                     -> ok
    accept first by ann but {many}                                -> TOO_MANY_RANGES
    """)


def test_only_the_owner_transfers_and_only_to_another_party() -> None:
    """A party that does not own a unit, or is not in the book, cannot transfer it."""
    Story(CHAIN).tell("""
    record 1:0 ann > ben at 15000         -> UNITS_NOT_OWNED
    record 1:0 acme > acme at 15000       -> SELF_TRANSFER
    record 1:0 acme > zoe at 15000        -> PARTY_UNKNOWN
    record 1:0 zoe > ann at 15000         -> PARTY_UNKNOWN
    record 2:0 acme > ann at 15000        -> BATCH_UNKNOWN
    """)


def test_units_are_named_exactly_once_and_within_their_batch() -> None:
    """Ranges that are reversed, overlapping, empty or beyond the batch are refused."""
    Story(CHAIN).tell("""
    record 1:90-100 acme > ann at 1            -> RANGE_BEYOND_BATCH
    record 1:5-4 acme > ann at 1               -> RANGE_REVERSED
    record 1:-1-4 acme > ann at 1              -> RANGE_REVERSED
    record 1:0-5,1:5-9 acme > ann at 1         -> RANGES_OVERLAP
    record 0 of 1 acme > ann at 1              -> QUANTITY_NOT_POSITIVE
    record -1 of 1 acme > ann at 1             -> QUANTITY_NOT_POSITIVE
    record nothing acme > ann at 1             -> NO_UNITS
    record 101 of 1 acme > ann at 1            -> STOCK_TOO_SMALL
    record 1 of 7 acme > ann at 1              -> BATCH_UNKNOWN
    record 1 of balm acme > ann at 1           -> PRODUCT_UNKNOWN
    """)


def test_a_price_is_never_a_reason_to_refuse_but_must_be_valid() -> None:
    """Any price from zero up is recorded, but no negative one, none in an unknown currency, and none for no units."""
    Story(CHAIN).tell("""
    record 1:0 acme > ann at 0                 -> ok
    record 1:1 acme > ann at 999999 USD        -> ok
    record 1:2 acme > ann at -1                -> PRICE_NEGATIVE
    record 1:2 acme > ann at 100 ABC           -> CURRENCY_UNKNOWN
    record 1:2 acme > ann at 1 XXX             -> CURRENCY_UNKNOWN
    record 1:2 acme > ann at 1 XTS             -> CURRENCY_UNKNOWN
    record 1:2 acme > ann at 1 XAU             -> CURRENCY_UNKNOWN
    record 1:2 acme > ann at 1/0               -> PRICE_UNITS_OUT_OF_BOUNDS
    record 1:2 acme > ann at 1/-1              -> PRICE_UNITS_OUT_OF_BOUNDS
    record 1:2 acme > ann at 1/1000000001      -> PRICE_UNITS_OUT_OF_BOUNDS
    record 1:2 acme > ann at 125/100           -> ok
    record 1:3 acme > ann at 1/1000000000      -> ok
    record 1:4 acme > ann at 12000000000 VND   -> ok
    record 1:5 acme > ann at 9223372036854775807 HUF/7 -> ok
    """)


def test_quantities_take_the_oldest_units_first() -> None:
    """A quantity takes the lowest free units of the batch that was made first."""
    story = Story(CHAIN)
    story.tell("""
    batch L0 of mask size 5 made 2025-06-01 by acme
    record 1:0-1 acme > ben at 1
    record 8 of mask acme > ann at 15000       -> ok
    who owns 2:4                               -> ann
    who owns 1:2                               -> ann
    who owns 1:4                               -> ann
    who owns 1:5                               -> acme
    record 3 of 1 ann > ben at 18000           -> ok
    record 1 of 1 ann > ben at 18000           -> STOCK_TOO_SMALL
    """)


def test_a_time_must_be_past_and_after_the_batch_was_made() -> None:
    """A transfer in the future, or before its goods existed, is refused by name."""
    Story(CHAIN).tell("""
    record 1:0 acme > ann at 1 on 2026-02-01     -> OCCURRED_IN_FUTURE
    record 1:0 acme > ann at 1 on 2025-11-29     -> OCCURRED_BEFORE_MADE
    record 1:0 acme > ann at 1 on 2025-12-01     -> ok
    """)


def test_both_sides_reverse_a_transfer_together() -> None:
    """One side asks and the other agrees, and the units return to the giver unless later events built upon it."""
    Story(CHAIN).tell("""
    record 1:0-9 acme > ann at 15000 as one     -> ok
    record 1:5 ann > ben at 18000 as two        -> ok
    reverse one by ann                          -> TRANSFER_BUILT_UPON
    reverse two by acme                         -> NOT_A_SIDE
    reverse two by ben                          -> ok
    reverse two by ben                          -> REVERSAL_ALREADY_ASKED
    who owns 1:5                                -> ben
    reverse two by ann                          -> ok
    who owns 1:5                                -> ann
    reverse two by ann                          -> TRANSFER_NOT_ACCEPTED
    reverse one by ann                          -> ok
    reverse one by acme                         -> ok
    who owns 1:0                                -> acme
    who has 1:0                                 -> acme
    reverse 99 by ann                           -> TRANSFER_UNKNOWN
    """)


def test_a_transfer_whose_units_came_back_by_another_is_not_reversed() -> None:
    """A transfer counts as built upon even if a later transfer brought its units back to the receiver."""
    Story(CHAIN).tell("""
    record 1:0 acme > ann at 15000 as one       -> ok
    record 1:0 ann > ben at 18000               -> ok
    record 1:0 ben > ann at 17000               -> ok
    reverse one by ann                          -> TRANSFER_BUILT_UPON
    """)


def test_cloud_stock_changes_owners_while_the_goods_stay() -> None:
    """The title moves down the chain, and the box stays in the warehouse until it is delivered."""
    Story(CHAIN).tell("""
    record 1:0 acme > ann at 15000 later        -> ok
    record 1:0 ann > ben at 18000 later         -> ok
    who owns 1:0                                -> ben
    who has 1:0                                 -> acme
    deliver 1:0 ann > ben                       -> UNITS_NOT_IN_CUSTODY
    deliver 1:0 acme > acme                     -> SELF_TRANSFER
    deliver 1:0 acme > ben                      -> ok
    who has 1:0                                 -> ben
    """)


def test_the_story_of_the_mask() -> None:
    """Five tiers pass boxes on at 150, 180, 210, 240 and 270, and one box is sold and confirmed."""
    Story("""
    brand acme
    agent a1
    agent a2
    agent a3
    agent a4
    agent a5
    product mask 30000 CNY of acme
    batch L1 of mask size 3 made 2025-12-01 expires 2026-02-01 by acme
    authorize a1 tier 1 by acme
    authorize a2 tier 2 by a1
    authorize a3 tier 3 by a2
    authorize a4 tier 4 by a3
    authorize a5 tier 5 by a4
    record 1:0-2 acme > a1 at 15000
    record 1:0-2 a1 > a2 at 18000
    record 1:0-2 a2 > a3 at 21000
    record 1:0-2 a3 > a4 at 24000
    record 1:0-2 a4 > a5 at 27000
    sell 1:0 a5 > wei at 29900
    confirm 1:0 by wei at 29900
    how is 1:0                                  -> confirmed
    who owns 1:2                                -> a5
    """)


def test_a_request_that_led_to_a_reversal_is_no_error_any_more() -> None:
    """A request of a reversal can be declared an error until the other side has agreed."""
    Story(CHAIN).tell("""
    record 1:0-9 acme > ann at 1 as first
    reverse first by acme as asked
    declare asked an error by acme                      -> ok
    reverse first by ann                                -> ok
    reverse first by ann                                -> REVERSAL_ALREADY_ASKED
    reverse first by acme                               -> ok
    record 1:0-9 acme > ann at 1 as second
    reverse second by ann as wanted
    reverse second by acme                              -> ok
    declare wanted an error by ann                      -> EVENT_BUILT_UPON
    """)


def test_a_report_names_quantities_of_one_or_more() -> None:
    """A receiver that counted nothing names nothing."""
    Story(CHAIN).tell("""
    record 1:0-9 acme > ann at 1 ref N-1
    record 1:0-9,0 of 1 acme > ann at 1 ref N-1 reported by ann    -> QUANTITY_NOT_POSITIVE
    record 1:0-4,5 of 1 acme > ann at 1 ref N-1 reported by ann    -> ok
    """)
