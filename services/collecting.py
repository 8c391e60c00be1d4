"""How often a process that serves or follows looks for garbage in cycles."""

import gc
from typing import Final

OBJECTS: Final = 50_000
"""How many objects more than were let go are made before the young are looked through, instead of 700."""

TIMES: Final = 20
"""How often the young are, before the next older are, instead of 10."""


def collect_seldom() -> None:
    """Look seldom: a command makes hundreds of objects, none of them in a cycle, and looking cost an eighth of all."""
    gc.set_threshold(OBJECTS, TIMES, TIMES)
