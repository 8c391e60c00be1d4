"""How much of an answer a picture shows: the two ends of what is too long, and words for counts."""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

Item = TypeVar("Item")


class Ends(NamedTuple):
    """The ends of a list.

    Attributes:
        first: how many items of its beginning are shown.
        last: how many items of its end are shown.
        between: how many items are left out between them.
    """

    first: int
    last: int
    between: int


def ends(count: int, most: int) -> Ends:
    """Return how much of both ends of a list is shown, if at most so many items are."""
    if count <= most:
        return Ends(count, 0, 0)
    first = most - most // 2
    return Ends(first, most - first, count - most)


def both_ends(items: Sequence[Item], most: int) -> tuple[Sequence[Item], int]:
    """Return the items that are shown, and how many are left out between their halves."""
    shown = ends(len(items), most)
    return [*items[: shown.first], *items[len(items) - shown.last :]], shown.between


def counted(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun: `1 unit`, `1,200 units`."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
