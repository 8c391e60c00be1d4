"""The path of a unit as two lines: who had the title, and below it who had the goods."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from pathbook.charting.drawing import LINE, MARGIN, Chart, Drawing, Scheme, fit
from pathbook.charting.showing import both_ends, counted

MOST_STEPS: Final = 48
"""The most steps that are drawn. Those in the middle of a longer path are left out."""

STEPS_IN_ROW: Final = 6
"""How many steps stand beside each other before the next row begins."""

STEP: Final = 136
"""Pixels of one step."""

NAMES: Final = 56
"""Pixels for the names of the two lines."""

BAR: Final = 30
"""Pixels of the height of a line."""

HEAD: Final = 5 * LINE
"""Pixels for the texts above the lines."""

LEAST_WIDTH: Final = 640
"""The least pixels of the picture, for its texts."""


class Step(NamedTuple):
    """What happened to the unit, and where it was after that.

    Attributes:
        day: when it happened, as text.
        what: what happened, as text.
        price: what was paid, as text, "" if nothing was.
        share: the price beside the suggested price, as text: `50.0% of 300.00`. It is "" if there is none.
        owner: who had the title then.
        custodian: who had the goods then.
    """

    day: str
    what: str
    price: str
    share: str
    owner: str
    custodian: str


def draw(unit: str, about: str, steps: Sequence[Step], scheme: Scheme = Scheme.AUTO) -> Chart:
    """Draw the steps from left to right, some in a row. ``about`` says what the unit is."""
    shown, missing = both_ends(steps, MOST_STEPS)
    drawing = Drawing("path", f"The path of unit {unit}", _description(about, steps))
    columns = min(STEPS_IN_ROW, len(shown))
    width = max(LEAST_WIDTH, 2 * MARGIN + NAMES + STEP * columns)
    y = drawing.introduce(width)
    halves = [shown]
    if missing:
        half = len(shown) - len(shown) // 2
        halves = [shown[:half], shown[half:]]
    for place, part in enumerate(halves):
        if place:
            drawing.line(MARGIN, y + LINE // 2, width - MARGIN, y + LINE // 2, "cut")
            drawing.text(MARGIN, y + 2 * LINE, f"Here are {counted(missing, 'step')} more.", "warn")
            y += 3 * LINE
        for first in range(0, len(part), STEPS_IN_ROW):
            y = _row(drawing, part[first : first + STEPS_IN_ROW], y)
    left_out = (
        [f"The picture leaves out {counted(missing, 'step')} in the middle of the path."] if missing else []
    )
    return drawing.finish(width, y, scheme, left_out)


def _description(about: str, steps: Sequence[Step]) -> str:
    if not steps:
        return f"{about}. It has no step."
    last = steps[-1]
    found = f"{about}. {last.owner} has the title."
    if any(step.owner != step.custodian for step in steps):
        found += " Where the lower line is orange, the goods lie with another party than the owner."
    return found


def _row(drawing: Drawing, steps: Sequence[Step], y: int) -> int:
    """Draw one row of steps below ``y``, and return where it ends."""
    left, title, goods = MARGIN + NAMES, y + HEAD, y + HEAD + BAR + 14
    bottom = goods + BAR
    for name, top in (("title", title), ("goods", goods)):
        drawing.text(MARGIN, top + BAR // 2 + 5, name, "dim")
    for place, step in enumerate(steps):
        x = left + place * STEP
        drawing.line(x, y + 8, x, bottom, "grid")
        texts = ((step.day, "dim"), (step.what, "ink"), (step.price, "mark"), (step.share, "dim"))
        for number, (text, kind) in enumerate(texts, 1):
            if text:
                drawing.text(x + 6, y + number * LINE, fit(text, STEP - 10), kind)
    for first, last, owner in _spans([step.owner for step in steps]):
        tip = f"title: {owner}, from {steps[first].day}"
        _bar(drawing, (left + first * STEP, title, (last - first) * STEP), "title", owner, tip)
    for first, last, pair in _spans([f"{step.custodian}\n{step.owner != step.custodian}" for step in steps]):
        custodian, _, elsewhere = pair.rpartition("\n")
        tip = f"goods: {custodian}, from {steps[first].day}"
        kind = "loose" if elsewhere == "True" else "goods"
        _bar(drawing, (left + first * STEP, goods, (last - first) * STEP), kind, custodian, tip)
    return bottom + LINE


def _spans(names: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Yield where a name begins and ends, and the name, for neighbors that are the same."""
    first = 0
    for place, name in enumerate(names):
        if place + 1 == len(names) or names[place + 1] != name:
            yield first, place + 1, name
            first = place + 1


def _bar(drawing: Drawing, room: tuple[int, int, int], kind: str, name: str, tip: str) -> None:
    x, y, width = room
    drawing.rect(x + 1, y, width - 3, BAR, kind, tip)
    drawing.text(x + 8, y + BAR // 2 + 5, fit(name, width - 14), f"on-{kind}")
