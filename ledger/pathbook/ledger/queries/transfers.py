"""Transfers, sales and returns: one with its units, or all of a party, newest first."""

from typing import assert_never

from pathbook.ledger import events
from pathbook.ledger.codec import decode
from pathbook.ledger.events import Event, TransferBeginning
from pathbook.ledger.projections.transfers import TransferRow
from pathbook.ledger.queries.answers import Transfer
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.snapshot import ViewSnapshot
from pathbook.ledger.values import Ranges, TransferStatus, is_consumer

_ACCEPTED = (TransferStatus.ACCEPTED, TransferStatus.ACCEPTED_IN_PART, TransferStatus.REVERSED)
_AFTER_ALL = (2**63 - 1, 0)


def transfer(views: ViewSnapshot, stream: Stream, position: int) -> list[Transfer] | Refusal:
    """Return the transfer or sale that began at a position, or each line of a return, with its units."""
    rows = views.transfer(position)
    if not rows:
        return refuse(Reason.TRANSFER_UNKNOWN, transfer=position)
    (event,) = _events(stream, views.book, position)
    assert isinstance(event, TransferBeginning), event
    answered = [
        row.answered_position for row in rows if row.status in _ACCEPTED and row.answered_position != position
    ]
    acceptances = [
        found
        for found in _events(stream, views.book, *answered)
        if isinstance(found, events.TransferAccepted)
    ]
    discrepancies = tuple(item for found in acceptances for item in found.discrepancies)
    extra = tuple(item for found in acceptances for item in found.extra)
    return [Transfer(row, _ranges(event, row.line), discrepancies, extra) for row in rows]


def transfers(
    views: ViewSnapshot, party: str, status: TransferStatus | None, before: tuple[int, int] | None, limit: int
) -> list[TransferRow] | Refusal:
    """Return the transfers of a party or consumer before a position and line, newest first."""
    if not is_consumer(party) and views.party(party) is None:
        return refuse(Reason.PARTY_UNKNOWN, party=party)
    return views.transfers(party, status, before or _AFTER_ALL, limit)


def _events(stream: Stream, book: str, *positions: int) -> list[Event]:
    return [decode(entry.position, entry.data).event for entry in stream.at(book, positions)]


def _ranges(event: TransferBeginning, line: int) -> Ranges:
    match event:
        case events.TransferOffered() | events.TransferRecorded() | events.UnitsSold():
            return event.terms.ranges
        case events.UnitsReturned():
            return event.lines[line].terms.ranges
        case _:
            assert_never(event)
