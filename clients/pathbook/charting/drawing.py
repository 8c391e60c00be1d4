"""An SVG that is drawn shape by shape: its colors in both schemes, its texts cut and escaped."""

import enum
from collections.abc import Iterable
from fractions import Fraction
from typing import Final, NamedTuple

from pathbook.ledger import symbols

Number = int | Fraction

MARGIN: Final = 24
"""Pixels around a picture."""

FONT_SIZE: Final = 13
"""Pixels of all texts but the title."""

TITLE_SIZE: Final = 17
"""Pixels of the title."""

LINE: Final = 18
"""Pixels from one line of text to the next."""

MAX_TEXT: Final = 200
"""The most characters of one text. What a stranger wrote must not make a picture large."""

ELLIPSIS: Final = "…"

_NARROW: Final = frozenset("fijlrtI.,:;'|!()[]/ -·")
_WIDE: Final = frozenset("mwMW@%—…")


class Scheme(enum.Enum):
    """The colors of a picture: those that the reader's screen prefers, or one of both schemes."""

    AUTO = "auto"
    LIGHT = "light"
    DARK = "dark"


class Color(NamedTuple):
    """A color in both schemes."""

    light: str
    dark: str


BACKGROUND: Final = Color("#ffffff", "#0d1117")

TEXTS: Final = {
    "ink": Color("#1f2328", "#e6edf3"),
    "dim": Color("#57606a", "#9aa4ae"),
    "mark": Color("#6f42c1", "#c4a5f5"),
    "warn": Color("#a1440b", "#f0a35e"),
}
"""The colors of texts by class. A test compares each with the background."""

FILLS: Final = {
    "title": Color("#2f6db3", "#7db1ec"),
    "goods": Color("#1d7a58", "#5cc49a"),
    "loose": Color("#b8560f", "#eda15c"),
    "gone": Color("#6b737c", "#99a2ab"),
}
"""The colors of areas by class: title and money, goods and consumers, what is unsold or elsewhere, what is gone."""

GRID: Final = Color("#d5dbe1", "#333b44")

ON_FILLS: Final = {
    "title": Color("#ffffff", "#0d1117"),
    "goods": Color("#ffffff", "#0d1117"),
    "loose": Color("#ffffff", "#0d1117"),
}
"""The color of a text that lies on an area, by the class of the area."""


class Chart(NamedTuple):
    """A picture.

    Attributes:
        svg: the text of the file.
        width: its pixels from left to right.
        height: its pixels from top to bottom.
        left_out: a sentence for each thing that it does not show. They stand in the picture, too.
    """

    svg: str
    width: int
    height: int
    left_out: tuple[str, ...]


