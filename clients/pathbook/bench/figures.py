"""What was measured: rates round by round, how long single answers took, and one figure beside another."""

import itertools
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec


class Figure(msgspec.Struct):
    """One phase: so many a second in each of its rounds, and how long its answers took, all rounds together.

    Attributes:
        name: what a person reads; no two phases have the same.
        counted: what there are so many of, such as events.
        rates: so many a second, one for each round.
        waits: of each round seconds, one for each answer waited for.
        views_rates: as rates, until the views knew them too; empty where nothing was written.
    """

    name: str
    counted: str
    rates: list[float] = []
    waits: list[Sequence[float]] = []
    views_rates: list[float] = []

    @property
    def rate(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.rates)

    @property
    def views_rate(self) -> float | None:
        """The median of the rounds, if any of them wrote."""
        return statistics.median(self.views_rates) if self.views_rates else None

    def wait(self, percent: int) -> float | None:
        """How many seconds so many of a hundred answers took at the most; None where none was waited for."""
        waits = sorted(itertools.chain.from_iterable(self.waits))
        return waits[min(len(waits) * percent // 100, len(waits) - 1)] if waits else None

    def medians(self) -> list[float]:
        """Return how many seconds half of the answers took at the most, round by round."""
        return [statistics.median(waits) for waits in self.waits if waits]


class Spread(NamedTuple):
    """The median of some rounds, and between what they lay."""

    median: float
    least: float
    most: float


def spread(values: Iterable[float]) -> Spread:
    """Return the median of values, the least and the greatest."""
    found = list(values)
    return Spread(statistics.median(found), min(found), max(found))


class Figures:
    """All phases measured so far, in the order in which they were first measured."""

    def __init__(self) -> None:
        self._figures: dict[str, Figure] = {}

    def __iter__(self) -> Iterator[Figure]:
        """Yield the phases."""
        return iter(self._figures.values())

    def __getitem__(self, name: str) -> Figure:
        """Return a phase."""
        return self._figures[name]

    def add(
        self,
        name: str,
        counted: str,
        count: int,
        seconds: float,
        waits: Sequence[float] = (),
        views_seconds: float | None = None,
    ) -> None:
        """Add a round of a phase."""
        figure = self._figures.setdefault(name, Figure(name, counted))
        figure.rates.append(count / seconds)
        figure.waits.append(waits)
        if views_seconds is not None:
            figure.views_rates.append(count / views_seconds)

    def beside(self, name: str, floor: str) -> Spread:
        """Return a phase's rate over another's, round by round; where rounds differ in number, over its median."""
        rates, floors = self[name].rates, self[floor].rates
        if len(rates) == len(floors):
            return spread(rate / below for rate, below in zip(rates, floors, strict=True))
        return spread(rate / self[floor].rate for rate in rates)


class Usage:
    """What recording in batches used of processors, all rounds together, in seconds.

    Attributes:
        events: how many were recorded.
        seconds: how long that took.
        load: seconds of a processor that the load used.
        others: the same of each process, by name, until the views knew the events; empty where nobody tells.
    """

    def __init__(self) -> None:
        self.events = 0
        self.seconds = 0.0
        self.load = 0.0
        self.others: dict[str, float] = {}

    def add(self, events: int, seconds: float, load: float, others: Mapping[str, float]) -> None:
        """Add a round."""
        self.events += events
        self.seconds += seconds
        self.load += load
        for name, used in others.items():
            self.others[name] = self.others.get(name, 0.0) + used
