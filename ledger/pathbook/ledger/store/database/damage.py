"""Which errors of a database mean that its file or its pages are damaged, and what is told then.

Other errors pass by themselves (locked, full, away), or are mistakes of the program.
"""

import sqlite3
from pathlib import Path
from typing import Final

import sqlalchemy
from sqlalchemy import Engine
from sqlalchemy.engine import ExceptionContext

from pathbook.ledger.store.database.places import VIEWS_VERSION, views_schema

PURPOSE: Final = "pathbook_purpose"
"""The execution option of an engine that names its purpose: `events` or `views`."""

VERSION: Final = "pathbook_views_version"
"""The execution option of an engine that names the version of its views. It has no meaning for a log."""

SCHEMAS: Final = {"events": "pathbook_events", "views": views_schema()}
"""The schema of each purpose in a PostgreSQL database, for the version of this program."""

_PRIMARY_CODE: Final = 0xFF
"""SQLite's extended error codes have the plain code in their lowest byte (https://sqlite.org/rescode.html)."""

_SQLITE_CODES: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}

_SQLITE_SENTENCES: Final = (
    "no such table",
    "no such column",
    "no such index",
    "has no column named",
    "unsupported file format",
    "Could not decode to UTF-8",
    "malformed",
    "malformed database schema",
    "not a database",
)
"""What SQLite, and the driver in Python, say of missing tables and of broken text. The code is that of any error."""

_POSTGRESQL_CODES: Final = {
    "XX001",  # data_corrupted: a page fails its checksum, or makes no sense
    "XX002",  # index_corrupted
    "58P01",  # undefined_file: a file of a table is gone
    "42P01",  # undefined_table
    "42703",  # undefined_column
    "3F000",  # invalid_schema_name
}


class DatabaseDamagedError(Exception):
    """A database is damaged. ``is_log`` tells whether it is the log, which must be restored, or the views.

    ``name`` can be shown: it contains no password. ``cause`` is what the database says.
    """

    def __init__(self, *, is_log: bool, name: str, cause: str) -> None:
        self.is_log, self.name, self.cause = is_log, name, cause
        remedy = (
            "Restore the log from a backup: `pathbook restore`."
            if is_log
            else "`pathbook views rebuild` rebuilds it from the events."
        )
        super().__init__(f"{name} is damaged: {cause}. {remedy}")


def is_damage(error: BaseException) -> bool:
    """Tell whether an error of a driver means that the database is damaged."""
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", 0)
        if code == sqlite3.SQLITE_IOERR_SHORT_READ or code & _PRIMARY_CODE in _SQLITE_CODES:
            return True
        return any(sentence in str(error) for sentence in _SQLITE_SENTENCES)
    if isinstance(error, UnicodeDecodeError):
        return (
            True  # what SQLite says of a damaged schema quotes it, and the driver cannot read the quotation
        )
    return getattr(error, "sqlstate", None) in _POSTGRESQL_CODES


def schema_for(engine: Engine) -> str:
    """Return the schema that an engine works in, if it is one of a PostgreSQL."""
    options = engine.get_execution_options()
    if options[PURPOSE] == "events":
        return SCHEMAS["events"]
    return views_schema(options.get(VERSION, VIEWS_VERSION))


def damage_in(engine: Engine, error: BaseException) -> DatabaseDamagedError | None:
    """Return the exception that tells of a damaged database, for an error of its driver. None for other errors."""
    is_log = engine.get_execution_options()[PURPOSE] == "events"
    path = Path(str(engine.url.database))
    if engine.dialect.name == "sqlite" and path.is_dir():
        return DatabaseDamagedError(is_log=is_log, name=path.name, cause="it is a directory")
    if not is_damage(error):
        return None
    schema = f"The schema {schema_for(engine)}"
    name = path.name if engine.dialect.name == "sqlite" else schema
    cause = str(error).partition("\n")[0].strip().rstrip(".")
    return DatabaseDamagedError(is_log=is_log, name=name, cause=cause)


def tell_damage(engine: Engine) -> None:
    """Have an engine raise DatabaseDamagedError, instead of SQLAlchemy's exception, when its database is damaged."""

    @sqlalchemy.event.listens_for(engine, "handle_error")
    def _tell(context: ExceptionContext) -> DatabaseDamagedError | None:
        damage = damage_in(engine, context.original_exception)
        if damage is not None:
            context.is_disconnect = (
                True  # the connections of the pool may be to a file that is replaced meanwhile
            )
        return damage
