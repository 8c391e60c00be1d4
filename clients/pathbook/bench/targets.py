"""The targets: figures beside their floors, and the value that each should reach."""

import itertools
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from pathbook.bench import hostile, names
from pathbook.bench.bench import Bench
from pathbook.bench.figures import Figures, Spread, spread
from pathbook.bench.moves import Shape
from pathbook.bench.plan import IN_FLIGHT, MOST_ENTRIES, UNITS, USUAL_UNITS
from pathbook.bench.reporting import QUESTIONS
from pathbook.bench.sealing import SEALING_FOLLOWER

POSTGRESQL: Final = "PostgreSQL"

ONE: Final = IN_FLIGHT[0]
"""A stream is one call, so its floor is one bare call at a time."""

BUSY: Final = IN_FLIGHT[-1]

LARGE: Final = names.shape(MOST_ENTRIES, Shape(UNITS[-1]))
SMALL: Final = names.shape(MOST_ENTRIES, Shape(USUAL_UNITS))

SCATTERED: Final = names.shape(MOST_ENTRIES, Shape(USUAL_UNITS, scattered=True))

LOG_BYTES: Final = 200
"""The target for an event on the disk, without the views."""

STORE_BYTES: Final = 500
"""The target for an event on the disk, with the views."""

PATH_SECONDS: Final = {True: 350e-6, False: 120e-6}
"""The target for the path of a unit with five hops: the median, on PostgreSQL (True) and on SQLite."""

FIRST_SEAL_SECONDS: Final = 10.0
SEALING_BYTES: Final = 300_000_000
"""The targets for sealing all runs after the views were rebuilt: seconds, and the memory of the process."""

PROOF_BYTES: Final = {"without the chains of parties": 7_000, "whole": 12_000}
PROOF_SECONDS: Final = {"made": 2e-3, "verified": 3e-3}
"""The targets for a proof of 6 signed hops with 2 cosignatures: bytes, and the CPU seconds of the median."""

QUESTION_SECONDS: Final = 0.05
"""The target for an answer of reports: 99 of 100 are there by then."""

SMALL_WRITE_SECONDS: Final = 0.2
"""The target for another caller's small write beside the costliest legal requests: 99 of 100 are answered by then."""


class Ratio(NamedTuple):
    """The rate of a phase divided by the rate of its floor, and the target for that, or None for no target."""

    phase: str
    floor: str
    at_least: float | None


class Judged(msgspec.Struct, frozen=True):
    """A target and the figure that was measured for it.

    Attributes:
        name: the name of the figure, as printed.
        unit: the unit of the figure, empty for a ratio.
        found: the median, the least and the greatest of the rounds.
        target: the value to reach; None if there is no target.
        at_least: whether the figure should be at least the target, or at most.
    """

    name: str
    unit: str
    found: Spread
    target: float | None
    at_least: bool

    @property
    def met(self) -> bool | None:
        """Whether the figure meets the target; None if there is no target."""
        if self.target is None:
            return None
        return self.found.median >= self.target if self.at_least else self.found.median <= self.target


def judged(bench: Bench) -> list[Judged]:
    """Compare the figures with their targets."""
    figures, found = bench.figures, []
    for ratio in _ratios(bench.inside.kind, bench.inside.floors):
        name = f"{ratio.phase} / {ratio.floor}"
        found.append(
            Judged(name, "", figures.beside(ratio.phase, ratio.floor), ratio.at_least, at_least=True)
        )
    path = spread(median * 1e6 for median in figures[names.PATH].medians())
    most_path = PATH_SECONDS[bench.inside.kind == POSTGRESQL] * 1e6
    found.append(Judged(f"{names.PATH}, p50", " us", path, most_path, at_least=False))
    found += _hostile_mix(figures)
    for name, size, most in (
        ("an event in the log", bench.log_bytes, LOG_BYTES),
        ("an event in log and views", bench.log_bytes + bench.views_bytes, STORE_BYTES),
    ):
        each = spread([size / bench.events])
        found.append(Judged(name, " bytes", each, most, at_least=False))
    return [*found, *_proofs(bench), *_questions(figures)]


