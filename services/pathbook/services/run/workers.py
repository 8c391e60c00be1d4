"""Several servers on one port, each in a process of its own, and one that projects their views: kept running."""

import asyncio
import contextlib
import dataclasses
import logging
import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Final, TypeAlias

import structlog

from pathbook.ledger.gc_tuning import collect_rarely
from pathbook.services.clock import now
from pathbook.services.run.follower_process import carry
from pathbook.services.run.in_thread import running
from pathbook.services.run.logs import configure_log
from pathbook.services.run.ports import reserved
from pathbook.services.run.settings import Settings
from pathbook.services.run.signals import SIGNALS, stopping
from pathbook.services.storage import Storage

RESTARTS_MAX: Final = 5
"""How often in a row a process may end soon after it was started, before all is given up."""

STEADY_AFTER_S: Final = 60.0
"""A process that ran for so long was started well: its ends are counted anew."""

FIRST_RESTART_DELAY_S: Final = 0.2
"""The pause before a process that ended is started again; each further one in a row is twice as long."""

SHUTDOWN_GRACE_S: Final = 5.0
"""How long a process may take to close its books, beyond the time for calls to end, before it is killed."""

CONTEXT: Final = multiprocessing.get_context("spawn")
"""How processes are started: afresh, for the copy of one that has used gRPC hangs."""

Work: TypeAlias = Callable[[Settings, str, Connection], None]
"""What a process does, given its name and whom to tell that it is ready."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


def serve_together(settings: Settings, ready: Callable[[str], None]) -> None:
    """Serve in as many processes as the settings say, until this one is told to end (SIGINT, SIGTERM).

    ``ready`` is called once with HOST:PORT, when all of them are. A process that ends is started again.

    Raises:
        OSError: the address cannot be listened on.
        ChildProcessError: a process ended again and again.
        Exception: as pathbook.services.storage.Storage.
    """
    with reserved(settings.listen) as address:
        shared = dataclasses.replace(settings, listen=address, follows=False)
        _open_once(shared)
        works = {f"worker {number}": _serve for number in range(1, settings.workers + 1)}

        def serving() -> None:
            _LOG.info("serving", address=address, place=settings.place, workers=settings.workers)
            ready(address)

        processes = _Processes(shared, serving)
        asyncio.run(processes.keep(works, {"follower": _follow} if settings.follows else {}))


def _open_once(settings: Settings) -> None:
    """Find out what keeps the books from being opened, so that it is told once, and by whom the user called."""
    Storage(
        settings.data,
        now,
        database=settings.database,
        projects=False,
        allow_event_loss=settings.allow_event_loss,
    ).close()


class _Processes:
    """Processes that are started again when they end, until this one is told to."""

    def __init__(self, settings: Settings, ready: Callable[[], None]) -> None:
        self._settings = settings
        self._ready = ready
        self._awaited: set[str] = set()

    async def keep(self, workers: Mapping[str, Work], followers: Mapping[str, Work]) -> None:
        """Keep them running until this process is told to end; calls that are under way may need the followers."""
        told = asyncio.Event()
        for number in SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, told.set)
        self._awaited.update(workers, followers)
        groups = [
            [asyncio.create_task(self._keep(name, work)) for name, work in works.items()]
            for works in (workers, followers)
        ]
        end = asyncio.create_task(told.wait())
        done, _ = await asyncio.wait([end, *groups[0], *groups[1]], return_when=asyncio.FIRST_COMPLETED)
        _LOG.info("stopping")
        for group in groups:
            for task in group:
                task.cancel()
            await asyncio.gather(*group, return_exceptions=True)
        for ended in done:
            ended.result()

    async def _keep(self, name: str, work: Work) -> None:
        """Keep one process running; where this is cancelled, it ends, too. Raises ChildProcessError."""
        clock = asyncio.get_running_loop().time
        ends = 0
        while True:
            began = clock()
            process, told = self._start(name, work)
            try:
                await self._wait_until_ready(name, told)
                await _readable(process.sentinel)
            finally:
                await self._end(process)
            ends = 1 if clock() - began > STEADY_AFTER_S else ends + 1
            _LOG.error("a process ended", process=name, exit_code=process.exitcode, times=ends)
            if ends == RESTARTS_MAX:
                raise ChildProcessError(
                    f"The process '{name}' ended {ends} times soon after it was started, at last with exit code"
                    f" {process.exitcode}. The log says why; all others were stopped."
                )
            await asyncio.sleep(FIRST_RESTART_DELAY_S * 2 ** (ends - 1))

    def _start(self, name: str, work: Work) -> tuple[SpawnProcess, Connection]:
        told, telling = CONTEXT.Pipe(duplex=False)
        process = CONTEXT.Process(target=work, args=(self._settings, name, telling), name=name, daemon=True)
        with telling, _without_interrupts():
            process.start()
        _LOG.info("started", process=name, pid=process.pid)
        return process, told

    async def _wait_until_ready(self, name: str, told: Connection) -> None:
        """Note that a process is ready; one that ended before is not."""
        with told, contextlib.suppress(EOFError):
            await _readable(told.fileno())
            told.recv()
            if name in self._awaited:
                self._awaited.remove(name)
                if not self._awaited:
                    self._ready()

    async def _end(self, process: SpawnProcess) -> None:
        """See to it that a process is gone."""
        process.terminate()
        try:
            async with asyncio.timeout(self._settings.drain_seconds + SHUTDOWN_GRACE_S):
                await _readable(process.sentinel)
        except TimeoutError:
            _LOG.error("a process did not end, and is killed", process=process.name)
            process.kill()
        process.join()


def _serve(settings: Settings, name: str, telling: Connection) -> None:
    """Be one of several servers."""
    collect_rarely()
    with _child(name), stopping() as told, running(settings, logging.INFO, name):
        telling.send(None)
        told.wait()


def _follow(settings: Settings, name: str, telling: Connection) -> None:
    """Be who projects the views."""
    with _child(name), stopping() as told:
        carry(settings, told, lambda: telling.send(None))


@contextlib.contextmanager
def _child(name: str) -> Iterator[None]:
    """Log what ends this process, instead of printing it between the entries of others."""
    configure_log(logging.INFO, name)
    try:
        yield
    except Exception:  # noqa: BLE001 - whatever it is, this process has nobody else to tell
        _LOG.exception("cannot go on")
        sys.exit(1)


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Start processes that Ctrl-C does not reach: it is for the one that started them, and that tells them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


async def _readable(descriptor: int) -> None:
    """Wait until a descriptor has something to read, or nobody is left to write to it."""
    loop = asyncio.get_running_loop()
    found = asyncio.Event()
    loop.add_reader(descriptor, found.set)
    try:
        await found.wait()
    finally:
        loop.remove_reader(descriptor)