class Drawing:
    """Shapes and texts, from back to front. Coordinates are pixels, from the upper left corner."""

    def __init__(self, kind: str, title: str, description: str) -> None:
        """Begin a picture.

        Args:
            kind: a word for ids within a page that has several pictures.
            title: its name, which is drawn above it.
            description: what it shows, in sentences, for those who cannot see it. It is drawn below the title.
        """
        self._kind = kind
        self._title = title
        self._description = description
        self._shapes: list[str] = []

    def rect(self, x: Number, y: Number, width: Number, height: Number, kind: str, tip: str = "") -> None:
        """Draw an area of a class of FILLS, or ``grid``. ``tip`` is what a pointer or a screen reader tells of it."""
        self._add(
            "rect", f'class="{kind}" {_box(x, y)} width="{number(width)}" height="{number(height)}"', tip
        )

    def line(self, x1: Number, y1: Number, x2: Number, y2: Number, kind: str, tip: str = "") -> None:
        """Draw a line of a class: ``grid``, ``axis``, ``casing``, ``thin``, ``dashed`` or ``cut``."""
        ends = f'x1="{number(x1)}" y1="{number(y1)}" x2="{number(x2)}" y2="{number(y2)}"'
        self._add("line", f'class="{kind}" {ends}', tip)

    def band(
        self, start: tuple[Number, Number], end: tuple[Number, Number], width: Number, kind: str, tip: str
    ) -> None:
        """Draw a band of a class of FILLS, half transparent, between two points of its upper edge."""
        (x1, y1), (x2, y2) = start, end
        middle = number(Fraction(x1 + x2) / 2)
        upper = f"M{number(x1)} {number(y1)}C{middle} {number(y1)} {middle} {number(y2)} {number(x2)} {number(y2)}"
        below1, below2 = number(y1 + width), number(y2 + width)
        lower = f"V{below2}C{middle} {below2} {middle} {below1} {number(x1)} {below1}Z"
        self._add("path", f'class="{kind} band" d="{upper}{lower}"', tip)

    def dot(self, x: Number, y: Number, radius: int, kind: str, tip: str = "") -> None:
        """Draw a disc of a class of FILLS."""
        self._add("circle", f'class="{kind}" cx="{number(x)}" cy="{number(y)}" r="{radius}"', tip)

    def text(self, x: Number, y: Number, text: str, kind: str = "ink", anchor: str = "start") -> None:
        """Draw a text of a class of TEXTS, or ``on-`` and the area on which it lies. ``y`` is its base line.

        ``anchor`` is ``start``, ``middle`` or ``end``: which part of the text is at ``x``.
        """
        at = "" if anchor == "start" else f' text-anchor="{anchor}"'
        self._shapes.append(f'<text class="{kind}" {_box(x, y)}{at}>{escaped(text)}</text>')

    def finish(self, width: int, height: int, scheme: Scheme, left_out: Iterable[str] = ()) -> Chart:
        """Return the picture, with what it leaves out below it. ``height`` ends above those sentences."""
        sentences = tuple(left_out)
        for sentence in sentences:
            for line in lines(sentence, width - 2 * MARGIN):
                height += LINE
                self.text(MARGIN, height - LINE // 2, line, "warn")
        height += MARGIN if sentences else 0
        prefix = f"pathbook-{self._kind}"
        told = " ".join((self._description, *sentences))
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="pathbook-chart" viewBox="0 0 {width} {height}"'
            f' width="{width}" height="{height}" role="img" aria-labelledby="{prefix}-title {prefix}-desc">\n'
            f'<title id="{prefix}-title">{escaped(self._title)}</title>\n'
            f'<desc id="{prefix}-desc">{escaped(told, MAX_TEXT * 8)}</desc>\n'
            f"<style>\n{_style(scheme)}</style>\n"
        )
        ground = f'<rect class="ground" width="{width}" height="{height}"/>\n'
        title = fit(self._title, width - 2 * MARGIN, TITLE_SIZE)
        title_line = (
            f'<text class="ink name" {_box(MARGIN, MARGIN + TITLE_SIZE - 4)}>{escaped(title)}</text>\n'
        )
        drawn = "\n".join(self._shapes)
        return Chart(f"{head}{ground}{title_line}{drawn}\n</svg>\n", width, height, sentences)

    def introduce(self, width: int) -> int:
        """Draw the description below the title, and return where the rest may begin."""
        y = MARGIN + TITLE_SIZE + 4
        for line in lines(self._description, width - 2 * MARGIN):
            y += LINE
            self.text(MARGIN, y - 4, line, "dim")
        return y + LINE // 2

    def _add(self, element: str, attributes: str, tip: str) -> None:
        self._shapes.append(
            f"<{element} {attributes}><title>{escaped(tip)}</title></{element}>"
            if tip
            else f"<{element} {attributes}/>"
        )


def number(value: Number) -> str:
    """Return a coordinate to a hundredth of a pixel, without zeros that say nothing."""
    hundredths = round(value * 100)
    sign, whole, part = "-" if hundredths < 0 else "", abs(hundredths) // 100, abs(hundredths) % 100
    return f"{sign}{whole}" + (f".{part:02d}".rstrip("0") if part else "")


def visible(text: str, most: int = MAX_TEXT) -> str:
    """Return a text of one line, with an escape for each character that cannot be seen or that turns the direction."""
    cut = text if len(text) <= most else f"{text[: most - 1]}{ELLIPSIS}"
    return "".join(symbol if symbols.is_visible(symbol) else symbols.escape(symbol) for symbol in cut)


