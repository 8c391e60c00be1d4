"""A process that carries the views of all books and answers nobody, beside servers that leave that to it."""

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Final

import structlog

from pathbook.ledger.gc_tuning import collect_seldom
from pathbook.ledger.store.views.follower import EVENTS_AT_ONCE
from pathbook.services.clock import now
from pathbook.services.run.settings import Settings
from pathbook.services.storage import Directory

GLANCE_SECONDS: Final = 0.5
"""How often it is looked whether the views know all that was recorded before this process was started."""

TELL_SECONDS: Final = 5.0
"""How often it is told how far the views are behind, while they are."""

FAR_BEHIND: Final = 4 * EVENTS_AT_ONCE
"""How far the views of a busy store may be behind without a word: some transactions of the follower are nothing."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


def carry(settings: Settings, told: threading.Event, ready: Callable[[], None] = lambda: None) -> None:
    """Carry the views of all books until told to end; ``ready`` is called when the books are open.

    Raises: as pathbook.services.storage.Directory.
    """
    collect_seldom()
    # nothing is acknowledged here, so nothing acknowledged can be lost
    directory = Directory(settings.data, now, database=settings.database, allow_event_loss=True)
    with contextlib.closing(directory):
        _LOG.info("following", place=settings.place)
        ready()
        _tell(directory, told)
        _LOG.info("stopping")
    _LOG.info("stopped")


def _tell(directory: Directory, told: threading.Event) -> None:
    """Tell how the views come on until they know all that was there at first; later, where they are far behind."""
    first, at_head, due = _heads(directory), False, time.monotonic() + TELL_SECONDS
    while not told.wait(TELL_SECONDS if at_head else GLANCE_SECONDS):
        try:
            behind = _behind(directory, _heads(directory) if at_head else first)
        except Exception:  # noqa: BLE001 - the follower outlives whatever the database does, and so does this
            _LOG.exception("nobody can tell how far the views are", retry_seconds=GLANCE_SECONDS)
            continue
        if not behind and not at_head:
            at_head = True
            _LOG.info("the views are at the head", books=len(first), events=sum(first.values()))
        elif behind > (FAR_BEHIND if at_head else 0) and time.monotonic() >= due:
            due = time.monotonic() + TELL_SECONDS
            _LOG.info("the views are behind", events=behind)


def _heads(directory: Directory) -> dict[str, int]:
    return {book: directory.stream.head(book) for book in directory.stream.books()}


def _behind(directory: Directory, heads: dict[str, int]) -> int:
    """Return how many events up to these heads the views do not know."""
    return sum(max(0, head - directory.follower.position(book)) for book, head in heads.items())
