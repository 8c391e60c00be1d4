"""A picture as PNG, drawn by resvg with the fonts of this machine. It is imported when a PNG is asked for."""

from typing import Final, NamedTuple

import resvg_py

from pathbook.cli.errors import NamedError

FAMILIES: Final = (
    "Noto Sans",
    "DejaVu Sans",
    "Liberation Sans",
    "Open Sans",
    "Roboto",
    "Ubuntu",
    "Cantarell",
    "Arial",
    "Helvetica Neue",
    "Helvetica",
    "Segoe UI",
    "Verdana",
)
"""Families of fonts, the first of which that is there draws the texts. Machines have no common name for one."""

ZOOM: Final = 2
"""Pixels of the PNG for one of the SVG, so that it is sharp on paper and on fine screens."""

NOWHERE: Final = "\U0010ffff"
"""A character that no font has. What looks like it is missing, too."""

MOST_TRIED: Final = 500
"""The most different characters beyond ASCII that are tried for whether a font has them. Each takes a millisecond."""


class Png(NamedTuple):
    """A PNG.

    Attributes:
        data: the bytes of the file.
        lacking: the characters that no font here has, in the order of their numbers. They are boxes in it.
    """

    data: bytes
    lacking: str


def render(svg: str) -> Png:
    """Draw an SVG. Raises NamedError if this machine has no font for its texts, which would be missing."""
    family = next((name for name in FAMILIES if _try("H", name) != _try("", name)), None)
    if family is None:
        raise NamedError(
            "NO_FONT",
            "A PNG needs a font for its texts, and none is known here. Install one such as DejaVu Sans"
            " (the package fonts-dejavu-core), or name a file that ends in .svg.",
        )
    unknown = _try(NOWHERE, family)
    beyond = [symbol for symbol in sorted(set(svg)) if not symbol.isascii()][:MOST_TRIED]
    lacking = "".join(symbol for symbol in beyond if _try(symbol, family) == unknown)
    return Png(resvg_py.svg_to_bytes(svg_string=svg, zoom=ZOOM, sans_serif_family=family), lacking)


def _try(text: str, family: str) -> bytes:
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30">'
        f'<text y="20" font-size="16" font-family="sans-serif">{text}</text></svg>'
    )
    return resvg_py.svg_to_bytes(svg_string=svg, sans_serif_family=family)
