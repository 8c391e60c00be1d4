"""A process that updates the views of all books and lets offers lapse, or builds their reports. It answers no calls.

Servers beside it then need not update the views.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

import structlog

from pathbook.ledger.gc_tuning import collect_rarely
from pathbook.ledger.store.views.completeness import known_head
from pathbook.ledger.store.views.follower import GROUP_MAX_EVENTS
from pathbook.services.clock import MachineClock
from pathbook.services.metrics import Metrics
from pathbook.services.operations import opening
from pathbook.services.operations.readiness import Readiness
from pathbook.services.run.settings import Settings
from pathbook.services.run.signals import wait
from pathbook.services.storage import Storage

LAG_CHECK_INTERVAL_S: Final = 0.5
"""How often the process checks whether the views include all events that were recorded before its start."""

LAG_LOG_INTERVAL_S: Final = 5.0
"""How often the process logs how far the views are behind."""

LAG_WARNING_EVENTS: Final = 4 * GROUP_MAX_EVENTS
"""How far the views of a busy store may be behind before it is logged. A lag of a few transactions is normal."""

REPORTS_NICENESS: Final = 10
"""How far a process that only builds reports stands back (nice(2)) where processors are scarce. Nothing waits for
reports but their own questions, and writes and seals are not to wait for them."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


def update_views(
    settings: Settings,
    stop: threading.Event,
    ready: Callable[[], None] = lambda: None,
    *,
    projects: bool = True,
    builds_reports: bool = True,
) -> None:
    """Update the views of all books, end offers at their deadlines, and seal if asked to, until ``stop`` is set.

    Args:
        settings: where the books are.
        stop: set when the process must stop.
        ready: called when the books are open.
        projects: whether to do that; if not, another process does, and this one only builds the reports.
        builds_reports: whether to build the reports, too.

    Raises: as pathbook.services.storage.Storage.
    """
    collect_rarely()
    if not projects:
        os.nice(REPORTS_NICENESS)
    # This process acknowledges no events, so a database that may lose acknowledged events is safe here. A lapse
    # that is lost is recorded again.
    storage = Storage(
        settings.data,
        MachineClock(),
        database=settings.database,
        projects=projects,
        builds_reports=builds_reports,
        beside_writers=True,
        lapses=projects,
        seals=settings.seals,
        allow_event_loss=True,
    )
    with contextlib.closing(storage), contextlib.ExitStack() as stack:
        if settings.counts:
            metrics = opening.counting(settings.metrics_directory)
            storage.stream.on_commit(metrics.committed)
            stack.enter_context(_operations(settings, storage, metrics, stop))
        if projects:
            storage.deadlines.wait_for_first_look()
        _LOG.info("following", place=settings.place, views=projects, reports=builds_reports)
        ready()
        if projects:
            _log_lag(storage, stop)
        else:
            wait(stop)
        _LOG.info("stopping")
    _LOG.info("stopped")


@contextlib.contextmanager
def _operations(
    settings: Settings, storage: Storage, metrics: Metrics, stop: threading.Event
) -> Iterator[None]:
    """Answer operators, if they ask this process. Raises OSError."""
    if not settings.operations_listen:
        yield
        return
    readiness = Readiness(storage.progress, signs=settings.seals, lost=storage.look_at_files)
    readiness.start()

    def ready() -> str:
        return "the process is stopping" if stop.is_set() else readiness.problem

    with (
        contextlib.closing(readiness),
        contextlib.closing(
            opening.open_port(settings.operations_listen, metrics, readiness, lambda: "", ready)
        ),
    ):
        yield


def _log_lag(storage: Storage, stop: threading.Event) -> None:
    """Log how far the views are behind: first until they reach the heads of the start, later if they are far behind."""
    first, at_head, due = _heads(storage), False, time.monotonic() + LAG_LOG_INTERVAL_S
    while not wait(stop, LAG_LOG_INTERVAL_S if at_head else LAG_CHECK_INTERVAL_S):
        try:
            behind = _behind(storage, _heads(storage) if at_head else first)
        except Exception as error:  # noqa: BLE001 - the follower survives any error of the database; this loop must
            if storage.stream.outages.tell(error):
                continue
            _LOG.exception("cannot read how far the views are behind", retry_seconds=LAG_CHECK_INTERVAL_S)
            continue
        if not behind and not at_head:
            at_head = True
            _LOG.info("the views are at the head", books=len(first), events=sum(first.values()))
        elif behind > (LAG_WARNING_EVENTS if at_head else 0) and time.monotonic() >= due:
            due = time.monotonic() + LAG_LOG_INTERVAL_S
            _LOG.info("the views are behind", events=behind)


def _heads(storage: Storage) -> dict[str, int]:
    return {book: known_head(storage.stream, book) for book in storage.stream.books()}


def _behind(storage: Storage, heads: dict[str, int]) -> int:
    """Return how many events up to these heads are not in the views, but can be."""
    follower = storage.follower
    return sum(
        max(0, follower.within_reach(book, head) - follower.position(book)) for book, head in heads.items()
    )
