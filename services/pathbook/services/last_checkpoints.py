"""The file of the last checkpoint of each book that was signed: what a signer remembers, whatever becomes of the log.

It has the signed notes one after the other, with an empty line between them. So a published checkpoint may be put into
the file as it is.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pathbook.keys.files import written_beside
from pathbook.ledger.proofs.checkpoint import Checkpoint
from pathbook.ledger.proofs.signed_note import SignedNote, parse_note
from pathbook.ledger.proofs.text import MalformedTextError
from pathbook.services.signing import Reason, SigningError

_SEPARATOR: Final = "\n\n"


def read_last_checkpoints(path: Path) -> dict[str, SignedNote]:
    """Return the last signed checkpoints by their origins. No signature is verified yet.

    Raises:
        SigningError: LAST_MISSING, or LAST_UNUSABLE.
        OSError: the file cannot be read.
    """
    try:
        text = path.read_text("utf-8")
        parts = text.strip("\n").split(_SEPARATOR) if text.strip() else []
        if len(parts) % 2:
            raise MalformedTextError("it has a checkpoint without signatures")
        notes = [
            parse_note(f"{body}\n\n{lines}\n".encode())
            for body, lines in zip(parts[::2], parts[1::2], strict=True)
        ]
        found = {Checkpoint.parse(note.text).origin: note for note in notes}
    except FileNotFoundError:
        raise SigningError(Reason.LAST_MISSING, place=path) from None
    except ValueError as error:
        what = str(error) if isinstance(error, MalformedTextError) else "it is no text"
        raise SigningError(Reason.LAST_UNUSABLE, place=path, what=what) from None
    if len(found) < len(notes):
        what = "it has two checkpoints of one origin"
        raise SigningError(Reason.LAST_UNUSABLE, place=path, what=what)
    return found


def write_last_checkpoints(path: Path, notes: Mapping[str, SignedNote]) -> None:
    """Replace the file, atomically. It is on disk then, and its name once the directory is flushed.

    Raises:
        OSError: the file cannot be written.
    """
    with written_beside(path, "\n".join(map(str, notes.values()))) as written:
        written.replace(path)
