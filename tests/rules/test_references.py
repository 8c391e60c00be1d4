"""References: both sides of a hand-over meet by a document's number, and their two reports count once."""

import pytest

from pathbook.ledger.events import TransferAttested
from pathbook.ledger.refusals import Refusal
from pathbook.ledger.values import MAX_REFERENCE, UnitRange
from tests.scenario import Story

BOOK = """
brand acme
agent ann
agent ben
product mask 30000 CNY of acme
batch L1 of mask size 100 made 2025-12-01 by acme
batch L2 of mask size 100 made 2025-12-01 by acme
"""


def test_two_reports_of_one_hand_over_count_once() -> None:
    """The receiver's equal report attests the giver's, moves nothing, and is said only once."""
    story = Story(BOOK)
    story.tell("""
    record 1:0-9 acme > ann at 150 ref DN-1 as first
    record 1:0-9 acme > ann at 150 ref DN-1 reported by ann        -> ok
    """)
    event = story.events[-1]
    assert event == TransferAttested(story.names["first"], "ann", (UnitRange(1, 0, 9),))
    story.tell("""
    who owns 1:0                                                   -> ann
    record 1:0-9 acme > ann at 150 ref DN-1 reported by ann        -> TRANSFER_ALREADY_ATTESTED
    record 1:0-9 acme > ann at 150 ref DN-1                        -> REFERENCE_USED
    record 1:10 acme > ann at 150 ref DN-1                         -> REFERENCE_USED
    record 1:10 acme > ben at 150 ref DN-1                         -> ok
    record 1:11 acme > ann at 150 ref DN-1 reported by ben         -> REPORTER_NOT_A_SIDE
    """)


@pytest.mark.parametrize(
    ("report", "difference"),
    [
        ("record 1:0-9 acme > ann at 151 ref DN-1", "price"),
        ("record 1:0-9 acme > ann at 150 USD ref DN-1", "currency"),
        ("record 1:0-9 acme > ann at 150 later ref DN-1", "delivery"),
        ("record 1:0-8 acme > ann at 150 ref DN-1", "set of units"),
        ("record 1:0-10 acme > ann at 150 ref DN-1", "set of units"),
        ("record 1:1-10 acme > ann at 150 ref DN-1", "set of units"),
        ("record 9 of 1 acme > ann at 150 ref DN-1", "set of units"),
        ("record 10 of 2 acme > ann at 150 ref DN-1", "set of units"),
        ("record 11 of mask acme > ann at 150 ref DN-1", "set of units"),
    ],
)
def test_another_report_is_refused_with_the_difference(report: str, difference: str) -> None:
    """A report on other terms is refused, and names the term in which it differs."""
    story = Story(BOOK)
    story.tell(f"record 1:0-9 acme > ann at 150 ref DN-1\n{report} reported by ann -> REFERENCE_CONTRADICTS")
    refusal = story.commands[-1][1]
    assert isinstance(refusal, Refusal)
    assert dict(refusal.facts)["difference"] == difference


@pytest.mark.parametrize(
    "units", ["10 of 1", "10 of mask", "1:0-4 and 5 of 1", "1:0-4 and 5 of mask", "1:5-9 1:0-4"]
)
@pytest.mark.parametrize("price", ["150", "300/2"])
def test_equal_terms_may_be_stated_differently(units: str, price: str) -> None:
    """Quantities that fit the units, and a price of the same value, are equal terms."""
    Story(BOOK).tell(f"""
    record 1:0-9 acme > ann at 150 ref DN-1
    record {units} acme > ann at {price} ref DN-1 reported by ann    -> ok
    """)


def test_only_the_giver_gives_title_away() -> None:
    """The report of a receiver that the giver has not reported moves nothing."""
    Story(BOOK).tell("""
    record 1:0 acme > ann at 150 reported by ann                     -> VALUE_MISSING
    record 1:0 acme > ann at 150 ref DN-1 reported by ann            -> TRANSFER_NOT_REPORTED
    who owns 1:0                                                     -> acme
    offer 1:0 acme > ann at 150 ref DN-1 as open
    record 1:0 acme > ann at 150 ref DN-1                            -> REFERENCE_USED
    record 1:0 acme > ann at 150 ref DN-1 reported by ann            -> TRANSFER_NOT_ACCEPTED
    accept open by ann
    record 1:0 acme > ann at 150 ref DN-1 reported by ann            -> TRANSFER_ALREADY_ATTESTED
    """)


def test_a_reference_is_free_again_after_its_transfer_came_to_nothing() -> None:
    """A declined, withdrawn or reversed transfer no longer has its reference, and a return keeps it."""
    Story(BOOK).tell("""
    offer 1:0 acme > ann at 150 ref DN-1 as open
    decline open by ann
    offer 1:0 acme > ann at 150 ref DN-1 as again
    withdraw again by acme
    record 1:0 acme > ann at 150 ref DN-1 as moved
    reverse moved by acme
    reverse moved by ann
    record 1:0 acme > ann at 160 ref DN-1
    return 1:0 by ann
    record 1:0 acme > ann at 160 ref DN-1                            -> REFERENCE_USED
    sell 1:1 acme > wei at 300 ref R-1
    sell 1:2 acme > wei at 300 ref R-1                               -> REFERENCE_USED
    sell 1:2 acme > ken at 300 ref R-1                               -> ok
    """)


def test_a_report_may_come_after_the_units_moved_on() -> None:
    """The receiver attests a transfer whose units it has sold, offered or returned since."""
    story = Story(BOOK)
    story.tell("""
    record 1:0-9 acme > ann at 150 ref DN-1
    sell 1:0 ann > wei at 300
    offer 1:1 ann > ben at 180 as open
    return 1:2 by ann
    record 1:0-9 acme > ann at 150 ref DN-1 reported by ann
    how is 1:0                                                       -> sold
    how is 1:1                                                       -> offered
    accept open by ben
    who owns 1:1                                                     -> ben
    """)


def test_a_reference_has_a_form() -> None:
    """A reference has at most 64 printable characters, with no blank at either end."""
    Story(BOOK).tell(f"""
    record 1:0 acme > ann at 1 ref {"x" * MAX_REFERENCE}
    record 1:1 acme > ann at 1 ref {"x" * (MAX_REFERENCE + 1)}       -> REFERENCE_MALFORMED
    offer 1:1 acme > ann at 1 ref \u202ebad                          -> REFERENCE_MALFORMED
    sell 1:1 acme > wei at 1 ref {"y" * (MAX_REFERENCE + 1)}         -> REFERENCE_MALFORMED
    """)
