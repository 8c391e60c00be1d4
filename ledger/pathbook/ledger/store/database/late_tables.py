"""Tables that are made when something is first written to them, beside those that every log has."""

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.schema import CreateTable

from pathbook.ledger.store.database.engine import create_schema, reading, writing


def has_table(connection: Connection, table: sa.Table) -> bool:
    """Tell whether a table is there."""
    return sa.inspect(connection).has_table(table.name)


def make_table(engine: Engine, table: sa.Table) -> None:
    """Make a table unless it is there."""
    with reading(engine) as connection:
        is_made = has_table(connection, table)
    if not is_made:
        with writing(engine) as connection:  # in turn, because another server may be at it
            create_schema(connection)
            connection.execute(CreateTable(table, if_not_exists=True))
