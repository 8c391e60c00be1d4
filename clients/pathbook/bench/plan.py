"""How much is measured: enough for figures to stand on, or only enough to see that every phase works."""

from typing import Final

import msgspec

IN_FLIGHT: Final = (1, 32, 256)
"""How many calls are under way at once: a person, a service, a busy one."""

ENTRIES: Final = (1, 10, 500)
"""How many transfers a batch holds."""

UNITS: Final = (1, 10, 100, 10_000)
"""How many units a transfer moves."""

MOST_ENTRIES: Final = ENTRIES[-1]
"""What a batch holds wherever nothing else is said."""

USUAL_UNITS: Final = 10
"""How many units a transfer moves wherever nothing else is said."""

COMMITS: Final = 100
"""How many rows a round gives the bare database one a commit."""

SUBSCRIBERS: Final = 20
"""How many follow the book at once."""


class Plan(msgspec.Struct, frozen=True):
    """How often and how much.

    Attributes:
        rounds: how often each phase takes its turn; a figure is the median of its rounds.
        calls: how many calls a round makes with each of IN_FLIGHT under way.
        transfers: how many transfers a round records in batches of MOST_ENTRIES.
        floor_rows: how many rows the bare database is given before a round's transfers, and again after them.
        shape_rounds: how often transfers of each shape take their turn.
        shape_transfers: how many transfers a round records of each of ENTRIES.
        verified: how many units a round verifies.
        paths: how many paths a round asks the queries for.
        rebuilds: how often the views are made anew.
    """

    rounds: int
    calls: tuple[int, int, int]
    transfers: int
    floor_rows: int
    shape_rounds: int
    shape_transfers: tuple[int, int, int]
    verified: int
    paths: int
    rebuilds: int


FULL: Final = Plan(
    rounds=7,
    calls=(200, 1_000, 1_500),
    transfers=7_500,
    floor_rows=20_000,
    shape_rounds=3,
    shape_transfers=(300, 2_000, 5_000),
    verified=100,
    paths=400,
    rebuilds=3,
)
"""Some minutes: what a figure needs that one compares with another machine's."""

QUICK: Final = Plan(
    rounds=2,
    calls=(30, 100, 300),
    transfers=1_000,
    floor_rows=2_000,
    shape_rounds=1,
    shape_transfers=(20, 100, 500),
    verified=10,
    paths=50,
    rebuilds=1,
)
"""Some seconds: every phase and every check, and figures that only say of which order they are."""
