"""The format of the tables of a database: recorded when they are created, and compared when they are opened."""

from sqlalchemy import Connection, Engine, MetaData

from pathbook.ledger.store.database.engine import create_schema, reading, schema_of, shown_name, writing

_FORMAT = "Pathbook, format "


class UnknownFormatError(Exception):
    """A database is in format `found`, and this program reads only format `known`."""

    def __init__(self, database: str, found: int | str, known: int | str) -> None:
        super().__init__(
            f"{database} is in format {found}, and this Pathbook reads format {known}. Nothing was changed."
            f" Open it with a version of Pathbook that reads format {found}."
        )
        self.found = found
        self.known = known


def create_tables(engine: Engine, tables: MetaData, *, format_number: int) -> None:
    """Create the tables in a new database and record their format (1, 2, ...). Else check the recorded format.

    Raises:
        UnknownFormatError: the database has another format.
    """
    with reading(engine) as connection:
        found = format_of(connection)
    if found == 0:
        with writing(engine) as connection:
            found = format_of(connection)  # another process may have created the tables first
            if found == 0:
                create_schema(connection)
                tables.create_all(connection)
                _record_format(connection, format_number)
                return
    if found != format_number:
        raise UnknownFormatError(shown_name(engine), found, format_number)


def format_of(connection: Connection) -> int:
    """Return the format that is recorded in a database, or 0 if it has none."""
    if connection.dialect.name == "sqlite":
        return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
    # a schema has no version number, so its comment holds the format
    comment = connection.exec_driver_sql(
        "SELECT obj_description(to_regnamespace(%(schema)s), 'pg_namespace')",
        {"schema": schema_of(connection)},
    ).scalar()
    return int(str(comment).removeprefix(_FORMAT)) if comment else 0


def _record_format(connection: Connection, number: int) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA user_version = {number}")
    else:
        connection.exec_driver_sql(f"COMMENT ON SCHEMA {schema_of(connection)} IS '{_FORMAT}{number}'")
