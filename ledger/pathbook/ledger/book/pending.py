"""What a group is about to append, whether it fits, and whether a repeated request has the note that was recorded."""

from pathbook.ledger.commands import Command, NotedCommand
from pathbook.ledger.events import DeclarableEvent, Event, NotedEvent, RecordedEvent, TransferBeginning
from pathbook.ledger.notes import Note
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.values import LATER_EVENT_BYTES, MAX_EVENT_BYTES

REPEATED = TransferBeginning | DeclarableEvent
"""The kinds of events that a later event may repeat: the answer to an offer, a reversal, or the declaration of an
error."""


class Pending:
    """What a group is about to append: entries, leaf hashes, notes by position, and the notes known before."""

    def __init__(self, known_notes: dict[int, Note]) -> None:
        self.entries: list[tuple[str, bytes]] = []
        self.leaves: list[bytes] = []
        self.notes: dict[int, Note] = {}
        self._known_notes = known_notes

    def note(self, position: int) -> Note | None:
        """Return the note of an event that was recorded before, or None if it was erased."""
        return self.notes.get(position) or self._known_notes.get(position)

    def drop(self, start: int, head: int) -> None:
        """Drop the entries from number ``start`` on. Their positions are those after ``head``."""
        del self.entries[start:], self.leaves[start:]
        for position in [position for position in self.notes if position > head]:
            del self.notes[position]


def refuse_too_large(event: Event, size: int) -> Refusal | None:
    """Refuse an event of so many bytes if it is larger than events may be, with what a later event adds to it."""
    limit = MAX_EVENT_BYTES - (LATER_EVENT_BYTES if isinstance(event, REPEATED) else 0)
    return None if size <= limit else refuse(Reason.EVENT_TOO_LARGE, size=size, limit=limit)


def has_same_note(command: Command, before: RecordedEvent, pending: Pending) -> bool:
    """Tell whether a repeated command has the note that the event before has. A note that was erased equals any."""
    if not isinstance(command, NotedCommand) or not isinstance(before.event, NotedEvent):
        return True  # the agreement to a reversal keeps no note
    if not before.event.note_commitment:
        return not command.note
    known = pending.note(before.position)
    return known is None or known.text == command.note
