"""What is aimed at: figures beside their floors, and what each should come to."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from pathbook.bench import names
from pathbook.bench.bench import Bench
from pathbook.bench.figures import Spread, spread
from pathbook.bench.moves import Shape
from pathbook.bench.plan import IN_FLIGHT, MOST_ENTRIES, UNITS, USUAL_UNITS

POSTGRESQL: Final = "PostgreSQL"

ONE: Final = IN_FLIGHT[0]
"""A stream is one call, and so its floor is one bare call at a time."""

BUSY: Final = IN_FLIGHT[-1]

LARGE: Final = names.shape(MOST_ENTRIES, Shape(UNITS[-1]))
SMALL: Final = names.shape(MOST_ENTRIES, Shape(USUAL_UNITS))

LOG_BYTES: Final = 200
"""An event on the disk, without what can be made anew."""

STORE_BYTES: Final = 500
"""The same, with the views."""

PATH_SECONDS: Final = 100e-6
"""The path of a unit that made five hops, half of the times at the most."""


class Ratio(NamedTuple):
    """A phase beside another, at least so many times as fast; the aim may differ by database, or be none."""

    phase: str
    floor: str
    at_least: float | None


class Judged(msgspec.Struct, frozen=True):
    """What one aim came to.

    Attributes:
        name: what a person reads.
        unit: of what it is a number, empty for a ratio.
        found: the median of the rounds, and between what they lay.
        target: what it should come to; None where nothing is aimed at.
        at_least: whether it should be as much at least, or at the most.
    """

    name: str
    unit: str
    found: Spread
    target: float | None
    at_least: bool

    @property
    def met(self) -> bool | None:
        """Whether it came to that; None where nothing is aimed at."""
        if self.target is None:
            return None
        return self.found.median >= self.target if self.at_least else self.found.median <= self.target


def judged(bench: Bench) -> list[Judged]:
    """Hold what was measured against what was aimed at."""
    figures, found = bench.figures, []
    for ratio in _ratios(bench.inside.kind, bench.inside.floors):
        name = f"{ratio.phase} / {ratio.floor}"
        found.append(
            Judged(name, "", figures.beside(ratio.phase, ratio.floor), ratio.at_least, at_least=True)
        )
    path = spread(median * 1e6 for median in figures[names.PATH].medians())
    found.append(Judged(f"{names.PATH}, p50", " us", path, PATH_SECONDS * 1e6, at_least=False))
    for name, size, most in (
        ("an event in the log", bench.log_bytes, LOG_BYTES),
        ("an event in log and views", bench.log_bytes + bench.views_bytes, STORE_BYTES),
    ):
        each = spread([size / bench.events])
        found.append(Judged(name, " bytes", each, most, at_least=False))
    return found


def _ratios(kind: str, floors: Sequence[str]) -> list[Ratio]:
    """Return what is put beside what; the aims of the two kinds of database differ."""
    plain, *others = (names.floor(kind, way) for way in floors)
    only_postgresql = kind == POSTGRESQL
    return [
        Ratio(names.RECORD, plain, 0.12 if only_postgresql else 0.08),
        *(Ratio(names.RECORD, other, None) for other in others),
        Ratio(names.RECORD, names.echo(ONE), 6.0 if only_postgresql else None),
        Ratio(names.RECORD, names.echo(BUSY), None),
        *(
            Ratio(
                names.call(count),
                names.echo(count),
                0.35 if only_postgresql and count == BUSY else None,
            )
            for count in IN_FLIGHT
        ),
        Ratio(LARGE, SMALL, 0.8),
        Ratio(names.READ, names.echo(ONE), 300.0),
        Ratio(names.READ, names.echo(BUSY), None),
        Ratio(names.REBUILD, names.RECORD_AGAIN, 2.0),
    ]
