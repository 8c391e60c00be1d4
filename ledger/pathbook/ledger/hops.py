"""Hops: the transfers and sales by which units came and that are still in force, each linked to the one before it.

Runs share their hops, so a new hop costs the same however many came before it. The views store only the last hop of a
run, and the run that this hop moved. The hops before it are loaded when they are needed: once it is undone.
"""

import enum
from collections.abc import Iterator
from typing import Final, TypeAlias

import msgspec


class NotLoaded(enum.Enum):
    """The hops before one that was loaded from the views, until they are loaded, too."""

    NOT_LOADED = 1


NOT_LOADED: Final = NotLoaded.NOT_LOADED


# The garbage collector must know this class. Python frees a long chain of its objects step by step, but would free
# others by nested calls, and crash after some ten thousand.
class Hop(msgspec.Struct, eq=False):
    """A transfer or sale that is still in force.

    ``moved_from`` is the custodian from which it moved the goods, or "" if it moved only title. (``position``,
    ``origin``) name the run that it moved, as in pathbook.ledger.run.Run. ``earlier`` is the last hop of that run,
    or None if it had none.
    """

    transfer: int
    moved_from: str
    position: int
    origin: int
    earlier: "Earlier"

    def __eq__(self, other: object) -> bool:
        """Compare two hops of one batch. The run that a hop moved has one past, so what is before need not be equal."""
        return isinstance(other, Hop) and self._key == other._key

    def __hash__(self) -> int:
        """Return equal numbers for equal hops."""
        return hash(self._key)

    @property
    def _key(self) -> tuple[int, str, int, int]:
        return self.transfer, self.moved_from, self.position, self.origin


Earlier: TypeAlias = Hop | NotLoaded | None


def before(hop: Hop) -> Hop | None:
    """Return the hop before a hop, or None if it was the first. It must be loaded."""
    assert hop.earlier is not NOT_LOADED, hop
    return hop.earlier


def chain(last: Hop | None) -> Iterator[Hop]:
    """Yield the hops that lead to the last one, newest first. They must be loaded."""
    while last is not None:
        yield last
        last = before(last)
