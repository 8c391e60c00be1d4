"""Tells a process to stop: on a signal, or when the process that started it has ended. It then ends in any case."""

import contextlib
import math
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Final

import structlog

from pathbook.services.storage import CLOSE_TIMEOUT_S

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
"""The signals that tell a process to stop: Ctrl-C sends the first, service managers send the second."""

END_TIMEOUT_S: Final = CLOSE_TIMEOUT_S + 1.5
"""How long a process that was told to stop may take after the time for open calls, before it ends as it is. All that it
acknowledged is on disk by then, so this is no worse than a crash."""

LOOK_EVERY_S: Final = 0.5
"""How often a process that waits to be told looks whether it was. See `wait`."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


@contextlib.contextmanager
def stopping(drain_seconds: float) -> Iterator[threading.Event]:
    """Yield an event that is set when this process is told to stop. Call this in the main thread.

    A second signal ends the process at once. So does the time: it gets ``drain_seconds`` for open calls, and
    END_TIMEOUT_S for the rest. A process that another one of ours has started gets only its first signal so, because
    service managers signal both: its parent then kills it.
    """
    stop = threading.Event()
    parent = multiprocessing.parent_process()

    def told(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        if parent is None:
            for number in SIGNALS:
                signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, told) for number in SIGNALS}
    ended = threading.Event()
    seconds = drain_seconds + END_TIMEOUT_S
    threading.Thread(target=_end_in_time, args=(stop, ended, seconds), name="end", daemon=True).start()
    if parent is not None:
        # A parent that is killed sends no signal. But a pipe that it held open is then closed, and join() returns.
        threading.Thread(target=_set_when_gone, args=(parent, stop), name="parent", daemon=True).start()
    try:
        yield stop
    finally:
        if not stop.is_set():  # else the process is about to end, and the time for that still counts
            ended.set()
            stop.set()
        for number, handler in before.items():
            signal.signal(number, handler)


def wait(stop: threading.Event, seconds: float = math.inf) -> bool:
    """Wait until this process is told to stop, or so many seconds. Return whether it was.

    Python runs the handler of a signal in the main thread, once that thread runs. A signal that comes just before the
    thread begins to wait, or that another thread gets, does not wake it. So it waits for a short time, again and again.
    """
    due = time.monotonic() + seconds
    while not stop.wait(min(LOOK_EVERY_S, max(0, due - time.monotonic()))):
        if time.monotonic() >= due:
            return False
    return True


def _end_in_time(stop: threading.Event, ended: threading.Event, seconds: float) -> None:
    stop.wait()
    if not ended.wait(seconds):
        _LOG.error("this process did not stop in time and ends as it is", seconds=seconds)
        os._exit(0)


def _set_when_gone(parent: BaseProcess, stop: threading.Event) -> None:
    parent.join()
    stop.set()
