"""The staircase has a bar for each rung, as high as its price."""

import re

from hypothesis import given
from hypothesis import strategies as st

from pathbook.charting import ladder
from pathbook.charting.ladder import MOST_CURRENCIES, MOST_RUNGS, PLOT, Rung
from pathbook.ledger.values import Price
from tests.charting.pictures import Picture

TIERS = (150, 180, 210, 240, 270)


def yuan(amount: int, units: int = 1) -> Price:
    """Return a price in yuan."""
    return Price(amount * 100, "CNY", units)


def rung(payer: str, units: int, price: Price, suggested: Price | None = None, share: str = "") -> Rung:
    """Return a rung of parties that all paid the same."""
    return Rung(payer, payer == "consumer", units, price, price, price, suggested, share)


def masks() -> list[Rung]:
    """Return the rungs of the masks: five tiers and a consumer, with a suggested price of 300."""
    rungs = [
        rung(f"tier {tier}", 70 - 10 * tier, yuan(paid), yuan(300), f"{paid / 3:.1f}%")
        for tier, paid in enumerate(TIERS, 1)
    ]
    return [*rungs, rung("consumer", 1, yuan(300), yuan(300), "100.0%")]


def test_the_bars_are_as_high_as_the_prices() -> None:
    """The masks have six bars on one ground, whose heights are to each other as 150, 180, 210, 240, 270 and 300."""
    picture = Picture(ladder.draw("batch 1", masks()))
    bars = picture.rects()
    assert [bar.number("height") for bar in bars] == [PLOT * paid / 300 for paid in (*TIERS, 300)]
    assert len({bar.number("y") + bar.number("height") for bar in bars}) == 1
    assert [bar.kind for bar in bars] == ["title"] * 5 + ["goods"]
    lefts = [bar.number("x") for bar in bars]
    assert lefts == sorted(lefts)


def test_the_suggested_price_is_a_line_at_its_height() -> None:
    """The line lies where the bar of the consumer ends, who paid that price. It says its price."""
    picture = Picture(ladder.draw("batch 1", masks()))
    line = picture.told("suggested price: 300.00 CNY")
    top = picture.rects("goods")[0].number("y")
    assert (line.kind, line.number("y1"), line.number("y2")) == ("dashed", top, top)
    assert "suggested price: 300.00 CNY" in picture.texts()


def test_each_bar_has_its_words() -> None:
    """Below and above a bar stand who paid, for how many units, the price, and its share of the suggested one."""
    picture = Picture(ladder.draw("batch 1", masks()))
    picture.check()
    assert picture.title == "What each tier paid for a unit of batch 1"
    for text in ("tier 1", "60 units", "150.00", "50.0%", "consumer", "1 unit", "300.00", "100.0%"):
        assert text in picture.texts()
    assert picture.told("tier 2: ").tip == "tier 2: median 180.00 CNY for 50 units"
    assert picture.chart.left_out == ()


def test_a_range_of_prices_is_a_line_through_the_bar() -> None:
    """If prices differ, a thin line leads from the lowest to the highest, on the same scale."""
    rung = Rung("tier 1", False, 9, yuan(100), yuan(150), yuan(300), None)
    picture = Picture(ladder.draw("batch 1", [rung]))
    picture.check()
    (bar,) = picture.rects()
    bottom = bar.number("y") + bar.number("height")
    line = picture.told("tier 1: from 100.00 CNY to 300.00 CNY")
    assert (bottom - line.number("y1"), bottom - line.number("y2")) == (PLOT / 3, PLOT)
    assert bar.number("height") == PLOT / 2
    assert "range" in picture.description


def test_prices_stated_for_many_units_are_compared_by_the_unit() -> None:
    """A price of 300 for two units is as high as one of 150 for one."""
    rungs = [
        rung("tier 1", 2, yuan(300, 2)),
        rung("tier 2", 2, yuan(150)),
    ]
    one, other = Picture(ladder.draw("batch 1", rungs)).rects()
    assert one.number("height") == other.number("height")


def test_currencies_have_their_own_axes() -> None:
    """A bar of one currency says nothing of the height of another."""
    rungs = [
        rung("tier 1", 1, Price(100, "CNY")),
        rung("tier 1", 1, Price(10**9, "JPY")),
    ]
    picture = Picture(ladder.draw("batch 1", rungs))
    picture.check()
    assert [bar.number("height") for bar in picture.rects()] == [PLOT, PLOT]
    assert {"CNY for one unit", "JPY for one unit"} <= set(picture.texts())


def test_a_hundred_tiers_keep_both_ends() -> None:
    """The tiers in the middle and further currencies are left out, and the picture says how many."""
    rungs = [
        rung(f"tier {tier}", 1, Price(tier, code))
        for code in ("CNY", "EUR", "USD", "JPY", "KWD", "GBP", "CHF")
        for tier in range(1, 101)
    ]
    picture = Picture(ladder.draw("batch 1", rungs))
    picture.check()
    assert len(picture.rects()) == MOST_CURRENCIES * MOST_RUNGS
    missing = 100 - MOST_RUNGS
    assert picture.chart.left_out[0] == (
        f"The picture leaves out {missing} rungs of CNY, between tier 8 and tier 93."
    )
    assert picture.chart.left_out[-1] == "The picture leaves out 1 currency."
    assert set(picture.chart.left_out) <= set(picture.texts())
    assert all(sentence in picture.description for sentence in picture.chart.left_out)
    assert len([shape for shape in picture.shapes if shape.kind == "cut"]) == MOST_CURRENCIES


def test_a_ladder_without_rungs_says_so() -> None:
    """If nothing was sold, the picture has no bars, and a sentence."""
    picture = Picture(ladder.draw("batch 1", []))
    picture.check()
    assert (picture.rects(), picture.description) == (
        [],
        "No unit was sold yet, so no price is on record.",
    )


PRICES = st.builds(
    Price,
    st.integers(-5, 2**63 - 1),
    st.sampled_from(["CNY", "JPY", "ZZZ", "<x>"]),
    st.sampled_from([1, 7, 10**9]),
)
RUNGS = st.builds(
    Rung,
    st.text(max_size=80),
    st.booleans(),
    st.integers(0, 2**62),
    PRICES,
    PRICES,
    PRICES,
    st.none() | PRICES,
    st.text(max_size=30),
)


@given(st.lists(RUNGS, max_size=20))
def test_any_answer_is_drawn(rungs: list[Rung]) -> None:
    """Whatever a server says becomes a picture with its texts apart, and the same picture each time."""
    chart = ladder.draw("batch 1", rungs)
    Picture(chart).check()
    assert chart == ladder.draw("batch 1", rungs)
    assert not re.search(r"\b(nan|inf)\b", chart.svg)
