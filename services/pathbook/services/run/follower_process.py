"""A process that projects the views of all books and answers nobody, beside servers that leave that to it."""

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Final

import structlog

from pathbook.ledger.gc_tuning import collect_rarely
from pathbook.ledger.store.views.follower import GROUP_MAX_EVENTS
from pathbook.services.clock import now
from pathbook.services.run.settings import Settings
from pathbook.services.storage import Storage

LAG_CHECK_INTERVAL_S: Final = 0.5
"""How often it is looked whether the views know all that was recorded before this process was started."""

LAG_LOG_INTERVAL_S: Final = 5.0
"""How often it is told how far the views are behind, while they are."""

LAG_WARNING_EVENTS: Final = 4 * GROUP_MAX_EVENTS
"""How far the views of a busy store may be behind without a word: some transactions of the follower are nothing."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


def carry(settings: Settings, told: threading.Event, ready: Callable[[], None] = lambda: None) -> None:
    """Carry the views of all books until told to end; ``ready`` is called when the books are open.

    Raises: as pathbook.services.storage.Storage.
    """
    collect_rarely()
    # nothing is acknowledged here, so nothing acknowledged can be lost
    directory = Storage(settings.data, now, database=settings.database, allow_event_loss=True)
    with contextlib.closing(directory):
        _LOG.info("following", place=settings.place)
        ready()
        _tell(directory, told)
        _LOG.info("stopping")
    _LOG.info("stopped")


def _tell(directory: Storage, told: threading.Event) -> None:
    """Tell how the views come on until they know all that was there at first; later, where they are far behind."""
    first, at_head, due = _heads(directory), False, time.monotonic() + LAG_LOG_INTERVAL_S
    while not told.wait(LAG_LOG_INTERVAL_S if at_head else LAG_CHECK_INTERVAL_S):
        try:
            behind = _behind(directory, _heads(directory) if at_head else first)
        except Exception:  # noqa: BLE001 - the follower outlives whatever the database does, and so does this
            _LOG.exception("nobody can tell how far the views are", retry_seconds=LAG_CHECK_INTERVAL_S)
            continue
        if not behind and not at_head:
            at_head = True
            _LOG.info("the views are at the head", books=len(first), events=sum(first.values()))
        elif behind > (LAG_WARNING_EVENTS if at_head else 0) and time.monotonic() >= due:
            due = time.monotonic() + LAG_LOG_INTERVAL_S
            _LOG.info("the views are behind", events=behind)


def _heads(directory: Storage) -> dict[str, int]:
    return {book: directory.stream.head(book) for book in directory.stream.books()}


def _behind(directory: Storage, heads: dict[str, int]) -> int:
    """Return how many events up to these heads the views do not know."""
    return sum(max(0, head - directory.follower.position(book)) for book, head in heads.items())
