"""Whether a database holds books: asked before it is opened for them, which makes what is missing."""

import sqlalchemy
from sqlalchemy import Engine

from pathbook.ledger.store.database import reading
from pathbook.ledger.store.stream import EVENT


def has_log(engine: Engine) -> bool:
    """Tell whether a log was begun in a database. Nothing is made in it.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database cannot be reached, or refuses.
    """
    with reading(engine) as connection:
        return sqlalchemy.inspect(connection).has_table(EVENT.name)
