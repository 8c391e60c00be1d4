"""What text formats share: numbers and base64 that have one spelling each, and lines with a name and a value."""

import binascii
import re
from typing import Final

_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


class MalformedTextError(ValueError):
    """A text is not what its format says. The message tells what is wrong with it."""


def parse_decimal(text: str, what: str) -> int:
    """Return a decimal number below 10**19 without a sign, or leading zeroes. Raises MalformedTextError."""
    if not _DECIMAL.fullmatch(text):
        raise MalformedTextError(f"{what} is no decimal number.")
    return int(text)


def parse_base64(text: str, what: str, length: int | None = None) -> bytes:
    """Return the bytes of a standard base64 text (RFC 4648, section 4) of ``length`` bytes.

    Raises:
        MalformedTextError: it has another length, other characters, or is not the one spelling of its bytes.
    """
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError):
        raise MalformedTextError(f"{what} is not base64.") from None
    if print_base64(data) != text:
        raise MalformedTextError(f"{what} is not the one spelling of its bytes in base64.")
    if length is not None and len(data) != length:
        raise MalformedTextError(f"{what} has {len(data)} bytes, not {length}.")
    return data


def parse_value(line: str, name: str) -> str:
    """Return the value in a line that has its name, a blank and the value. Raises MalformedTextError."""
    word, blank, value = line.partition(" ")
    if (word, blank) != (name, " "):
        raise MalformedTextError(f"its line of the {name} is missing")
    return value


def print_base64(data: bytes) -> str:
    """Return bytes in standard base64."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")
