"""The places of other versions of the views: they are found beside a program's own, and removed once they are unused.

The place that knows most events is the last copy of what a log lost. So no place is removed that knows more than the
log, or more than the views that stay.
"""

import contextlib
from collections.abc import Iterator
from typing import Final

import sqlalchemy as sa
import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.schema import DropSchema

from pathbook.ledger.store.database.damage import VERSION, DatabaseDamagedError
from pathbook.ledger.store.database.engine import (
    open_engine,
    place_name,
    reading,
    version_for,
    writing,
)
from pathbook.ledger.store.database.open_files import files_of
from pathbook.ledger.store.database.places import (
    SCHEMA_PREFIX,
    UNVERSIONED,
    version_of_file,
    version_of_schema,
    views_file,
    views_schema,
)
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.completeness import known_head, to_build, unfinished
from pathbook.ledger.store.views.replacement import ViewsInUseError, readable_positions, remove_file

SCHEMAS_READ: Final = "schema_translate_map"
"""The execution option of an engine that reads tables of another schema than that of its connections."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


@contextlib.contextmanager
def other_places(views: Engine) -> Iterator[list[Engine]]:
    """Yield the views of other versions that lie beside these, for a look. A database that cannot be read has none."""
    opened = [_look_at(views, version) for version in _other_versions(views)]
    try:
        yield opened
    finally:
        if files_of(views) is not None:  # those of a PostgreSQL share the connections
            for engine in opened:
                engine.dispose()


def remove_older_places(views: Engine, stream: Stream) -> None:
    """Remove the views of older versions, if these are built, and no process has them open.

    A newer version is left to its program, which goes on with it when it is started again.
    """
    with other_places(views) as found:
        older = [engine for engine in found if version_for(engine) < version_for(views)]
        if not older:
            return
        with reading(views) as connection:
            wanted = dict(unfinished(connection))
        reached = dict(readable_positions(views))
        if to_build(stream.books(), lambda book: known_head(stream, book), wanted, reached):
            return
        for engine in older:
            name = place_name(engine)
            if any(position > reached.get(book, 0) for book, position in readable_positions(engine)):
                _LOG.info(
                    "views of an older version know more events, and stay until the next start", views=name
                )
                continue
            try:
                remove_place(views, engine)
            except ViewsInUseError:
                _LOG.info("views of an older version are in use, and stay until the next start", views=name)
            except (sa.exc.SQLAlchemyError, DatabaseDamagedError, OSError) as error:
                cause = str(error).partition("\n")[0]
                _LOG.warning("views of an older version cannot be removed", views=name, cause=cause)
            else:
                _LOG.info("views of an older version are removed", views=name)


def remove_place(views: Engine, other: Engine) -> None:
    """Remove the views of another version.

    Raises:
        ViewsInUseError: another process has them open.
        OSError: the file cannot be removed.
    """
    if (files := files_of(other)) is not None:
        other.dispose()
        remove_file(files.path)
        return
    with writing(views) as connection:
        if _is_in_use(connection, version_for(other)):
            raise ViewsInUseError(place_name(other))
        connection.execute(DropSchema(views_schema(version_for(other)), cascade=True, if_exists=True))


def _other_versions(views: Engine) -> list[str]:
    own = version_for(views)
    if (files := files_of(views)) is not None:
        # a file of any other name has nothing beside it, such as a scratch file
        if version_of_file(files.path.name) != own or not files.path.parent.is_dir():
            return []
        found = [version_of_file(path.name) for path in files.path.parent.iterdir()]
    elif views.dialect.name == "postgresql":
        found = list(map(version_of_schema, _schemas(views)))
    else:
        return []
    return sorted(version for version in found if version is not None and version != own)


def _schemas(views: Engine) -> list[str]:
    names = "SELECT nspname::text FROM pg_namespace WHERE starts_with(nspname::text, %(prefix)s)"
    try:
        with reading(views) as connection:
            return list(connection.exec_driver_sql(names, {"prefix": SCHEMA_PREFIX}).scalars())
    except (sa.exc.DBAPIError, DatabaseDamagedError):
        return []


def _look_at(views: Engine, version: str) -> Engine:
    """Return an engine on the views of another version.

    On PostgreSQL it uses the connections of these views, so that it does not look as if a process had the others open.
    """
    if (files := files_of(views)) is not None:
        return open_engine(files.path.with_name(views_file(version)), purpose="views", version=version)
    return views.execution_options(**{VERSION: version, SCHEMAS_READ: {None: views_schema(version)}})


def _is_in_use(connection: Connection, version: str) -> bool:
    """Tell whether a process has the schema of a version open. Each has a connection that listens there.

    Programs from before each version got its place call all their connections alike.
    """
    name = "pathbook" if version == UNVERSIONED else views_schema(version)
    others = connection.exec_driver_sql(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = %(name)s",
        {"name": name},
    )
    return int(others.scalar_one()) > 0
