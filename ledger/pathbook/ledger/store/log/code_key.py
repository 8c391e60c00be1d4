"""The fingerprint of the key that the books' codes are made with. It shows at once that a key is wrong."""

import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.schema import CreateTable

from pathbook.ledger.store.database.engine import create_schema, reading, writing

CODE_KEY = sa.Table(
    "code_key",
    sa.MetaData(),
    sa.Column("fingerprint", sa.LargeBinary, primary_key=True),
    sqlite_with_rowid=False,
)


def is_code_key(engine: Engine, fingerprint: bytes) -> bool:
    """Tell whether a fingerprint is that of the books' key. The first fingerprint that is checked becomes theirs.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database fails.
    """
    with reading(engine) as connection:
        known = None
        if sa.inspect(connection).has_table(CODE_KEY.name):
            known = connection.execute(sa.select(CODE_KEY.c.fingerprint)).scalar()
    if known is None:
        with writing(engine) as connection:
            create_schema(connection)
            connection.execute(CreateTable(CODE_KEY, if_not_exists=True))
            known = connection.execute(sa.select(CODE_KEY.c.fingerprint)).scalar()
            if known is None:  # another process may have stored its fingerprint first
                connection.execute(CODE_KEY.insert().values(fingerprint=fingerprint))
                return True
    return bytes(known) == fingerprint
