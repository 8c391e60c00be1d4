"""Measurements of `pathbook bench` inside a store: the bare database, queries without a call, sizes on the disk."""

import contextlib
import datetime
import ipaddress
import itertools
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pathbook.ledger.gc_tuning import isolated_gc
from pathbook.ledger.queries import Queries
from pathbook.ledger.refusals import Refusal
from pathbook.ledger.reports.all_reports import REPORTS
from pathbook.ledger.reports.report import Report
from pathbook.ledger.steps import StepKind
from pathbook.ledger.store.bench import floor
from pathbook.ledger.store.bench.scratch_database import scratch_database
from pathbook.ledger.store.database.engine import open_engine
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.fingerprint import report_fingerprint, views_fingerprint
from pathbook.ledger.store.views.follower import GROUP_MAX_EVENTS, Follower
from pathbook.ledger.values import Unit
from pathbook.services.clock import now
from pathbook.services.reports_apart import reports_apart
from pathbook.services.storage import DIRECTORY_MODE, EVENTS_FILE, VIEWS_FILE, Storage

FLOOR_FILE: Final = "floor.sqlite"
"""The file of the bare database. It lies beside the log, on the same disk, and does not disturb it."""

CERTIFICATE_AGE: Final = datetime.timedelta(days=1)
"""How long a certificate counts before and after it is made: longer than any bench takes."""

KINDS: Final = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
"""The names of the kinds of database, as printed."""


REPORTS_POLL_INTERVAL_S: Final = 0.005
"""How often the positions of reports are read until they have all events."""


REPORTS_TIMEOUT_S: Final = 600.0
"""How long they may take. The process that builds them may have ended."""


