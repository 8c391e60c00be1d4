"""Lists made naively, by going through all events of a book and leaving out what is not asked for."""

import dataclasses
from collections.abc import Iterator

from pathbook.ledger import events
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.queries import OfferFilter, TransferFilter
from pathbook.ledger.rules.state import State
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import Ranges, TransferKind, TransferSide, TransferStatus, UnitRange, UnitState


@dataclasses.dataclass
class Line:
    """A line of a transfer, as the events tell it."""

    transfer: int
    line: int
    kind: TransferKind
    status: TransferStatus
    giver: str
    receiver: str
    recorded: RecordedEvent
    terms: list[Terms]
    is_offer: bool = False
    discrepancies: tuple[events.Discrepancy, ...] = ()
    extra: Ranges = ()

    @property
    def place(self) -> tuple[int, int]:
        """The position and the line."""
        return self.transfer, self.line

    @property
    def reference(self) -> str:
        """The reference of the terms."""
        return self.terms[0].reference


def lines(recorded: list[RecordedEvent]) -> list[Line]:
    """Return all lines of all transfers, in the order of the events, as they are after the last event."""
    found: dict[tuple[int, int], Line] = {}

    def begin(
        item: RecordedEvent, line: int, kind: TransferKind, status: TransferStatus, terms: Terms
    ) -> Line:
        sides = (
            (terms.receiver, terms.giver) if kind is TransferKind.RETURN else (terms.giver, terms.receiver)
        )
        made = Line(item.position, line, kind, status, *sides, item, [terms])
        found[made.place] = made
        return made

    for item in recorded:
        match item.event:
            case events.TransferOffered(terms):
                offer = begin(item, 0, TransferKind.TRANSFER, TransferStatus.OFFERED, terms)
                offer.is_offer = True
            case events.TransferRecorded() as event:
                begin(item, 0, TransferKind.TRANSFER, TransferStatus.ACCEPTED, event.terms)
            case events.UnitsSold() as event:
                begin(item, 0, TransferKind.SALE, TransferStatus.ACCEPTED, event.terms)
            case events.UnitsReturned() as event:
                for number, line in enumerate(event.lines):
                    begin(item, number, TransferKind.RETURN, TransferStatus.ACCEPTED, line.terms)
            case events.TransferAccepted() as event:
                offer = found[event.transfer, 0]
                partly = bool(event.discrepancies)
                offer.status = TransferStatus.ACCEPTED_IN_PART if partly else TransferStatus.ACCEPTED
                offer.terms.append(event.terms)
                offer.discrepancies, offer.extra = event.discrepancies, event.extra
            case events.TransferDeclined(transfer):
                found[transfer, 0].status = TransferStatus.DECLINED
            case events.TransferWithdrawn(transfer):
                found[transfer, 0].status = TransferStatus.WITHDRAWN
            case events.TransferLapsed(transfer):
                found[transfer, 0].status = TransferStatus.LAPSED
            case events.TransferReversed(transfer):
                found[transfer, 0].status = TransferStatus.REVERSED
            case _:
                pass
    return list(found.values())


def transfers(all_lines: list[Line], products: dict[int, str], wanted: TransferFilter) -> list[Line]:
    """Return the lines that a filter asks for, newest first. ``products`` has the product of each batch."""
    return [
        line
        for line in sorted(all_lines, key=lambda x: x.place, reverse=True)
        if _meets(line, products, wanted)
    ]


def _meets(line: Line, products: dict[int, str], wanted: TransferFilter) -> bool:
    gives, receives = line.giver == wanted.party, line.receiver == wanted.party
    if not {None: gives or receives, TransferSide.GIVER: gives, TransferSide.RECEIVER: receives}[wanted.side]:
        return False
    if wanted.counterparty and wanted.counterparty not in ((line.receiver,) if gives else (line.giver,)):
        return False
    times = line.recorded.occurred_at, line.recorded.recorded_at
    if not wanted.occurred_from <= times[0] < wanted.occurred_before:
        return False
    if not wanted.recorded_from <= times[1] < wanted.recorded_before:
        return False
    equal = (
        (wanted.status, line.status),
        (wanted.kind, line.kind),
        (wanted.reference or None, line.reference),
    )
    if any(asked is not None and asked != actual for asked, actual in equal):
        return False
    return any(
        wanted.batch in (0, part.batch)
        and wanted.gtin in ("", products[part.batch])
        and wanted.receiver_tier in (None, terms.authority(part.batch).receiver_tier)
        for terms in line.terms
        for part in terms.ranges
    )


def offers(all_lines: list[Line], wanted: OfferFilter) -> list[Line]:
    """Return the offers that a filter asks for, oldest first."""
    found = []
    for line in sorted(all_lines, key=lambda line: line.place):
        sides = {TransferSide.GIVER: line.giver, TransferSide.RECEIVER: line.receiver}
        named = list(sides.values()) if wanted.side is None else [sides[wanted.side]]
        status = wanted.status or (line.status if wanted.include_ended else TransferStatus.OFFERED)
        if line.is_offer and wanted.party in named and line.status is status:
            found.append(line)
    return found


def by_reference(all_lines: list[Line], reference: str, giver: str, receiver: str) -> list[Line]:
    """Return what is under a reference, by giver, receiver and position."""
    found = [line for line in all_lines if line.reference == reference]
    found = [line for line in found if giver in ("", line.giver) and receiver in ("", line.receiver)]
    return sorted(found, key=lambda line: (line.giver, line.receiver, *line.place))


def holders(state: State, ranges: Ranges) -> Iterator[tuple[UnitRange, str, str, UnitState]]:
    """Yield who holds units, taken from the state with which the rules decide, one unit after the other."""
    found: list[tuple[int, int, str, str, UnitState]] = []
    for part in ranges:
        for run in state.partitions[part.batch].runs:
            first, last = max(run.first, part.first), min(run.last, part.last)
            if first > last:
                continue
            same = (run.owner, run.custodian, run.state)
            if found and found[-1][2:] == same and found[-1][1] == first - 1:
                found[-1] = (found[-1][0], last, *same)
            else:
                found.append((first, last, *same))
    for first, last, *held in found:
        owner, custodian, unit_state = held
        assert isinstance(owner, str)
        assert isinstance(custodian, str)
        assert isinstance(unit_state, UnitState)
        yield UnitRange(ranges[0].batch, first, last), owner, custodian, unit_state
