"""The flow of a batch keeps every unit: each reaches a consumer, is unsold, or was written off."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pathbook.charting import flow
from pathbook.charting.flow import MOST_TIERS, PLOT, Chain, End, Route, gather
from tests.charting.pictures import Picture

MASKS = [
    Chain(40, (), End.UNSOLD),
    *(Chain(10, tuple(range(1, tier + 1)), End.UNSOLD) for tier in range(1, 5)),
    Chain(19, (1, 2, 3, 4, 5), End.UNSOLD),
    Chain(1, (1, 2, 3, 4, 5), End.CONSUMER),
]


def test_tiers_and_ends_are_as_high_as_their_units() -> None:
    """Of 100 masks, 60 reached tier 1, and 99 are unsold: that is how high tiers and ends are."""
    picture = Picture(flow.draw("batch 1", gather(MASKS)))
    picture.check()
    for name, units in (("brand", 100), ("tier 1", 60), ("tier 5", 20), ("unsold", 99), ("consumers", 1)):
        rect = picture.told(f"{name}: ")
        assert rect.number("height") == PLOT * units / 100, name
    assert {"unsold: 99", "consumers: 1", "60 units", "40", "19"} <= set(picture.texts())
    assert picture.description == (
        "Of 100 units, 1 reached consumers, and 99 are unsold: 40 with the brand, 59 further down."
    )


def test_what_stops_at_a_tier_is_a_band_to_the_sink() -> None:
    """Each tier with unsold units has a band of them, and the bands into the sink are all that is unsold."""
    picture = Picture(flow.draw("batch 1", gather(MASKS)))
    bands = [shape for shape in picture.shapes if shape.kind == "loose band"]
    assert Counter(band.tip for band in bands) == Counter(
        ["40 units unsold", *["10 units unsold"] * 4, "19 units unsold"]
        + [f"{units} units unsold" for units in (40, 50, 60, 70, 80)]
    )


def test_a_unit_that_skips_a_tier_passes_it_by() -> None:
    """A unit that goes from the brand to tier 3 is no unit of tier 1 or 2."""
    found = gather([Chain(5, (3,), End.CONSUMER), Chain(2, (1, 2), End.UNSOLD)])
    picture = Picture(flow.draw("batch 1", found))
    picture.check()
    assert [picture.told(f"tier {tier}: ").tip for tier in (1, 2, 3)] == [
        "tier 1: 2 units",
        "tier 2: 2 units",
        "tier 3: 5 units",
    ]
    assert found.turned == 0


def test_a_unit_that_goes_back_up_is_where_it_arrived() -> None:
    """A unit that tier 3 sold to tier 2 is unsold at tier 2, and the picture says what it leaves out."""
    found = gather(
        [Chain(4, (1, 3, 2), End.UNSOLD), Chain(3, (1, 1), End.UNSOLD), Chain(2, (1, 3), End.UNSOLD)]
    )
    assert found.routes == {
        Route((0, 1, 2), End.UNSOLD): 4,
        Route((0, 1), End.UNSOLD): 3,
        Route((0, 1, 3), End.UNSOLD): 2,
    }
    chart = flow.draw("batch 1", found, unread=6)
    assert chart.left_out == (
        "The picture leaves out that 7 units also went to a party of the same tier, or of a lower number.",
        "The picture leaves out 6 units of the batch, which were not read.",
    )


def test_many_tiers_are_drawn_as_one() -> None:
    """Of a hundred tiers the last are one, with its own name, and the picture says so."""
    found = gather([Chain(1, tuple(range(1, 101)), End.CONSUMER)])
    assert len(found.names) == MOST_TIERS + 1
    assert found.names[-1] == f"tiers {MOST_TIERS} to 100"
    picture = Picture(flow.draw("batch 1", found))
    picture.check()
    assert picture.chart.left_out[0] == f"Tiers {MOST_TIERS} to 100 are drawn as one."


def test_parties_without_a_tier_stand_behind_the_tiers() -> None:
    """What they got is a column of its own, before the consumers."""
    found = gather([Chain(2, (1, None), End.CONSUMER), Chain(1, (None,), End.WRITTEN_OFF)])
    assert found.names == ("brand", "tier 1", "no tier")
    picture = Picture(flow.draw("batch 1", found))
    picture.check()
    assert picture.told("no tier: ").tip == "no tier: 3 units"
    assert picture.told("written off: ").tip == "written off: 1 unit"


def test_one_unit_of_a_million_is_visible() -> None:
    """What is there at all is a pixel high."""
    chains = [Chain(1_000_000, (), End.UNSOLD), Chain(1, (1,), End.CONSUMER)]
    assert Picture(flow.draw("b", gather(chains))).told("consumers: ").number("height") == 1


def test_a_batch_that_was_not_read_has_a_sentence() -> None:
    """Without chains there is nothing to draw."""
    picture = Picture(flow.draw("batch 1", gather([]), unread=9))
    picture.check()
    assert picture.rects() == []
    assert "The picture leaves out 9 units of the batch, which were not read." in picture.texts()


CHAINS = st.builds(
    Chain,
    st.integers(1, 2**40),
    st.lists(st.none() | st.integers(-1, 30), max_size=8).map(tuple),
    st.sampled_from(End),
)


@given(st.lists(CHAINS, max_size=20))
def test_no_unit_is_lost(chains: list[Chain]) -> None:
    """Routes go forward only, all units are on one, and those of each end are the same as before."""
    found = gather(chains)
    assert all(list(route.columns) == sorted(set(route.columns)) for route in found.routes)
    assert all(route.columns[0] == 0 and route.columns[-1] < len(found.names) for route in found.routes)
    before, after = Counter[End](), Counter[End]()
    for chain in chains:
        before[chain.end] += chain.units
    for route, units in found.routes.items():
        after[route.end] += units
    assert before == after
    chart = flow.draw("batch 1", found)
    Picture(chart).check()
    assert chart == flow.draw("batch 1", gather(list(reversed(chains))))
