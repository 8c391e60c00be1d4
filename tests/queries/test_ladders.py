"""Price ladders: a rung for each tier, with the suggested price."""

import datetime
import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathbook.ledger.commands import CommissionBatch
from pathbook.ledger.queries import Asked, Insight, Queries, Rung, RungKind, ladders
from pathbook.ledger.queries.ladders import KeptLadders
from pathbook.ledger.reports.ladder import PriceRow, rungs
from pathbook.ledger.reports.wanted import Wanted
from pathbook.ledger.values import MAX_AMOUNT_MINOR, MAX_BATCH_SIZE, MAX_PRICE_UNITS, Price
from tests.queries.written import MASKS, WrittenStory, ladder_of, open_queries
from tests.scenario import CODE_KEY, MASK


def yuan(amount_minor: int, per_units: int = 1) -> Price:
    """Return a price in CNY."""
    return Price(amount_minor, "CNY", per_units)


def rung_of(paid: dict[Price, int], suggested: Price | None = None) -> Rung:
    """Return the rung of a tier that paid these prices, each for so many units."""
    rows = [
        PriceRow(1, price.currency_code, price.amount_minor, price.per_units, units)
        for price, units in paid.items()
    ]
    (rung,) = rungs(rows, suggested)
    return rung


def test_a_ladder_has_a_rung_for_each_tier_and_currency() -> None:
    """Tiers come in order, then parties without a tier, then consumers, with a rung for each currency."""
    prices = [
        (1000, "CNY", 300, 1, 1),
        (-1, "CNY", 260, 1, 1),
        (2, "USD", 25, 1, 1),
        (2, "CNY", 180, 1, 1),
        (1, "CNY", 150, 1, 1),
    ]
    ladder = rungs([PriceRow(*price) for price in prices], yuan(300))
    assert [(rung.kind, rung.tier, rung.currency_code, rung.suggested) for rung in ladder] == [
        (RungKind.TIER, 1, "CNY", yuan(300)),
        (RungKind.TIER, 2, "CNY", yuan(300)),
        (RungKind.TIER, 2, "USD", None),
        (RungKind.NO_TIER, 0, "CNY", yuan(300)),
        (RungKind.CONSUMER, 0, "CNY", yuan(300)),
    ]
    assert [rung.suggested for rung in rungs([PriceRow(*prices[0])], None)] == [None]


@pytest.mark.parametrize(
    ("paid", "median", "mean"),
    [({10: 1, 11: 1}, 10, 10), ({11: 1, 12: 1}, 11, 12), ({10: 1, 20: 2}, 20, 17), ({10: 2, 20: 2}, 10, 15)],
)
def test_a_rung_rounds_half_to_even_and_takes_the_lower_middle(
    paid: dict[int, int], median: int, mean: int
) -> None:
    """The median is a price that was paid, and a mean halfway between two amounts is rounded to the even one."""
    rung = rung_of({yuan(price): units for price, units in paid.items()})
    assert rung == Rung(
        RungKind.TIER,
        1,
        "CNY",
        sum(paid.values()),
        yuan(min(paid)),
        yuan(min(paid)),
        yuan(median),
        yuan(max(paid)),
        yuan(max(paid)),
        mean,
        sum(price * units for price, units in paid.items()),
        None,
    )


def test_a_rung_orders_prices_for_several_units_by_their_exact_value() -> None:
    """One yuan for seven units is less than fifteen fen, and more than 14 fen. The sum of all is rounded once."""
    rung = rung_of({yuan(15): 1, yuan(100, 7): 7, yuan(14): 1, yuan(125, 100): 2})
    assert (rung.least, rung.median, rung.most) == (yuan(125, 100), yuan(100, 7), yuan(15))
    assert (rung.units, rung.sum_minor, rung.mean_minor) == (11, 132, 12)  # 131.5 and 11.95


@pytest.mark.parametrize(
    ("paid", "total"),
    [
        ({yuan(1, 3): 1, yuan(1, 6): 1}, 0),
        ({yuan(1, 3): 4, yuan(1, 6): 1}, 2),
        ({yuan(1, 3): 1, yuan(1, 6): 1, yuan(1, 10**9): 1}, 1),
    ],
)
def test_fractions_that_add_up_to_a_half_are_rounded_to_even(paid: dict[Price, int], total: int) -> None:
    """Thirds and sixths have no last binary place, and their sum may be exactly a half, or a little more."""
    assert rung_of(paid).sum_minor == total


def test_a_rung_shows_equal_prices_once_as_stated_for_the_fewest_units() -> None:
    """1 for 2 units and 2 for 4 are one price, whether it is the least, the median or the most."""
    rung = rung_of({yuan(2, 4): 3, yuan(1, 2): 1, yuan(50, 100): 5})
    assert (rung.least, rung.median, rung.most) == (yuan(1, 2),) * 3
    assert (rung.units, rung.sum_minor, rung.mean_minor) == (9, 4, 0)  # 4.5 and 0.5, both to even
    assert rung_of({yuan(2, 4): 1, yuan(1, 1): 1, yuan(3, 6): 1}).median == yuan(2, 4)


