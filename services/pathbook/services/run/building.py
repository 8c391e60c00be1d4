"""The time in which the views of a new version are built: a server then answers health checks with NOT_SERVING."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from pathbook.ledger.store.log.stream import is_of_database
from pathbook.services.storage import Storage

LOOK_INTERVAL_S: Final = 0.2
"""How often a server looks whether its views are built."""

LOG_INTERVAL_S: Final = 5.0
"""How often it logs how many events they lack."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


async def when_built(storage: Storage, then: Callable[[], Awaitable[None]]) -> None:
    """Wait until the views of a storage are of use, log how far they are, and call ``then``."""
    due = time.monotonic()
    while True:
        try:
            left = await asyncio.to_thread(storage.left_to_build)
        except Exception as error:
            if not is_of_database(error):
                raise
            _LOG.warning(
                "cannot read how far the views are built", cause=str(error), retry_seconds=LOG_INTERVAL_S
            )
            await asyncio.sleep(LOG_INTERVAL_S)
            continue
        if not left:
            break
        if time.monotonic() >= due:
            due = time.monotonic() + LOG_INTERVAL_S
            _LOG.info("the views are being built, and health checks answer NOT_SERVING", events=left)
        await asyncio.sleep(LOOK_INTERVAL_S)
    await then()
