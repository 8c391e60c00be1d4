"""Characters as a reader sees them: which are safe to show, how the others are escaped, and how wide they are."""

import unicodedata
from typing import Final

INVISIBLE: Final = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
    + "".join(map(chr, range(0x180B, 0x1810)))
    + "".join(map(chr, range(0xE0100, 0xE01F0)))
)
"""Characters that Unicode counts as letters or marks, and that cannot be seen: fillers, blanks and hidden selectors."""


def is_visible(symbol: str) -> bool:
    """Tell whether a character is a blank or can be seen, and controls nothing: no terminal, no direction of text."""
    # blanks of all widths are harmless, and Chinese and French texts have them
    if not symbol.isprintable() and unicodedata.category(symbol) != "Zs":
        return False
    return symbol not in INVISIBLE


def escape(symbol: str) -> str:
    r"""Return a character as an escape of Python, such as ``\x1b`` or ``\u202e``."""
    number = ord(symbol)
    return (
        f"\\x{number:02x}"
        if number < 1 << 8
        else f"\\u{number:04x}"
        if number < 1 << 16
        else f"\\U{number:08x}"
    )


def columns(symbol: str) -> int:
    """Return how many columns of a terminal a character takes: two if it is Chinese, none if it is a combining mark."""
    if unicodedata.category(symbol) in ("Mn", "Me") or "\u1160" <= symbol <= "\u11ff":
        return 0
    return 1 + (unicodedata.east_asian_width(symbol) in "WF")
