"""What a group is about to append, whether it fits, and whether a repeated request has the note that was recorded."""

from collections.abc import Callable, Iterable
from typing import Final, get_args

from pathbook.ledger.codec import encode, leaf_hash
from pathbook.ledger.command_fields import named
from pathbook.ledger.commands import AnyCommand, Command, NotedCommand, SignedCommand
from pathbook.ledger.events import DeclarableEvent, Event, NotedEvent, RecordedEvent, TransferBeginning
from pathbook.ledger.key_events import Signed
from pathbook.ledger.notes import Note
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.requests import digest, request_of, unsigned
from pathbook.ledger.values import LATER_EVENT_BYTES, MAX_EVENT_BYTES

REPEATED = TransferBeginning | DeclarableEvent
"""The kinds of events that a later event may repeat: the answer to an offer, a reversal, or the declaration of an
error."""

NOTED: Final[frozenset[type[AnyCommand]]] = frozenset(get_args(NotedCommand))
"""The kinds of commands that may have a note. To ask for one of many takes long with isinstance."""


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

    def add(self, command: Command, recorded: RecordedEvent, topic: str, data: bytes) -> None:
        """Add the event that a command caused, with the note of the command."""
        self.entries.append((topic, data))
        self.leaves.append(recorded.leaf)
        if type(command) in NOTED and isinstance(command, NotedCommand) and recorded.note_commitment:
            self.notes[recorded.position] = Note(command.note, command.note_salt, command.actor)

    def drop(self, start: int, head: int) -> None:
        """Drop the entries from number ``start`` on. Their positions are those after ``head``."""
        del self.entries[start:], self.leaves[start:]
        for position in [position for position in self.notes if position > head]:
            del self.notes[position]


def noted_requests(commands: Iterable[AnyCommand]) -> list[bytes]:
    """Return the requests of those commands that may have a note."""
    return [
        request_of(item.actor, item.request_id) for item in map(unsigned, commands) if type(item) in NOTED
    ]


def entry_of(
    command: Command, event: Event, *, position: int, recorded_at: int, request: bytes, signed: Signed | None
) -> tuple[RecordedEvent, str, bytes]:
    """Return the event that a command causes, and that rests on a statement or on none, with its topic and bytes."""
    occurred_at, request_digest = command.occurred_at or recorded_at, digest(command)
    topic, data = encode(
        event,
        recorded_at=recorded_at,
        occurred_at=occurred_at,
        request=request,
        request_digest=request_digest,
        signed=signed,
    )
    leaf = leaf_hash(data)
    # by position, because with keywords it takes twice as long
    recorded = RecordedEvent(position, recorded_at, occurred_at, request, request_digest, event, leaf, signed)
    return recorded, topic, data


def statement_of(item: SignedCommand, answer: Callable[[bytes], RecordedEvent | None]) -> Signed | Refusal:
    """Return the statement of a command as its event keeps it.

    ``answer`` returns the event that answered a request. If that of the filing was refused, this command is, too.
    """
    if not item.filed_by:
        return Signed(item.statement, item.signature)
    filed = answer(request_of(item.party, item.filed_by))
    if filed is None:
        return refuse(Reason.OTHER_ENTRY_REFUSED, entry=1)
    return Signed(item.statement, filed=filed.position, index=item.index)


def refuse_too_large(event: Event, size: int) -> Refusal | None:
    """Refuse an event that has more bytes than events may have, with what a later event adds to it.

    Its statement counts, because it stands in the event.
    """
    if size <= MAX_EVENT_BYTES - LATER_EVENT_BYTES:
        return None
    limit = MAX_EVENT_BYTES - (LATER_EVENT_BYTES if isinstance(event, REPEATED) else 0)
    return None if size <= limit else refuse(Reason.EVENT_TOO_LARGE, size=size, limit=limit)


def refuse_repeated(item: AnyCommand, before: RecordedEvent, pending: Pending) -> Refusal | None:
    """Refuse a command whose request id was used before, unless it is the same request again.

    A signature that comes after the event is not on record, and its caller may not believe that it is.
    """
    command = unsigned(item)
    about = {"request_id": command.request_id, "position": before.position}
    if before.request_digest != digest(command) or not _has_same_note(command, before, pending):
        return refuse(Reason.REQUEST_ID_REUSED, **about)
    if isinstance(item, SignedCommand) and before.signed is None:
        return refuse(Reason.RECORDED_UNSIGNED, party=named(command.actor), **about)
    return None


def _has_same_note(command: Command, before: RecordedEvent, pending: Pending) -> bool:
    """Tell whether a repeated command has the note that the event before has. A note that was erased equals any."""
    if not isinstance(command, NotedCommand) or not isinstance(before.event, NotedEvent):
        return True  # the agreement to a reversal keeps no note
    if not before.event.note_commitment:
        return not command.note
    known = pending.note(before.position)
    return known is None or known.text == command.note
