"""The naive dictionary: one entry a unit, and every question answered by looking at each of them."""

import dataclasses

from pathbook.ledger.values import UnitRange, UnitState

STOCK, OFFERED, SOLD = UnitState.IN_STOCK, UnitState.OFFERED, UnitState.SOLD
GONE = (UnitState.LOST, UnitState.DAMAGED)

Key = tuple[int, int]


@dataclasses.dataclass
class Piece:
    """What the naive model remembers of one unit."""

    owner: str = "acme"
    custodian: str = "acme"
    state: UnitState = STOCK
    chain: list[int] = dataclasses.field(default_factory=list)
    case: str = ""


@dataclasses.dataclass
class Deal:
    """What the naive model remembers of one transfer or sale."""

    giver: str
    receiver: str
    keys: set[Key]
    together: bool
    open: bool = False
    stands: bool = True
    asked_by: str = ""


class Naive:
    """What every unit is, whose, where, how it came, and in which case."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.pieces: dict[Key, Piece] = {}
        self.deals: dict[int, Deal] = {}
        self.outer: dict[str, str] = {}
        self.packers: dict[str, str] = {}

    def named(self, chosen: list[UnitRange]) -> set[Key] | None:
        """Return the units of ranges, or None where they name none, or one twice."""
        keys = [(part.batch, number) for part in chosen for number in range(part.first, part.last + 1)]
        return set(keys) if len(set(keys)) == len(keys) and self.pieces.keys() >= set(keys) else None

    def contents(self, sscc: str) -> set[Key]:
        """Return the units in a case and the cases in it, less those written off."""
        inner = {
            name
            for name in self.outer
            if self.outermost(name) == self.outermost(sscc) and self.inside(name, sscc)
        }
        return {key for key, piece in self.pieces.items() if piece.case in inner and piece.state not in GONE}

    def inside(self, name: str, sscc: str) -> bool:
        """Tell whether a case is another, or lies in it."""
        return name == sscc or (bool(self.outer[name]) and self.inside(self.outer[name], sscc))

    def outermost(self, sscc: str) -> str:
        """Return the case a case lies in, however deep."""
        return self.outermost(self.outer[sscc]) if self.outer[sscc] else sscc

    def whole(self, keys: set[Key]) -> bool:
        """Tell whether units leave no part of a case behind."""
        cases = {self.outermost(self.pieces[key].case) for key in keys if self.pieces[key].case}
        return all(self.contents(sscc) <= keys for sscc in cases)

    def free(self, keys: set[Key] | None, owner: str) -> bool:
        """Tell whether an owner may move the title of units."""
        if keys is None:
            return False
        mine = all(self.pieces[key].owner == owner and self.pieces[key].state is STOCK for key in keys)
        return mine and self.whole(keys)

    def move(self, deal: Deal, position: int, state: UnitState) -> None:
        """Move units on in the dictionary."""
        self.deals[position] = deal
        for key in deal.keys:
            piece = self.pieces[key]
            piece.owner, piece.state = deal.receiver, state
            piece.custodian = deal.receiver if deal.together else piece.custodian
            piece.chain = [*piece.chain, position]

    def back(self, deal: Deal, keys: set[Key]) -> None:
        """Move units back in the dictionary."""
        for key in keys:
            piece = self.pieces[key]
            piece.custodian = deal.giver if piece.custodian == deal.receiver else piece.custodian
            piece.owner, piece.state, piece.chain = deal.giver, STOCK, piece.chain[:-1]

    def open_cases(self, kept: set[Key], accepted: set[Key]) -> None:
        """Unpack every case of which some units are kept and some accepted."""
        broken = [
            sscc for sscc in self.outer if self.contents(sscc) & kept and self.contents(sscc) & accepted
        ]
        for sscc in broken:
            self.unpack_case(sscc)

    def unpack_case(self, sscc: str) -> None:
        """Take everything out of a case."""
        del self.outer[sscc]
        self.outer = {name: "" if outer == sscc else outer for name, outer in self.outer.items()}
        for piece in self.pieces.values():
            piece.case = "" if piece.case == sscc else piece.case
