"""The story of the mask, told in story_of_the_mask.txt: each report says of it exactly what a reader can count."""

import datetime
from pathlib import Path

import pytest

from pathbook.ledger import events
from pathbook.ledger.reports.depths import depths
from pathbook.ledger.reports.domino import OpenOffer, domino
from pathbook.ledger.reports.holdings import StockLot, stock_by_tier, stuck_stock
from pathbook.ledger.reports.ladder import CONSUMER_TIER
from pathbook.ledger.reports.runway import runway
from pathbook.ledger.reports.scorecard import Count, Scorecard, scorecard
from pathbook.ledger.reports.sell_through import sell_through
from pathbook.ledger.reports.shape import IndicatorRule, Shape, shape, stopped_share
from tests.reports.books_read import ReadBook
from tests.scenario import Story

TEXT = (Path(__file__).parent / "story_of_the_mask.txt").read_text("utf-8")
TODAY = datetime.date(2026, 12, 25)
"""Six days before the old boxes expire."""

JANUARY = datetime.date(2027, 1, 1)
"""The day after they did."""


@pytest.fixture(scope="module")
def story() -> Story:
    """Return the story, told."""
    return Story("\n".join(line for line in TEXT.splitlines() if not line.startswith("#")))


@pytest.fixture(scope="module")
def book(story: Story) -> ReadBook:
    """Return its book."""
    return ReadBook(story.recorded)


def lots(book: ReadBook, today: datetime.date) -> list[StockLot]:
    """Return what is stuck on a day."""
    return stuck_stock(book.holdings(), book.batches, book.best(), today)


def test_a_third_of_the_boxes_reached_the_last_agent_and_one_a_consumer(book: ReadBook) -> None:
    """Sell-through: the brand sold 80 of 120 boxes, and consumers bought 1."""
    found = {
        party: sell_through(party, book.lines(party), TODAY, window_days=28)
        for party in ("mask-brand", "agent-1", "agent-2", "agent-3", "agent-4", "agent-5")
    }
    assert {party: (line.entered, line.sold, line.left) for party, line in found.items()} == {
        "mask-brand": (120, 1, 119),
        "agent-1": (80, 1, 79),
        "agent-2": (70, 1, 69),
        "agent-3": (60, 1, 59),
        "agent-4": (50, 1, 49),
        "agent-5": (40, 1, 39),
    }
    assert {party: line.mean_days for party, line in found.items()} == {
        "mask-brand": 355,
        "agent-1": 345,
        "agent-2": 315,
        "agent-3": 285,
        "agent-4": 255,
        "agent-5": 225,
    }
    last = found["agent-5"]
    assert (last.confirmed, last.contradicted, last.lost) == (
        1,
        1,
        0,
    )  # the buyer says that it paid 180, not 200
    assert (last.sold_lately, last.stock_days) == (1, 39 * 28)
    assert [(f"{day.day}", day.entered, day.sold, day.confirmed) for day in last.days] == [
        ("2026-05-11", 20, 0, 0),
        ("2026-08-10", 10, 0, 0),
        ("2026-09-05", 10, 0, 0),
        ("2026-12-22", 0, 1, 1),
    ]


def test_what_no_consumer_bought_is_stuck_with_those_who_paid_most(book: ReadBook) -> None:
    """Stuck stock: each lot has its age, the days to expiry, and what its owner would lose at the best price, 200."""
    found = [
        (lot.batch, lot.owner, lot.custodian, lot.units, lot.age_days, lot.days_left, lot.loss_minor)
        for lot in lots(book, TODAY)
    ]
    assert found == [
        (1, "agent-5", "agent-5", 19, 228, 6, 19 * 7_000),
        (2, "mask-brand", "mask-brand", 40, 207, 523, None),
        (2, "agent-1", "agent-1", 10, 197, 523, 0),
        (2, "agent-2", "agent-2", 10, 182, 523, 0),
        (2, "agent-3", "agent-3", 10, 167, 523, 10 * 1_000),
        (2, "agent-4", "agent-4", 10, 152, 523, 10 * 4_000),
        (2, "agent-5", "agent-5", 10, 137, 523, 10 * 7_000),
        (2, "agent-5", "mask-brand", 10, 111, 523, 10 * 7_000),
    ]


