"""Runs an import that is killed with its server at random times and resumed, and samples memory and speed."""

import random
import time
from pathlib import Path
from typing import Final

import msgspec

from pathbook.client import Client, RefusedError, UnreachableError
from tests.bench.decade.processes import BOOK, Importer, Server, Store

PAUSE: Final = 0.25
"""The seconds between two samples of the processes."""


class Sample(msgspec.Struct, frozen=True):
    """One sample: seconds since the beginning, head of the book, position of the views, and bytes of memory."""

    seconds: float
    position: int
    views: int
    server: int
    importer: int


class Watched(msgspec.Struct):
    """The samples of an import, and the most bytes of the server, of one of its processes, and of the importer."""

    samples: list[Sample] = msgspec.field(default_factory=list)
    kills: list[int] = msgspec.field(default_factory=list)
    restarts: list[float] = msgspec.field(default_factory=list)
    server_peak: int = 0
    process_peak: int = 0
    importer_peak: int = 0
    seconds: float = 0.0


class Run:
    """One import with its interruptions; the last server runs on."""

    def __init__(self, store: Store, tables: Path, logs: Path, options: list[str]) -> None:
        """Start the server, and open the book."""
        self._store, self._tables, self._logs, self._options = store, tables, logs, options
        self.watched = Watched()
        self.server = Server(store, logs, options)
        self._client = Client(self.server.target, book=BOOK, retry_seconds=0.0, timeout=5.0)
        self._client.open_book()
        self._begin = time.perf_counter()

    def start(self) -> Server:
        """Start the server again, at the same address."""
        self.server = Server(self._store, self._logs, self._options, self.server.port)
        return self.server

    def close(self) -> None:
        """Stop the server if it runs."""
        self._client.close()
        if self.server.exit_code is None:
            self.server.terminate()

    def import_tables(self, events: int, kills: int, chance: random.Random) -> Path:
        """Import the tables with a number of kills while the book grows to some ``events``; return the output file."""
        kill_positions = sorted(chance.randrange(events // 20, events * 9 // 10) for _ in range(kills))
        importer = Importer(self._tables, self.server.target, self._logs)
        while (code := importer.exit_code) is None:
            time.sleep(PAUSE)
            position = self._take_sample(importer)
            if kill_positions and position >= kill_positions[0]:
                kill_positions.pop(0)
                importer = self._kill_and_resume(importer, position)
        self.watched.importer_peak = max(self.watched.importer_peak, importer.peak_bytes)
        if code != 0:
            raise RuntimeError(f"The import ended with {code}: {importer.errors.read_text()[-2_000:]}")
        self.watched.seconds = time.perf_counter() - self._begin
        return importer.output

    def _kill_and_resume(self, importer: Importer, position: int) -> Importer:
        """Kill server and importer, start both again, and return the new importer."""
        self.server.kill()
        importer.kill()
        self.update_peaks()
        self.watched.importer_peak = max(self.watched.importer_peak, importer.peak_bytes)
        self.watched.kills.append(position)
        self.watched.restarts.append(self.start().seconds)
        return Importer(self._tables, self.server.target, self._logs)

    def _take_sample(self, importer: Importer) -> int:
        """Record a sample of positions and memory, and return the head of the book."""
        position = views = 0
        try:
            head = self._client.get_head()
            position, views = head.position, head.views_position
        except (RefusedError, UnreachableError):
            pass  # there is no server
        seconds = time.perf_counter() - self._begin
        sample = Sample(seconds, position, views, self.server.memory(), importer.memory())
        self.watched.samples.append(sample)
        self.update_peaks()
        return position

    def update_peaks(self) -> None:
        """Note the most memory of the server that runs, and of its processes."""
        self.server.memory()
        self.watched.server_peak = max(self.watched.server_peak, self.server.peak_bytes)
        self.watched.process_peak = max(self.watched.process_peak, self.server.largest_bytes)
