"""Questions about the books themselves. Only the log answers them, so they need no views."""

from pathbook.ledger.codec import decode
from pathbook.ledger.events import BookOpened
from pathbook.ledger.queries.answers import OpenedBook
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.store.log.stream import Stream


def books(stream: Stream, after: str, limit: int) -> list[OpenedBook]:
    """Return at most ``limit`` books after a name, in the order of their names."""
    return [_book(first.head, first.data) for first in stream.first_entries(after, limit)]


def book(stream: Stream, name: str) -> OpenedBook | Refusal:
    """Return the book with a name."""
    head = stream.head(name)
    if head == 0:
        return refuse(Reason.BOOK_UNKNOWN, book=name)
    (first,) = stream.at(name, [1])
    return _book(head, first.data)


def _book(head: int, data: bytes) -> OpenedBook:
    recorded = decode(1, data)
    assert isinstance(recorded.event, BookOpened), recorded  # no other event is at position 1
    return OpenedBook(recorded.event, recorded.recorded_at, head)
