"""A process that builds the reports of a store while it is measured, as one does beside a follower."""

import contextlib
import multiprocessing
from collections.abc import Iterator
from multiprocessing.connection import Connection as Pipe
from typing import Final

from pathbook.ledger.gc_tuning import collect_rarely
from pathbook.ledger.store.database.engine import open_engine
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.follower import Follower

CONTEXT: Final = multiprocessing.get_context("spawn")
"""The process is a fresh one, because a fork of a process that has threads may hang."""


@contextlib.contextmanager
def reports_apart(log: str, views: str) -> Iterator[None]:
    """Build the reports in another process until the block ends. The block begins when that process is ready."""
    own_end, its_end = CONTEXT.Pipe()
    process = CONTEXT.Process(target=_build, args=(its_end, log, views), daemon=True)
    with own_end:
        with its_end:
            process.start()
        own_end.recv()
        yield
    process.join()


def _build(pipe: Pipe, log: str, views: str) -> None:
    """Build until the other process closes the pipe."""
    collect_rarely()
    log_engine, views_engine = open_engine(log, purpose="events"), open_engine(views, purpose="views")
    stream = Stream(log_engine, beside_writers=True)
    follower = Follower(stream, views_engine, projects=False, builds_reports=True)
    with contextlib.closing(stream), contextlib.closing(follower):
        follower.start()
        pipe.send(None)
        with contextlib.suppress(EOFError):
            pipe.recv()
    views_engine.dispose()
    log_engine.dispose()
