"""What `pathbook bench` measures inside a store: the bare database, queries without a call, sizes on the disk."""

import contextlib
import itertools
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from pathbook.ledger.gc_tuning import isolated_gc
from pathbook.ledger.queries import Queries
from pathbook.ledger.refusals import Refusal
from pathbook.ledger.steps import StepKind
from pathbook.ledger.store.bench import floor
from pathbook.ledger.store.bench.scratch_database import scratch_database
from pathbook.ledger.store.database.engine import open_engine
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.values import Unit
from pathbook.services.clock import now
from pathbook.services.storage import EVENTS_FILE, VIEWS_FILE, Storage

FLOOR_FILE: Final = "floor.sqlite"
"""Where the bare database writes, beside the log: on the same disk, and in nobody's way."""

KINDS: Final = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
"""What people call them."""


class Measuring:
    """A store, opened beside the server that runs on it, or while none does. ``close`` it.

    Attributes:
        kind: what sort of database it is, in a enum_value.
        floors: the ways in which the bare database can be given rows.
        place: the database's URL, without its password; empty for files.
    """

    def __init__(self, path: Path, database: str) -> None:
        """Open the store in a directory, made where it is missing, or in a database (else "")."""
        path.mkdir(parents=True, exist_ok=True)
        self._path, self._database = path, database
        self._events_engine = open_engine(database or path / EVENTS_FILE, purpose="events")
        self._views_engine = open_engine(database or path / VIEWS_FILE, purpose="views")
        self._floor_engine = open_engine(database or path / FLOOR_FILE, purpose="events")
        self._stream = Stream(self._events_engine)
        self._queries = Queries(self._stream, self._views_engine)
        self.place = self._events_engine.url.render_as_string() if database else ""
        dialect = self._events_engine.dialect.name
        self.kind, self.floors = KINDS[dialect], floor.WAYS[dialect]

    def floor(self, way: str, book: str, rows: int, group: int) -> list[float]:
        """Write so many rows that hold the last events of a book; return the seconds of each group."""
        head = self._stream.head(book)
        entries = self._stream.read(book, max(0, head - rows), rows)
        events = itertools.islice(itertools.cycle(entries), rows)
        made = [(book, number, entry.topic, entry.data) for number, entry in enumerate(events, 1)]
        return floor.seconds(self._floor_engine, way, made, group)

    def paths(self, book: str, units: Sequence[tuple[int, int]]) -> list[tuple[float, str, int]]:
        """Ask for the path of each unit (batch, number); return seconds, its owner, and how often title moved."""
        found = []
        for batch, number in units:
            began = time.perf_counter()
            path = self._queries.path(book, Unit(batch, number))
            seconds = time.perf_counter() - began
            assert not isinstance(path, Refusal), path
            hops = sum(step.movement.kind is StepKind.TRANSFERRED for step in path.steps)
            found.append((seconds, path.run.owner, hops))
        return found

    def rebuild(self, progress: Callable[[int, int], None]) -> int:
        """Make all views anew, as `pathbook views rebuild` does; return from how many events."""
        events = 0

        def tell(done: int, of: int) -> None:
            nonlocal events
            events = of
            progress(done, of)

        opened = contextlib.closing(Storage(self._path, now, database=self._database))
        with opened as directory, isolated_gc():
            directory.follower.rebuild(tell)
        return events

    def sizes(self) -> tuple[int, int]:
        """Return how many bytes the log takes on the disk, and how many the views."""
        return floor.size(self._events_engine), floor.size(self._views_engine)

    def close(self) -> None:
        """Close what was opened."""
        for engine in (self._floor_engine, self._views_engine, self._events_engine):
            engine.dispose()


@contextlib.contextmanager
def database_of_its_own(url: str) -> Iterator[str]:
    """Yield the URL of a new database on the server of another, and drop it at the end. Raises as scratch_database."""
    with scratch_database(url, f"pathbook_bench_{secrets.token_hex(4)}") as made:
        yield made
