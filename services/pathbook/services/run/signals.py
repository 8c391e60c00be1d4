"""Tells a process to stop: on a signal, or when the process that started it has ended."""

import contextlib
import multiprocessing
import signal
import threading
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from typing import Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
"""The signals that tell a process to stop: Ctrl-C sends the first, service managers send the second."""


@contextlib.contextmanager
def stopping() -> Iterator[threading.Event]:
    """Yield an event that is set when this process is told to stop. Call this in the main thread."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in SIGNALS}
    if (parent := multiprocessing.parent_process()) is not None:
        # A parent that is killed sends no signal. But a pipe that it held open is then closed, and join() returns.
        threading.Thread(target=_set_when_gone, args=(parent, stop), name="parent", daemon=True).start()
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _set_when_gone(parent: BaseProcess, stop: threading.Event) -> None:
    parent.join()
    stop.set()
