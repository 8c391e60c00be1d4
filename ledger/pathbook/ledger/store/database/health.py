"""The health of a database, as far as it can be asked without a change: its pages, its settings, a user's rights."""

from sqlalchemy import Engine

from pathbook.ledger.store.database.damage import schema_for
from pathbook.ledger.store.database.engine import Purpose, UnsafeLogError, reading, require_safety

NAMED_FAULTS_MAX = 10
"""How many damaged places of a file are named."""


def page_faults(engine: Engine) -> list[str]:
    """Return the damaged places of an SQLite file, none for PostgreSQL, which checks its pages itself.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the file is no database, or is damaged beyond reading.
    """
    if engine.dialect.name != "sqlite":
        return []
    with reading(engine) as connection:
        lines = connection.exec_driver_sql(f"PRAGMA quick_check({NAMED_FAULTS_MAX})").scalars()
        return [line for line in lines if line != "ok"]


def unsafe_settings(engine: Engine) -> list[str]:
    """Return the settings with which a PostgreSQL may lose acknowledged events, none for SQLite."""
    try:
        require_safety(engine)
    except UnsafeLogError as error:
        return error.settings
    return []


def missing_rights(engine: Engine, purpose: Purpose) -> list[str]:
    """Return the rights that the user of a PostgreSQL lacks on the tables of a purpose, none for SQLite."""
    if engine.dialect.name != "postgresql":
        return []
    rights = ("SELECT", "INSERT") if purpose == "events" else ("SELECT", "INSERT", "UPDATE", "DELETE")
    sql = (
        "SELECT class.relname, wanted.name FROM pg_class class"
        " JOIN pg_namespace space ON space.oid = class.relnamespace,"
        " unnest(%(rights)s::text[]) wanted(name)"
        " WHERE space.nspname = %(schema)s AND class.relkind = 'r'"
        " AND NOT has_table_privilege(class.oid, wanted.name) ORDER BY 1, 2"
    )
    with reading(engine) as connection:
        rows = connection.exec_driver_sql(sql, {"rights": list(rights), "schema": schema_for(engine)})
        return [f"{name} on {table}" for table, name in rows]
