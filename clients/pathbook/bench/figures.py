"""The figures: rates of each round, times of single answers, and ratios of one figure to another."""

import itertools
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec


class Figure(msgspec.Struct):
    """The figures of one phase.

    Attributes:
        name: the unique name of the phase, as printed.
        counted: what is counted, such as events.
        rates: the count per second, one for each round.
        waits: for each round, the seconds until each answer.
        views_rates: as rates, but until the views included the events too; empty if the phase wrote nothing.
    """

    name: str
    counted: str
    rates: list[float] = []
    waits: list[Sequence[float]] = []
    views_rates: list[float] = []

    @property
    def rate(self) -> float:
        """The median rate of the rounds."""
        return statistics.median(self.rates)

    @property
    def views_rate(self) -> float | None:
        """The median rate of the rounds until the views included the events; None if the phase wrote nothing."""
        return statistics.median(self.views_rates) if self.views_rates else None

    def wait(self, percent: int) -> float | None:
        """Return this percentile of the seconds until an answer, over all rounds; None if there were no answers."""
        waits = sorted(itertools.chain.from_iterable(self.waits))
        return waits[min(len(waits) * percent // 100, len(waits) - 1)] if waits else None

    def medians(self) -> list[float]:
        """Return the median of the seconds until an answer, for each round."""
        return [statistics.median(waits) for waits in self.waits if waits]


class Spread(NamedTuple):
    """The median of some rounds, with the least and the greatest of them."""

    median: float
    least: float
    most: float


def spread(values: Iterable[float]) -> Spread:
    """Return the median, the least and the greatest of some values."""
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
        """Return the ratio of a phase's rate to its floor's, for each round.

        If the two phases have different numbers of rounds, divide by the median of the floor.
        """
        rates, floors = self[name].rates, self[floor].rates
        if len(rates) == len(floors):
            return spread(rate / floor_rate for rate, floor_rate in zip(rates, floors, strict=True))
        return spread(rate / self[floor].rate for rate in rates)


class Usage:
    """The CPU time that recording in batches took, over all rounds.

    Attributes:
        events: how many events were recorded.
        seconds: how long that took.
        load: CPU seconds of the load.
        others: CPU seconds of each process, by name, until the views included the events. It is empty if the
            operating system does not report them.
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
