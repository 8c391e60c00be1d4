"""Corrections: the party that acted declares its event an error, until something was built upon it."""

import datetime

from pathbook.ledger.events import ErrorDeclared, UnitsWrittenOff
from pathbook.ledger.run import Run
from tests.scenario import MASK, Story

BOOK = """
brand acme
agent ann
agent ben
product mask 30000 CNY of acme
batch L1 of mask size 1000 made 2025-12-01 by acme
record 1:0-499 acme > ann at 150 as first
"""
CASE = "106141412345678908"


def runs(story: Story) -> list[Run]:
    """Return the runs of the batch."""
    return story.state.partitions[1].runs


def test_a_write_off_by_mistake_is_undone() -> None:
    """A write-off of 500 units that was meant for one is declared an error, and the one is written off."""
    story = Story(BOOK)
    story.tell("""
    write off 1:0-499 by ann as lost as mistake
    declare mistake an error by acme             -> NOT_THE_ACTOR
    declare mistake an error by ann              -> ok
    how is 1:7                                   -> in_stock
    who owns 1:7                                 -> ann
    declare mistake an error by ann              -> ERROR_ALREADY_DECLARED
    write off 1:9 by ann as lost as right
    how is 1:9                                   -> lost
    record 1:0-8 ann > ben at 180                -> ok
    declare right an error by ann                -> ok
    """)
    declared = story.events[-1]
    assert isinstance(declared, ErrorDeclared)
    assert isinstance(declared.declared, UnitsWrittenOff)
    assert (declared.position, declared.party) == (story.names["right"], "ann")


def test_a_consumers_write_off_gives_back_what_was_confirmed() -> None:
    """Sold units are sold again, and confirmed ones confirmed again, after a write-off that was an error."""
    story = Story(BOOK)
    story.tell("""
    sell 1:0-9 ann > wei at 300
    confirm 1:0-3 by wei at 300
    write off 1:0-5 by consumer:wei as lost as mistake
    declare mistake an error by consumer:wei
    how is 1:3                                   -> confirmed
    how is 1:4                                   -> sold
    confirm 1:4 by wei at 300                    -> ok
    """)


def test_a_case_that_moved_without_written_off_units_keeps_them_out() -> None:
    """Units come back into their case only where it still lies; otherwise it is unpacked first."""
    Story(BOOK).tell(f"""
    pack {CASE} with 1:0-9 by ann
    write off 1:4 by ann as lost as here
    declare here an error by ann                 -> ok
    write off 1:5 by ann as lost as mistake
    record case {CASE} ann > ben at 180
    declare mistake an error by ann              -> EVENT_BUILT_UPON
    unpack {CASE} by ben
    declare mistake an error by ann              -> ok
    who owns 1:5                                 -> ann
    who owns 1:4                                 -> ben
    """)


def test_a_mistyped_price_is_confirmed_again() -> None:
    """A consumer takes back a confirmation, and confirms the right price."""
    Story(BOOK).tell("""
    sell 1:0-1 ann > wei at 300
    confirm 1:0-1 by wei at 3 as mistake
    confirm 1:0-1 by wei at 300                  -> PURCHASE_ALREADY_CONFIRMED
    declare mistake an error by ann              -> NOT_THE_ACTOR
    declare mistake an error by consumer:wei     -> ok
    how is 1:0                                   -> sold
    confirm 1:0-1 by wei at 300 as right
    return 1:0 by consumer:wei
    declare right an error by consumer:wei       -> EVENT_BUILT_UPON
    """)


def test_an_old_confirmation_does_not_take_back_a_new_one() -> None:
    """After a return and another sale, the confirmation of the first sale cannot be declared an error."""
    Story(BOOK).tell("""
    sell 1:0 ann > wei at 300
    confirm 1:0 by wei at 3 as old
    return 1:0 by consumer:wei
    sell 1:0 ann > wei at 300
    confirm 1:0 by wei at 300
    declare old an error by consumer:wei         -> EVENT_BUILT_UPON
    how is 1:0                                   -> confirmed
    """)


