"""One audit from beginning to end: whose checkpoints they are, the replay of all events, and what was found."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from pathbook.audit.auditor import Auditor, Replayed
from pathbook.audit.differences import UncheckableError
from pathbook.audit.sources import Source
from pathbook.ledger.proofs.checkpoint import Checkpoint
from pathbook.ledger.proofs.signed_note import SignedNote, VerifierKey, parse_note
from pathbook.ledger.proofs.text import MalformedTextError
from pathbook.verify.guards import RefutedError, UntrustedError
from pathbook.verify.trust import Trust, witnessed

PROGRESS_EVENTS: Final = 1_000
"""After how many events progress is told."""


class Signed(msgspec.Struct, frozen=True):
    """A checkpoint with which the events were compared.

    Attributes:
        size: how many events it is of.
        is_signed: whether a key of the log signed it. Without a key, nothing is known of that.
        is_trusted: whether the caller trusts that key.
        witnesses: those of the caller's policy that cosigned it.
    """

    size: int
    is_signed: bool
    is_trusted: bool
    witnesses: tuple[str, ...] = ()


class Audited(msgspec.Struct, frozen=True):
    """What an audit found of a book that holds: what was replayed, and the checkpoints that are of its history."""

    replayed: Replayed
    checkpoints: tuple[Signed, ...]


def replay(
    source: Source,
    remembered: Sequence[bytes],
    trust: Trust,
    progress: Callable[[int, int | None], None] = lambda *_: None,
) -> Audited:
    """Replay all events of a source.

    Args:
        source: of the events, and of the newest checkpoint.
        remembered: signed notes that were kept from before, each a checkpoint of the same log.
        trust: keys of logs, and the witnesses that must have cosigned the newest checkpoint.
        progress: is called with the number of events that were taken, and the total.

    Raises:
        DifferenceError: the first rule that does not hold.
        UncheckableError: nothing is known of whether the book holds.
        pathbook.client.RefusedError, pathbook.client.UnreachableError, OSError: as the source raises.
    """
    notes = [*([] if source.note is None else [source.note]), *remembered]
    opened = [
        _opened(note, source.key, trust, is_newest=place == 0 and source.note is not None)
        for place, note in enumerate(notes)
    ]
    auditor = Auditor(checkpoint for checkpoint, _ in opened)
    for taken, stored in enumerate(source.events, 1):
        auditor.take(stored.data, stored.published)
        if taken % PROGRESS_EVENTS == 0:
            progress(taken, source.size)
    return Audited(auditor.finish(), tuple(signed for _, signed in opened))


def _opened(
    data: bytes, named: VerifierKey | None, trust: Trust, *, is_newest: bool
) -> tuple[Checkpoint, Signed]:
    """Return a checkpoint, and whose word it is."""
    try:
        note = parse_note(data)
        key = named or _key_of(note, trust)
        if key is None:
            checkpoint = Checkpoint.parse(note.text)
            return checkpoint, Signed(checkpoint.size, is_signed=False, is_trusted=False)
        found = witnessed(note, key, trust)
    except (MalformedTextError, UntrustedError, RefutedError) as error:
        raise UncheckableError(f"A checkpoint cannot be relied upon: {error}.") from None
    if is_newest and not found.has_quorum:
        names = ", ".join(found.cosigned) or "none"
        raise UncheckableError(f"Your policy demands more witnesses of the newest checkpoint than {names}.")
    signed = Signed(found.checkpoint.size, True, found.is_trusted, tuple(found.cosigned))  # noqa: FBT003 - a field
    return found.checkpoint, signed


def _key_of(note: SignedNote, trust: Trust) -> VerifierKey | None:
    """Return the trusted key that a note of a directory names, or None if the caller trusts no log.

    Raises:
        UntrustedError: the caller trusts logs, but none of them signed the note.
    """
    for key in trust.logs:
        if any(line.is_by(key) for line in note.signatures):
            return key
    if trust.logs:
        raise UntrustedError("no log that you trust signed it")
    return None
