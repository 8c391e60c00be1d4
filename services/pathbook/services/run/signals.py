"""How a process learns that it shall end: by a signal, or because the process that started it is gone."""

import contextlib
import multiprocessing
import signal
import threading
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from typing import Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
"""What asks a process to end: Ctrl-C, and whatever runs services."""


@contextlib.contextmanager
def stopping() -> Iterator[threading.Event]:
    """Yield what is set as soon as this process, whose main thread asks, is told to end."""
    told = threading.Event()
    before = {number: signal.signal(number, lambda *_: told.set()) for number in SIGNALS}
    if (parent := multiprocessing.parent_process()) is not None:
        # Killed, a parent tells nobody; but a pipe that it held open closes.
        threading.Thread(target=_tell_when_gone, args=(parent, told), name="parent", daemon=True).start()
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell_when_gone(parent: BaseProcess, told: threading.Event) -> None:
    parent.join()
    told.set()
