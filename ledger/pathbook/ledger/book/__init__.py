"""The single writer of a book. It decides the queued commands, commits them as one group, then answers the
callers.

What is not here: the rules (rules), the log and the views (store), and the set of all books (books).
"""

from pathbook.ledger.book.clock import (
    CLOCK_JUMP_MAX_US,
    Clock,
    ClockJumpedError,
    EventsAheadError,
    UntrueTimeError,
)
from pathbook.ledger.book.errors import BookStoppingError
from pathbook.ledger.book.memory import ViewsLaggingError
from pathbook.ledger.book.previews import Preview, Previews
from pathbook.ledger.book.submissions import Answer, Outcome, Submitted
from pathbook.ledger.book.writer import Book

__all__ = [
    "CLOCK_JUMP_MAX_US",
    "Answer",
    "Book",
    "BookStoppingError",
    "Clock",
    "ClockJumpedError",
    "EventsAheadError",
    "Outcome",
    "Preview",
    "Previews",
    "Submitted",
    "UntrueTimeError",
    "ViewsLaggingError",
]