def _proofs(bench: Bench) -> list[Judged]:
    """Compare what sealing takes, and the size and the cost of a proof."""
    figures = bench.figures
    seconds = spread(1 / rate for rate in figures[names.FIRST_SEAL].rates)
    found = [Judged(names.FIRST_SEAL, " s", seconds, FIRST_SEAL_SECONDS, at_least=False)]
    if (most := bench.memory[SEALING_FOLLOWER].get("VmHWM")) is not None:
        memory, limit = spread([most / 1e6]), SEALING_BYTES / 1e6
        found.append(Judged(f"memory of the {SEALING_FOLLOWER}", " MB", memory, limit, at_least=False))
    for what, size in bench.proof_bytes.items():
        most = PROOF_BYTES[what]
        found.append(Judged(names.proof(what), " bytes", spread([size]), most, at_least=False))
    for what, limit in PROOF_SECONDS.items():
        wait = figures[names.proof(what)].wait(50)
        assert wait, what
        found.append(
            Judged(f"{names.proof(what)}, p50", " ms CPU", spread([wait * 1e3]), limit * 1e3, at_least=False)
        )
    return found


def _questions(figures: Figures) -> list[Judged]:
    """Compare the waits for answers of reports with what they should be at most."""
    found = []
    for question in QUESTIONS:
        name = names.question(question.name)
        wait = figures[name].wait(99)
        assert wait, name
        most = QUESTION_SECONDS * 1e3
        found.append(Judged(f"{name}, p99", " ms", spread([wait * 1e3]), most, at_least=False))
    return found


def _hostile_mix(figures: Figures) -> list[Judged]:
    """Compare the waits for small calls beside hostile callers with those of quiet rounds."""
    found = []
    for small, what, percent in itertools.product(
        (names.SMALL_WRITE, names.SMALL_READ), (hostile.WRITES, hostile.READS), (50, 99)
    ):
        name, quiet = names.beside_hostile(small, what), figures[names.quiet(small)].wait(percent)
        wait = figures[name].wait(percent)
        assert wait, name
        assert quiet, name
        ratio = spread([wait / quiet])
        found.append(Judged(f"{name}, p{percent} / quiet", "", ratio, None, at_least=False))
        if (small, percent) == (names.SMALL_WRITE, 99):
            milliseconds = spread([wait * 1e3])
            most = SMALL_WRITE_SECONDS * 1e3
            found.append(Judged(f"{name}, p{percent}", " ms", milliseconds, most, at_least=False))
    return found


def _ratios(kind: str, floors: Sequence[str]) -> list[Ratio]:
    """Return the ratios to print. The targets depend on the kind of database."""
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
                0.5 if count == BUSY else None,
            )
            for count in IN_FLIGHT
        ),
        Ratio(LARGE, SMALL, 0.8),
        Ratio(SCATTERED, SMALL, 0.7),
        Ratio(names.PATH_CALLS, names.PATH_ECHO, 0.3),
        Ratio(names.ONWARD, names.FIRST_HOP, 1 / 3),
        Ratio(names.LONG_LIFE, names.FIRST_HOP, 1 / 3),
        Ratio(names.READ, names.echo(ONE), 300.0),
        Ratio(names.READ, names.echo(BUSY), None),
        Ratio(names.REBUILD, names.RECORD_AGAIN, 2.0),
        Ratio(names.SEALED, names.UNSEALED, 0.75),
        Ratio(names.SEALED_SCATTERED, names.UNSEALED_SCATTERED, 0.5),
        Ratio(names.SIGNED, names.UNSEALED, 0.5),
        Ratio(names.MANY_UNITS, names.FEW_UNITS, 0.8),
        Ratio(names.REPORTED_APART, names.FOLLOWED, 0.6),
        Ratio(names.FOLLOWED_APART, names.FOLLOWED, None),
        Ratio(names.REPORTED, names.FOLLOWED, None),
        Ratio(names.GUARDED, names.OPEN, 0.9),
        Ratio(names.GUARDED_CALLS, names.OPEN_CALLS, None),
    ]
