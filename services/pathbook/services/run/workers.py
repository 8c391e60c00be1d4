"""Several servers on one port, a follower, and a process for reports: each is started again when it ends."""

import asyncio
import contextlib
import dataclasses
import logging
import multiprocessing
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Final, TypeAlias

import structlog

from pathbook.ledger.gc_tuning import collect_rarely
from pathbook.services.access.first_token import make_first_token
from pathbook.services.clock import MachineClock
from pathbook.services.data_files import warn_of_readable_files
from pathbook.services.operations import opening
from pathbook.services.operations.readiness import watched
from pathbook.services.run.follower_process import update_views
from pathbook.services.run.in_thread import running
from pathbook.services.run.limits import allow_open_files
from pathbook.services.run.logs import configure_log
from pathbook.services.run.ports import reserved
from pathbook.services.run.settings import Settings
from pathbook.services.run.signals import END_TIMEOUT_S, SIGNALS, stopping, wait
from pathbook.services.storage import Storage

RESTARTS_MAX: Final = 5
"""How often in a row a process may end soon after its start, before all processes are stopped."""

STEADY_AFTER_S: Final = 60.0
"""A process that ran for this long started well: its ends are counted from one again."""

FIRST_RESTART_DELAY_S: Final = 0.2
"""The pause before a process that ended is started again. Each further pause in a row is twice as long."""

RESTART_DELAY_MAX_S: Final = 60.0
"""The longest such pause."""

SHUTDOWN_GRACE_S: Final = END_TIMEOUT_S + 0.5
"""How long a process may take to end, after the time for open calls, before it is killed. It ends itself sooner."""

FIRST: Final = "worker 1"
"""The name of the server that asks the witnesses."""

REPORTS: Final = "reports"
"""The name of the process for reports. It may end as often as it will, as only questions to reports wait for it."""

CONTEXT: Final = multiprocessing.get_context("spawn")
"""Processes are started fresh, because a fork of a process that has used gRPC hangs."""

