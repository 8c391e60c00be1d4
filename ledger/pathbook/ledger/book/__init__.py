"""The single writer of a book. It decides the queued commands, commits them as one group, then answers the
callers.

What is not here: the rules (rules), the log and the views (store), and the set of all books (books).
"""

from pathbook.ledger.book.memory import ViewsLaggingError
from pathbook.ledger.book.submissions import Answer, Clock, Outcome, Submitted
from pathbook.ledger.book.writer import Book

__all__ = ["Answer", "Book", "Clock", "Outcome", "Submitted", "ViewsLaggingError"]
