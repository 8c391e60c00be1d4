"""The flow of a batch: how many units each tier passed on, and how many stopped there unsold."""

import enum
from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Final, NamedTuple

from pathbook.charting.drawing import LINE, MARGIN, Chart, Drawing, Scheme, fit
from pathbook.charting.showing import counted

MOST_TIERS: Final = 10
"""The most tiers that are drawn by themselves. Those with higher numbers are drawn as one."""

PLOT: Final = 260
"""Pixels of all units together."""

COLUMN: Final = 124
"""Pixels from one tier to the next."""

NODE: Final = 14
"""Pixels of the width of a tier."""

ENDS: Final = 150
"""Pixels for the names of the ends, on the right."""

GAP: Final = 22
"""Pixels between what a tier has and what stopped before it."""

LEAST_HEIGHT: Final = Fraction(1)
"""The least pixels of what is there at all. One unit of a million would be invisible."""

LEAST_WIDTH: Final = 640
"""The least pixels of the picture, for its texts."""

BRAND: Final = 0
"""The tier of a brand."""


class End(enum.Enum):
    """Where units are now."""

    CONSUMER = "consumers"
    UNSOLD = "unsold"
    WRITTEN_OFF = "written off"


KINDS: Final = {End.CONSUMER: "goods", End.UNSOLD: "loose", End.WRITTEN_OFF: "gone"}
"""The colors of the ends."""


class Chain(NamedTuple):
    """Units that passed through the same hands.

    Attributes:
        units: how many.
        tiers: the tiers that received them, in order, without the brand and consumers. None is a party without a tier.
        end: where they are now.
    """

    units: int
    tiers: tuple[int | None, ...]
    end: End


class Route(NamedTuple):
    """The columns that units pass in a picture, from 0 for the brand on, and their end."""

    columns: tuple[int, ...]
    end: End


class Flows(NamedTuple):
    """What a picture of chains shows.

    Attributes:
        names: the name of each column but the ends.
        routes: the units of each route.
        merged: the names of the tiers that are drawn as one, "" if none are.
        turned: the units that went to a party of the same tier or of one with a lower number on their way.
    """

    names: tuple[str, ...]
    routes: dict[Route, int]
    merged: str
    turned: int


def gather(chains: Iterable[Chain]) -> Flows:
    """Add up chains of the same tiers. What went back up is counted where it arrived, so the ends are right."""
    counts = Counter[tuple[tuple[int | None, ...], End]]()
    for chain in chains:
        counts[chain.tiers, chain.end] += chain.units
    tiers = sorted({tier for path, _ in counts for tier in path if tier is not None and tier > BRAND})
    own = tiers if len(tiers) <= MOST_TIERS else tiers[: MOST_TIERS - 1]
    rest = tiers[len(own) :]
    columns: dict[int | None, int] = {tier: place for place, tier in enumerate((BRAND, *own))}
    names = ["brand", *(f"tier {tier}" for tier in own)]
    if rest:
        columns |= dict.fromkeys(rest, len(names))
        names.append(f"tiers {rest[0]} to {rest[-1]}")
    if any(None in path for path, _ in counts):
        columns[None] = len(names)
        names.append("no tier")
    routes = Counter[Route]()
    turned = 0
    for (path, end), units in counts.items():
        route = [0]
        is_straight = True
        for tier in path:
            column = columns.get(tier, 0)
            is_straight = is_straight and column > route[-1]
            while route and route[-1] >= column:
                route.pop()
            route.append(column)
        turned += 0 if is_straight else units
        routes[Route(tuple(route), end)] += units
    return Flows(tuple(names), dict(routes), names[len(own) + 1] if rest else "", turned)


def draw(subject: str, flows: Flows, unread: int = 0, scheme: Scheme = Scheme.AUTO) -> Chart:
    """Draw bands from tier to tier, as wide as their units. ``unread`` units of the batch are in none."""
    total = sum(flows.routes.values())
    drawing = Drawing("flow", f"Where the units of {subject} went", _description(flows, total))
    width = max(LEAST_WIDTH, 2 * MARGIN + COLUMN * len(flows.names) + ENDS)
    y = drawing.introduce(width) + 2 * LINE
    height = 0
    if total:
        height = int(_Layout(drawing, flows, total, y).draw()) + MARGIN
    left_out = []
    if flows.merged:
        left_out.append(f"{flows.merged[0].upper()}{flows.merged[1:]} are drawn as one.")
    if flows.turned:
        units = counted(flows.turned, "unit")
        left_out.append(
            f"The picture leaves out that {units} also went to a party of the same tier, or of a lower number."
        )
    if unread:
        left_out.append(
            f"The picture leaves out {counted(unread, 'unit')} of the batch, which were not read."
        )
    return drawing.finish(width, y + height, scheme, left_out)


def _description(flows: Flows, total: int) -> str:
    if not total:
        return "The batch has no units here."
    ends = Counter[End]()
    for route, units in flows.routes.items():
        ends[route.end] += units
    kept = sum(
        units for route, units in flows.routes.items() if route.columns == (0,) and route.end is End.UNSOLD
    )
    unsold = ends[End.UNSOLD]
    found = (
        f"Of {counted(total, 'unit')}, {ends[End.CONSUMER]:,} reached consumers, and {unsold:,} are unsold"
    )
    found += f": {kept:,} with the brand, {unsold - kept:,} further down."
    if ends[End.WRITTEN_OFF]:
        found += f" {ends[End.WRITTEN_OFF]:,} were written off."
    return found


