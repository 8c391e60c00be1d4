"""The naive model: one object for each unit, which answers each question by a look at every unit."""

import dataclasses
import datetime
from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.steps import StepKind
from pathbook.ledger.values import Price, Quantity, Selection, TransferStatus, UnitRange, UnitState
from tests.rules.naive_authority import Authority, consumer

STOCK, OFFERED, SOLD, CONFIRMED = UnitState.IN_STOCK, UnitState.OFFERED, UnitState.SOLD, UnitState.CONFIRMED
GONE = (UnitState.LOST, UnitState.DAMAGED, UnitState.DESTROYED, UnitState.DEFACED)
HOUR = 3_600_000_000
"""An hour in microseconds."""

Key = tuple[int, int]


@dataclasses.dataclass
class Trace:
    """What an event did to a unit, and how the unit was after it. ``corrected`` is the position that undid it, or 0."""

    position: int
    kind: StepKind
    at: int
    deal: int
    owner: str
    custodian: str
    state: UnitState
    head: bytes
    corrected: int = 0


@dataclasses.dataclass
class Hop:
    """A hop that is in force: its deal, and where the goods had been, or "" if they did not move with the title.

    ``began`` is the position of the event that moved the title.
    """

    deal: int
    moved_from: str
    tier: int | None
    price: Price
    began: int = 0


@dataclasses.dataclass
class Piece:
    """The state of one unit. ``last``, ``offer`` and ``confirmed`` are positions, or 0."""

    owner: str
    custodian: str
    head: bytes
    last: int
    state: UnitState = STOCK
    hops: list[Hop] = dataclasses.field(default_factory=list)
    past: list[Trace] = dataclasses.field(default_factory=list)
    case: str = ""
    offer: int = 0
    confirmed: int = 0


@dataclasses.dataclass
class Deal:
    """A transfer or sale. ``asked`` is the position at which a side asked to reverse it, and
    ``attested`` that at which its receiver accepted or reported it, or 0. ``allowed`` is how many extra units may come.
    """

    giver: str
    receiver: str
    keys: set[Key]
    price: Price
    with_goods: bool = True
    reference: str = ""
    open: bool = False
    in_force: bool = True
    reversal_by: str = ""
    asked: int = 0
    attested: int = 0
    status: TransferStatus = TransferStatus.ACCEPTED
    allowed: int = 0


@dataclasses.dataclass
class Lot:
    """A batch."""

    product: str
    brand: str
    size: int
    made_on: datetime.date
    expires_on: datetime.date | None
    price: Price

    def exists_at(self, at: int) -> bool:
        """Tell whether the day on which it was made has begun anywhere on earth. It begins first at UTC+14."""
        return at >= midnight(self.made_on) - 14 * HOUR

    def expired_at(self, at: int) -> bool:
        """Tell whether the day on which it expires has ended everywhere on earth. It ends last at UTC-12."""
        return self.expires_on is not None and at >= midnight(self.expires_on) + 36 * HOUR


@dataclasses.dataclass
class Alarm:
    """A recall, in force from ``since`` until ``until``."""

    brand: str
    keys: set[Key]
    since: int
    until: int | None = None


@dataclasses.dataclass
class Act:
    """An event that may be declared an error: its kind, who acted, and what it did."""

    kind: str
    actor: str
    keys: set[Key] = dataclasses.field(default_factory=set)
    deal: int = 0
    confirmed: set[Key] = dataclasses.field(default_factory=set)
    declared: bool = False


@dataclasses.dataclass
class Shortage:
    """A quantity that is larger than what it may take, with the facts that the refusal names."""

    facts: dict[str, str]


def midnight(day: datetime.date) -> int:
    """Return the UTC midnight at which a day begins, in microseconds since 1970."""
    return (day - datetime.date(1970, 1, 1)).days * 24 * HOUR


class Taking(NamedTuple):
    """Which units a quantity may take. See ``Naive.resolve``."""

    custodian: str
    onward: int | None
    sound: int | None
    confirming: bool
    returning: bool


