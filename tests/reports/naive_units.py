"""A naive replay that keeps one object for each unit that ever moved, and sums them up at the end, once."""

import dataclasses
import datetime
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from pathbook.ledger import events
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import WRITTEN_OFF, Delivery, Price, Ranges, UnitState, is_consumer
from tests.scenario import DAY

Key = tuple[int, int]


@dataclasses.dataclass
class Bought:
    """A hop: who received the unit by which transfer, when, at which tier and price, and from where the goods moved."""

    transfer: int
    receiver: str
    tier: int | None
    at: int
    price: Price
    moved_from: str


@dataclasses.dataclass
class Piece:
    """A unit: who has it, its state, and its hops in force."""

    owner: str
    custodian: str
    state: UnitState = UnitState.IN_STOCK
    hops: list[Bought] = dataclasses.field(default_factory=list)


def units(ranges: Ranges) -> Iterator[Key]:
    """Yield the units of ranges, one by one."""
    return ((part.batch, number) for part in ranges for number in range(part.first, part.last + 1))


class NaiveUnits:
    """The units of a book after its events. Units that never moved are counted by batch in ``untouched``."""

    def __init__(self, recorded: Iterable[RecordedEvent]) -> None:
        """Replay events from the first one on."""
        self.made: dict[int, events.BatchCommissioned] = {}
        self.pieces: dict[Key, Piece] = {}
        for each in recorded:
            self._apply(each)
        touched = Counter(batch for batch, _ in self.pieces)
        self.untouched = {batch: made.size - touched[batch] for batch, made in self.made.items()}

    def _piece(self, key: Key) -> Piece:
        brand = self.made[key[0]].brand
        return self.pieces.setdefault(key, Piece(brand, brand))

    def _apply(self, each: RecordedEvent) -> None:
        match each.event:
            case events.BatchCommissioned() as made:
                self.made[made.batch] = made
            case events.TransferRecorded(terms) | events.UnitsSold(terms):
                self._onward(each, each.position, terms)
            case events.TransferAccepted() as accepted:
                for part in accepted.discrepancies:
                    self._state(part.ranges, UnitState.IN_STOCK)
                self._onward(each, accepted.transfer, accepted.terms)
            case events.TransferOffered(terms):
                self._state(terms.ranges, UnitState.OFFERED)
            case events.TransferDeclined() | events.TransferWithdrawn() | events.TransferLapsed() as ended:
                self._state(ended.ranges, UnitState.IN_STOCK)
            case events.TransferReversed(terms=terms):
                self._back(terms)
            case events.UnitsReturned(lines=lines):
                for line in lines:
                    self._back(line.terms)
            case events.UnitsDelivered() as delivered:
                for key in units(delivered.ranges):
                    self._piece(key).custodian = delivered.receiver
            case events.PurchaseConfirmed(ranges=ranges):
                self._state(ranges, UnitState.CONFIRMED)
            case events.UnitsWrittenOff(ranges=ranges, state=state):
                self._state(ranges, state)
            case events.ErrorDeclared(declared=declared):
                self._undo(declared)
            case _:
                pass

    def _undo(self, declared: events.DeclarableEvent) -> None:
        match declared:
            case events.UnitsWrittenOff(ranges=ranges, confirmed=confirmed):
                for key in units(ranges):
                    piece = self._piece(key)
                    piece.state = UnitState.SOLD if is_consumer(piece.owner) else UnitState.IN_STOCK
                self._state(confirmed, UnitState.CONFIRMED)
            case events.PurchaseConfirmed(ranges=ranges):
                self._state(ranges, UnitState.SOLD)
            case events.UnitsDelivered(custodian=custodian, ranges=ranges):
                for key in units(ranges):
                    self._piece(key).custodian = custodian
            case events.ReversalAsked():
                pass

    def _state(self, ranges: Ranges, state: UnitState) -> None:
        for key in units(ranges):
            self._piece(key).state = state

    def _onward(self, each: RecordedEvent, transfer: int, terms: Terms) -> None:
        for key in units(terms.ranges):
            piece = self._piece(key)
            moves = terms.delivery is Delivery.WITH_TITLE and piece.custodian != terms.receiver
            moved_from = piece.custodian if moves else ""
            tier = terms.authority(key[0]).receiver_tier
            piece.hops.append(
                Bought(transfer, terms.receiver, tier, each.occurred_at, terms.unit_price, moved_from)
            )
            piece.owner = terms.receiver
            piece.custodian = terms.receiver if moves else piece.custodian
            piece.state = UnitState.SOLD if is_consumer(terms.receiver) else UnitState.IN_STOCK

    def _back(self, terms: Terms) -> None:
        for key in units(terms.ranges):
            piece = self._piece(key)
            hop = piece.hops.pop()
            if hop.moved_from and piece.custodian == hop.receiver:
                piece.custodian = hop.moved_from
            piece.owner, piece.state = terms.giver, UnitState.IN_STOCK

    def all(self) -> Iterator[tuple[int, Piece, int]]:
        """Yield batch, unit and 1 for each unit that moved, and once for each batch how many others are as made."""
        for (batch, _), piece in self.pieces.items():
            yield batch, piece, 1
        for batch, count in self.untouched.items():
            yield batch, Piece(self.made[batch].brand, self.made[batch].brand), count

    def holdings(self) -> dict[tuple[int, str, str, int], tuple[int, int]]:
        """Return units and offered units by batch, owner, custodian and the transfer by which they came."""
        found: defaultdict[tuple[int, str, str, int], list[int]] = defaultdict(lambda: [0, 0])
        for batch, piece, count in self.all():
            if piece.state in WRITTEN_OFF or is_consumer(piece.owner):
                continue
            transfer = piece.hops[-1].transfer if piece.hops else 0
            sums = found[batch, piece.owner, piece.custodian, transfer]
            sums[0] += count
            sums[1] += count if piece.state is UnitState.OFFERED else 0
        return {key: (sums[0], sums[1]) for key, sums in found.items() if sums[0]}

    def lines(self) -> dict[tuple[str, int, int], list[int]]:
        """Count units by party, batch and day: that entered its line, were sold, confirmed, and written off before.

        The last number is that of the days from entering to the sale.
        """
        found: defaultdict[tuple[str, int, int], list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])
        for batch, piece, count in self.all():
            made = self.made[batch]
            entered = {made.brand: (made.made_on - datetime.date(1970, 1, 1)).days}
            for hop in piece.hops:
                if is_consumer(hop.receiver):
                    continue
                if hop.receiver in entered:  # who had the unit after it has it no more
                    order = list(entered)
                    entered = {party: entered[party] for party in order[: order.index(hop.receiver) + 1]}
                else:
                    entered[hop.receiver] = hop.at // DAY
            sold = is_consumer(piece.owner)
            for party, day in entered.items():
                found[party, batch, day][0] += count
                found[party, batch, day][3] += count * (piece.state in WRITTEN_OFF and not sold)
                if sold:
                    sums, sold_on = found[party, batch, piece.hops[-1].at // DAY], piece.hops[-1].at // DAY
                    sums[1] += count
                    sums[2] += count * (piece.state is UnitState.CONFIRMED)
                    sums[4] += count * (sold_on - day)
        return dict(found)

    def depths(self) -> Counter[tuple[int, int, str]]:
        """Count units by batch, transfers between parties, and what became of them."""
        found: Counter[tuple[int, int, str]] = Counter()
        for batch, piece, count in self.all():
            depth = sum(not is_consumer(hop.receiver) for hop in piece.hops)
            if piece.state in WRITTEN_OFF:
                outcome = "WRITTEN_OFF"
            elif not is_consumer(piece.owner):
                outcome = "STOCK"
            else:
                outcome = "CONFIRMED" if piece.state is UnitState.CONFIRMED else "SOLD"
            found[batch, depth, outcome] += count
        return +found

    def hops(self) -> Counter[tuple[int, int, bool]]:
        """Count hops of units by batch, day, and whether only title moved."""
        found: Counter[tuple[int, int, bool]] = Counter()
        for batch, piece, count in self.all():
            for hop in piece.hops:
                found[batch, hop.at // DAY, not hop.moved_from] += count
        return found
