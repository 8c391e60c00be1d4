"""How often the garbage collector runs in a process that serves, follows or rebuilds views."""

import contextlib
import gc
from collections.abc import Iterator
from typing import Final

OBJECTS: Final = 50_000
"""The collector runs when this many more objects were created than freed. Python's default is 700."""

TIMES: Final = 20
"""An older generation is collected after this many collections of the younger one. Python's default is 10."""


def collect_rarely() -> None:
    """Collect rarely.

    A command creates hundreds of objects and no cycles, and collecting took an eighth of the time.
    """
    gc.set_threshold(OBJECTS, TIMES, TIMES)


@contextlib.contextmanager
def isolated_gc() -> Iterator[None]:
    """Collect as a process would that holds no other objects, however many this process holds."""
    thresholds = gc.get_threshold()
    gc.collect()
    gc.freeze()
    collect_rarely()
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
