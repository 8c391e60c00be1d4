"""Transparency log proofs (c2sp.org/tlog-proof): that a leaf is in a tree whose checkpoint a log signed."""

from typing import Final

import msgspec

from pathbook.ledger.proofs.signed_note import SignedNote, parse_note
from pathbook.ledger.proofs.text import MalformedTextError, parse_base64, parse_decimal, print_base64
from pathbook.ledger.proofs.tree import HASH_BYTES, MAX_PATH

HEADER: Final = "c2sp.org/tlog-proof@v1"
"""The first line of a proof."""

MAX_BYTES: Final = 1_100_000
"""The most bytes of a proof: those of the longest note, of an audit path and of some extra data."""

_EXTRA: Final = "extra "
_INDEX: Final = "index "


class TlogProof(msgspec.Struct, frozen=True):
    """A leaf's index, its audit path, and the checkpoint. Nothing of it is to be believed before it is verified.

    Attributes:
        index: of the leaf, from 0.
        path: the audit path (RFC 6962, section 2.1.1), the sibling of the leaf first.
        checkpoint: the signed note of the checkpoint.
        extra: opaque data that nothing authenticates, None if there is none.
    """

    index: int
    path: tuple[bytes, ...]
    checkpoint: SignedNote
    extra: bytes | None = None

    def __str__(self) -> str:
        """Return the text that `parse_tlog_proof` reads."""
        extra = [] if self.extra is None else [_EXTRA + print_base64(self.extra)]
        lines = [HEADER, *extra, f"{_INDEX}{self.index}", *map(print_base64, self.path), ""]
        return "".join(f"{line}\n" for line in lines) + str(self.checkpoint)


def parse_tlog_proof(data: bytes) -> TlogProof:
    """Return the proof that was printed as these bytes. There is one text for each proof.

    Raises:
        MalformedTextError: they are no such proof, or more than MAX_BYTES.
    """
    if len(data) > MAX_BYTES:
        raise MalformedTextError(f"The proof has {len(data)} bytes. The most are {MAX_BYTES}.")
    head, separator, note = data.partition(b"\n\n")
    if not separator:
        raise MalformedTextError("The proof has no checkpoint after an empty line.")
    try:
        lines = head.decode("ascii").split("\n", MAX_PATH + 4)
    except UnicodeDecodeError:
        raise MalformedTextError("The proof is not ASCII before its checkpoint.") from None
    if lines.pop(0) != HEADER:
        raise MalformedTextError(f"The first line is not {HEADER}.")
    extra = None
    if lines and lines[0].startswith(_EXTRA):
        extra = parse_base64(lines.pop(0).removeprefix(_EXTRA), "The extra data")
    if not lines or not lines[0].startswith(_INDEX):
        raise MalformedTextError("The proof has no index.")
    index = parse_decimal(lines.pop(0).removeprefix(_INDEX), "The index")
    if len(lines) > MAX_PATH:
        raise MalformedTextError(f"The proof has more than {MAX_PATH} hashes.")
    path = tuple(parse_base64(line, "A hash of the proof", HASH_BYTES) for line in lines)
    return TlogProof(index, path, parse_note(note), extra)
