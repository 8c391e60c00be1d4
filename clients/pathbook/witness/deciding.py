"""What a witness answers: a function of what it cosigned last, the logs it knows, and what was submitted."""

import enum
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import msgspec

from pathbook.ledger.proofs.checkpoint import Checkpoint, open_checkpoint
from pathbook.ledger.proofs.signed_note import SignedNote, VerifierKey
from pathbook.ledger.proofs.submission import Submission
from pathbook.ledger.proofs.text import MalformedTextError
from pathbook.ledger.proofs.tree import EMPTY_ROOT, is_consistent

Logs: TypeAlias = Mapping[str, Sequence[VerifierKey]]
"""The keys of each log that a witness knows, by the log's origin."""


class Refusal(enum.Enum):
    """Why a checkpoint is not cosigned: the HTTP status, and a sentence."""

    MALFORMED = 400, "The request is no submission of a checkpoint."
    LOG_UNKNOWN = 404, "This witness does not know the log of that origin."
    NOT_SIGNED = 403, "No key that this witness knows of the log signed the checkpoint."
    OLD_ABOVE_SIZE = 400, "The old size is above the size of the checkpoint."
    OLD_NOT_LATEST = 409, "The old size is not that of the checkpoint that was cosigned last."
    ROOT_DIFFERS = 409, "Another checkpoint of this size was cosigned: the log shows two histories."
    NOT_CONSISTENT = 422, "The proof does not show that the tree begins with the one that was cosigned last."

    @property
    def status(self) -> int:
        """The HTTP status of the answer."""
        return self.value[0]

    @property
    def sentence(self) -> str:
        """What is wrong, for people."""
        return self.value[1]


class Evidence(enum.Enum):
    """What a refused checkpoint, which the log did sign, says of the log."""

    SPLIT_VIEW = "split-view"
    """The log signed two trees of one size. Both notes together convict it."""

    UNPROVEN = "unproven"
    """The log signed a larger tree, of which no proof was given. Its submitter may have left out the proof."""


class Accepted(msgspec.Struct, frozen=True):
    """The checkpoint is to be cosigned, once it is kept as the latest.

    Attributes:
        checkpoint: what the log signed.
        note: its text, with the signature lines of known keys of the log alone.
    """

    checkpoint: Checkpoint
    note: SignedNote


class Refused(msgspec.Struct, frozen=True):
    """The checkpoint must not be cosigned.

    Attributes:
        refusal: why.
        origin: of the log, "" if none is known.
        latest_size: how many leaves the tree has that was cosigned last.
        evidence: what it says of the log, None if nothing.
        note: as in `Accepted`, None if no known key signed it.
    """

    refusal: Refusal
    origin: str = ""
    latest_size: int = 0
    evidence: Evidence | None = None
    note: SignedNote | None = None


NEVER: Final = Checkpoint("-", 0, EMPTY_ROOT)
"""What stands for the latest checkpoint of a log of which none was cosigned: every tree begins with the empty one."""


def decide(latest: Mapping[str, Checkpoint], logs: Logs, submission: Submission) -> Accepted | Refused:
    """Decide whether a checkpoint is cosigned (c2sp.org/tlog-witness, add-checkpoint).

    Args:
        latest: what was cosigned last, by origin.
        logs: the logs that the witness knows.
        submission: what was posted.
    """
    try:
        origin = Checkpoint.parse(submission.note.text).origin
    except MalformedTextError:
        return Refused(Refusal.MALFORMED)
    if origin not in logs:
        return Refused(Refusal.LOG_UNKNOWN, origin)
    signers = [key for key in logs[origin] if open_checkpoint(submission.note, key) is not None]
    if not signers:
        return Refused(Refusal.NOT_SIGNED, origin)
    new, before, old = Checkpoint.parse(submission.note.text), latest.get(origin, NEVER), submission.old
    lines = tuple(line for line in submission.note.signatures if any(line.is_by(key) for key in signers))
    note = SignedNote(submission.note.text, lines)
    splits = Evidence.SPLIT_VIEW if new.size == before.size and new.root != before.root else None
    if old > new.size:
        return Refused(Refusal.OLD_ABOVE_SIZE, origin, before.size, splits, note)
    if old != before.size:
        return Refused(Refusal.OLD_NOT_LATEST, origin, before.size, splits, note)
    if splits:
        return Refused(Refusal.ROOT_DIFFERS, origin, before.size, splits, note)
    if not _is_shown(before, new, submission.proof):
        return Refused(Refusal.NOT_CONSISTENT, origin, before.size, Evidence.UNPROVEN, note)
    return Accepted(new, note)


def _is_shown(before: Checkpoint, new: Checkpoint, proof: Sequence[bytes]) -> bool:
    """Tell whether a proof shows that a tree begins with another. For the empty one, there is nothing to prove."""
    if not before.size and new.size:
        return not proof
    return is_consistent(before.size, before.root, new.size, new.root, proof)
