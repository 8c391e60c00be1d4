"""The look-up of open offers whose deadline has passed, over all books at once."""

import sqlalchemy as sa
from sqlalchemy import Engine, bindparam

from pathbook.ledger.store.database.fast_read import ReaderPool
from pathbook.ledger.store.log.stream import persistence_errors
from pathbook.ledger.store.views.tables import OPEN_WITH_DEADLINE, TRANSFER

# One search of the index `offer_due`, which reads the offers that are due, and no others. The empty text keeps
# SQLite from finding distinct books with a search of the other index for each of them.
_BOOKS: sa.Select[str] = (
    sa.select(TRANSFER.c.book.concat(sa.literal_column("''")))
    .where(OPEN_WITH_DEADLINE, TRANSFER.c.deadline <= bindparam("now"))
    .distinct()
)


class DueOffers:
    """Finds the books that have open offers whose deadline has passed, as far as the views know."""

    def __init__(self, views: Engine) -> None:
        """Read from the views in ``views``."""
        self._views = ReaderPool(views)

    def books(self, now: int) -> list[str]:
        """Return the books with an open offer whose deadline is at most ``now`` (microseconds since 1970 UTC).

        Raises:
            eventsourcing.persistence.PersistenceError: the database fails.
        """
        with persistence_errors():
            return [book for (book,) in self._views.ask(_BOOKS, {"now": now})]
