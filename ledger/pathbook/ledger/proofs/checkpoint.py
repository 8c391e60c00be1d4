"""Checkpoints (c2sp.org/tlog-checkpoint): what a log signs about its tree."""

from typing import Final, Self

import msgspec

from pathbook.ledger.proofs.signed_note import SignedNote, VerifierKey, require_name
from pathbook.ledger.proofs.text import MalformedTextError, parse_base64, parse_decimal, print_base64
from pathbook.ledger.proofs.tree import HASH_BYTES, MAX_SIZE

_LINES: Final = 3


class Checkpoint(msgspec.Struct, frozen=True):
    """The origin of a book, how many events its log has, and the root over them.

    Attributes:
        origin: the name of the log, which is that of its key.
        size: how many leaves the tree has. It is the position of the last event.
        root: 32 bytes.
        extensions: further lines, of which this program knows no meaning.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the checkpoint of the text of a note. Raises MalformedTextError."""
        if not text.endswith("\n"):
            raise MalformedTextError("A checkpoint ends in a newline.")
        lines = text.split("\n")[:-1]
        if len(lines) < _LINES or not all(lines):
            raise MalformedTextError("A checkpoint has an origin, a size and a root, and no empty lines.")
        origin, size, root, *extensions = lines
        require_name(origin)
        count = parse_decimal(size, "The size of the checkpoint")
        if count > MAX_SIZE:
            raise MalformedTextError(f"The size of the checkpoint is above {MAX_SIZE}.")
        return cls(
            origin, count, parse_base64(root, "The root of the checkpoint", HASH_BYTES), tuple(extensions)
        )

    def __str__(self) -> str:
        """Return the text that is signed."""
        lines = (self.origin, str(self.size), print_base64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


def open_checkpoint(note: SignedNote, key: VerifierKey) -> Checkpoint | None:
    """Return the checkpoint of a note if a log's key signed it and it is of that log, None if not.

    Raises:
        MalformedTextError: the text of the note is no checkpoint.
    """
    if not note.is_signed_by(key):
        return None
    checkpoint = Checkpoint.parse(note.text)
    return checkpoint if checkpoint.origin == key.name else None