def escaped(text: str, most: int = MAX_TEXT) -> str:
    """Return a text for an SVG. Nothing in it is a tag, an entity or a character that XML forbids."""
    return (
        visible(text, most)
        .replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace('"', "&quot;")
    )


def width_of(text: str, size: int = FONT_SIZE) -> int:
    """Return about how many pixels a text takes. It is rather too much than too little in common fonts."""
    hundredths = sum(map(_share, visible(text)))
    return -(-hundredths * size // 100)


def fit(text: str, width: int, size: int = FONT_SIZE) -> str:
    """Return a text that takes no more than so many pixels: whole, or cut with an ellipsis."""
    shown = visible(text)
    if width_of(shown, size) <= width:
        return shown
    room, kept = width * 100 // size - _share(ELLIPSIS), 0
    for symbol in shown:
        room -= _share(symbol)
        if room < 0:
            break
        kept += 1
    return f"{shown[:kept].rstrip()}{ELLIPSIS}" if kept else ""


def lines(text: str, width: int) -> list[str]:
    """Return a text as lines of at most so many pixels, broken at blanks."""
    found: list[str] = []
    for word in visible(text, MAX_TEXT * 8).split(" "):
        joined = f"{found[-1]} {word}" if found else word
        if found and width_of(joined) <= width:
            found[-1] = joined
        else:
            found.append(fit(word, width))
    return found


def _share(symbol: str) -> int:
    """Return the width of a character in hundredths of its size."""
    columns = symbols.columns(symbol)
    if columns != 1:
        return 50 * columns
    if symbol in _NARROW:
        return 38
    if symbol in _WIDE:
        return 98
    return 72 if symbol.isupper() else 63


def _box(x: Number, y: Number) -> str:
    return f'x="{number(x)}" y="{number(y)}"'


def _style(scheme: Scheme) -> str:
    """Return the rules. Each begins with the class of the picture, so that a page around it keeps its own style."""
    font = f"font-family:system-ui,sans-serif;font-size:{FONT_SIZE}px"
    rules = [
        f".pathbook-chart text{{{font}}}",
        f".pathbook-chart .name{{font-size:{TITLE_SIZE}px;font-weight:600}}",
        ".pathbook-chart text{paint-order:stroke;stroke-width:4px;stroke-linejoin:round}",
        ".pathbook-chart .band{fill-opacity:.5}",
        ".pathbook-chart .thin{stroke-width:1.5px}",
        ".pathbook-chart .casing{stroke-width:4.5px}",
        ".pathbook-chart .dashed{stroke-width:2px;stroke-dasharray:6 4}",
        ".pathbook-chart .cut{stroke-width:2px;stroke-dasharray:2 4}",
        *_colors(dark=scheme is Scheme.DARK),
    ]
    if scheme is Scheme.AUTO:
        dark = "\n".join(_colors(dark=True))
        rules.append(f"@media (prefers-color-scheme:dark){{\n{dark}\n}}")
    return "".join(f"{rule}\n" for rule in rules)


def _colors(*, dark: bool) -> list[str]:
    def of(color: Color) -> str:
        return color.dark if dark else color.light

    ground = of(BACKGROUND)
    return [
        f".pathbook-chart .ground{{fill:{ground}}}",
        *(
            f".pathbook-chart text.{kind}{{fill:{of(color)};stroke:{ground}}}"
            for kind, color in TEXTS.items()
        ),
        *(f".pathbook-chart .{kind}{{fill:{of(color)}}}" for kind, color in FILLS.items()),
        ".pathbook-chart text.over{stroke:none}",
        *(
            f".pathbook-chart text.on-{kind}{{fill:{of(color)};stroke:none}}"
            for kind, color in ON_FILLS.items()
        ),
        f".pathbook-chart .grid{{stroke:{of(GRID)};fill:none}}",
        f".pathbook-chart .axis{{stroke:{of(TEXTS['dim'])}}}",
        f".pathbook-chart .casing{{stroke:{ground}}}",
        f".pathbook-chart .thin{{stroke:{of(TEXTS['ink'])}}}",
        f".pathbook-chart .dashed{{stroke:{of(TEXTS['mark'])}}}",
        f".pathbook-chart .cut{{stroke:{of(TEXTS['warn'])}}}",
    ]
