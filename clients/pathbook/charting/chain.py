"""The tree of the chain: each party below the party that authorized it."""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from pathbook.charting.drawing import MARGIN, Chart, Drawing, Scheme, fit
from pathbook.charting.showing import counted

MOST_PARTIES: Final = 120
"""The most parties that are drawn: those next to the brand first."""

ROW: Final = 26
"""Pixels from one party to the next."""

INDENT: Final = 26
"""Pixels from a party to those below it."""

DEEPEST: Final = 16
"""The most steps to the right. Deeper parties stand below each other."""

ABOUT: Final = 430
"""Pixels for the texts of a party."""

NAME: Final = 190
"""The most pixels of the id of a party."""

KINDS: Final = {"brand": "goods", "agent": "title", "shop": "loose"}
"""The color of the dot of a kind. Others are gray."""


class Party(NamedTuple):
    """A party, and who authorized it.

    Attributes:
        party: its id.
        kind: what it is: `brand`, `agent` or `shop`.
        uplines: those whose authorization is in force, oldest first, each with the tier that it gives.
    """

    party: str
    kind: str
    uplines: tuple[tuple[str, int], ...]


class Row(NamedTuple):
    """A party of the tree.

    Attributes:
        party: the party.
        depth: how far below the roots it is.
        parent: the row of its upline, None for a root.
        below: how many parties below it are left out.
    """

    party: Party
    depth: int
    parent: int | None
    below: int


class Tree(NamedTuple):
    """The rows of a tree from above, and the number of parties in all."""

    rows: tuple[Row, ...]
    parties: int


def tree(parties: Sequence[Party], most: int = MOST_PARTIES) -> Tree:
    """Put each party below the first upline that is a party, and keep those next to the roots.

    Roots are brands and other parties without an upline. A circle of uplines, which no book has, is cut.
    """
    known = {party.party: party for party in parties}
    below: dict[str, list[Party]] = {}
    for party in known.values():
        below.setdefault(next((upline for upline, _ in party.uplines if upline in known), ""), []).append(
            party
        )
    for found in below.values():
        found.sort(key=lambda party: (party.kind != "brand", party.party))
    roots = [party for party in known.values() if not any(upline in known for upline, _ in party.uplines)]
    reached = _reached(roots, below)
    circular = [party for party in known.values() if party.party not in reached]
    while circular:
        roots.append(circular[0])
        reached |= _reached(circular[:1], below, reached)
        circular = [party for party in circular if party.party not in reached]
    roots.sort(key=lambda party: (party.kind != "brand", party.party))
    order = list(_reached(roots, below))
    kept = set(order[:most])
    return Tree(tuple(_rows(roots, below, kept)), len(known))


def draw(at: str, parties: Sequence[Party], unread: str = "", scheme: Scheme = Scheme.AUTO) -> Chart:
    """Draw a row for each party, a step further to the right than its upline.

    Args:
        at: the moment at which the authorizations are in force, as text.
        parties: all of them, in any order.
        unread: a sentence about parties that are not among them, "" if all are.
        scheme: the colors.
    """
    found = tree(parties)
    drawing = Drawing("chain", "Who authorized whom", _description(at, found))
    depth = max((min(row.depth, DEEPEST) for row in found.rows), default=0)
    width = 2 * MARGIN + depth * INDENT + NAME + ABOUT
    y = drawing.introduce(width) + ROW
    last: dict[int, int] = {}
    for place, row in enumerate(found.rows):
        _row(drawing, row, y + place * ROW, MARGIN + depth * INDENT + NAME)
        if row.parent is not None:
            last[row.parent] = place
    for parent, place in last.items():
        x = _x(found.rows[parent].depth)
        if found.rows[parent].depth < DEEPEST:
            drawing.line(x, y + parent * ROW + 3, x, y + place * ROW - 5, "axis")
    left_out = [unread] if unread else []
    missing = found.parties - len(found.rows)
    if missing:
        left_out.insert(
            0, f"The picture leaves out {missing:,} of {counted(found.parties, 'party', 'parties')}."
        )
    return drawing.finish(width, y + len(found.rows) * ROW, scheme, left_out)


def _description(at: str, found: Tree) -> str:
    if not found.parties:
        return "The book has no parties."
    return (
        f"Authorizations that are in force at {at}. Each of the {counted(found.parties, 'party', 'parties')} stands"
        " below its upline."
    )


def _reached(
    roots: Sequence[Party], below: dict[str, list[Party]], before: dict[str, None] | None = None
) -> dict[str, None]:
    """Return the ids of the roots and of all below, those next to the roots first."""
    found = dict.fromkeys(before or ())
    waiting = deque(roots)
    while waiting:
        party = waiting.popleft()
        if party.party not in found:
            found[party.party] = None
            waiting.extend(below.get(party.party, ()))
    return found


def _rows(roots: Sequence[Party], below: dict[str, list[Party]], kept: set[str]) -> Iterator[Row]:
    """Yield a row for each party that is kept, each before those below it."""
    waiting: list[tuple[Party, int, int | None]] = [(party, 0, None) for party in reversed(roots)]
    seen: set[str] = set()
    place = 0
    while waiting:
        party, depth, parent = waiting.pop()
        if party.party not in kept or party.party in seen:
            continue
        seen.add(party.party)
        under = [each for each in below.get(party.party, ()) if each.party not in seen]
        hidden = [each for each in under if each.party not in kept]
        yield Row(party, depth, parent, len(_reached(hidden, below)) if hidden else 0)
        waiting += [(each, depth + 1, place) for each in reversed(under)]
        place += 1


def _x(depth: int) -> int:
    return MARGIN + 6 + min(depth, DEEPEST) * INDENT


def _row(drawing: Drawing, row: Row, y: int, about: int) -> None:
    """Draw the dot and the id of a party, the line to its upline, and words about it from ``about`` on."""
    x = _x(row.depth)
    party = row.party
    if row.parent is not None and row.depth <= DEEPEST:
        drawing.line(_x(row.depth - 1), y - 5, x - 6, y - 5, "axis")
    tip = f"{party.party}: {party.kind}"
    drawing.dot(x, y - 5, 5, KINDS.get(party.kind, "gone"), tip)
    drawing.text(x + 12, y, fit(party.party, about - x - 24), "ink")
    words = [party.kind]
    if party.uplines:
        words.insert(0, f"tier {party.uplines[0][1]}")
    elif party.kind != "brand":
        words.append("no authorization in force")
    others = (
        sorted({upline for upline, _ in party.uplines[1:]} - {party.uplines[0][0]}) if party.uplines else []
    )
    if others:
        also = ", ".join(others[:2]) + (f" and {len(others) - 2} more" if len(others) > 2 else "")  # noqa: PLR2004 - as many as fit
        words.append(f"also by {also}")
    if row.below:
        words.append(f"{row.below:,} below it left out")
    drawing.text(about, y, fit(" · ".join(words), ABOUT - MARGIN), "dim")
