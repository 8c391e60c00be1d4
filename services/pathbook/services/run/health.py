"""Lets gRPC's health checks say whether the server may be sent calls: they follow the database and the views."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from pathbook.services.operations.readiness import Readiness

CHECK_INTERVAL_S: Final = 0.2
"""How often what was found of the books is passed on to health checks."""

LOG_INTERVAL_S: Final = 5.0
"""How often it is logged that the server is not ready, and why. A start may take as long before it is logged."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


async def follow_readiness(readiness: Readiness, serve: Callable[[bool], Awaitable[None]]) -> None:
    """Call ``serve`` with whether the server is ready: at once, and then whenever that changes, until cancelled."""
    was_ready: bool | None = None
    due = time.monotonic() + LOG_INTERVAL_S
    while True:
        is_ready = not (problem := readiness.problem)
        if is_ready is not was_ready:
            await serve(is_ready)
        if is_ready and was_ready is False:
            _LOG.info("health checks answer SERVING")
        elif not is_ready and (was_ready or time.monotonic() >= due):
            due = time.monotonic() + LOG_INTERVAL_S
            _LOG.warning("health checks answer NOT_SERVING", problem=problem)
        was_ready = is_ready
        await asyncio.sleep(CHECK_INTERVAL_S)
