"""Reads a published log with nothing but its files and SHA-256, as c2sp.org/tlog-tiles says."""

import base64
import hashlib
from pathlib import Path
from typing import Final

HASH: Final = 32


class Reader:
    """Reads a published log with nothing but its files, and SHA-256."""

    def __init__(self, path: Path) -> None:
        """Read the checkpoint."""
        self.path = path
        text, _, signatures = (path / "checkpoint").read_text("utf-8").partition("\n\n")
        self.origin, size, root = text.split("\n")
        self.size, self.root = int(size), base64.b64decode(root)
        assert signatures.startswith(f"— {self.origin} ")

    def check(self, *, entries: bool) -> list[bytes]:
        """Check the hash of every tile by its definition. Return the entries."""
        leaves = self._row(0)
        level, count = 0, self.size
        while count:
            span = 256**level
            for index, found in enumerate(self._row(level)):
                assert found == mth(leaves[index * span : (index + 1) * span]), (level, index)
            level, count = level + 1, count // 256
        assert mth(leaves) == self.root
        if not entries:
            return []
        found_entries: list[bytes] = []
        for number, width in parts(self.size):
            data = (self.path / "tile" / "entries" / place(number, width)).read_bytes()
            for _ in range(width):
                length = int.from_bytes(data[:2], "big")
                found_entries.append(data[2 : 2 + length])
                data = data[2 + length :]
            assert data == b""
        assert [hashlib.sha256(b"\0" + entry).digest() for entry in found_entries] == leaves
        return found_entries

    def _row(self, level: int) -> list[bytes]:
        row: list[bytes] = []
        for number, width in parts(self.size // 256**level):
            data = (self.path / "tile" / str(level) / place(number, width)).read_bytes()
            assert len(data) == width * HASH
            row += [data[at : at + HASH] for at in range(0, len(data), HASH)]
        return row


def parts(count: int) -> list[tuple[int, int]]:
    """Return the tiles of a level with so many hashes, as (number, width)."""
    return [(number, min(256, count - number * 256)) for number in range((count + 255) // 256)]


def place(number: int, width: int) -> str:
    """Return the end of the path of a tile."""
    digits = f"{number:03}"
    digits = digits.zfill((len(digits) + 2) // 3 * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    path = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    return path if width == 256 else f"{path}.p/{width}"


def mth(leaves: list[bytes]) -> bytes:
    """Return the Merkle tree hash over the hashes of leaves (RFC 6962, section 2.1)."""
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(b"\1" + mth(leaves[:half]) + mth(leaves[half:])).digest()
