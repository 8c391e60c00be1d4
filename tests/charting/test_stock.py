"""The runway counts the units of a party by the days until they expire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathbook.charting import stock
from pathbook.charting.stock import MOST_BARS, MOST_LOTS, PLOT, Lot, bars
from tests.charting.pictures import Picture

MASKS = [
    Lot("M24-F", "Silk mask, box of 10", "2026-12-01", 9, 20, 0),
    Lot("M26-A", "Silk mask, box of 10", "2029-05-10", 900, 10, 4),
]


def test_bars_are_as_high_as_their_units() -> None:
    """Twenty boxes are twice as high as ten. The part that offers reserve lies on the free part."""
    picture = Picture(stock.draw("agent-5", "2026-11-22", MASKS))
    picture.check()
    soon, late = picture.rects("title")
    (reserved,) = picture.rects("title band")
    assert (soon.number("height"), late.number("height")) == (PLOT, PLOT * 6 / 20)
    assert reserved.number("height") == PLOT * 4 / 20
    assert reserved.number("y") + reserved.number("height") == late.number("y")
    assert (soon.tip, reserved.tip) == (
        "20 units, expires in 0 to 89 days",
        "4 units reserved, expires in 900 to 989 days",
    )


def test_what_expires_first_is_listed_first() -> None:
    """The list names the days, the day, the lot, the product and the units of each batch."""
    picture = Picture(stock.draw("agent-5", "2026-11-22", MASKS))
    texts = picture.texts()
    assert texts[-11:] == [
        *("9", "2026-12-01", "M24-F", "Silk mask, box of 10", "20"),
        *("900", "2029-05-10", "M26-A", "Silk mask, box of 10", "10", "4"),
    ]
    assert picture.description.startswith("It owns 30 units of 2 batches. Each bar is for 90 days")


def test_what_expired_and_what_never_does_stand_apart() -> None:
    """Expired units have the first bar, and units that never expire the last, each in its color."""
    lots = [
        Lot("A", "x", "2026-11-01", -21, 5, 0),
        Lot("B", "x", "", None, 7, 0),
        Lot("C", "x", "2026-11-22", 0, 3, 0),
    ]
    found, span = bars(lots)
    assert span == 1
    assert [(bar.label, bar.free) for bar in found] == [("expired", 5), ("0", 3), ("never", 7)]
    picture = Picture(stock.draw("a", "2026-11-22", lots))
    picture.check()
    assert [bar.kind for bar in picture.rects()] == ["loose", "title", "goods"]


def test_units_without_a_date_are_left_out_of_the_bars() -> None:
    """A text that is no date is in the list as it is, and the picture says that the bars leave it out."""
    picture = Picture(stock.draw("a", "2026-11-22", [*MASKS, Lot("X", "x", "2026-02-30", None, 50, 0)]))
    assert picture.chart.left_out == ("The bars leave out 1 batch without a valid date of expiry.",)
    assert "2026-02-30" in picture.texts()
    assert sum(bar.free + bar.reserved for bar in bars(MASKS)[0]) == 30


def test_many_batches_are_counted_and_not_all_listed() -> None:
    """The bars count a thousand batches. The list has those that expire first, and says how many it leaves out."""
    lots = [Lot(f"L{day}", "x", "2027-01-01", day, 1, 0) for day in range(1_000)]
    picture = Picture(stock.draw("a", "2026-11-22", lots))
    picture.check()
    assert sum(bar.free for bar in bars(lots)[0]) == 1_000
    assert picture.chart.left_out == (
        f"The list leaves out {1_000 - MOST_LOTS} batches. The bars count them.",
    )
    assert [text for text in picture.texts() if text.startswith("L")] == [
        f"L{day}" for day in range(MOST_LOTS)
    ]


def test_a_party_without_stock_has_a_sentence() -> None:
    """A batch of which nothing is owned does not count."""
    picture = Picture(stock.draw("a", "2026-11-22", [Lot("L", "x", "", None, 0, 0)]))
    picture.check()
    assert (picture.rects(), picture.description) == ([], "It owns no units on 2026-11-22.")


@pytest.mark.parametrize("most", [0, 11, 12, 83, 84, 365, 4_379, 4_380, 100_000, 2_900_000])
def test_bars_are_few(most: int) -> None:
    """However far the last day is, at most twelve bars reach it, and the last bar counts it."""
    found, span = bars([Lot("A", "x", "9999-12-31", 0, 1, 0), Lot("B", "x", "9999-12-31", most, 1, 0)])
    assert len(found) <= MOST_BARS
    assert sum(bar.free for bar in found) == 2
    assert found[-1].free >= 1
    assert span == 1 or len(found) > MOST_BARS // 3


LOTS = st.builds(
    Lot,
    st.text(max_size=30),
    st.text(max_size=200),
    st.text(max_size=12),
    st.none() | st.integers(-800_000, 3_000_000),
    st.integers(-5, 2**63 - 1),
    st.integers(-5, 2**63 - 1),
)


@given(st.lists(LOTS, max_size=30))
def test_any_answer_is_drawn(lots: list[Lot]) -> None:
    """Whatever a server says becomes a picture with its texts apart, and the same picture each time."""
    chart = stock.draw("a", "2026-11-22", lots)
    Picture(chart).check()
    assert chart == stock.draw("a", "2026-11-22", lots)
