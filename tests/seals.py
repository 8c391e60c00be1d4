"""Logs in which all events but the first are seals, so that a checkpoint of any size may be signed."""

from typing import Final

from pathbook.ledger.codec import encode
from pathbook.ledger.events import Sealed
from pathbook.ledger.store.log.stream import Stream
from tests.projections.synthetic import SyntheticBook
from tests.scenario import NOON

ROOT: Final = bytes(32)
"""The custody root of these seals, which is of no book."""


def seal_at(position: int) -> tuple[str, bytes]:
    """Return the entry of a seal at a position."""
    name = position.to_bytes(16, "big")
    event = Sealed(position - 1, NOON, 0, 1, ROOT)
    return encode(event, recorded_at=NOON, occurred_at=NOON, request=name, request_digest=name)


def seals(size: int) -> list[tuple[str, bytes]]:
    """Return the log of a book of some events, of which all but the first are seals."""
    return [SyntheticBook(1, 0).entries[0], *map(seal_at, range(2, size + 1))]


def append_seal(stream: Stream, book: str) -> int:
    """Append a seal to a log that no server seals, and return its position."""
    head = stream.head(book)
    stream.append(book, head, [seal_at(head + 1)])
    return head + 1
