"""The staircase: a bar for what each tier paid for a unit, beside the suggested price."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Final, NamedTuple

from pathbook.charting import scales
from pathbook.charting.drawing import LINE, MARGIN, Chart, Drawing, Scheme, fit, width_of
from pathbook.charting.showing import both_ends, counted
from pathbook.ledger.money import print_number, print_price
from pathbook.ledger.values import Price

MOST_RUNGS: Final = 16
"""The most bars of one currency. The tiers between are left out."""

MOST_CURRENCIES: Final = 6
"""The most currencies, each of which has axes of its own."""

PLOT: Final = 240
"""Pixels of the highest value of an axis."""

AXIS: Final = 84
"""Pixels for the numbers of an axis."""

SLOT: Final = 78
"""The least pixels for a bar with its gap."""

WIDEST_SLOT: Final = 120
"""The most pixels for a bar with its gap. Longer texts are cut."""

GAP: Final = 10
"""Pixels between two bars."""

LEAST_WIDTH: Final = 640
"""The least pixels of the picture, for its texts."""


class Rung(NamedTuple):
    """What the parties of one tier paid in one currency.

    Attributes:
        payer: who paid, as it is shown: `tier 1`.
        is_consumer: whether they are consumers.
        units: how many units they paid for.
        least: the lowest price.
        median: the median price.
        most: the highest price.
        suggested: the suggested price, None if it has none in this currency.
        share: the median as a share of it, as text, "" if there is none.
    """

    payer: str
    is_consumer: bool
    units: int
    least: Price
    median: Price
    most: Price
    suggested: Price | None
    share: str = ""


def draw(subject: str, rungs: Sequence[Rung], scheme: Scheme = Scheme.AUTO) -> Chart:
    """Draw a bar for each rung, as high as its median price. ``subject`` names the units: `batch 1`."""
    panels: dict[str, list[Rung]] = {}
    for rung in rungs:
        panels.setdefault(rung.median.currency_code, []).append(rung)
    drawing = Drawing("ladder", f"What each tier paid for a unit of {subject}", _description(rungs))
    shown = {code: both_ends(panels[code], MOST_RUNGS) for code in list(panels)[:MOST_CURRENCIES]}
    slot = max([SLOT, *(_slot(rung) for kept, _ in shown.values() for rung in kept)])
    most = max((len(kept) for kept, _ in shown.values()), default=0)
    if most:
        slot = max(slot, min(WIDEST_SLOT, (LEAST_WIDTH - 2 * MARGIN - AXIS - GAP) // most))
    width = max(LEAST_WIDTH, 2 * MARGIN + AXIS + slot * most + GAP)
    y = drawing.introduce(width)
    left_out = []
    for code, (kept, missing) in shown.items():
        y = _panel(drawing, code, kept, (y, width, slot), cut=missing > 0) + LINE
        if missing:
            left_out.append(
                f"The picture leaves out {counted(missing, 'rung')} of {fit(code, SLOT)}, between {_last(kept)}."
            )
    if len(panels) > MOST_CURRENCIES:
        more = counted(len(panels) - MOST_CURRENCIES, "currency", "currencies")
        left_out.append(f"The picture leaves out {more}.")
    return drawing.finish(width, y + (0 if shown else MARGIN), scheme, left_out)


def _description(rungs: Sequence[Rung]) -> str:
    if not rungs:
        return "No unit was sold yet, so no price is on record."
    found = "Each bar is the median price of one unit."
    if any(not rung.least.is_worth(rung.most) for rung in rungs):
        found += " The thin line is the range from the lowest to the highest price."
    if any(rung.suggested for rung in rungs):
        found += " The dashed line is the suggested price."
    return found


def _slot(rung: Rung) -> int:
    texts = (print_number(rung.median), rung.payer, counted(rung.units, "unit"))
    return min(WIDEST_SLOT, max(map(width_of, texts)) + GAP)


def _last(kept: Sequence[Rung]) -> str:
    half = len(kept) - len(kept) // 2
    return f"{kept[half - 1].payer} and {kept[half].payer}"


def _panel(
    drawing: Drawing, code: str, rungs: Sequence[Rung], room: tuple[int, int, int], *, cut: bool
) -> int:
    """Draw the bars of one currency below ``y`` of the room (y, width, slot), and return where they end.

    ``cut`` tells whether rungs in the middle are left out.
    """
    y, width, slot = room
    drawing.text(MARGIN, y + LINE, fit(f"{code} for one unit", (width - 2 * MARGIN) // 3), "dim")
    top, left, right = y + 3 * LINE, MARGIN + AXIS, width - MARGIN
    bottom = top + PLOT
    suggested = next((rung.suggested for rung in rungs if rung.suggested), None)
    prices = [price for rung in rungs for price in (rung.least, rung.median, rung.most)]
    values = [price.each for price in prices] + ([suggested.each] if suggested else [])
    marks = scales.ticks(max(values))
    scale = PLOT / marks[-1]
    for mark in marks:
        height = bottom - mark * scale
        drawing.line(left, height, right, height, "axis" if mark == 0 else "grid")
        label = fit(scales.print_minor(mark, code), AXIS - GAP)
        drawing.text(left - 8, height + 4, label, "dim", "end")
    rooms = [(left + GAP + place * slot, bottom, slot) for place in range(len(rungs))]
    for rung, place in zip(rungs, rooms, strict=True):
        _bar(drawing, rung, place, scale)
    if suggested is not None:
        height = bottom - max(suggested.each, Fraction(0)) * scale
        stated = f"suggested price: {print_price(suggested)}"
        drawing.line(left, height, right, height, "casing")  # it may cross bars
        drawing.line(left, height, right, height, "dashed", stated)
        drawing.text(right, y + LINE, fit(stated, (right - left) // 2), "mark", "end")
    for rung, place in zip(rungs, rooms, strict=True):
        _words(drawing, rung, place, scale)
    if cut:
        edge = left + GAP + (len(rungs) - len(rungs) // 2) * slot - GAP // 2
        drawing.line(edge, top, edge, bottom + 3 * LINE, "cut", "Here are rungs that the picture leaves out.")
    return bottom + 3 * LINE + 4


def _bar(drawing: Drawing, rung: Rung, room: tuple[int, int, int], scale: Fraction) -> None:
    """Draw one bar in its room (left, bottom, slot)."""
    x, bottom, slot = room
    width = slot - GAP
    middle = x + Fraction(width, 2)
    height = max(rung.median.each, Fraction(0)) * scale
    paid = f"{rung.payer}: median {print_price(rung.median)} for {counted(rung.units, 'unit')}"
    drawing.rect(x, bottom - height, width, height, "goods" if rung.is_consumer else "title", paid)
    if not rung.least.is_worth(rung.most):
        low, top = (max(price.each, Fraction(0)) * scale for price in (rung.least, rung.most))
        span = f"{rung.payer}: from {print_price(rung.least)} to {print_price(rung.most)}"
        drawing.line(middle, bottom - low, middle, bottom - top, "casing")  # it crosses the bar
        drawing.line(middle, bottom - low, middle, bottom - top, "thin", span)
        for end in (low, top):
            drawing.line(middle - 6, bottom - end, middle + 6, bottom - end, "thin")


def _words(drawing: Drawing, rung: Rung, room: tuple[int, int, int], scale: Fraction) -> None:
    """Write above and below a bar in its room (left, bottom, slot)."""
    x, bottom, slot = room
    middle = x + Fraction(slot - GAP, 2)
    is_range = not rung.least.is_worth(rung.most)
    top = max(rung.median.each, rung.most.each if is_range else Fraction(0), Fraction(0)) * scale
    label = fit(print_number(rung.median), slot)
    drawing.text(middle, bottom - top - 7, label, "ink", "middle")
    drawing.text(middle, bottom + LINE, fit(rung.payer, slot), "ink", "middle")
    drawing.text(middle, bottom + 2 * LINE, fit(counted(rung.units, "unit"), slot), "dim", "middle")
    if rung.share:
        drawing.text(middle, bottom + 3 * LINE, fit(f"{rung.share}", slot), "mark", "middle")