Lane = tuple[int, int]
"""What a band belongs to in a column, in the order from above: (0, 0) the tier itself, (1, column) on its way to that
column, (2, place of the end in `End`)."""

NODE_LANE: Final = (0, 0)


class _Layout:
    """The places of all bands. In each column, everything that is drawn has its height once."""

    def __init__(self, drawing: Drawing, flows: Flows, total: int, top: int) -> None:
        self._drawing, self._flows, self._total, self._top = drawing, flows, total, top
        self._columns = len(flows.names)
        self._scale = Fraction(PLOT, total)

    def draw(self) -> Fraction:
        """Draw bands, tiers and ends, and return the height of it all."""
        moves = self._moves()
        units = [Counter[Lane]() for _ in range(self._columns + 1)]
        for column, lanes in enumerate(moves):
            for (before, after), count in lanes.items():
                units[column][before] += count
                if column + 1 == self._columns:
                    units[self._columns][after] += count
        places = [self._places(lanes) for lanes in units]
        bottom = max(
            place + self._height(count)
            for lanes, counts in zip(places, units, strict=True)
            for (place, count) in ((lanes[lane], counts[lane]) for lane in counts)
        )
        for column, lanes in enumerate(moves):
            self._bands(column, lanes, places)
        for column, name in enumerate(self._flows.names):
            self._tier(column, name, units[column][NODE_LANE])
        for lane, count in sorted(units[self._columns].items()):
            self._end(list(End)[lane[1]], count, places[self._columns][lane])
        return bottom - self._top

    def _moves(self) -> list[Counter[tuple[Lane, Lane]]]:
        """Return the units that go from a lane of each column to a lane of the next."""
        moves = [Counter[tuple[Lane, Lane]]() for _ in range(self._columns)]
        for route, units in self._flows.routes.items():
            lanes = [self._lane(route, column) for column in range(self._columns + 1)]
            for column in range(self._columns):
                moves[column][lanes[column], lanes[column + 1]] += units
        return moves

    def _lane(self, route: Route, column: int) -> Lane:
        if column in route.columns:
            return NODE_LANE
        later = [place for place in route.columns if place > column]
        if later:
            return 1, later[0]
        end = list(End).index(route.end)
        if route.end is End.CONSUMER and column < self._columns:
            return 1, self._columns
        return 2, end

    def _places(self, lanes: Counter[Lane]) -> dict[Lane, Fraction]:
        """Return where each lane of a column begins, from above."""
        y, found = Fraction(self._top), {}
        for lane in sorted(lanes):
            found[lane] = y
            y += self._height(lanes[lane]) + GAP
        return found

    def _height(self, units: int) -> Fraction:
        return units * self._scale

    def _x(self, column: int) -> int:
        return MARGIN + column * COLUMN

    def _bands(
        self, column: int, moves: Counter[tuple[Lane, Lane]], places: Sequence[dict[Lane, Fraction]]
    ) -> None:
        """Draw what goes from a column to the next: first what goes up furthest, so that few bands cross."""
        left, right = dict(places[column]), dict(places[column + 1])
        starts = {}
        for before, after in sorted(moves):
            starts[before, after] = left[before]
            left[before] += self._height(moves[before, after])
        for before, after in sorted(moves, key=lambda move: (move[1], move[0])):
            units = moves[before, after]
            x = self._x(column) + (NODE if before == NODE_LANE else 0)
            ends = (x, starts[before, after]), (self._x(column + 1), right[after])
            right[after] += self._height(units)
            kind = self._kind(after)
            told = f"{counted(units, 'unit')} {self._name(after, column + 1)}"
            self._drawing.band(*ends, max(LEAST_HEIGHT, self._height(units)), kind, told)
            if before == NODE_LANE and after[0] == 2 and self._height(units) >= LINE - 4:  # noqa: PLR2004 - a lane of an end
                y = starts[before, after] + self._height(units) / 2 + 5
                self._drawing.text(x + 6, y, fit(f"{units:,}", COLUMN - NODE - 12), "ink over")

    def _kind(self, lane: Lane) -> str:
        if lane[0] == 2:  # noqa: PLR2004 - a lane of an end
            return KINDS[list(End)[lane[1]]]
        return "goods" if lane == (1, self._columns) else "title"

    def _name(self, lane: Lane, column: int) -> str:
        if lane[0] == 2:  # noqa: PLR2004 - a lane of an end
            return list(End)[lane[1]].value
        place = column if lane == NODE_LANE else lane[1]
        return f"to {self._flows.names[place] if place < self._columns else End.CONSUMER.value}"

    def _tier(self, column: int, name: str, units: int) -> None:
        x = self._x(column)
        height = max(LEAST_HEIGHT, self._height(units))
        self._drawing.rect(x, self._top, NODE, height, "title", f"{name}: {counted(units, 'unit')}")
        self._drawing.text(x, self._top - LINE - 4, fit(name, COLUMN - 8), "ink")
        self._drawing.text(x, self._top - 6, fit(counted(units, "unit"), COLUMN - 8), "dim")

    def _end(self, end: End, units: int, y: Fraction) -> None:
        x = self._x(self._columns)
        height = max(LEAST_HEIGHT, self._height(units))
        self._drawing.rect(x, y, NODE, height, KINDS[end], f"{end.value}: {counted(units, 'unit')}")
        told = fit(f"{end.value}: {units:,}", ENDS - NODE - 8)
        self._drawing.text(x + NODE + 8, y + min(Fraction(14), height / 2 + 5), told, "ink")
