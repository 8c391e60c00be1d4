"""An SVG is harmless, readable in both schemes, and the same for the same values."""

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathbook.charting.drawing import (
    BACKGROUND,
    FILLS,
    ON_FILLS,
    TEXTS,
    Color,
    Drawing,
    Scheme,
    escaped,
    fit,
    lines,
    number,
    visible,
    width_of,
)
from pathbook.charting.showing import both_ends, counted, ends
from tests.charting.pictures import Picture

READABLE = 4.5
"""The least contrast of a text with its background (WCAG 2.2, success criterion 1.4.3) ..."""

DISTINCT = 3.0
"""... and of an area (1.4.11)."""

BAND = 0.5
"""How opaque a band is."""


def luminance(color: str) -> float:
    """Return the relative luminance of a color, as WCAG defines it."""
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colors, from 1 to 21."""
    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def mixed(color: str, ground: str) -> str:
    """Return the color of a band on its ground."""
    pairs = [(int(color[at : at + 2], 16), int(ground[at : at + 2], 16)) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(BAND * one + (1 - BAND) * other):02x}" for one, other in pairs)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colors_have_enough_contrast(scheme: str) -> None:
    """In both schemes a text stands out from its background, from an area and from a band, and so does an area."""

    def of(color: Color) -> str:
        found = getattr(color, scheme)
        assert isinstance(found, str)
        return found

    ground = of(BACKGROUND)
    for kind, color in TEXTS.items():
        assert contrast(of(color), ground) >= READABLE, kind
    for kind, color in FILLS.items():
        assert contrast(of(color), ground) >= DISTINCT, kind
        assert contrast(of(TEXTS["ink"]), mixed(of(color), ground)) >= READABLE, kind
    for kind, color in ON_FILLS.items():
        assert contrast(of(color), of(FILLS[kind])) >= READABLE, kind


def picture(text: str, scheme: Scheme = Scheme.AUTO) -> Picture:
    """Return a picture in which each text is this one."""
    drawing = Drawing("test", text, text)
    drawing.rect(0, 0, 10, 10, "title", text)
    drawing.text(0, 20, fit(text, 100))
    return Picture(drawing.finish(400, 100, scheme, [text]))


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_a_text_of_a_stranger_stays_a_text(text: str) -> None:
    """Any text is told as it is, with escapes for what cannot be seen, and makes no element of its own."""
    found = picture(text)
    assert [element.tag.partition("}")[2] for element in found.root] == (
        ["title", "desc", "style", "rect", "text", "rect", "text"] + ["text"] * (len(found.texts()) - 2)
    )
    assert found.title == visible(text)
    if text:
        assert found.rects("title")[0].tip == visible(text)


def test_what_would_run_or_deceive_is_escaped() -> None:
    """Tags, entities, quotes, controls and marks of direction are shown as what they are."""
    found = picture('<script>alert(1)</script>&amp;"\x00\x1b\u202e\u3164\ufffe')
    assert found.title == '<script>alert(1)</script>&amp;"\\x00\\x1b\\u202e\\u3164\\ufffe'
    assert "<script" not in found.chart.svg
    assert escaped("面膜 العربية e\u0301") == "面膜 العربية e\u0301"


def test_a_long_text_is_cut() -> None:
    """A text of a million characters takes no more room than one of 200, and ends in an ellipsis."""
    assert visible("x" * 1_000_000) == "x" * 199 + "…"
    assert len(picture("x" * 1_000_000).chart.svg) < 8_000


@given(st.text(max_size=60), st.integers(20, 400))
def test_a_text_fits_its_room(text: str, width: int) -> None:
    """A text is cut to its width with an ellipsis, and is whole if it has room."""
    found = fit(text, width)
    assert width_of(found) <= width
    assert found == visible(text) or found.endswith("…") or not found
    assert fit(text, 10_000) == visible(text)
    assert all(width_of(line) <= width for line in lines(text, width))


def test_lines_keep_the_words() -> None:
    """A sentence is broken at its blanks, and no word is lost."""
    sentence = "Where the lower line is orange, the goods lie with another party than the owner."
    found = lines(sentence, 200)
    assert len(found) > 2
    assert " ".join(found) == sentence


def test_both_schemes_are_in_one_file() -> None:
    """By default the dark colors stand behind prefers-color-scheme. A picture of one scheme has only its colors."""
    dark, light = FILLS["title"].dark, FILLS["title"].light
    auto = picture("x").chart.svg
    before, _, after = auto.partition("@media (prefers-color-scheme:dark)")
    assert (light in before, dark in before, dark in after, light in after) == (True, False, True, False)
    for scheme, own, other in ((Scheme.LIGHT, light, dark), (Scheme.DARK, dark, light)):
        one = picture("x", scheme).chart.svg
        assert (own in one, other in one, "@media" in one) == (True, False, False)


def test_the_style_stays_within_the_picture() -> None:
    """Each rule begins with the class of the picture, so that a page that holds it keeps its own style."""
    style = picture("x").root.findtext("{http://www.w3.org/2000/svg}style") or ""
    rules = [line for line in style.splitlines() if line and line != "}" and not line.startswith("@")]
    assert rules
    assert all(rule.startswith(".pathbook-chart ") for rule in rules)


def test_a_picture_is_told_to_those_who_cannot_see_it() -> None:
    """The title and the description are what the picture is labelled by, with what is left out."""
    found = picture("What is left out.")
    assert found.root.get("role") == "img"
    ids = {element.get("id") for element in found.root.iter() if element.get("id")}
    assert set((found.root.get("aria-labelledby") or "").split()) == ids
    assert found.description == "What is left out. What is left out."


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (Fraction(1, 3), "0.33"), (Fraction(-1, 3), "-0.33"), (12, "12"), (Fraction(5, 2), "2.5")],
)
def test_coordinates_have_two_decimals(value: Fraction | int, text: str) -> None:
    """A coordinate is exact to a hundredth of a pixel on every machine."""
    assert number(value) == text
    assert re.fullmatch(r"-?\d+(\.\d{1,2})?", text)


@given(st.integers(0, 50), st.integers(1, 20))
def test_a_long_list_keeps_both_ends(count: int, most: int) -> None:
    """What is shown is the beginning and the end, never more than the limit, and nothing is uncounted."""
    items = list(range(count))
    shown, missing = both_ends(items, most)
    assert len(shown) == min(count, most)
    assert len(shown) + missing == count
    first, last, between = ends(count, most)
    assert shown == items[:first] + items[first + between :]
    assert 0 <= first - last <= 1 or not between


def test_counts_have_their_nouns() -> None:
    """One is singular, and thousands have commas."""
    assert (counted(1, "unit"), counted(1_200, "unit"), counted(2, "party", "parties")) == (
        "1 unit",
        "1,200 units",
        "2 parties",
    )
