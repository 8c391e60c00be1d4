"""Starts follower processes that a test can kill, and reads all rows that a follower has written."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import sqlalchemy as sa
from sqlalchemy import Engine

from pathbook.ledger.reports.all_reports import REPORTS
from pathbook.ledger.store.database.engine import Purpose, open_engine, reading
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.reports.positions import positions
from pathbook.ledger.store.reports.tables import table_of
from pathbook.ledger.store.views import tables
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.views.tracking import TRACKING
from tests.books import url
from tests.services.forking import PipedFork

FOLLOW = """
import sys
from pathbook.ledger.store.database.engine import open_engine
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views import follower as module
from pathbook.ledger.store.views.rebuild_worker import RebuildWorker
events, views, work, events_at_once, worker = sys.argv[1:]
if worker == "worker":
    module.REBUILD_WORKER_MIN_EVENTS, RebuildWorker.ready = 0, lambda process: process._pipe.poll(60)
stream = Stream(open_engine(events, purpose="events"))
follower = Follower(stream, open_engine(views, purpose="views"), int(events_at_once))
progress = lambda done, of: print(done, flush=True)
follower.rebuild(progress) if work == "rebuild" else follower.catch_up("book", progress)
"""
"""A program that updates or rebuilds the views of a book in groups of events, and prints each position it reaches."""

Rows: TypeAlias = dict[str, list[tuple[object, ...]]]
Connect: TypeAlias = Callable[[Purpose], Engine]


def rows_of(views: Engine) -> Rows:
    """Return every row of every view and report, and their positions."""
    filled = [table for table in tables.VIEWS.sorted_tables if table is not tables.REFILL]
    with reading(views) as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(sa.select(table))), key=repr)
            for table in (*filled, TRACKING, *map(table_of, REPORTS))
        } | {"positions of reports": [tuple(at[:4]) for at in positions(connection)]}


def rows_at_once(stream: Stream, directory: Path, *books: str) -> Rows:
    """Return the rows of new views that are projected from the log without interruption."""
    views = open_engine(directory / "at once.sqlite", purpose="views")
    follower = Follower(stream, views)
    for book in books or ("book",):
        follower.catch_up(book)
    rows = rows_of(views)
    views.dispose()
    return rows


def child(place: Path, work: str, events_at_once: int, *, worker: bool = False) -> PipedFork:
    """Start a follower process; with ``worker``, a second process helps it to rebuild even a short log."""
    help_of = "worker" if worker else "alone"
    return PipedFork(
        url(place, "events"), url(place, "views"), work, str(events_at_once), help_of, program=FOLLOW
    )


def kill_after(process: PipedFork, transactions: int, pause: float) -> None:
    """Kill a follower process ``pause`` seconds after a number of transactions."""
    for _ in range(transactions + 1):
        assert process.stdout.readline()
    time.sleep(pause)
    process.kill()
    process.communicate()
