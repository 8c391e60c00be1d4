"""A scratch database on a PostgreSQL server, so that no other database is touched. It is dropped at the end."""

import contextlib
from collections.abc import Iterator

import sqlalchemy
from sqlalchemy import Engine, exc


class ScratchDatabaseError(OSError):
    """A scratch database could not be created."""


@contextlib.contextmanager
def scratch_database(url: str, name: str) -> Iterator[str]:
    """Create an empty database under a name that is not taken, yield its URL, and drop it at the end.

    Args:
        url: postgresql+psycopg://USER@HOST/DATABASE. Nothing is written to that database itself.
        name: letters, digits and underscores.

    Raises:
        ScratchDatabaseError: the database cannot be created; the message says what to do.
        ValueError: the URL is malformed, or is not that of a PostgreSQL database.
    """
    try:
        parsed = sqlalchemy.make_url(url)
    except exc.ArgumentError as error:
        raise ValueError(
            "The database URL is malformed. Use the form postgresql+psycopg://USER@HOST/NAME."
        ) from error
    if parsed.get_backend_name() != "postgresql":
        raise ValueError(
            "The URL must name a PostgreSQL database. Use the form postgresql+psycopg://USER@HOST/NAME."
        )
    server_url = parsed.set(drivername="postgresql+psycopg", database=parsed.database or "postgres")
    engine = sqlalchemy.create_engine(server_url, isolation_level="AUTOCOMMIT", hide_parameters=True)
    try:
        _create(engine, name)
        try:
            yield server_url.set(database=name).render_as_string(hide_password=False)
        finally:
            _execute(engine, f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        engine.dispose()


def _create(engine: Engine, name: str) -> None:
    try:
        _execute(engine, f"CREATE DATABASE {name}")
    except exc.SQLAlchemyError as error:
        where, cause = engine.url.render_as_string(), str(getattr(error, "orig", error)).strip()
        raise ScratchDatabaseError(
            f"A scratch database could not be created through {where}: {cause}. Name a server that runs,"
            " and a role that may create databases (ALTER ROLE ... CREATEDB)."
        ) from error


def _execute(engine: Engine, sql: str) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql(sql)
