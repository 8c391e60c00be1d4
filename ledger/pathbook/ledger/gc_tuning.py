"""How often a process that serves, follows or makes views anew looks for garbage in cycles."""

import contextlib
import gc
from collections.abc import Iterator
from typing import Final

OBJECTS: Final = 50_000
"""How many objects more than were let go are made before the young are looked through, instead of 700."""

TIMES: Final = 20
"""How often the young are, before the next older are, instead of 10."""


def collect_rarely() -> None:
    """Look seldom: a command makes hundreds of objects, none of them in a cycle, and looking cost an eighth of all."""
    gc.set_threshold(OBJECTS, TIMES, TIMES)


@contextlib.contextmanager
def isolated_gc() -> Iterator[None]:
    """Look for garbage as in a process that holds nothing else, whatever this one holds already."""
    thresholds = gc.get_threshold()
    gc.collect()
    gc.freeze()
    collect_rarely()
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
