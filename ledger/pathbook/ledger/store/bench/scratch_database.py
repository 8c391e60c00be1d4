"""A database of its own on a PostgreSQL server, for what must touch no other: made, and dropped at the end."""

import contextlib
from collections.abc import Iterator

import sqlalchemy
from sqlalchemy import Engine, exc


class ScratchDatabaseError(OSError):
    """A database of its own could not be made."""


@contextlib.contextmanager
def scratch_database(url: str, name: str) -> Iterator[str]:
    """Make an empty database of a name that is not taken, yield its URL, and drop it at the end.

    Args:
        url: postgresql+psycopg://USER@HOST/DATABASE; nothing is written to that database itself.
        name: letters, digits and underscores.

    Raises:
        ScratchDatabaseError: see there; the message says what to do.
        ValueError: the URL cannot be read, or is not PostgreSQL's.
    """
    try:
        given = sqlalchemy.make_url(url)
    except exc.ArgumentError as error:
        raise ValueError(
            "The database's URL cannot be read: give postgresql+psycopg://USER@HOST/NAME."
        ) from error
    if given.get_backend_name() != "postgresql":
        raise ValueError("Only PostgreSQL is named by a URL here: give postgresql+psycopg://USER@HOST/NAME.")
    beside = given.set(drivername="postgresql+psycopg", database=given.database or "postgres")
    engine = sqlalchemy.create_engine(beside, isolation_level="AUTOCOMMIT", hide_parameters=True)
    try:
        _make(engine, name)
        try:
            yield beside.set(database=name).render_as_string(hide_password=False)
        finally:
            _execute(engine, f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        engine.dispose()


def _make(engine: Engine, name: str) -> None:
    try:
        _execute(engine, f"CREATE DATABASE {name}")
    except exc.SQLAlchemyError as error:
        where, cause = engine.url.render_as_string(), str(getattr(error, "orig", error)).strip()
        raise ScratchDatabaseError(
            f"No database of its own could be made by {where}: {cause}. Name a server that runs,"
            " and a role that may make databases (ALTER ROLE ... CREATEDB)."
        ) from error


def _execute(engine: Engine, sql: str) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql(sql)
