"""What is posted to a witness (c2sp.org/tlog-witness, add-checkpoint), and its answers, as texts."""

from typing import Final, Self

import msgspec

from pathbook.ledger.proofs.signed_note import (
    NoteSignature,
    SignedNote,
    VerifierKey,
    parse_note,
    parse_signatures,
)
from pathbook.ledger.proofs.text import MalformedTextError, parse_base64, parse_decimal, print_base64
from pathbook.ledger.proofs.tree import HASH_BYTES, MAX_SIZE

PATH: Final = "/add-checkpoint"
"""What follows the URL of a witness."""

SIZE_TYPE: Final = "text/x.tlog.size"
"""The content type of an answer that says which size the witness cosigned last."""

MAX_BYTES: Final = 131_072
"""The most bytes of a submission: 63 hashes take 3 KB, and a note with the 16 signatures by ML-DSA-44 takes 53 KB."""

MAX_ANSWER_BYTES: Final = 65_536
"""The most bytes of an answer of a witness. A cosignature by ML-DSA-44 takes 3 KB."""

MAX_PROOF: Final = 63
"""The most hashes of a consistency proof that may be posted."""

_OLD: Final = "old "


class Submission(msgspec.Struct, frozen=True):
    """A checkpoint that is posted to a witness. Nothing of it is to be believed before it is verified.

    Attributes:
        old: how many leaves the tree had that the witness cosigned last, as far as the log knows.
        proof: the consistency proof (RFC 6962, section 2.1.2) from that tree. It is empty if ``old`` is 0.
        note: the signed checkpoint.
    """

    old: int
    proof: tuple[bytes, ...]
    note: SignedNote

    def __str__(self) -> str:
        """Return the body of the request."""
        lines = [f"{_OLD}{self.old}", *map(print_base64, self.proof), ""]
        return "".join(f"{line}\n" for line in lines) + str(self.note)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Return the submission of a body.

        Raises:
            MalformedTextError: it is none, it has more than MAX_BYTES, or its proof has more than MAX_PROOF hashes.
        """
        if len(data) > MAX_BYTES:
            raise MalformedTextError(f"The request has {len(data)} bytes. The most are {MAX_BYTES}.")
        head, separator, note = data.partition(b"\n\n")
        if not separator:
            raise MalformedTextError("The request has no checkpoint after an empty line.")
        try:
            first, *lines = head.decode("ascii").split("\n", MAX_PROOF + 1)
        except UnicodeDecodeError:
            raise MalformedTextError("The request is not ASCII before its checkpoint.") from None
        if not first.startswith(_OLD):
            raise MalformedTextError("The first line is not 'old' and a size.")
        old = parse_decimal(first.removeprefix(_OLD), "The old size")
        if old > MAX_SIZE:
            raise MalformedTextError(f"The old size is above {MAX_SIZE}.")
        if len(lines) > MAX_PROOF:
            raise MalformedTextError(f"The proof has more than {MAX_PROOF} hashes.")
        proof = tuple(parse_base64(line, "A hash of the proof", HASH_BYTES) for line in lines)
        return cls(old, proof, parse_note(note))


def parse_size(data: bytes) -> int:
    """Return the size that an answer of SIZE_TYPE names. Raises MalformedTextError."""
    text = data.decode("ascii", "replace")
    if not text.endswith("\n"):
        raise MalformedTextError("The size does not end in a newline.")
    size = parse_decimal(text[:-1], "The size")
    if size > MAX_SIZE:
        raise MalformedTextError(f"The size is above {MAX_SIZE}.")
    return size


def parse_cosignatures(data: bytes, key: VerifierKey) -> tuple[NoteSignature, ...]:
    """Return the lines of an answer that name the key of a witness. Lines of other keys are ignored.

    Raises:
        MalformedTextError: the answer has no signature lines, or more than MAX_ANSWER_BYTES.
    """
    if len(data) > MAX_ANSWER_BYTES:
        raise MalformedTextError(f"The answer has more than {MAX_ANSWER_BYTES} bytes.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedTextError("The answer is not UTF-8.") from None
    if not text.endswith("\n"):
        raise MalformedTextError("The answer does not end in a newline.")
    return tuple(line for line in parse_signatures(text) if line.is_by(key))
