"""Tells a verb that runs until it is stopped that SIGINT or SIGTERM came."""

import contextlib
import math
import signal
import threading
import time
from collections.abc import Iterator
from typing import Final

LOOK_EVERY_S: Final = 0.5
"""How often a verb that waits to be stopped looks whether it was. See `wait`."""


@contextlib.contextmanager
def stopping() -> Iterator[threading.Event]:
    """Yield an event that the first SIGINT or SIGTERM sets. A second one ends the process as ever."""
    stop = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def handle(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, handle)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def wait(stop: threading.Event, seconds: float = math.inf) -> bool:
    """Wait until the event is set, or so many seconds. Return whether it is.

    Python runs the handler of a signal in the main thread, once that thread runs. A signal that comes just before the
    thread begins to wait, or that another thread gets, does not wake it. So it waits for a short time, again and again.
    """
    due = time.monotonic() + seconds
    while not stop.wait(min(LOOK_EVERY_S, max(0, due - time.monotonic()))):
        if time.monotonic() >= due:
            return False
    return True
