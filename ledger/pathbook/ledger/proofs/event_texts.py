"""Events as texts of a proof file: base64, in which bytes of an event before them are named and not written again."""

import re
from typing import Final, Literal

from pathbook.ledger.proofs.text import MalformedTextError, parse_base64, parse_decimal, print_base64
from pathbook.ledger.values import KEY_BYTES

MAX_EVENT_BYTES: Final = 16 * 1024 * 1024
"""The most bytes of all events of a file together, so that repeats in a small file do not fill the memory."""

REPEATABLE_BYTES: Final = 64 * 1024
"""How many bytes of the first events can be repeated. Where bytes stand first is searched in no more."""

LEAST_REPEAT: Final = 24
"""The fewest bytes of a repeat. In base64 they have 32 characters, and a repeat has 12 at most."""

MAX_REPEATS: Final = 10_000
"""The most repeats of a file. A search for each takes some microseconds."""

_REPEAT: Final = re.compile(r"\((\d+):(\d+)\)", re.ASCII)
_KEY_LENGTH: Final = b"\x20"
"""What stands before a field of 32 bytes, which is a key or a hash. They are most of what events repeat."""


class EventTexts:
    """The events of a file, one after the other. A repeat is ``(OFFSET:LENGTH)``, of the bytes of the events before.

    It names the first place where its bytes stand. So no other place can be named for them.
    """

    def __init__(self) -> None:
        """Begin before the first event."""
        self._before = bytearray()
        self._keys: dict[bytes, int] = {}
        self._repeats = 0

    def printed(self, data: bytes) -> str:
        """Return the text of the next event. Keys are repeated, with the equal bytes around them."""
        text, written, start = "", 0, len(self._before)
        keys = _keys_in(data)
        for key, place in keys:
            first = self._keys.get(key)
            if first is None or place < written or self._repeats >= MAX_REPEATS:
                continue
            begin, end = self._extended(first, data, place, written)
            offset = self._before.find(data[begin:end])
            text += f"{print_base64(data[written:begin])}({offset}:{end - begin})"
            written = end
            self._repeats += 1
        self._before += data[: REPEATABLE_BYTES - start] if start < REPEATABLE_BYTES else b""
        for key, place in keys:
            if start + place + len(key) <= REPEATABLE_BYTES:
                self._keys.setdefault(key, start + place)
        return text + print_base64(data[written:])

    def _extended(self, first: int, data: bytes, place: int, written: int) -> tuple[int, int]:
        """Return where bytes of an event begin and end that stand before, too, around a key that stands in both."""
        before, after, first_after = self._before, place + KEY_BYTES, first + KEY_BYTES
        most = min(place - written, first)
        less = _equal_bytes(data[place - most : place], before[first - most : first], "big")
        most = min(len(data) - after, len(before) - first_after)
        more = _equal_bytes(data[after : after + most], before[first_after : first_after + most], "little")
        return place - less, after + more

    def parse(self, text: str) -> bytes:
        """Return the bytes of the next event.

        Raises:
            MalformedTextError: they are not base64, a repeat is none of bytes before, or there are too many of them.
        """
        literal, *rest = _REPEAT.split(text)
        data = bytearray(parse_base64(literal, "An event"))
        for offset, length, literal in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
            data += self._repeated(parse_decimal(offset, "An offset"), parse_decimal(length, "A length"))
            self._require_room(data)  # before the next repeat: one event may have all of a file
            data += parse_base64(literal, "An event")
        self._require_room(data)
        self._before += data
        return bytes(data)

    def _require_room(self, data: bytearray) -> None:
        if len(self._before) + len(data) > MAX_EVENT_BYTES:
            raise MalformedTextError(f"The events have more than {MAX_EVENT_BYTES} bytes.")

    def _repeated(self, offset: int, length: int) -> bytes:
        end = offset + length
        self._repeats += 1
        if self._repeats > MAX_REPEATS:
            raise MalformedTextError(f"The events have more than {MAX_REPEATS} repeats.")
        if length < LEAST_REPEAT or end > min(len(self._before), REPEATABLE_BYTES):
            raise MalformedTextError(f"No {length} bytes are at offset {offset} of the events before.")
        found = bytes(self._before[offset:end])
        if self._before.find(found, 0, end) != offset:
            raise MalformedTextError(f"The {length} bytes at offset {offset} stand there before.")
        return found


def _keys_in(data: bytes) -> list[tuple[bytes, int]]:
    """Return what may be the keys in an event, and where they stand."""
    found, place = [], data.find(_KEY_LENGTH) + 1
    while 0 < place <= len(data) - KEY_BYTES:
        found.append((data[place : place + KEY_BYTES], place))
        place = data.find(_KEY_LENGTH, place) + 1
    return found


def _equal_bytes(one: bytes, other: bytes | bytearray, order: Literal["little", "big"]) -> int:
    """Return how many bytes of two pieces of one length are equal, from their beginning (little) or their end (big)."""
    differing = int.from_bytes(one, order) ^ int.from_bytes(other, order)
    return ((differing & -differing).bit_length() - 1) // 8 if differing else len(one)
