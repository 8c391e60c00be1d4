"""The naive model: a dictionary with one entry per unit, which answers each question by a look at every unit."""

import dataclasses

from pathbook.ledger.values import UnitRange, UnitState

STOCK, OFFERED, SOLD = UnitState.IN_STOCK, UnitState.OFFERED, UnitState.SOLD
GONE = (UnitState.LOST, UnitState.DAMAGED)

Key = tuple[int, int]


@dataclasses.dataclass
class Piece:
    """The state of one unit in the naive model."""

    owner: str = "acme"
    custodian: str = "acme"
    state: UnitState = STOCK
    chain: list[int] = dataclasses.field(default_factory=list)
    moved_from: list[str] = dataclasses.field(default_factory=list)
    case: str = ""


@dataclasses.dataclass
class Deal:
    """The state of one transfer or sale in the naive model."""

    giver: str
    receiver: str
    keys: set[Key]
    with_goods: bool
    open: bool = False
    in_force: bool = True
    reversal_by: str = ""


class Naive:
    """The naive model of a book: units, transfers and cases."""

    def __init__(self) -> None:
        """Begin with an empty book."""
        self.pieces: dict[Key, Piece] = {}
        self.deals: dict[int, Deal] = {}
        self.outer: dict[str, str] = {}
        self.packers: dict[str, str] = {}

    def named(self, chosen: list[UnitRange]) -> set[Key] | None:
        """Return the units of ranges, or None if a range names an unknown unit, or a unit twice."""
        keys = [(part.batch, number) for part in chosen for number in range(part.first, part.last + 1)]
        return set(keys) if len(set(keys)) == len(keys) and self.pieces.keys() >= set(keys) else None

    def contents(self, sscc: str) -> set[Key]:
        """Return the units in a case and in its inner cases, without those written off."""
        inner = {
            name
            for name in self.outer
            if self.outermost(name) == self.outermost(sscc) and self.inside(name, sscc)
        }
        return {key for key, piece in self.pieces.items() if piece.case in inner and piece.state not in GONE}

    def inside(self, name: str, sscc: str) -> bool:
        """Tell whether a case is the other case, or lies in it."""
        return name == sscc or (bool(self.outer[name]) and self.inside(self.outer[name], sscc))

    def outermost(self, sscc: str) -> str:
        """Return the outermost case that contains a case."""
        return self.outermost(self.outer[sscc]) if self.outer[sscc] else sscc

    def whole(self, keys: set[Key]) -> bool:
        """Tell whether the units contain all units of each case that they touch."""
        cases = {self.outermost(self.pieces[key].case) for key in keys if self.pieces[key].case}
        return all(self.contents(sscc) <= keys for sscc in cases)

    def free(self, keys: set[Key] | None, owner: str) -> bool:
        """Tell whether an owner may transfer units."""
        if keys is None:
            return False
        mine = all(self.pieces[key].owner == owner and self.pieces[key].state is STOCK for key in keys)
        return mine and self.whole(keys)

    def move(self, deal: Deal, position: int, state: UnitState) -> None:
        """Move the units of a deal to its receiver."""
        self.deals[position] = deal
        for key in deal.keys:
            piece = self.pieces[key]
            moved = deal.with_goods and piece.custodian != deal.receiver
            piece.moved_from = [*piece.moved_from, piece.custodian if moved else ""]
            piece.owner, piece.state = deal.receiver, state
            piece.custodian = deal.receiver if deal.with_goods else piece.custodian
            piece.chain = [*piece.chain, position]

    def move_back(self, deal: Deal, keys: set[Key]) -> None:
        """Move units of a deal back to its giver, and their goods to where the deal had moved them from."""
        for key in keys:
            piece = self.pieces[key]
            before = piece.moved_from.pop()
            piece.custodian = before if before and piece.custodian == deal.receiver else piece.custodian
            piece.owner, piece.state, piece.chain = deal.giver, STOCK, piece.chain[:-1]

    def open_cases(self, kept: set[Key], accepted: set[Key]) -> None:
        """Unpack each case that holds both kept and accepted units."""
        broken = [
            sscc for sscc in self.outer if self.contents(sscc) & kept and self.contents(sscc) & accepted
        ]
        for sscc in broken:
            self.unpack_case(sscc)

    def unpack_case(self, sscc: str) -> None:
        """Unpack a case."""
        del self.outer[sscc]
        self.outer = {name: "" if outer == sscc else outer for name, outer in self.outer.items()}
        for piece in self.pieces.values():
            piece.case = "" if piece.case == sscc else piece.case
