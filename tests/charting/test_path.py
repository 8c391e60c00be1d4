"""The path of a unit is two lines: the title above, the goods below."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathbook.charting import path
from pathbook.charting.path import MOST_STEPS, STEP, STEPS_IN_ROW, Step
from tests.charting.pictures import Picture

MADE = Step("2026-06-15", "commissioned", "", "", "mask-brand", "mask-brand")


def cloud(hops: int) -> list[Step]:
    """Return the path of a unit that is sold so many times, and never leaves the brand."""
    return [
        MADE,
        *(
            Step(
                "2026-09-23", "title only", f"{hop}50.00 CNY", "50.0% of 300.00", f"agent-{hop}", "mask-brand"
            )
            for hop in range(1, hops + 1)
        ),
    ]


def test_cloud_stock_is_one_bar_below_many() -> None:
    """Each owner has a bar of the title line. The goods are one bar, which is orange from the first sale on."""
    picture = Picture(path.draw("1:90", "Silk mask, lot M26-A", cloud(5)))
    picture.check()
    title, goods = picture.rects("title"), picture.rects("goods", "loose")
    assert [bar.tip.split(",")[0] for bar in title] == [
        "title: mask-brand",
        *(f"title: agent-{hop}" for hop in range(1, 6)),
    ]
    assert [(bar.kind, bar.tip) for bar in goods] == [
        ("goods", "goods: mask-brand, from 2026-06-15"),
        ("loose", "goods: mask-brand, from 2026-09-23"),
    ]
    assert goods[1].number("width") == 5 * STEP - 3
    assert min(bar.number("y") for bar in goods) > max(bar.number("y") for bar in title)
    assert "Where the lower line is orange" in picture.description


def test_goods_that_move_with_the_title_lie_below_it() -> None:
    """If both move, the bars of both lines begin and end together, and none is orange."""
    steps = [
        MADE,
        *(
            Step("2026-07-01", "transferred", "150.00 CNY", "", f"agent-{hop}", f"agent-{hop}")
            for hop in (1, 2)
        ),
    ]
    picture = Picture(path.draw("1:0", "Silk mask, lot M26-A", steps))
    title, goods = picture.rects("title"), picture.rects("goods", "loose")
    assert [bar.number("x") for bar in title] == [bar.number("x") for bar in goods]
    assert {bar.kind for bar in goods} == {"goods"}
    assert "orange" not in picture.description


def test_each_step_has_its_words() -> None:
    """Above the lines stand the day, what happened, the price, and its share of the suggested price."""
    texts = Picture(path.draw("1:90", "Silk mask, lot M26-A", cloud(1))).texts()
    assert texts[texts.index("2026-09-23") :][:4] == [
        "2026-09-23",
        "title only",
        "150.00 CNY",
        "50.0% of 300.00",
    ]
    assert {"title", "goods", "agent-1", "The path of unit 1:90"} <= set(texts)


def test_a_path_goes_on_in_the_next_row() -> None:
    """Seven steps take two rows, and a bar that goes on begins again in the second."""
    steps = [
        MADE,
        *(Step("2026-07-01", "delivered", "", "", "mask-brand", "depot") for _ in range(STEPS_IN_ROW)),
    ]
    picture = Picture(path.draw("1:0", "Silk mask", steps))
    picture.check()
    assert [bar.number("width") for bar in picture.rects("title")] == [STEPS_IN_ROW * STEP - 3, STEP - 3]
    assert len({bar.number("y") for bar in picture.rects("title")}) == 2


@pytest.mark.parametrize("hops", [MOST_STEPS, 5_000])
def test_a_long_path_says_what_is_left_out(hops: int) -> None:
    """A path of 5,000 hops shows its first and its last steps, and the number of those between."""
    picture = Picture(path.draw("1:0", "Silk mask", cloud(hops)))
    picture.check()
    missing = hops + 1 - MOST_STEPS
    steps = "1 step" if missing == 1 else f"{missing:,} steps"
    assert picture.chart.left_out == (f"The picture leaves out {steps} in the middle of the path.",)
    names = [text for text in picture.texts() if text.startswith("agent-")]
    assert (len(names), names[0], names[-1]) == (MOST_STEPS - 1, "agent-1", f"agent-{hops}")
    assert len(picture.chart.svg) < 60_000


STEPS = st.builds(
    Step, *[st.text(max_size=40)] * 4, st.sampled_from(["a", "b" * 64]), st.sampled_from(["a", "c\nTrue"])
)


@given(st.lists(STEPS, max_size=60))
def test_any_answer_is_drawn(steps: list[Step]) -> None:
    """Whatever a server says becomes a picture with its texts apart, and the same picture each time."""
    chart = path.draw("1:0", "mask", steps)
    Picture(chart).check()
    assert chart == path.draw("1:0", "mask", steps)
