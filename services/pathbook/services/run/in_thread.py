"""A server on a thread of this process: for a command that starts its own server, and for tests."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import Future

from pathbook.services.clock import MachineClock
from pathbook.services.run.logs import configure_log
from pathbook.services.run.server import Server
from pathbook.services.run.settings import Settings


@contextlib.contextmanager
def running(
    settings: Settings,
    level: int = logging.WARNING,
    process: str = "",
    clock: MachineClock | None = None,
) -> Iterator[int]:
    """Run a server on a thread inside a ``with`` block, and yield its port. Raises as Server.start.

    At the end of the block the server stops, in a bounded time.

    Without a ``clock``, it uses that of the machine.

    This also configures the log of the whole program: see pathbook.services.run.logs.configure_log.
    """
    configure_log(level, process)
    started: Future[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        server, stop = Server(settings, clock), asyncio.Event()
        try:
            port = await server.start()
        except Exception as error:  # noqa: BLE001 - the caller's thread raises it
            started.set_exception(error)
            return
        started.set_result((port, asyncio.get_running_loop(), stop))
        await stop.wait()
        await server.stop()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), name="server")
    thread.start()
    try:
        port, loop, stop = started.result()
        try:
            yield port
        finally:
            loop.call_soon_threadsafe(stop.set)
    finally:
        thread.join()