def test_each_lot_names_the_transfer_by_which_it_came(book: ReadBook, story: Story) -> None:
    """A number leads back to an event: the transfer of a lot has its owner as receiver, and its price."""
    begun = {
        each.position: each.event.terms
        for each in story.recorded
        if isinstance(each.event, events.TransferOffered | events.TransferRecorded)
    }
    named = [lot for lot in lots(book, TODAY) if lot.transfer]
    assert [(begun[lot.transfer].receiver, begun[lot.transfer].unit_price) for lot in named] == [
        (lot.owner, lot.paid) for lot in named
    ]


def test_boxes_expire_with_the_last_agent(book: ReadBook) -> None:
    """Once they have expired, their owner loses all that it paid for them."""
    before, after = (
        {
            tier.tier: (tier.units, tier.expiring, tier.expired, tier.loss_minor.get("CNY"))
            for tier in stock_by_tier(book.held(), book.batches, book.best(), today, expiring_days=30)
        }
        for today in (TODAY, JANUARY)
    )
    assert before == {
        0: (40, 0, 0, None),
        1: (10, 0, 0, 0),
        2: (10, 0, 0, 0),
        3: (10, 0, 0, 10_000),
        4: (10, 0, 0, 40_000),
        5: (39, 19, 0, 273_000),
    }
    assert after[5] == (39, 0, 19, 19 * 27_000 + 20 * 7_000)


def test_each_hop_takes_from_the_days_that_are_left(book: ReadBook) -> None:
    """The runway gets shorter by tier, and the consumer gets nine days. Ten boxes moved on paper alone, five times."""
    assert [
        (tier.tier, tier.units, tier.title_only, tier.least, tier.median, tier.most)
        for tier in runway(book.hops(), book.batches)
    ] == [
        (1, 80, 10, 354, 720, 720),
        (2, 70, 10, 324, 705, 705),
        (3, 60, 10, 294, 636, 690),
        (4, 50, 10, 264, 635, 675),
        (5, 40, 10, 234, 234, 660),
        (CONSUMER_TIER, 1, 0, 9, 9, 9),
    ]


def test_the_chain_is_five_deep_and_stops_at_its_end(book: ReadBook) -> None:
    """At each depth some boxes stopped, and of the 40 that came to the last agent, 39."""
    found = depths(book.depths())
    assert [(one.depth, one.stock, one.sold, one.confirmed) for one in found] == [
        (0, 40, 0, 0),
        (1, 10, 0, 0),
        (2, 10, 0, 0),
        (3, 10, 0, 0),
        (4, 10, 0, 0),
        (5, 39, 0, 1),
    ]
    assert stopped_share(found) == {
        0: (40, 120),
        1: (10, 80),
        2: (10, 70),
        3: (10, 60),
        4: (10, 50),
        5: (39, 40),
    }


def shape_of(book: ReadBook, story: Story, rule: IndicatorRule) -> Shape:
    """Return the shape of the chain below the brand."""
    return shape(
        "mask-brand",
        book.authorizations,
        depths(book.depths()),
        runway(book.hops(), book.batches),
        book.lines(),
        at=story.now,
        within_days=30,
        rule=rule,
    )


def test_the_chain_has_one_agent_a_level_and_the_first_bought_early(book: ReadBook, story: Story) -> None:
    """Of 300 boxes taken by agents, agent-1 took 20 within 30 days of its authorization. A sixth of hops is title."""
    found = shape_of(book, story, IndicatorRule())
    assert [(level.level, level.participants) for level in found.levels] == [(n, 1) for n in range(1, 6)]
    assert (found.hops, found.title_only) == (301, 50)
    early = found.early
    assert (early.buyers, early.before, early.early, early.later) == (5, 0, 20, 280)


