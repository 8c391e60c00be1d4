"""A process that folds a long log for a rebuild, while the follower writes the rows of the events before."""

import contextlib
import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection as Pipe
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import Connection, Engine

from pathbook.ledger import runs
from pathbook.ledger.applying import hops_to_load
from pathbook.ledger.events import BatchCommissioned, RecordedEvent
from pathbook.ledger.gc_tuning import collect_rarely
from pathbook.ledger.moves import changed_ranges
from pathbook.ledger.projections.views import ViewChanges, heads_before
from pathbook.ledger.reports.all_reports import REPORTS
from pathbook.ledger.reports.report import SumRow
from pathbook.ledger.reports.story import untold
from pathbook.ledger.runs import Partition
from pathbook.ledger.store.database.bulk_write import Row
from pathbook.ledger.store.database.damage import DatabaseDamagedError
from pathbook.ledger.store.database.engine import open_engine, reading, url_of, version_for
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.earlier_hops import load_earlier
from pathbook.ledger.store.views.head_cache import HeadCache
from pathbook.ledger.store.views.run_cache import RunCache
from pathbook.ledger.store.views.stopped_books import read_known
from pathbook.ledger.store.views.writer import STATEMENTS, writes
from pathbook.ledger.values import UnitRange

CONTEXT: Final = multiprocessing.get_context("spawn")
"""The worker is a fresh process, because a fork of a process that has threads may hang."""

_STATEMENT_INDEXES: Final = {statement: index for index, statement in enumerate(STATEMENTS)}


class FoldedGroup(NamedTuple):
    """The changes of the events after a position up to ``last``: rows, by the index of a statement in STATEMENTS.

    ``reports`` has what the events add to each report that needs no stories, by its title. The others are built from
    the log when the views are level.
    """

    after: int
    last: int
    writes: list[tuple[int, list[Row]]]
    reports: dict[str, list[SumRow]]


# Rows are numbers, texts and bytes. Pickling them took longer than writing them.
_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(FoldedGroup)


class RebuildWorker:
    """A process that folds the events of a book, a few groups ahead of the follower that writes them."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe

    def ready(self) -> bool:
        """Tell whether the process waits for the position to begin at, or has ended."""
        return self._pipe.poll()

    def groups(self, after: int) -> Iterator[FoldedGroup]:
        """Yield each group after a position, which the views have reached. Yield none while the process is not ready.

        They end with the log. They end earlier if the process fails for any reason.
        """
        if not self.ready():
            return
        with contextlib.suppress(EOFError, OSError):  # OSError is raised if the process ended within a group
            self._pipe.recv_bytes()
            self._pipe.send(after)
            while True:
                yield _DECODER.decode(self._pipe.recv_bytes())

    def written(self, position: int) -> None:
        """Report the position that the views have reached.

        The process reads the runs and heads that it does not cache from the views.
        """
        with contextlib.suppress(ConnectionError):
            self._pipe.send(position)


@contextlib.contextmanager
def rebuild_worker(events: Engine, views: Engine, book: str, group_size: int) -> Iterator[RebuildWorker]:
    """Start a process that folds a book's events in groups of ``group_size``, until the block ends.

    The reason why the process ended early, or could not start, is dropped. The follower goes on alone, and
    meets any error that matters.
    """
    urls = [url_of(engine) for engine in (events, views)]
    version = version_for(views)
    parent_end, child_end = CONTEXT.Pipe()
    process = CONTEXT.Process(
        target=_run_worker, args=(child_end, *urls, version, book, group_size), daemon=True
    )
    with parent_end:
        # The system may allow no more processes.
        with child_end, contextlib.suppress(OSError, RuntimeError, AssertionError):
            process.start()
        try:
            yield RebuildWorker(parent_end)
        finally:
            if process.pid is not None:
                process.kill()
                process.join()


class FoldCache:
    """What folding needs of the state before a group of events: runs of batches, and heads of parties and batches."""

    def __init__(self) -> None:
        """Begin with nothing cached."""
        self.partitions = RunCache()
        self.heads = HeadCache()

    def has_all(self, book: str, events: Sequence[RecordedEvent]) -> bool:
        """Tell whether everything that these events change, and that began before them, is cached."""
        return self.partitions.has_all(book, _changed_before(events)) and self.heads.has_all(
            book, heads_before(events)
        )

    def give_back(self, book: str, folded: "Folded") -> None:
        """Cache the state after a group of events, once the events are written or sure to be written."""
        self.partitions.give_back(book, folded.last, folded.partitions)
        self.heads.give_back(book, folded.last, folded.changes.heads)


class Folded(NamedTuple):
    """The changes of a group of events in the views, and the partitions that they lead to.

    ``last`` is the position of the last event.
    """

    last: int
    changes: ViewChanges
    partitions: dict[int, Partition]


def fold(
    cache: FoldCache, views: Connection, book: str, after: int, events: Sequence[RecordedEvent]
) -> Folded:
    """Return the changes of the events after a position, at least one event.

    The views must be at that position, for state that is not cached.
    """
    loaded = cache.partitions.take(views, book, after, _changed_before(events))
    heads = cache.heads.take(views, book, after, heads_before(events))
    changes = ViewChanges(heads)
    _load_undone(views, book, loaded, events)
    for recorded in events:
        _load_undone(views, book, loaded, [recorded])
        changes.add(recorded, runs.apply(loaded, recorded))
    return Folded(events[-1].position, changes, loaded)


def _load_undone(
    views: Connection, book: str, loaded: dict[int, Partition], events: Sequence[RecordedEvent]
) -> None:
    """Load the hops before those that the events undo, as far as the partitions tell before the events.

    Raises:
        DatabaseDamagedError: the views lack the row of an earlier run.
    """
    hops = [hop for recorded in events for hop in hops_to_load(loaded, recorded.event)]
    if hops and not load_earlier(views, book, hops):
        cause = f"a run of book '{book}' is missing, from which units had moved"
        raise DatabaseDamagedError(is_log=False, name="The table of runs in the views", cause=cause)


def _run_worker(
    pipe: Pipe, events_url: str, views_url: str, version: str, book: str, group_size: int
) -> None:
    """Fold from the position that the follower sends to the end of the log, or until the follower is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent process
    collect_rarely()
    with contextlib.suppress(Exception):
        stream = Stream(open_engine(events_url, purpose="events"))
        views, cache = open_engine(views_url, purpose="views", version=version), FoldCache()
        pipe.send_bytes(b"")  # ready
        position = written = pipe.recv()
        while events := read_known(stream, book, position, group_size)[0]:
            while written < position and (pipe.poll() or not cache.has_all(book, events)):
                written = pipe.recv()
            with reading(views) as connection:
                folded = fold(cache, connection, book, position, events)
            indexed = [(_STATEMENT_INDEXES[statement], rows) for statement, rows in writes(folded.changes)]
            reports = {
                report.title: list(report.folded(untold(events)))
                for report in REPORTS
                if not report.needs_stories
            }
            pipe.send_bytes(_ENCODER.encode(FoldedGroup(position, folded.last, indexed, reports)))
            cache.give_back(book, folded)
            position = folded.last


def _changed_before(events: Sequence[RecordedEvent]) -> list[UnitRange]:
    """Return the ranges that the events change in batches that began before them."""
    new = {event.batch for recorded in events if isinstance(event := recorded.event, BatchCommissioned)}
    return [part for recorded in events for part in changed_ranges(recorded.event) if part.batch not in new]
