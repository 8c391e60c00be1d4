"""Which errors concern a whole book, whatever was asked of it."""

from pathbook.ledger.book.clock import UntrueTimeError
from pathbook.ledger.book.memory import ViewsLaggingError
from pathbook.ledger.codec import NewerEventError
from pathbook.ledger.store.database.damage import DatabaseDamagedError
from pathbook.ledger.store.log.damage import EventDamagedError

OF_BOOK = (ViewsLaggingError, NewerEventError, UntrueTimeError, EventDamagedError, DatabaseDamagedError)
"""After one of these, no submission of a group is served alone: each would meet the same error."""
