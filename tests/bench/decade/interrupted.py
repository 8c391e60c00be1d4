"""An import that is killed with its server at random moments, and resumed, while memory and speed are watched."""

import random
import time
from pathlib import Path
from typing import Final

import msgspec

from pathbook.client import Client, RefusedError, UnreachableError
from tests.bench.decade.processes import BOOK, Importer, Server, Store

PAUSE: Final = 0.25
"""How long (seconds) between two looks at the processes."""


class Sample(msgspec.Struct, frozen=True):
    """What is seen at a moment: seconds since the beginning, the book's head, its views' position, and bytes held."""

    seconds: float
    position: int
    views: int
    server: int
    importer: int


class Watched(msgspec.Struct):
    """What an import was seen to do. `peaks` are the most bytes that server and importer ever held."""

    samples: list[Sample] = msgspec.field(default_factory=list)
    kills: list[int] = msgspec.field(default_factory=list)
    restarts: list[float] = msgspec.field(default_factory=list)
    server_peak: int = 0
    importer_peak: int = 0
    seconds: float = 0.0


class Run:
    """One import with its interruptions. The server that is left at the end goes on."""

    def __init__(self, store: Store, tables: Path, logs: Path, options: list[str]) -> None:
        """Start the server."""
        self._store, self._tables, self._logs, self._options = store, tables, logs, options
        self.watched = Watched()
        self.server = Server(store, logs, options)
        self._client = Client(self.server.target, book=BOOK, retry_seconds=0.0, timeout=5.0)
        self._begin = time.perf_counter()

    def start(self) -> Server:
        """Start the server again, at the same address."""
        self.server = Server(self._store, self._logs, self._options, self.server.port)
        return self.server

    def close(self) -> None:
        """End whatever runs."""
        self._client.close()
        if self.server.exit_code is None:
            self.server.terminate()

    def import_tables(self, events: int, kills: int, chance: random.Random) -> Path:
        """Import, killed so many times while the book grows to about so many events; return what was printed."""
        moments = sorted(chance.randrange(events // 20, events * 9 // 10) for _ in range(kills))
        self._begin = time.perf_counter()
        importer = Importer(self._tables, self.server.target, self._logs)
        while (code := importer.exit_code) is None:
            time.sleep(PAUSE)
            position = self._look(importer)
            if moments and position >= moments[0]:
                moments.pop(0)
                importer = self._killed(importer, position)
        self._note(importer)
        if code != 0:
            raise RuntimeError(f"The import ended with {code}: {importer.errors.read_text()[-2_000:]}")
        self.watched.seconds = time.perf_counter() - self._begin
        return importer.output

    def _killed(self, importer: Importer, position: int) -> Importer:
        """Kill server and importer, start both again, and return the new importer."""
        self.server.kill()
        importer.kill()
        self._note(importer)
        self.watched.kills.append(position)
        self.watched.restarts.append(self.start().seconds)
        return Importer(self._tables, self.server.target, self._logs)

    def _look(self, importer: Importer) -> int:
        """Note where the book stands and what is held in memory; return the position."""
        position = views = 0
        try:
            head = self._client.get_head()
            position, views = head.position, head.views_position
        except (RefusedError, UnreachableError):
            pass  # there is no book yet, or no server
        seconds = time.perf_counter() - self._begin
        sample = Sample(seconds, position, views, self.server.memory(), importer.memory())
        self.watched.samples.append(sample)
        self._note(importer)
        return position

    def _note(self, importer: Importer) -> None:
        self.watched.server_peak = max(self.watched.server_peak, self.server.peak_bytes)
        self.watched.importer_peak = max(self.watched.importer_peak, importer.peak_bytes)
