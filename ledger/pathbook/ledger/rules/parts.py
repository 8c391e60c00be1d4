"""The parts of a state that commands need and that are still to be loaded."""

from typing import Final

import msgspec

from pathbook.ledger.hops import Hop
from pathbook.ledger.refusals import Refusal
from pathbook.ledger.values import UnitRange


class RequiredState(msgspec.Struct):
    """The state that commands need and that is not loaded.

    ``batches`` are needed without their runs. ``runs`` are units whose runs are needed. ``stocks`` are the runs of an
    owner in a batch, each with the unit from which on they are needed, and how many at most.

    ``holdings`` are pairs of party and GTIN, for the batches in which the party may own units. ``references`` are
    giver, receiver and reference. ``declarables`` are positions of events that may be declared errors, and ``leaves``
    those of recalls and authorizations whose leaf hashes are needed. ``hops`` may be undone, and no hop before them
    is loaded. They come with their batches. ``keys`` are parties whose keys are needed, and ``taken_keys`` keys that
    may be registered already. ``visited`` and ``lines`` are the cases and the parties that were already examined, and
    ``listing`` the parties whose products were. ``refusals`` are those of commands that need more state than they may
    look at. ``is_cut`` says that the last commands were not examined, because the others took too many steps.
    """

    parties: set[str] = set()
    products: set[str] = set()
    lots: set[tuple[str, str]] = set()
    batches: set[int] = set()
    stocks: dict[tuple[int, str], tuple[int, int]] = {}
    runs: set[UnitRange] = set()
    transfers: set[int] = set()
    cases: set[str] = set()
    recalls: set[int] = set()
    authorizations: set[int] = set()
    leaves: set[int] = set()
    holdings: set[tuple[str, str]] = set()
    references: set[tuple[str, str, str]] = set()
    declarables: set[int] = set()
    keys: set[str] = set()
    taken_keys: set[bytes] = set()
    hops: list[tuple[int, Hop]] = []
    visited: set[str] = set()
    lines: set[str] = set()
    listing: set[str] = set()
    refusals: list[Refusal] = []
    is_cut: bool = False

    def __bool__(self) -> bool:
        """Tell whether anything must be loaded."""
        return any(msgspec.structs.astuple(self)[:-5])

    def is_of_runs(self) -> bool:
        """Tell whether only runs must be loaded."""
        return not any(getattr(self, name) for name in _BESIDE_RUNS)


_BESIDE_RUNS: Final = frozenset(RequiredState.__struct_fields__) - {
    *("stocks", "runs", "hops", "visited", "lines", "listing", "refusals", "is_cut")
}
