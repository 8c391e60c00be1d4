"""The write door: what waits is decided and committed together, then answered.

What is not here: the rules (rules), the log and the views (store), and which books there are (library).
"""

from pathbook.ledger.book.memory import ViewsLaggingError
from pathbook.ledger.book.writer import Answer, Book, Clock, Outcome, Submitted

__all__ = ["Answer", "Book", "Clock", "Outcome", "Submitted", "ViewsLaggingError"]