class Measuring:
    """Opens a store to measure it, beside a server on the same store or without one. ``close`` it at the end.

    Attributes:
        kind: the kind of database, such as SQLite.
        floors: the ways to write rows to the bare database.
        place: the URL of the database, without its password; empty for files.
    """

    def __init__(self, path: Path, database: str) -> None:
        """Open the store in a database, or, if it is "", in a directory, which is made if it is missing."""
        path.mkdir(DIRECTORY_MODE, parents=True, exist_ok=True)
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
        """Write this many rows that hold the last events of a book; return the seconds of each group."""
        head = self._stream.head(book)
        entries = self._stream.read(book, max(0, head - rows), rows)
        events = itertools.islice(itertools.cycle(entries), rows)
        floor_rows = [(book, number, entry.topic, entry.data) for number, entry in enumerate(events, 1)]
        return floor.seconds(self._floor_engine, way, floor_rows, group)

    def paths(self, book: str, units: Sequence[tuple[int, int]]) -> list[tuple[float, str, int]]:
        """Query the path of each unit (batch, number); return the seconds, the owner, and the number of hops."""
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
        """Rebuild all views, as `pathbook views rebuild` does; return from how many events."""
        events = 0

        def count(done: int, total: int) -> None:
            nonlocal events
            events = total
            progress(done, total)

        opened = contextlib.closing(Storage(self._path, now, database=self._database))
        with opened as storage, isolated_gc():
            storage.follower.rebuild(count)
        return events

    def proofs(self, book: str, unit: tuple[int, int], count: int) -> list[float]:
        """Make the proof of a unit (batch, number) this often; return the CPU seconds of each."""
        opened = contextlib.closing(
            Storage(
                self._path, now, database=self._database, projects=False, beside_writers=True, lapses=False
            )
        )
        used = []
        with opened as storage:
            key = storage.signer.verifier(book)
            for _ in range(count):
                began = time.thread_time()
                proof = storage.unit_proofs.proof(book, Unit(*unit), key)
                assert not isinstance(proof, Refusal), proof
                str(proof)
                used.append(time.thread_time() - began)
        return used

    def follow(
        self, book: str, events: int, group: int, *, with_reports: bool
    ) -> tuple[list[float], dict[str, str]]:
        """Follow a copy of the first events of a book as it grows by groups, in a place that is removed.

        Return the seconds of each group, and fingerprints of what is kept, by the report or "the views".
        """
        logged, reports = self._first(book, events), REPORTS if with_reports else ()
        seconds: list[float] = []
        with self._place() as (log, views):
            with _opened(log, views, reports=reports) as (stream, follower):
                for begin in range(0, len(logged), group):
                    stream.append(book, begin, logged[begin : begin + group])
                    began = time.perf_counter()
                    follower.catch_up(book)
                    seconds.append(time.perf_counter() - began)
            return seconds, _kept(views, book, reports)

    def follow_apart(self, book: str, events: int, group: int) -> tuple[float, float, dict[str, str]]:
        """Follow a copy of the first events of a book in groups while another process builds the reports.

        Return the seconds until the views have all events, those until the reports have them, too, and fingerprints as
        `follow` does.
        """
        logged = self._first(book, events)
        with self._place() as (log, views):
            opened = _opened(log, views, events_at_once=group, builds_reports=False)
            with opened as (stream, follower), reports_apart(log, views):
                stream.append(book, 0, logged)
                began = time.perf_counter()
                follower.catch_up(book, with_reports=False)
                seconds = time.perf_counter() - began
                for report in REPORTS:
                    while follower.reports.position(report, book) < len(logged):
                        assert time.perf_counter() - began < REPORTS_TIMEOUT_S, report.title
                        time.sleep(REPORTS_POLL_INTERVAL_S)
                return seconds, time.perf_counter() - began, _kept(views, book, REPORTS)

    def _first(self, book: str, events: int) -> list[tuple[str, bytes]]:
        """Return the first events of a book as they are stored."""
        return [(entry.topic, bytes(entry.data)) for entry in self._stream.read(book, 0, events)]

    @contextlib.contextmanager
    def _place(self) -> Iterator[tuple[str, str]]:
        """Yield where a log and views may be made, beside the measured ones; remove them at the end."""
        if self._database:
            with database_of_its_own(self._database) as url:
                yield url, url
        else:
            with tempfile.TemporaryDirectory(dir=self._path) as place:
                yield str(Path(place, EVENTS_FILE)), str(Path(place, VIEWS_FILE))

    def certificate(self, directory: Path) -> tuple[Path, Path]:
        """Make a certificate for 127.0.0.1, which signs itself; return its file and that of its key, in PEM."""
        key, began = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
        name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "pathbook bench")])
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        made = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(began - CERTIFICATE_AGE)
            .not_valid_after(began + CERTIFICATE_AGE)
            .add_extension(x509.SubjectAlternativeName([address]), critical=False)
            .sign(key, hashes.SHA256())
        )
        chain_file, key_file = directory / "server.pem", directory / "server.key"
        chain_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return chain_file, key_file

    def sizes(self) -> tuple[int, int]:
        """Return how many bytes the log takes on the disk, and how many the views take."""
        return floor.size(self._events_engine), floor.size(self._views_engine)

    def close(self) -> None:
        """Close all connections to the store."""
        for engine in (self._floor_engine, self._views_engine, self._events_engine):
            engine.dispose()


@contextlib.contextmanager
def _opened(
    log: str,
    views: str,
    *,
    events_at_once: int = GROUP_MAX_EVENTS,
    builds_reports: bool = True,
    reports: Sequence[Report] = REPORTS,
) -> Iterator[tuple[Stream, Follower]]:
    """Open a log and its views, and yield their stream and follower, undisturbed by the garbage of others."""
    with contextlib.ExitStack() as stack:
        log_engine, views_engine = open_engine(log, purpose="events"), open_engine(views, purpose="views")
        stack.callback(log_engine.dispose)
        stack.callback(views_engine.dispose)
        stream = Stream(log_engine)
        follower = Follower(
            stream, views_engine, events_at_once, builds_reports=builds_reports, reports=reports
        )
        stack.enter_context(contextlib.closing(follower))
        stack.enter_context(isolated_gc())
        yield stream, follower


def _kept(views: str, book: str, reports: Sequence[Report]) -> dict[str, str]:
    """Return fingerprints of the views of a book and of reports, by the report or "the views"."""
    engine = open_engine(views, purpose="views")
    try:
        kept = {"the views": views_fingerprint(engine, book)}
        return kept | {report.title: report_fingerprint(engine, book, report) for report in reports}
    finally:
        engine.dispose()


@contextlib.contextmanager
def database_of_its_own(url: str) -> Iterator[str]:
    """Yield the URL of a new database on the same server; drop it at the end. Raises as scratch_database."""
    with scratch_database(url, f"pathbook_bench_{secrets.token_hex(4)}") as own_url:
        yield own_url
