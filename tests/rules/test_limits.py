"""Limits hold at their number and are refused at the next one, and refusals name the right numbers."""

import pytest
from msgspec.structs import replace

from pathbook.ledger import commands
from pathbook.ledger.commands import Command
from pathbook.ledger.refusals import Reason, Refusal
from pathbook.ledger.values import (
    MAX_AMOUNT_MINOR,
    MAX_BATCH_SIZE,
    MAX_DISCREPANCIES,
    MAX_EXTRA_ALLOWED,
    MAX_PRICE_UNITS,
    MAX_PRODUCTS,
    MAX_QUANTITIES,
    MAX_RANGES,
    MAX_TEXT,
    MAX_TIER,
    Delivery,
    DiscrepancyKind,
    Price,
    Quantity,
    Selection,
    UnitRange,
)
from tests.scenario import MASK, Story

BOOK = """
brand acme
agent ann
product mask 30000 CNY of acme
batch L1 of mask size 1000 made 2025-12-01 by acme
"""
YUAN = Price(1, "CNY")


def facts_of(story: Story, command: Command) -> tuple[Reason, dict[str, str]] | None:
    """Return the reason and the facts of the refusal of a command, or None if it is accepted."""
    outcome = story.ask(command)
    return (outcome.reason, dict(outcome.facts)) if isinstance(outcome, Refusal) else None


def authorizing(products: int, tier: int = 1) -> Command:
    """Return the command that authorizes ann for so many products."""
    return commands.AuthorizeParty(
        request_id=f"{products} {tier}", upline="acme", party="ann", tier=tier, products=(MASK,) * products
    )


def recording(units: Selection, price: Price = YUAN) -> Command:
    """Return the command that records a transfer from acme to ann."""
    return commands.RecordTransfer(
        request_id="moved", giver="acme", receiver="ann", units=units, unit_price=price
    )


def test_an_authorization_lists_so_many_products() -> None:
    """An authorization may list 1,000 products, and one more is refused by its count."""
    story = Story(BOOK)
    assert facts_of(story, authorizing(MAX_PRODUCTS)) is None
    wanted = {"count": str(MAX_PRODUCTS + 1), "limit": str(MAX_PRODUCTS)}
    assert facts_of(story, authorizing(MAX_PRODUCTS + 1)) == (Reason.TOO_MANY_PRODUCTS, wanted)


def test_a_tier_has_a_lowest_and_a_deepest() -> None:
    """Tiers go from 1 to 100."""
    story = Story(BOOK)
    assert facts_of(story, authorizing(1, MAX_TIER)) is None
    for tier in (0, MAX_TIER + 1):
        wanted = {"tier": str(tier), "limit": str(MAX_TIER)}
        assert facts_of(story, authorizing(1, tier)) == (Reason.TIER_OUT_OF_BOUNDS, wanted)


def test_a_batch_has_so_many_units() -> None:
    """A batch has 1 to 2^28 units, and a refusal of a range names the last of them."""
    story = Story(BOOK)
    story.tell(f"""
    batch L2 of mask size {MAX_BATCH_SIZE} made 2025-12-01 by acme
    batch L3 of mask size {MAX_BATCH_SIZE + 1} made 2025-12-01 by acme -> BATCH_SIZE_OUT_OF_BOUNDS
    batch L3 of mask size 0 made 2025-12-01 by acme                    -> BATCH_SIZE_OUT_OF_BOUNDS
    record 1:999 acme > ann at 1
    """)
    beyond = facts_of(story, recording(Selection((UnitRange(1, 1_000, 1_000),))))
    assert beyond == (Reason.RANGE_BEYOND_BATCH, {"range": "1:1000", "last": "999"})
    recall = commands.RecallUnits(request_id="r", brand="acme", batch=1, ranges=(UnitRange(2, 0, 0),))
    assert facts_of(story, recall) == (Reason.RANGE_BEYOND_BATCH, {"range": "2:0", "last": "999"})


