"""What each phase is called, in figures, in ratios and where one of them is wrong."""

from typing import Final

from pathbook.bench.moves import Shape
from pathbook.bench.plan import MOST_ENTRIES, SUBSCRIBERS, USUAL_UNITS

READ: Final = "read"
FOLLOW: Final = f"subscribe, {SUBSCRIBERS} followers"
VERIFY: Final = "verify a code"
PATH: Final = "path of 5 hops, in the queries"
REBUILD: Final = "rebuild of all views"


def echo(in_flight: int) -> str:
    """Name the bare calls, so many at once."""
    return f"echo, {in_flight} in flight"


def floor(kind: str, way: str) -> str:
    """Name the bare database, given rows in a way."""
    return f"raw {kind}, {way}"


def commits(kind: str) -> str:
    """Name the bare database, given one row a commit: what a single answer waits for at least."""
    return f"raw {kind}, a row a commit"


def call(in_flight: int) -> str:
    """Name transfers recorded one a call, so many calls at once."""
    return f"record, {in_flight} in flight"


def shape(entries: int, shape: Shape) -> str:
    """Name transfers of a shape, recorded so many a batch, beside those of other shapes."""
    return f"shapes, {_batches(entries, shape)}"


def _batches(entries: int, shape: Shape) -> str:
    units = f"{shape.units:,} unit{'s' if shape.units > 1 else ''}"
    return f"batches of {entries}, {units}{', scattered' if shape.scattered else ''}"


RECORD: Final = f"record, {_batches(MOST_ENTRIES, Shape(USUAL_UNITS))}"
"""What is recorded beside the floors."""

RECORD_AGAIN: Final = f"{RECORD}, after a rebuild"
"""The same, beside the rebuilding."""
