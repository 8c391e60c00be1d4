"""Serves books until this process is told to stop: in this process, or in several."""

import logging
from collections.abc import Callable

import structlog

from pathbook.ledger.book.tail import TAIL_MAX_EVENTS
from pathbook.ledger.gc_tuning import collect_rarely
from pathbook.services.run.in_thread import running
from pathbook.services.run.limits import allow_open_files
from pathbook.services.run.logs import configure_log
from pathbook.services.run.settings import Settings
from pathbook.services.run.signals import stopping, wait
from pathbook.services.run.workers import serve_together

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


def serve(settings: Settings, ready: Callable[[str], None]) -> None:
    """Serve until told to stop (SIGINT, SIGTERM), then drain. ``ready`` is called with HOST:PORT.

    Raises: as pathbook.services.run.workers.serve_together.
    """
    configure_log(logging.INFO)
    collect_rarely()
    if not settings.follows:
        _LOG.warning(
            "this server does not update the views: until a follower runs, reads that wait for the views fail,"
            " and writes pause once the views are too far behind",
            command="pathbook views follow",
            too_far_behind=TAIL_MAX_EVENTS,
        )
    if settings.are_several:
        serve_together(settings, ready)
        return
    allow_open_files()
    with stopping(settings.drain_seconds) as stop, running(settings, logging.INFO) as port:
        ready(f"{settings.listen.rpartition(':')[0]}:{port}")
        wait(stop)