def test_a_request_names_so_many_quantities() -> None:
    """A request names 100 quantities, and one more is refused by its count."""
    story = Story(BOOK)
    quantities = (Quantity(1, batch=1),) * MAX_QUANTITIES
    assert facts_of(story, recording(Selection(quantities=quantities))) is None
    refused = facts_of(story, recording(Selection(quantities=(*quantities, Quantity(1, batch=1)))))
    wanted = {"count": str(MAX_QUANTITIES + 1), "limit": str(MAX_QUANTITIES)}
    assert refused == (Reason.TOO_MANY_RANGES, wanted)


@pytest.mark.parametrize(
    ("price", "reason"),
    [
        (Price(MAX_AMOUNT_MINOR, "CNY"), None),
        (Price(12_000_000_000, "VND"), None),
        (Price(1, "CNY", MAX_PRICE_UNITS), None),
        (Price(1, "CNY", MAX_PRICE_UNITS + 1), Reason.PRICE_UNITS_OUT_OF_BOUNDS),
        (Price(1, "CNY", 0), Reason.PRICE_UNITS_OUT_OF_BOUNDS),
        (Price(0, "CNY"), None),
        (Price(-1, "CNY"), Reason.PRICE_NEGATIVE),
        (Price(1, "XXX"), Reason.CURRENCY_UNKNOWN),
        (Price(1, "XTS"), Reason.CURRENCY_UNKNOWN),
    ],
)
def test_no_price_is_too_high(price: Price, reason: Reason | None) -> None:
    """Only the numbers of a price have limits, never its height."""
    refused = facts_of(Story(BOOK), recording(Selection((UnitRange(1, 0, 0),)), price))
    assert (refused and refused[0]) == reason


def test_an_acceptance_has_so_many_discrepancies() -> None:
    """An acceptance has 20 discrepancies, and one more is refused by its count."""
    story = Story(BOOK)
    story.tell("offer 1:0-99 acme > ann at 1 as first\noffer 1:100-199 acme > ann at 1 as second")

    def accepting(name: str, count: int) -> Command:
        begin = 0 if name == "first" else 100
        claims = tuple(
            commands.DiscrepancyClaim(DiscrepancyKind.SHORT, (UnitRange(1, begin + n, begin + n),))
            for n in range(count)
        )
        return commands.AcceptTransfer(
            request_id=name, receiver="ann", transfer=story.names[name], discrepancies=claims
        )

    assert facts_of(story, accepting("first", MAX_DISCREPANCIES)) is None
    wanted = {"count": str(MAX_DISCREPANCIES + 1), "limit": str(MAX_DISCREPANCIES)}
    assert facts_of(story, accepting("second", MAX_DISCREPANCIES + 1)) == (Reason.TOO_MANY_RANGES, wanted)


def test_an_acceptance_has_so_many_ranges() -> None:
    """A discrepancy or an extra unit may divide what was offered into 4,000 ranges, and one more is refused."""
    story = Story(BOOK)
    story.tell("batch L2 of mask size 9000 made 2025-12-01 by acme")
    every_other = tuple(UnitRange(2, n, n) for n in range(0, 2 * (MAX_RANGES - 1), 2))
    offered = commands.OfferTransfer(
        request_id="o",
        giver="acme",
        receiver="ann",
        units=Selection((*every_other, UnitRange(1, 10, 19))),
        unit_price=YUAN,
        extra_allowed=1,
    )
    assert facts_of(story, offered) is None
    transfer = story.state.position

    def accepting(extra: tuple[UnitRange, ...], *short: int) -> Command:
        ranges = tuple(UnitRange(1, n, n) for n in short)
        claims = (commands.DiscrepancyClaim(DiscrepancyKind.SHORT, ranges),) if short else ()
        return commands.AcceptTransfer(
            request_id=f"{extra}{short}", receiver="ann", transfer=transfer, discrepancies=claims, extra=extra
        )

    wanted = {"count": str(MAX_RANGES + 1), "limit": str(MAX_RANGES)}
    assert facts_of(story, accepting((UnitRange(1, 30, 30),))) == (Reason.TOO_MANY_RANGES, wanted)
    assert facts_of(story, accepting((), 15)) == (Reason.TOO_MANY_RANGES, wanted)
    assert facts_of(story, accepting((), 10)) is None


