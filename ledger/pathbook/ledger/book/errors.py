"""Errors of a book that stops, and which errors concern a whole book, whatever was asked of it."""

from pathbook.ledger.book.clock import UntrueTimeError
from pathbook.ledger.book.memory import ViewsLaggingError
from pathbook.ledger.codec import NewerEventError
from pathbook.ledger.store.database.damage import DatabaseDamagedError
from pathbook.ledger.store.log.damage import EventDamagedError


class BookStoppingError(Exception):
    """A book stops before it decides a command. Nothing of the command is recorded."""

    def __init__(self, book: str) -> None:
        super().__init__(f"Book {book} is stopping.")


OF_BOOK = (
    ViewsLaggingError,
    NewerEventError,
    UntrueTimeError,
    EventDamagedError,
    DatabaseDamagedError,
    BookStoppingError,
)
"""After one of these, no submission of a group is served alone: each would meet the same error."""