class Naive(Authority):
    """The naive model of a book: parties, batches, units, transfers, cases, recalls, and what can be corrected."""

    def __init__(self) -> None:
        """Begin with an empty book."""
        super().__init__()
        self.names: dict[str, tuple[str, Price]] = {}
        self.lots: dict[int, Lot] = {}
        self.pieces: dict[Key, Piece] = {}
        self.deals: dict[int, Deal] = {}
        self.outer: dict[str, str] = {}
        self.packers: dict[str, str] = {}
        self.alarms: dict[int, Alarm] = {}
        self.acts: dict[int, Act] = {}

    # naming units

    def named(self, chosen: Iterable[UnitRange]) -> set[Key] | None:
        """Return the units of ranges, or None if a range names an unknown unit, or a unit twice."""
        keys = [(part.batch, number) for part in chosen for number in range(part.first, part.last + 1)]
        return set(keys) if len(set(keys)) == len(keys) and self.pieces.keys() >= set(keys) else None

    def resolve(
        self,
        units: Selection,
        owner: str,
        *,
        custodian: str = "",
        onward: int | None = None,
        sound: int | None = None,
        confirming: bool = False,
        returning: bool = False,
    ) -> set[Key] | Shortage | None:
        """Return the units that a selection takes from an owner, or None if it names them wrongly.

        ``onward`` is the time at which units must not be expired or recalled, and ``sound`` that at which they must not
        be recalled.
        """
        taking = Taking(custodian, onward, onward if sound is None else sound, confirming, returning)
        chosen = self.named(units.ranges)
        for sscc in units.cases:
            inside = self.contents(sscc) if self.outer.get(sscc) == "" else set()
            if chosen is None or not inside or inside & chosen:
                return None
            chosen |= inside
        for wanted in units.quantities:
            if chosen is None or wanted.count < 1:
                return None
            found = self.takeable(wanted, owner, taking)
            found = [key for key in found if key not in chosen]
            if len(found) < wanted.count:
                facts = self.passed_over(wanted, owner, taking)
                return Shortage(
                    {"party": owner, "available": str(len(found)), "count": str(wanted.count)} | facts
                )
            chosen |= set(found[: wanted.count])
        return chosen or None

    def asked_for(self, wanted: Quantity) -> list[Key]:
        """Return the units of a quantity's batch or product."""
        return [
            key
            for key in sorted(self.pieces)
            if (wanted.batch or key[0]) == key[0]
            and (wanted.batch or wanted.product == self.lots[key[0]].product)
        ]

    def meant(self, piece: Piece, owner: str, taking: Taking) -> bool:
        """Tell whether a unit is of the owner, with the right custodian, and can go back if it has to."""
        there = taking.custodian in ("", piece.custodian)
        return piece.owner == owner and there and (bool(piece.hops) or not taking.returning)

    def takeable(self, wanted: Quantity, owner: str, taking: Taking) -> list[Key]:
        """Return the units that a quantity may take, in the order in which it takes them."""
        states = (SOLD,) if taking.confirming else (SOLD, CONFIRMED) if consumer(owner) else (STOCK,)
        found = [
            key
            for key in self.asked_for(wanted)
            if self.meant(self.pieces[key], owner, taking)
            and self.pieces[key].state in states
            and (taking.confirming or not self.pieces[key].case)
            and (taking.onward is None or not self.lots[key[0]].expired_at(taking.onward))
            and (taking.sound is None or not self.recalled({key}, taking.sound))
        ]
        if consumer(owner):
            return sorted(found, key=lambda key: (self.pieces[key].hops[-1].deal, key))
        return sorted(found, key=lambda key: (self.first_to_expire(key[0]), key))

    def first_to_expire(self, batch: int) -> tuple[datetime.date, datetime.date]:
        """Return by what batches are ordered: when they expire, and when they were made."""
        return self.lots[batch].expires_on or datetime.date.max, self.lots[batch].made_on

    def passed_over(self, wanted: Quantity, owner: str, taking: Taking) -> dict[str, str]:
        """Count the owner's units that a quantity does not take."""
        counts = {"expired": 0, "recalled": 0, "reserved": 0, "packed": 0}
        for key in self.asked_for(wanted):
            piece = self.pieces[key]
            if not self.meant(piece, owner, taking) or piece.state in GONE:
                continue
            if piece.state is OFFERED:
                counts["reserved"] += 1
            elif taking.onward is not None and self.lots[key[0]].expired_at(taking.onward):
                counts["expired"] += 1
            elif taking.sound is not None and self.recalled({key}, taking.sound):
                counts["recalled"] += 1
            elif piece.case and not taking.confirming:
                counts["packed"] += 1
        return {name: str(count) for name, count in counts.items()}

    # cases

    def contents(self, sscc: str) -> set[Key]:
        """Return the units in a case and in its inner cases, without those written off."""
        inner = {name for name in self.outer if self.inside(name, sscc)}
        return {key for key, piece in self.pieces.items() if piece.case in inner and piece.state not in GONE}

    def inside(self, name: str, sscc: str) -> bool:
        """Tell whether a case is the other case, or lies in it."""
        return name == sscc or (bool(self.outer[name]) and self.inside(self.outer[name], sscc))

    def outermost(self, sscc: str) -> str:
        """Return the outermost case that contains a case."""
        return self.outermost(self.outer[sscc]) if self.outer[sscc] else sscc

    def cases_of(self, keys: set[Key]) -> set[str]:
        """Return the outermost cases that the units lie in."""
        return {self.outermost(self.pieces[key].case) for key in keys if self.pieces[key].case}

    def whole(self, keys: set[Key]) -> bool:
        """Tell whether the units contain all units of each case that they touch."""
        return all(self.contents(sscc) <= keys for sscc in self.cases_of(keys))

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

    # moving units

    def recalled(self, keys: set[Key], at: int) -> bool:
        """Tell whether any of the units was under a recall at a time."""
        return any(
            alarm.keys & keys and alarm.since <= at and (alarm.until is None or at < alarm.until)
            for alarm in self.alarms.values()
        )

    def exist(self, keys: set[Key], at: int) -> bool:
        """Tell whether all units had been made at a time."""
        return all(self.lots[batch].exists_at(at) for batch, _ in keys)

    def free(self, keys: set[Key], owner: str, at: int) -> bool:
        """Tell whether an owner may transfer units."""
        mine = all(self.pieces[key].owner == owner and self.pieces[key].state is STOCK for key in keys)
        return mine and self.whole(keys) and self.exist(keys, at) and not self.recalled(keys, at)

    def touch(self, keys: Iterable[Key], kind: StepKind, event: RecordedEvent, deal: int) -> None:
        """Add an event to the past of units, which are now as they are after it."""
        position, leaf = event.position, event.leaf
        for key in keys:
            piece = self.pieces[key]
            piece.last = position
            piece.head = sha256(b"\x01" + piece.head + leaf + position.to_bytes(8, "big")).digest()
            after = (piece.owner, piece.custodian, piece.state, piece.head)
            piece.past.append(Trace(position, kind, event.occurred_at, deal, *after))
            if kind in (StepKind.TRANSFERRED, StepKind.SOLD):
                piece.hops[-1].began = position

    def mark(self, key: Key, first: int, last: int, position: int) -> None:
        """Mark what happened to a unit from one position to another as undone by the event at a position."""
        for trace in self.pieces[key].past:
            if first <= trace.position <= last and not trace.corrected:
                trace.corrected = position

    def move(self, position: int, deal: Deal, state: UnitState, at: int) -> None:
        """Move the units of a deal to its receiver."""
        self.deals[position] = deal
        for key in deal.keys:
            piece = self.pieces[key]
            moves = deal.with_goods and piece.custodian != deal.receiver
            _, tier = self.status(deal.receiver, self.lots[key[0]].product, at)
            piece.hops = [*piece.hops, Hop(position, piece.custodian if moves else "", tier, deal.price)]
            piece.owner, piece.state, piece.offer = deal.receiver, state, 0
            piece.custodian = deal.receiver if deal.with_goods else piece.custodian

    def before(self, key: Key) -> tuple[str, str]:
        """Return who owned a unit before its last hop, and who would have it if that hop were undone."""
        piece = self.pieces[key]
        hop, deal = piece.hops[-1], self.deals[piece.hops[-1].deal]
        goes_back = hop.moved_from and piece.custodian == deal.receiver
        return deal.giver, hop.moved_from if goes_back else piece.custodian

    def tears(self, keys: set[Key]) -> bool:
        """Tell whether a case would have several owners or lie in several places, if the last hops were undone."""
        return any(
            len({self.before(key) for key in self.contents(sscc) & keys}) > 1 for sscc in self.cases_of(keys)
        )

    def undo(self, keys: set[Key]) -> None:
        """Undo the last hop of units."""
        for key in keys:
            piece = self.pieces[key]
            piece.owner, piece.custodian = self.before(key)
            piece.state, piece.hops, piece.confirmed = STOCK, piece.hops[:-1], 0
