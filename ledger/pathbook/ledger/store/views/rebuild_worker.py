"""Folding a long log in a process of its own, so that what events mean is found while it is written of those before."""

import contextlib
import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection as Pipe
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import Connection, Engine

from pathbook.ledger import runs
from pathbook.ledger.codec import decode
from pathbook.ledger.events import BatchCommissioned, RecordedEvent
from pathbook.ledger.gc_tuning import collect_rarely
from pathbook.ledger.projections.views import ViewChanges
from pathbook.ledger.reports.ladder import LadderChanges
from pathbook.ledger.runs import Partition
from pathbook.ledger.store.database.bulk_write import Row
from pathbook.ledger.store.database.engine import open_engine, reading, url_of
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.run_cache import RunCache
from pathbook.ledger.store.views.writer import STATEMENTS, writes

CONTEXT: Final = multiprocessing.get_context("spawn")
"""How the process is started: afresh, for the copy of one that has threads may hang."""

_PLACES: Final = {statement: place for place, statement in enumerate(STATEMENTS)}


class FoldedGroup(NamedTuple):
    """What the events after a position, up to and with ``last``, change in the views: rows by place in STATEMENTS."""

    after: int
    last: int
    writes: list[tuple[int, list[Row]]]


# Rows are numbers, texts and bytes: pickled, they took longer than to be written.
_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(FoldedGroup)


class RebuildWorker:
    """A process that folds the events of a book, group after group, some groups ahead of whoever writes."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe

    def ready(self) -> bool:
        """Tell whether the process waits to be told where to begin, or has ended."""
        return self._pipe.poll()

    def groups(self, after: int) -> Iterator[FoldedGroup]:
        """Yield each group after a position, at which the views stand: none while the process is not ready.

        They end with the log, or sooner, if the process cannot go on for any reason.
        """
        if not self.ready():
            return
        with contextlib.suppress(EOFError, OSError):  # the latter where it ended amid a group
            self._pipe.recv_bytes()
            self._pipe.send(after)
            while True:
                yield _DECODER.decode(self._pipe.recv_bytes())

    def written(self, position: int) -> None:
        """Say up to where the views stand now: what the process does not keep in memory, it reads there."""
        with contextlib.suppress(ConnectionError):
            self._pipe.send(position)


@contextlib.contextmanager
def rebuild_worker(events: Engine, views: Engine, book: str, at_once: int) -> Iterator[RebuildWorker]:
    """Start to fold a book's events, so many at once, until the block ends.

    Why the process ended early, or could not start, is not told: whoever goes on alone meets what matters.
    """
    urls = [url_of(engine) for engine in (events, views)]
    ours, theirs = CONTEXT.Pipe()
    process = CONTEXT.Process(target=_fold, args=(theirs, *urls, book, at_once), daemon=True)
    with ours:
        with theirs, contextlib.suppress(OSError, RuntimeError, AssertionError):  # no more processes may be
            process.start()
        try:
            yield RebuildWorker(ours)
        finally:
            if process.pid is not None:
                process.kill()
                process.join()


def fold(
    partitions: RunCache, views: Connection, book: str, after: int, events: Sequence[RecordedEvent]
) -> tuple[ViewChanges, LadderChanges, dict[int, Partition]]:
    """Return what the events after a position change in the views and the ladder, and the partitions they lead to.

    The views must stand at that position, as far as the partitions are not kept.
    """
    loaded = partitions.take(views, book, after, _touched(events))
    changes, ladder = ViewChanges(), LadderChanges()
    for recorded in events:
        changes.add(recorded, runs.apply(loaded, recorded))
        ladder.add(recorded.event)
    return changes, ladder, loaded


def _fold(pipe: Pipe, events_url: str, views_url: str, book: str, at_once: int) -> None:
    """Fold from where the views are said to stand to the end of the log, or until nobody listens any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that started this
    collect_rarely()
    with contextlib.suppress(Exception):
        stream = Stream(open_engine(events_url, purpose="events"))
        views, partitions = open_engine(views_url, purpose="views"), RunCache()
        pipe.send_bytes(b"")  # ready
        position = written = pipe.recv()
        while entries := stream.read(book, position, at_once):
            events = [decode(entry.position, entry.data) for entry in entries]
            while written < position and (pipe.poll() or not partitions.keep(book, _known(events))):
                written = pipe.recv()
            with reading(views) as connection:
                changes, ladder, loaded = fold(partitions, connection, book, position, events)
            last = events[-1].position
            means = [(_PLACES[statement], rows) for statement, rows in writes(changes, ladder)]
            pipe.send_bytes(_ENCODER.encode(FoldedGroup(position, last, means)))
            partitions.give_back(book, last, loaded)
            position = last


def _known(events: Sequence[RecordedEvent]) -> set[int]:
    """Return the batches that the events change and did not begin."""
    begun = {event.batch for recorded in events if isinstance(event := recorded.event, BatchCommissioned)}
    return _touched(events) - begun


def _touched(events: Sequence[RecordedEvent]) -> set[int]:
    return {batch for recorded in events for batch in runs.batches(recorded.event)}