def test_a_delivery_by_mistake_is_undone() -> None:
    """The custodian that delivered has the goods again, unless they went on."""
    Story(BOOK).tell(f"""
    deliver 1:0-9 ann > ben as mistake
    declare mistake an error by ben              -> NOT_THE_ACTOR
    declare mistake an error by ann              -> ok
    who has 1:5                                  -> ann
    deliver 1:0-9 ann > ben as moved
    deliver 1:3 ben > acme
    declare moved an error by ann                -> EVENT_BUILT_UPON
    deliver 1:20-29 ann > ben as packed
    deliver 1:30 ann > ben
    pack {CASE} with 1:29-30 by ben
    declare packed an error by ann               -> UNITS_IN_CASE
    """)


def test_a_reversal_asked_by_mistake_is_taken_back() -> None:
    """The asker takes its request back, and then the other side cannot agree any more, only ask itself."""
    story = Story(BOOK)
    story.tell("""
    reverse first by ann as mistake
    declare mistake an error by acme             -> NOT_THE_ACTOR
    declare mistake an error by ann              -> ok
    reverse first by acme as again
    who owns 1:0                                 -> ann
    reverse first by ann
    who owns 1:0                                 -> acme
    declare again an error by acme               -> EVENT_BUILT_UPON
    declare first an error by acme               -> EVENT_NOT_DECLARABLE
    """)


def test_what_was_never_recorded_is_no_error() -> None:
    """A position of another kind of event, or beyond the book, holds nothing to declare."""
    Story(BOOK).tell("""
    declare 999 an error by ann                  -> EVENT_NOT_DECLARABLE
    declare 1 an error by acme                   -> EVENT_NOT_DECLARABLE
    declare 0 an error by acme                   -> EVENT_NOT_DECLARABLE
    """)


def test_a_declared_error_leaves_runs_whole() -> None:
    """Units with the same past are one run, also after corrections."""
    story = Story(BOOK)
    story.tell("write off 1:10-19 by ann as lost as mistake\ndeclare mistake an error by ann")
    heads = [run.head for run in runs(story)]
    assert len(heads) == len(set(heads)) + 1  # the ends on both sides of the corrected units have one past
    assert [(run.first, run.last) for run in runs(story)] == [(0, 9), (10, 19), (20, 499), (500, 999)]


def test_a_product_and_a_batch_are_corrected_by_their_brand() -> None:
    """Name, price and dates are corrected, and rules ask the right ones from then on."""
    story = Story(BOOK)
    story.tell("""
    brand bolt
    correct product mask name Maske by bolt              -> NOT_THE_BRAND
    correct product mask by acme                         -> NOTHING_TO_CORRECT
    correct product mask price 30000 by acme             -> NOTHING_TO_CORRECT
    correct product mask price 31000 by acme             -> ok
    correct product mask name Maske by acme              -> ok
    correct product balm name Balm by acme               -> PRODUCT_UNKNOWN
    correct batch 1 expires 2025-11-01 by acme           -> EXPIRES_BEFORE_MADE
    correct batch 1 expires 2026-12-01 by acme           -> ok
    correct batch 1 expires never by acme                -> ok
    correct batch 1 expires never by acme                -> NOTHING_TO_CORRECT
    correct batch 1 made 2027-01-01 by acme              -> OCCURRED_IN_FUTURE
    record 1:600 acme > ann at 1 on 2025-11-15           -> OCCURRED_BEFORE_MADE
    correct batch 1 made 2025-11-01 price 29900 by acme  -> ok
    record 1:600 acme > ann at 1 on 2025-11-15           -> ok
    correct batch 2 price 1 by acme                      -> BATCH_UNKNOWN
    correct batch 1 price 1 by bolt                      -> NOT_THE_BRAND
    """)
    product, batch = story.state.products[MASK], story.state.batches[1]
    assert product is not None
    assert batch is not None
    assert (product.registered.name, product.registered.suggested_price.amount_minor) == ("Maske", 31000)
    assert batch.commissioned.made_on == datetime.date(2025, 11, 1)
    assert batch.commissioned.suggested_price.amount_minor == 29900


def test_the_kind_of_a_party_is_corrected_except_brands() -> None:
    """An agent is corrected to a shop; whether a party is a brand is fixed."""
    Story(BOOK).tell("""
    correct party ann to shop                            -> ok
    correct party ann to shop                            -> NOTHING_TO_CORRECT
    correct party ann to brand                           -> BRAND_IS_FIXED
    correct party acme to agent                          -> BRAND_IS_FIXED
    correct party zoe to shop                            -> PARTY_UNKNOWN
    """)