def test_an_indicator_is_printed_with_its_rule_and_parameters(book: ReadBook, story: Story) -> None:
    """Five agents are not thirty. With other parameters, the same chain meets the rule."""
    assert str(shape_of(book, story, IndicatorRule()).indicator) == (
        "participants-and-levels v1: not met. 5 participants on 5 levels below;"
        " it is met from 30 participants on 3 levels on."
    )
    assert shape_of(book, story, IndicatorRule(participants_min=5, levels_min=5)).indicator.met
    assert not shape_of(book, story, IndicatorRule(participants_min=5, levels_min=6)).indicator.met


def test_two_things_look_wrong(book: ReadBook, story: Story) -> None:
    """The old box was sold for less than it had cost, and its buyer says another price. No price is too high."""
    sale, confirmation = story.names["sale"], story.names["confirmation"]
    assert [(found.rule, found.version, found.units, found.sentence) for found in book.findings()] == [
        (
            "below-cost",
            1,
            1,
            "agent-5 gave 1 unit of batch 1 to consumer:wei for less than it had paid.",
        ),
        (
            "confirmed-other-price",
            1,
            1,
            "consumer:wei confirmed 1 unit of batch 1 of agent-5 at another price than the sale has.",
        ),
    ]
    below, other = book.findings()
    assert (below.positions[-1], other.positions) == (sale, (sale, confirmation))
    assert other.first_seen == book.recorded_at[confirmation]


def test_what_hangs_on_the_third_agent(book: ReadBook, story: Story) -> None:
    """If agent-3 stops, two agents below stop with it: 59 boxes, for which 15,030.00 were paid."""
    found = domino("agent-3", book.holdings(), book.offers(), book.authorizations, book.brands, story.now)
    assert [
        (stake.party, stake.level, stake.only_through, stake.units, stake.paid_minor)
        for stake in found.stakes
    ] == [
        ("agent-3", 0, False, 10, {"CNY": 210_000}),
        ("agent-4", 1, True, 10, {"CNY": 240_000}),
        ("agent-5", 2, True, 39, {"CNY": 1_053_000}),
    ]
    assert (found.units, found.paid_minor, found.in_custody, found.offers) == (59, {"CNY": 1_503_000}, 0, ())


def test_what_hangs_on_the_brand_lies_in_its_warehouse(book: ReadBook, story: Story) -> None:
    """Ten boxes of agent-5 lie with the brand, and its open offer to agent-1 is of ten more."""
    found = domino("mask-brand", book.holdings(), book.offers(), book.authorizations, book.brands, story.now)
    assert found.in_custody == 10
    assert found.offers == (OpenOffer(story.names["offer"], "mask-brand", "agent-1", 10),)


def card_of(book: ReadBook, party: str) -> Scorecard:
    """Return the scorecard of a party."""
    line = sell_through(party, book.lines(party), TODAY, window_days=28)
    return scorecard(party, book.facts(party), line, book.deviations(party))


def test_a_scorecard_has_counts_and_no_score(book: ReadBook) -> None:
    """Facts are counted as events and units."""
    first, last = card_of(book, "agent-1"), card_of(book, "agent-5")
    assert first.facts == {
        "offers_received": Count(2, 60),
        "accepted": Count(1, 50),
        "offers_made": Count(1, 40),
        "gave": Count(3, 70),
        "received": Count(3, 80),
    }
    assert (first.offers_accepted, first.offers_answered, first.disputes, first.deviations) == (1, 1, 0, {})
    assert last.facts == {"received": Count(3, 40), "sold": Count(1, 1)}
    assert last.deviations == {"below-cost": Count(1, 1), "confirmed-other-price": Count(1, 1)}