def test_a_text_has_so_many_characters() -> None:
    """A name has 200 characters, and one more is refused by its length."""
    story = Story(BOOK)
    right = commands.CorrectProduct(request_id="a", brand="acme", product=MASK, name="x" * MAX_TEXT)
    assert facts_of(story, right) is None
    wrong = commands.CorrectProduct(request_id="b", brand="acme", product=MASK, name="x" * (MAX_TEXT + 1))
    wanted = {"field": "name", "length": str(MAX_TEXT + 1), "limit": str(MAX_TEXT)}
    assert facts_of(story, wrong) == (Reason.TEXT_TOO_LONG, wanted)


def test_neighbors_left_behind_for_different_reasons_are_one_run() -> None:
    """Units that were short and damaged in one acceptance have the same past, so they are one run."""
    story = Story(BOOK)
    story.tell("offer 1:0-9 acme > ann at 1 as offered\naccept offered by ann but short 1:4 and damaged 1:5")
    runs = [(run.first, run.last) for run in story.state.partitions[1].runs]
    assert runs == [(0, 3), (4, 5), (6, 9), (10, 999)]


def test_an_acceptance_takes_what_was_found_instead() -> None:
    """Extra units of the giver are accepted at the price of the offer, alone or beside those offered."""
    story = Story(BOOK)
    story.tell("""
    offer 1:0-4 acme > ann at 150 allowing 5 as wrong
    accept wrong by ann but wrong_item 1:0-4                  -> NOTHING_ACCEPTED
    accept wrong by ann but wrong_item 1:0-4 with 1:3         -> UNITS_RESERVED
    accept wrong by ann but wrong_item 1:0-4 with 1:20-24
    who owns 1:0                                              -> acme
    who owns 1:22                                             -> ann
    offer 1:30-34 acme > ann at 150 allowing 1 as more
    accept more by ann with 1:35-36                           -> EXTRA_NOT_ALLOWED
    accept more by bob with 1:35                              -> NOT_THE_RECEIVER
    accept more by ann with 1:22                              -> UNITS_NOT_OWNED
    accept more by ann with 1:35
    who owns 1:35                                             -> ann
    reverse more by ann
    reverse more by acme
    who owns 1:35                                             -> acme
    who owns 1:30                                             -> acme
    """)
    transfer = story.state.transfers[story.names["more"]]
    assert transfer is not None
    assert transfer.terms.delivery is Delivery.WITH_TITLE


def test_units_leave_a_giver_only_as_far_as_it_allows() -> None:
    """Without an allowance a receiver takes nothing that was not offered, whatever it says that it found."""
    story = Story(BOOK)
    story.tell("""
    offer 1:0 acme > ann at 150 as one
    accept one by ann with 1:999                              -> EXTRA_NOT_ALLOWED
    accept one by ann but short 1:0 with 1:1-999              -> EXTRA_NOT_ALLOWED
    accept one by ann with 1:0-1 -> EXTRA_NOT_ALLOWED
    accept one by ann
    who owns 1:1                                              -> acme
    """)


@pytest.mark.parametrize("count", [-1, MAX_EXTRA_ALLOWED + 1, 2**63 - 1, -(2**63)])
def test_an_offer_allows_so_many_extra_units(count: int) -> None:
    """It allows none or more, up to a limit."""
    story = Story(BOOK)
    offer = commands.OfferTransfer(
        request_id="o",
        giver="acme",
        receiver="ann",
        units=Selection((UnitRange(1, 0, 0),)),
        unit_price=YUAN,
        extra_allowed=count,
    )
    wanted = {"count": str(count), "limit": str(MAX_EXTRA_ALLOWED)}
    assert facts_of(story, offer) == (Reason.EXTRA_OUT_OF_BOUNDS, wanted)
    assert facts_of(story, replace(offer, extra_allowed=MAX_EXTRA_ALLOWED)) is None
