"""The runway of a party's stock: its units by the days until they expire."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Final, NamedTuple

from pathbook.charting import scales
from pathbook.charting.drawing import LINE, MARGIN, Chart, Drawing, Scheme, fit
from pathbook.charting.showing import counted

MOST_BARS: Final = 12
"""The most bars of units that have not expired. Each is for as many days as that takes."""

MOST_LOTS: Final = 12
"""The most batches that are listed below the bars: those that expire first."""

PLOT: Final = 200
"""Pixels of the highest value of the axis."""

AXIS: Final = 84
"""Pixels for the numbers of the axis."""

SLOT: Final = 54
"""Pixels of a bar with its gap."""

LEAST_WIDTH: Final = 780
"""The least pixels of the picture, for its list."""

SPANS: Final = (1, 2, 3, 7, 14, 30, 60, 90, 180, 365)
"""The days of a bar, if they are no more than a year. Beyond that they are multiples of a year."""

COLUMNS: Final = (
    (0, "days left"),
    (84, "expires on"),
    (176, "lot"),
    (310, "product"),
    (580, "owned"),
    (660, "reserved"),
)
"""Where each column of the list begins, and its title."""


class Lot(NamedTuple):
    """What a party owns of one batch.

    Attributes:
        lot: the lot number.
        product: the name of the product.
        expires_on: the day, as text: "" if it never expires.
        days_left: days from today to that day, below 0 if it passed. None if it never expires, or the text is no date.
        owned: how many units it owns.
        reserved: how many of these open offers reserve.
    """

    lot: str
    product: str
    expires_on: str
    days_left: int | None
    owned: int
    reserved: int


class Bar(NamedTuple):
    """The units that expire within some days: what its axis says, and how many are free, and reserved by offers."""

    label: str
    tip: str
    free: int
    reserved: int
    kind: str


def bars(lots: Sequence[Lot]) -> tuple[list[Bar], int]:
    """Return the bars from left to right, and the days of each. Units without a valid date are in none."""
    dated = [(lot.days_left, lot) for lot in lots if lot.days_left is not None]
    left = [days for days, _ in dated if days >= 0]
    span = _span(max(left, default=0))
    found = []
    expired = [lot for days, lot in dated if days < 0]
    if expired:
        found.append(_bar("expired", "expired", expired, "loose"))
    for first in range(0, max(left) + 1 if left else 0, span):
        within = [lot for days, lot in dated if first <= days < first + span]
        until = first + span - 1
        tip = f"in {first} to {until} days" if span > 1 else f"in {counted(first, 'day')}"
        found.append(_bar(str(first), tip, within, "title"))
    never = [lot for lot in lots if not lot.expires_on]
    if never:
        found.append(_bar("never", "never", never, "goods"))
    return found, span


def draw(party: str, today: str, lots: Sequence[Lot], scheme: Scheme = Scheme.AUTO) -> Chart:
    """Draw a bar for each span of days, as high as its units, and list what expires first."""
    lots = [lot for lot in lots if lot.owned > 0]
    drawn, span = bars(lots)
    wrong = [lot for lot in lots if lot.days_left is None and lot.expires_on]
    drawing = Drawing("stock", f"When the stock of {party} expires", _description(lots, today, span))
    width = max(LEAST_WIDTH, 2 * MARGIN + AXIS + SLOT * len(drawn) + SLOT)
    y = drawing.introduce(width)
    if drawn:
        y = _plot(drawing, drawn, width, y)
        y = _list(drawing, lots, y)
    left_out = []
    if len(lots) > MOST_LOTS:
        more = len(lots) - MOST_LOTS
        left_out.append(f"The list leaves out {counted(more, 'batch', 'batches')}. The bars count them.")
    if wrong:
        text = f"{counted(len(wrong), 'batch', 'batches')} without a valid date of expiry"
        left_out.append(f"The bars leave out {text}.")
    return drawing.finish(width, y + (0 if drawn else MARGIN), scheme, left_out)


def _span(most: int) -> int:
    """Return how many days a bar is for, so that the bars reach so many days."""
    days = next((days for days in SPANS if days * MOST_BARS > most), 0)
    return days or SPANS[-1] * int(scales.step(Fraction(most + 1, SPANS[-1]), whole=True, steps=MOST_BARS))


def _bar(label: str, tip: str, lots: Sequence[Lot], kind: str) -> Bar:
    owned = sum(lot.owned for lot in lots)
    reserved = sum(min(max(lot.reserved, 0), lot.owned) for lot in lots)  # a server may be wrong
    return Bar(label, f"expires {tip}" if label != "expired" else tip, owned - reserved, reserved, kind)


def _description(lots: Sequence[Lot], today: str, span: int) -> str:
    if not lots:
        return f"It owns no units on {today}."
    units = counted(sum(lot.owned for lot in lots), "unit")
    each = (
        f"Each bar is for {counted(span, 'day')} from {today} on."
        if span > 1
        else f"Days are counted from {today}."
    )
    found = f"It owns {units} of {counted(len(lots), 'batch', 'batches')}. {each}"
    if any(lot.reserved for lot in lots):
        found += " The pale part of a bar is reserved by open offers."
    return found


def _plot(drawing: Drawing, drawn: Sequence[Bar], width: int, y: int) -> int:
    top, left, right = y + 2 * LINE, MARGIN + AXIS, width - MARGIN
    bottom = top + PLOT
    drawing.text(MARGIN, y + LINE // 2 + 4, "units", "dim")
    most = max(bar.free + bar.reserved for bar in drawn)
    marks = scales.ticks(Fraction(most), whole=True)
    scale = PLOT / marks[-1]
    for mark in marks:
        height = bottom - mark * scale
        drawing.line(left, height, right, height, "axis" if mark == 0 else "grid")
        drawing.text(left - 8, height + 4, fit(f"{int(mark):,}", AXIS - 10), "dim", "end")
    for place, bar in enumerate(drawn):
        x, middle = left + SLOT // 4 + place * SLOT, left + SLOT // 4 + place * SLOT + Fraction(SLOT - 4, 2)
        units = bar.free + bar.reserved
        if bar.free:
            tip = f"{counted(bar.free, 'unit')}, {bar.tip}"
            drawing.rect(x, bottom - bar.free * scale, SLOT - 4, bar.free * scale, bar.kind, tip)
        if bar.reserved:
            tip = f"{counted(bar.reserved, 'unit')} reserved, {bar.tip}"
            drawing.rect(x, bottom - units * scale, SLOT - 4, bar.reserved * scale, f"{bar.kind} band", tip)
        if units:
            drawing.text(middle, bottom - units * scale - 6, fit(f"{units:,}", SLOT), "ink", "middle")
        kind = "warn" if bar.label == "expired" else "dim"
        drawing.text(middle, bottom + LINE, fit(bar.label, SLOT - 2), kind, "middle")
    drawing.text(right, bottom + 2 * LINE, "days to expiry, from", "dim", "end")
    return bottom + 3 * LINE


def _list(drawing: Drawing, lots: Sequence[Lot], y: int) -> int:
    """List the batches that expire first, and return where the list ends."""
    for place, title in COLUMNS:
        drawing.text(MARGIN + place, y + LINE, title, "dim")
    ordered = sorted(lots, key=lambda lot: (lot.days_left is None, lot.days_left or 0))
    for row, lot in enumerate(ordered[:MOST_LOTS], 2):
        kind = "warn" if lot.days_left is not None and lot.days_left < 0 else "ink"
        days = "" if lot.days_left is None else str(lot.days_left)
        reserved = f"{lot.reserved:,}" if lot.reserved else ""
        cells = (days, lot.expires_on or "never", lot.lot, lot.product, f"{lot.owned:,}", reserved)
        ends = [place for place, _ in COLUMNS[1:]] + [LEAST_WIDTH - 2 * MARGIN]
        for (place, _), end, cell in zip(COLUMNS, ends, cells, strict=True):
            if cell:
                drawing.text(MARGIN + place, y + row * LINE, fit(cell, end - place - 8), kind)
    return y + (min(len(lots), MOST_LOTS) + 2) * LINE
