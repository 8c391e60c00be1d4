"""Transfers, sales and returns with their units: one by its position, or many that the views found."""

from collections.abc import Iterator, Sequence
from typing import assert_never

from pathbook.ledger import events
from pathbook.ledger.events import Event, TransferBeginning
from pathbook.ledger.projections.transfers import TransferRow
from pathbook.ledger.queries.answers import Transfer
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.store.log.event_hashes import read_event
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.snapshot import ViewSnapshot
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import TransferKind, TransferStatus

_ACCEPTED = (TransferStatus.ACCEPTED, TransferStatus.ACCEPTED_IN_PART, TransferStatus.REVERSED)


def transfer(views: ViewSnapshot, stream: Stream, position: int) -> list[Transfer] | Refusal:
    """Return the transfer or sale that began at a position, or each line of a return, with its units."""
    rows = views.transfer(position)
    if not rows:
        return refuse(Reason.TRANSFER_UNKNOWN, transfer=position)
    return with_units(views.book, stream, rows)


def with_units(book: str, stream: Stream, rows: Sequence[TransferRow]) -> list[Transfer]:
    """Return transfers with their units and notes. All events are read together, and so are all notes.

    A note is read only where an event may have one.
    """
    found = dict(_events(book, stream, {position for row in rows for position in _positions(row)}))
    noted = [(_note_position(row), row.reversal_asked_position or 0) for row in rows]
    notes = stream.notes_at(book, {position for both in noted for position in both if position})
    result = []
    for row, (note, reversal_note) in zip(rows, noted, strict=True):
        terms = _terms(found[row.transfer], row.line)
        answer = found.get(row.answered_position)
        accepted = answer if isinstance(answer, events.TransferAccepted) else None
        result.append(
            Transfer(
                row,
                notes.get(note),
                notes.get(reversal_note),
                ranges=terms.ranges,
                discrepancies=accepted.discrepancies if accepted else (),
                extra=accepted.extra if accepted else (),
                terms=(terms, accepted.terms) if accepted else (terms,),
            )
        )
    return result


def _positions(row: TransferRow) -> Iterator[int]:
    """Yield the positions of the events that say which units a transfer has: its own, and that of its acceptance."""
    yield row.transfer
    if row.status in _ACCEPTED and row.answered_position != row.transfer:
        yield row.answered_position


def _note_position(row: TransferRow) -> int:
    """Return the position of the event that says why a transfer was declined or returned, or 0."""
    if row.kind == TransferKind.RETURN:
        return row.transfer
    return row.answered_position if row.status == TransferStatus.DECLINED else 0


def _events(book: str, stream: Stream, positions: set[int]) -> Iterator[tuple[int, Event]]:
    for entry in stream.at(book, list(positions)):
        yield entry.position, read_event(book, entry).event


def _terms(event: Event, line: int) -> Terms:
    assert isinstance(event, TransferBeginning), event
    match event:
        case events.TransferOffered() | events.TransferRecorded() | events.UnitsSold():
            return event.terms
        case events.UnitsReturned():
            return event.lines[line].terms
        case _:
            assert_never(event)
