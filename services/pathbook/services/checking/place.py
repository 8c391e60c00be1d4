"""The place of books that are checked: opened for reading only, and nothing is created."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from pathbook.ledger.store.database.engine import Database, Purpose, open_engine, open_read_only, place_name
from pathbook.ledger.store.views.other_places import other_places
from pathbook.services.data_files import files_of_views
from pathbook.services.storage import EVENTS_FILE, VIEWS_FILE


class Place:
    """Books in a directory, or in a database if one is named.

    A file that no process has open is read as it is, and nothing appears beside it. If a process has it open, or was
    killed, its -wal is read too, and SQLite may add its -shm.

    Attributes:
        data: the directory.
        database: the URL of a PostgreSQL, "" for books in files.
        log: the log, or None if its file is missing.
        views: the views, or None if their file is missing.
        replays: whether to replay all events.
    """

    def __init__(self, data: Path, database: str, *, replays: bool = True) -> None:
        """Open nothing yet: a database that cannot be read fails at its first use."""
        self.data, self.database, self.replays = data, database, replays
        self.log: Database | None
        self.views: Database | None
        if database:
            self.log = open_engine(database, purpose="events")
            self.views = open_engine(database, purpose="views")
        else:
            self.log, self.views = _open(data / EVENTS_FILE, "events"), _open(data / VIEWS_FILE, "views")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for engine in (self.log, self.views):
            if engine is not None:
                engine.dispose()

    @contextlib.contextmanager
    def other_views(self) -> Iterator[list[tuple[str, Database]]]:
        """Yield the views of other versions, with the names of their files or schemas."""
        if self.database:
            assert self.views is not None
            with other_places(self.views) as found:
                yield [(place_name(engine), engine) for engine in found]
            return
        with contextlib.ExitStack() as stack:
            opened = []
            for name in files_of_views(self.data):
                if name != VIEWS_FILE and (engine := _open(self.data / name, "views")) is not None:
                    stack.callback(engine.dispose)
                    opened.append((name, engine))
            yield opened


def wal_bytes(path: Path) -> int:
    """Return the size of the -wal beside a file, or 0 if there is none."""
    wal = path.with_name(f"{path.name}-wal")
    return wal.stat().st_size if wal.exists() else 0


def _open(path: Path, purpose: Purpose) -> Database | None:
    if not path.exists():
        return None
    wal = path.with_name(f"{path.name}-wal")
    return open_read_only(path, immutable=not wal.exists(), purpose=purpose)
