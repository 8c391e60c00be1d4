"""A server on a thread of this process: for a command that brings its own, and for tests."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import Future

from pathbook.services.run.logs import configure_log
from pathbook.services.run.server import Server
from pathbook.services.run.settings import Settings


@contextlib.contextmanager
def running(settings: Settings, level: int = logging.WARNING, process: str = "") -> Iterator[int]:
    """Run a server while the caller does something else; yields its port. Raises as Server.start.

    The log of the whole program then has entries from ``level`` on, as pathbook.services.run.logs.configure_log has it.
    """
    configure_log(level, process)
    started: Future[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        server, told = Server(settings), asyncio.Event()
        try:
            port = await server.start()
        except Exception as error:  # noqa: BLE001 - it is raised where the server was asked for
            started.set_exception(error)
            return
        started.set_result((port, asyncio.get_running_loop(), told))
        await told.wait()
        await server.stop()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), name="server")
    thread.start()
    try:
        port, loop, told = started.result()
        try:
            yield port
        finally:
            loop.call_soon_threadsafe(told.set)
    finally:
        thread.join()