Main: TypeAlias = Callable[[Settings, str, Connection], None]
"""The main function of a process. It gets the name of the process, and a connection to send None when it is ready."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


def serve_together(settings: Settings, ready: Callable[[str], None]) -> None:
    """Serve in as many processes as the settings say, until this process is told to stop (SIGINT, SIGTERM).

    ``ready`` is called once with HOST:PORT, when all processes but that for reports are ready. One that ends is started
    again.

    Raises:
        OSError: the servers cannot listen on the address.
        ChildProcessError: a process ended too often.
        Exception: as pathbook.services.storage.Storage.
    """
    with contextlib.ExitStack() as stack:
        address = stack.enter_context(reserved(settings.listen))
        directory = ""
        if settings.operations_listen:
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="pathbook-metrics-"))
        shared = dataclasses.replace(
            settings, listen=address, follows=False, operations_listen="", metrics_directory=directory
        )
        warn_of_readable_files(shared.data)
        _open_once(shared)
        workers = {f"worker {number}": _serve for number in range(1, settings.workers + 1)}
        assert FIRST in workers

        def all_ready() -> None:
            _LOG.info("serving", address=address, place=settings.place, workers=settings.workers)
            ready(address)

        processes = _Processes(shared, all_ready)
        followers = {"follower": _follow, REPORTS: _build_reports} if settings.follows else {}

        async def keep() -> None:
            with _operations(settings, directory, processes):
                await processes.keep(workers, followers)

        asyncio.run(keep())


@contextlib.contextmanager
def _operations(settings: Settings, directory: str, processes: "_Processes") -> Iterator[None]:
    """Answer operators for all processes, if they ask. Call it in the event loop. Raises OSError."""
    if not settings.operations_listen:
        yield
        return
    alive = opening.sign_of_life(asyncio.get_running_loop())
    with (
        watched(settings.data, settings.database, signs=settings.seals) as readiness,
        contextlib.closing(
            opening.open_port_of_processes(
                settings.operations_listen, directory, readiness, alive, processes.states
            )
        ),
    ):
        yield


def _open_once(settings: Settings) -> None:
    """Open and close the books, so that an error is raised once, in the process that the user started.

    The first token is made here, too, so that the workers do not make one each.
    """
    storage = Storage(
        settings.data,
        MachineClock(),
        database=settings.database,
        projects=False,
        lapses=False,
        allow_event_loss=settings.allow_event_loss,
    )
    try:
        if settings.demands_tokens:
            make_first_token(settings.data, storage.tokens)
    finally:
        storage.close()


class _Processes:
    """Processes that are started again when they end, until this process is told to stop."""

    def __init__(self, settings: Settings, ready: Callable[[], None]) -> None:
        self._settings = settings
        self._ready = ready
        self._starting: set[str] = set()
        self._running: set[SpawnProcess] = set()
        self._ready_workers: set[str] = set()
        self._restarts = 0

    def states(self) -> tuple[int, int]:
        """Return how many workers are ready, and how often a process was started again."""
        return len(self._ready_workers), self._restarts

    async def keep(self, workers: Mapping[str, Main], followers: Mapping[str, Main]) -> None:
        """Keep the processes running until this process is told to stop.

        The workers are stopped before the followers, because reads that are still open may wait for the views. If this
        process is told a second time, it ends with all of them at once.
        """
        stop = asyncio.Event()

        def told(number: signal.Signals) -> None:
            if stop.is_set():
                self._end_at_once(number)
            stop.set()

        for number in SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, told, number)
        self._starting.update({*workers, *followers} - {REPORTS})
        groups = [
            [asyncio.create_task(self._keep(name, main)) for name, main in mains.items()]
            for mains in (workers, followers)
        ]
        stopped = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait([stopped, *groups[0], *groups[1]], return_when=asyncio.FIRST_COMPLETED)
        _LOG.info("stopping")
        for group in groups:
            for task in group:
                task.cancel()
            await asyncio.gather(*group, return_exceptions=True)
        for ended in done:
            ended.result()

    async def _keep(self, name: str, main: Main) -> None:
        """Keep one process running; end the process if this task is cancelled. Raises ChildProcessError."""
        clock = asyncio.get_running_loop().time
        ends, pause = 0, FIRST_RESTART_DELAY_S
        while True:
            began = clock()
            process, connection = self._start(name, main)
            try:
                await self._wait_until_ready(name, connection)
                if main is _serve:
                    self._ready_workers.add(name)
                await _readable(process.sentinel)
            finally:
                self._ready_workers.discard(name)
                await self._end(process)
            if clock() - began > STEADY_AFTER_S:
                ends, pause = 0, FIRST_RESTART_DELAY_S
            ends += 1
            _LOG.error("a process ended", process=name, exit_code=process.exitcode, times=ends)
            if ends == RESTARTS_MAX and name != REPORTS:
                raise ChildProcessError(
                    f"The process '{name}' ended {ends} times in a row soon after its start, the last time with exit"
                    f" code {process.exitcode}. See the log for the reason. All other processes were stopped."
                )
            self._restarts += 1
            await asyncio.sleep(pause)
            pause = min(2 * pause, RESTART_DELAY_MAX_S)

    def _start(self, name: str, main: Main) -> tuple[SpawnProcess, Connection]:
        connection, childs_end = CONTEXT.Pipe(duplex=False)
        process = CONTEXT.Process(
            target=main, args=(self._settings, name, childs_end), name=name, daemon=True
        )
        with childs_end, _without_interrupts():
            process.start()
        self._running.add(process)
        _LOG.info("started", process=name, pid=process.pid)
        return process, connection

    async def _wait_until_ready(self, name: str, connection: Connection) -> None:
        """Wait until a process is ready, or has ended before that. Call ``ready`` once all are but reports."""
        with connection, contextlib.suppress(EOFError):
            await _readable(connection.fileno())
            connection.recv()
            if name in self._starting:
                self._starting.remove(name)
                if not self._starting:
                    self._ready()

    async def _end(self, process: SpawnProcess) -> None:
        """End a process: terminate it, and kill it if it does not end in the time that it has, too."""
        process.terminate()
        try:
            async with asyncio.timeout(self._settings.drain_seconds + SHUTDOWN_GRACE_S):
                await _readable(process.sentinel)
        except TimeoutError:
            _LOG.error("a process did not end in time and is killed", process=process.name)
            process.kill()
        process.join()
        self._running.discard(process)
        if (directory := self._settings.metrics_directory) and process.pid is not None:
            opening.forget_process(process.pid, directory)

    def _end_at_once(self, number: signal.Signals) -> None:
        """Kill all processes, and end this one by the signal."""
        for process in self._running:
            process.kill()
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)


def _serve(settings: Settings, name: str, connection: Connection) -> None:
    """Run one of the servers. One of them asks the witnesses, for all."""
    if name != FIRST:
        settings = dataclasses.replace(settings, witnesses=())
    collect_rarely()
    allow_open_files()
    with _child(name), stopping(settings.drain_seconds) as stop, running(settings, logging.INFO, name):
        connection.send(None)
        wait(stop)


def _follow(settings: Settings, name: str, connection: Connection) -> None:
    """Run the follower, which leaves the reports to another process."""
    with _child(name), stopping(drain_seconds=0) as stop:
        update_views(settings, stop, lambda: connection.send(None), builds_reports=False)


def _build_reports(settings: Settings, name: str, connection: Connection) -> None:
    """Build the reports."""
    with _child(name), stopping(drain_seconds=0) as stop:
        update_views(settings, stop, lambda: connection.send(None), projects=False)


@contextlib.contextmanager
def _child(name: str) -> Iterator[None]:
    """Log an error that ends this process, instead of printing its traceback among the log entries of others."""
    configure_log(logging.INFO, name)
    try:
        yield
    except Exception:  # noqa: BLE001 - this is the outermost frame, so every error is logged here
        _LOG.exception("the process ends because of an error")
        sys.exit(1)


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Start processes that block Ctrl-C. Their parent gets the signal, and stops them in the right order."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


async def _readable(descriptor: int) -> None:
    """Wait until a descriptor has something to read, or its last writer has closed it."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(descriptor, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(descriptor)