def test_prices_that_differ_by_as_little_as_possible_are_told_apart() -> None:
    """The finest and the highest prices of the book keep their order."""
    fine, finer = yuan(1, MAX_PRICE_UNITS - 1), yuan(1, MAX_PRICE_UNITS)
    assert (rung_of({fine: 1, finer: 1}).least, rung_of({fine: 1, finer: 1}).most) == (finer, fine)
    high, higher = yuan(MAX_AMOUNT_MINOR - 1), yuan(MAX_AMOUNT_MINOR)
    huge = rung_of({higher: MAX_BATCH_SIZE, high: MAX_BATCH_SIZE})
    assert (huge.least, huge.median, huge.most) == (high, high, higher)
    assert huge.sum_minor == MAX_BATCH_SIZE * (2 * MAX_AMOUNT_MINOR - 1)
    assert huge.mean_minor == MAX_AMOUNT_MINOR - 1  # half to even


@given(
    st.dictionaries(
        st.builds(
            Price,
            st.integers(0, 30) | st.integers(0, MAX_AMOUNT_MINOR),
            st.just("CNY"),
            st.integers(1, 12) | st.integers(1, MAX_PRICE_UNITS),
        ),
        st.integers(1, 9),
        min_size=1,
        max_size=9,
    )
)
def test_a_rung_is_what_exact_fractions_say(paid: dict[Price, int]) -> None:
    """Least, median, most, mean and sum are those of the fractions of all units in order."""
    rung = rung_of(paid)
    each = sorted(price.each for price, units in paid.items() for _ in range(units))
    assert (rung.least.each, rung.most.each) == (each[0], each[-1])
    assert rung.median.each == each[(len(each) + 1) // 2 - 1]
    assert rung.sum_minor == round(sum(each, Fraction()))
    assert rung.mean_minor == round(sum(each, Fraction()) / len(each))


def test_thousands_of_prices_for_different_numbers_of_units_are_added_in_bounded_time() -> None:
    """Fractions whose denominators have nothing in common do not make a ladder slow."""
    began = time.process_time()
    rung_of({yuan(10**9 + number, 10**9 - number): 1 for number in range(5_000)})
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("suggested", "expected"),
    [
        (yuan(30_000), yuan(30_000)),
        (yuan(90_000, 3), yuan(30_000)),
        (yuan(28_000), None),
        (yuan(30_000, 7), None),
        (Price(30_000, "USD"), None),
    ],
)
def test_a_product_has_a_suggested_price_only_if_its_batches_agree(
    suggested: Price, expected: Price | None
) -> None:
    """The ladder of a product adds up its batches, and has a suggested price only if all have the same exact one."""
    story = WrittenStory(MASKS)
    story.ask(
        CommissionBatch(
            request_id=story.request(),
            brand="acme",
            product=MASK,
            lot="L2",
            size=5,
            made_on=datetime.date(2025, 12, 2),
            suggested_price=suggested,
            code_key=CODE_KEY,
        )
    )
    story.tell("record 1:0-9 acme > ann at 15000\nrecord 2:0-4 acme > ann at 30000/2")
    with open_queries(story.entries) as queries:
        ladder = ladder_of(queries, MASK)
        assert isinstance(ladder, Insight)
        (rung,) = ladder.found.rungs
        assert (rung.units, rung.suggested) == (15, expected)
        assert (rung.least, rung.most, rung.sum_minor) == (yuan(15_000), yuan(15_000), 225_000)


def ask(queries: Queries, kept: KeptLadders, of: int | str) -> object:
    """Return the ladder of a batch or a product, which may have been kept."""
    wanted = Wanted(product=of) if isinstance(of, str) else Wanted(batch=of)
    return queries.insight("book", kept.ask, Asked(wanted), lambda: None)


def test_a_ladder_is_kept_until_its_book_goes_on() -> None:
    """Callers at one position get one ladder, each of a batch and a product its own. An event makes a new one."""
    story, kept = WrittenStory(MASKS), KeptLadders()
    story.tell("record 1:0-9 acme > ann at 15000")
    with open_queries(story.entries) as queries:
        first = ask(queries, kept, 1)
        assert isinstance(first, Insight)
        assert ask(queries, kept, 1) is first
        assert ask(queries, kept, MASK) is not first
        assert ask(queries, kept, 1) is first
        assert ladder_of(queries, 1) == first
    story.tell("record 1:10-19 acme > ann at 18000")
    with open_queries(story.entries) as queries:
        assert ask(queries, kept, 1) == ladder_of(queries, 1) != first


def test_the_ladder_that_was_not_asked_for_longest_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only as many ladders are kept as the limit says."""
    monkeypatch.setattr(ladders, "LADDERS_KEPT_MAX", 1)
    story, kept = WrittenStory(MASKS), KeptLadders()
    story.tell("record 1:0-9 acme > ann at 15000")
    with open_queries(story.entries) as queries:
        first = ask(queries, kept, 1)
        product = ask(queries, kept, MASK)
        assert ask(queries, kept, MASK) is product
        assert ask(queries, kept, 1) is not first
