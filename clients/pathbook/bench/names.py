"""The names of the phases, in figures, in ratios and in mismatches."""

from typing import Final

from pathbook.bench.moves import Shape
from pathbook.bench.plan import IN_FLIGHT, MOST_ENTRIES, SUBSCRIBERS, USUAL_UNITS

READ: Final = "read"
FOLLOW: Final = f"subscribe, {SUBSCRIBERS} subscribers"
VERIFY: Final = "verify a code"
PATH: Final = "path of 5 hops, inside the store"
PATH_CALLS: Final = f"path by code, {IN_FLIGHT[1]} in flight"
PATH_ECHO: Final = f"echo of such a request, {IN_FLIGHT[1]} in flight"
FIRST_HOP: Final = "first hops of one unit"
ONWARD: Final = "onward, scattered over many runs"
LONG_LIFE: Final = "the last hops of one unit"
REBUILD: Final = "rebuild of all views"


UNSEALED: Final = "record in order"
SEALED: Final = "record in order, and seal"
SIGNED: Final = f"record in order with a signature for {MOST_ENTRIES}, and seal"
UNSEALED_SCATTERED: Final = "record scattered"
SEALED_SCATTERED: Final = "record scattered, and seal"
FIRST_SEAL: Final = "the first seal of all runs"
FEW_UNITS: Final = "commission 10 units, and seal"
MANY_UNITS: Final = "commission 10,000,000 units, and seal"
PROOF: Final = "proof of 6 signed hops, 2 cosignatures"


FOLLOWED: Final = f"follow in groups of {MOST_ENTRIES}, no report"
REPORTED: Final = f"follow in groups of {MOST_ENTRIES}, all reports"
FOLLOWED_APART: Final = f"follow in groups of {MOST_ENTRIES}, beside a process for reports"
REPORTED_APART: Final = "until all reports of that process have the events"
REPORT_BOOK: Final = "the book that reports are asked about"


SMALL_WRITE: Final = "small write"
SMALL_READ: Final = "small read"


def proof(what: str) -> str:
    """Name the phase that makes or verifies the proof."""
    return f"{PROOF}, {what}"


def question(what: str) -> str:
    """Name the phase of a question to reports."""
    return f"ask: {what}"


def quiet(small: str) -> str:
    """Name the phase of small calls while the server is quiet."""
    return f"{small}, quiet"


def beside_hostile(small: str, what: str) -> str:
    """Name the phase of small calls beside hostile callers."""
    return f"{small}, beside hostile {what}"


def echo(in_flight: int) -> str:
    """Name the phase of bare calls, with this many at once."""
    return f"echo, {in_flight} in flight"


def floor(kind: str, way: str) -> str:
    """Name the phase of the bare database, by the way its rows are written."""
    return f"raw {kind}, {way}"


def commits(kind: str) -> str:
    """Name the phase of the bare database with one row a commit. A single answer waits at least for a commit."""
    return f"raw {kind}, a row a commit"


def call(in_flight: int) -> str:
    """Name the phase that records one transfer a call, with this many calls at once."""
    return f"record, {in_flight} in flight"


def shape(entries: int, shape: Shape) -> str:
    """Name the phase that records transfers of a shape, this many a batch, to compare shapes."""
    return f"shapes, {_batches(entries, shape)}"


def _batches(entries: int, shape: Shape) -> str:
    units = f"{shape.units:,} unit{'s' if shape.units > 1 else ''}"
    return f"batches of {entries}, {units}{', scattered' if shape.scattered else ''}"


RECORD: Final = f"record, {_batches(MOST_ENTRIES, Shape(USUAL_UNITS))}"
"""The phase that records beside the floors."""

OPEN: Final = f"{RECORD}, at an open server"
GUARDED: Final = f"{RECORD}, with TLS, token and limits"
OPEN_CALLS: Final = f"{call(IN_FLIGHT[1])}, at an open server"
GUARDED_CALLS: Final = f"{call(IN_FLIGHT[1])}, with TLS, token and limits"
"""The phases that show what it costs to be reached by other machines."""

RECORD_AGAIN: Final = f"{RECORD}, after a rebuild"
"""The phase that records the same beside the rebuild."""
