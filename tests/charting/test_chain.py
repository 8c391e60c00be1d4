"""The tree of the chain has each party once, below the one that authorized it."""

from hypothesis import given
from hypothesis import strategies as st

from pathbook.charting import chain
from pathbook.charting.chain import MOST_PARTIES, Party, tree
from tests.charting.pictures import Picture

BRAND = Party("mask-brand", "brand", ())
LINE = [BRAND] + [
    Party(f"agent-{tier}", "agent", (("mask-brand" if tier == 1 else f"agent-{tier - 1}", tier),))
    for tier in range(1, 6)
]


def test_each_party_stands_below_its_upline() -> None:
    """The line of the masks goes a step to the right with each tier."""
    found = tree(LINE)
    assert [(row.party.party, row.depth, row.parent) for row in found.rows] == [
        ("mask-brand", 0, None),
        *((f"agent-{tier}", tier, tier - 1) for tier in range(1, 6)),
    ]
    picture = Picture(chain.draw("2026-11-22", LINE))
    picture.check()
    dots = [shape for shape in picture.shapes if shape.name == "circle"]
    assert [dot.number("cx") for dot in dots] == [dots[0].number("cx") + 26 * depth for depth in range(6)]
    assert [dot.kind for dot in dots] == ["goods"] + ["title"] * 5
    assert {"mask-brand", "brand", "agent-5", "tier 5 · agent"} <= set(picture.texts())
    assert "in force at 2026-11-22" in picture.description


def test_a_party_of_two_uplines_stands_below_the_first() -> None:
    """The other upline is named beside it."""
    shop = Party("shop", "shop", (("agent-2", 3), ("agent-1", 2)))
    found = tree([*LINE, shop])
    (row,) = (row for row in found.rows if row.party == shop)
    assert row.parent is not None
    assert found.rows[row.parent].party.party == "agent-2"
    assert "tier 3 · shop · also by agent-1" in Picture(chain.draw("x", [*LINE, shop])).texts()


def test_a_party_without_an_authorization_stands_alone() -> None:
    """It follows the brands, and the picture says that it has none in force."""
    lonely = Party("aaa", "agent", ())
    rows = tree([lonely, *LINE]).rows
    assert (rows[0].party, rows[-1].party, rows[-1].depth) == (BRAND, lonely, 0)
    assert "agent · no authorization in force" in Picture(chain.draw("x", [lonely, *LINE])).texts()


def test_ten_thousand_parties_keep_those_next_to_the_brand() -> None:
    """A row says how many parties below it are left out, and all parties are counted once."""
    parties = [BRAND] + [
        Party(f"a{place:05}", "agent", ((f"a{place // 10:05}" if place >= 10 else "mask-brand", 1),))
        for place in range(10_000)
    ]
    found = tree(parties)
    assert (len(found.rows), found.parties) == (MOST_PARTIES, 10_001)
    assert max(row.depth for row in found.rows) <= 3
    assert sum(1 + row.below for row in found.rows) == 10_001
    picture = Picture(chain.draw("x", parties, "The book has more."))
    picture.check()
    assert picture.chart.left_out == (
        f"The picture leaves out {10_001 - MOST_PARTIES:,} of 10,001 parties.",
        "The book has more.",
    )
    assert len(picture.chart.svg) < 60_000


def test_a_deep_line_does_not_make_the_picture_wide() -> None:
    """A line of a hundred tiers stands below each other after sixteen steps to the right."""
    parties = [BRAND] + [
        Party(f"a{tier}", "agent", ((f"a{tier - 1}" if tier > 1 else "mask-brand", tier),))
        for tier in range(1, 101)
    ]
    picture = Picture(chain.draw("x", parties))
    picture.check()
    assert picture.chart.width < 1_200
    assert {"a100", "tier 100 · agent"} <= set(picture.texts())


def test_a_circle_is_cut() -> None:
    """A server that shows two parties as each other's uplines gets a picture with both."""
    parties = [Party("a", "agent", (("b", 1),)), Party("b", "agent", (("a", 2),))]
    assert [row.party.party for row in tree(parties).rows] == ["a", "b"]


IDS = st.sampled_from([f"p{number}" for number in range(12)] + ["x" * 64])
PARTIES = st.builds(
    Party,
    IDS,
    st.sampled_from(["brand", "agent", "shop", "unknown (9)"]),
    st.lists(st.tuples(IDS, st.integers(-9, 2**31)), max_size=3).map(tuple),
)


@given(st.lists(PARTIES, max_size=30), st.integers(1, 12))
def test_each_party_is_there_once(parties: list[Party], most: int) -> None:
    """In any book, also one that contradicts itself, each party is a row, or is counted as left out."""
    found = tree(parties)
    names = [row.party.party for row in found.rows]
    assert sorted(names) == sorted({party.party for party in parties})
    assert all(row.parent is None or found.rows[row.parent].depth == row.depth - 1 for row in found.rows)
    assert len(tree(parties, most).rows) == min(most, len(names))
    chart = chain.draw("x", parties)
    Picture(chart).check()
    assert chart == chain.draw("x", parties)
