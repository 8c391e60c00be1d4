"""The place of books that are checked: opened for reading only, and nothing is created."""

from pathlib import Path
from typing import Self

from pathbook.ledger.store.database.engine import Database, open_engine, open_read_only
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
            self.log, self.views = _open(data / EVENTS_FILE), _open(data / VIEWS_FILE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for engine in (self.log, self.views):
            if engine is not None:
                engine.dispose()


def wal_bytes(path: Path) -> int:
    """Return the size of the -wal beside a file, or 0 if there is none."""
    wal = path.with_name(f"{path.name}-wal")
    return wal.stat().st_size if wal.exists() else 0


def _open(path: Path) -> Database | None:
    if not path.exists():
        return None
    wal = path.with_name(f"{path.name}-wal")
    return open_read_only(path, immutable=not wal.exists())
