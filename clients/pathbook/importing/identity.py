"""The identity of a row in the book: what it says, not where it stands.

A table is exported again with a row on top, sorted, or in two parts. Its rows stay what they were. So a row is
identified by the cells that the recipe calls its `id`, or else by its content: by all that its transfers say. Two
rows with the same content are told apart by counting them within their table. The place of a row and the source are
no part of its identity, except that the source may be the row's lot.
"""

import hashlib
import json
import re
from collections import Counter
from typing import Final

import msgspec

from pathbook.importing.lines import Line
from pathbook.importing.recipe import Recipe

ID_DIGITS: Final = 32
"""The hexadecimal digits of the hash in a request id: 128 bits."""

MARK_DIGITS: Final = 8
"""The hexadecimal digits by which a file of rejected rows knows the content of a row again."""

SEEN_BITS: Final = 27
"""The size of the set of seen rows, as a power of two of bits: 16 MiB. Of 5 million rows, 4 % look repeated there."""

_MARK: Final = re.compile(rf"#(?P<occurrence>[0-9]{{1,9}}):(?P<content>[0-9a-f]{{{MARK_DIGITS}}}) ", re.ASCII)


class Seen:
    """Finds the contents that occur more than once, without keeping all others. It is filled in the first pass."""

    def __init__(self) -> None:
        self._bits = bytearray(1 << SEEN_BITS - 3)
        self.repeated: set[bytes] = set()

    def add(self, content: bytes) -> None:
        """Add the content of one row."""
        place = int.from_bytes(content[:8]) & (1 << SEEN_BITS) - 1
        bit = 1 << (place & 7)
        if self._bits[place >> 3] & bit:
            self.repeated.add(content)
        else:
            self._bits[place >> 3] |= bit


class Occurrences:
    """Counts equal rows of one table, in the second pass: 1 for the first, 2 for the next."""

    def __init__(self, repeated: set[bytes]) -> None:
        self._repeated = repeated
        self._times: Counter[bytes] = Counter()

    def of(self, content: bytes, before: str) -> int:
        """Return the occurrence of the next row with this content.

        `before` is the reason in a file of rejected rows. If the row is unchanged, it says which occurrence it was.
        """
        found = _MARK.match(before)
        if found is not None and content.hex().startswith(found["content"]):
            return int(found["occurrence"])
        if content not in self._repeated:
            return 1
        self._times[content] += 1
        return self._times[content]


def content_of(line: Line, recipe: Recipe) -> bytes:
    """Return the hash of what distinguishes a row: the cells of its id, or all that its transfers say."""
    said: list[object]
    if line.key:
        said = ["id", *line.key]
    else:
        said = [
            "content",
            line.occurred_on.isoformat(),
            line.quantity,
            line.gtin,
            line.lot,
            "" if line.code is None else line.code.serial,
            [
                [
                    line.players[movement.giver].party,
                    line.players[movement.receiver].party,
                    msgspec.structs.astuple(price),
                    reference,
                ]
                for movement, price, reference in zip(
                    recipe.movements, line.prices, line.references, strict=True
                )
            ],
        ]
    return hashlib.sha256(json.dumps(said, ensure_ascii=True).encode()).digest()


def request_id(content: bytes, occurrence: int, movement: str) -> str:
    """Return the request id of one transfer of a row."""
    counted = content + occurrence.to_bytes(8)
    return f"row:{hashlib.sha256(counted).hexdigest()[:ID_DIGITS]}:{movement}"


def marked(reason: str, content: bytes, occurrence: int) -> str:
    """Return a reason with the occurrence of its row, if it is not the first with its content."""
    return reason if occurrence == 1 else f"#{occurrence}:{content.hex()[:MARK_DIGITS]} {reason}"
