"""The write door: what waits is decided and committed together, then answered.

What is not here: the rules (rules), the log and the views (store), and which books there are (library).
"""

from pathbook.ledger.book.door import Answer, Book, Clock, Outcome, Submitted
from pathbook.ledger.book.memory import ViewsFarBehind

__all__ = ["Answer", "Book", "Clock", "Outcome", "Submitted", "ViewsFarBehind"]
