"""The directory of a witness: the checkpoint of each log that it cosigned last, and evidence against logs.

Each file appears whole and on disk, or not at all. A checkpoint is kept with the witness's own cosignature, so a file
that is damaged, or of another witness, is told at the start. A witness that loses the directory has
forgotten what it cosigned: it would then cosign another history of each log.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pathbook.keys.files import replace_file
from pathbook.ledger.proofs.checkpoint import Checkpoint
from pathbook.ledger.proofs.cosignature import cosigned_at
from pathbook.ledger.proofs.signed_note import SignedNote, VerifierKey, parse_note
from pathbook.ledger.proofs.text import MalformedTextError
from pathbook.witness.deciding import Evidence

MAX_EVIDENCE: Final = 100
"""How many files of evidence of one kind are kept of a log. More say nothing new, and would fill the disk."""

_LOCK: Final = "lock"
_EVIDENCE: Final = "evidence"


class StateError(Exception):
    """The directory cannot be used. The message says why, and what to do.

    Attributes:
        reason: the name for scripts.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class State:
    """What a witness remembers. One process has the directory at a time. The caller keeps threads apart.

    Attributes:
        latest: what was cosigned last, by origin.
    """

    def __init__(self, path: Path, key: VerifierKey, origins: Iterable[str]) -> None:
        """Open a directory, which is made if it is missing.

        Raises:
            StateError: STATE_IN_USE or STATE_DAMAGED.
            OSError: the directory cannot be made, read or written.
        """
        self._path, self._key = path, key
        self.latest: dict[str, Checkpoint] = {}
        self._notes: dict[str, SignedNote] = {}
        path.mkdir(0o700, parents=True, exist_ok=True)
        (path / _EVIDENCE).mkdir(0o700, exist_ok=True)
        self._lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for origin in origins:
                self._load(origin)
        except BlockingIOError:
            self.close()
            message = (
                f"Another witness runs on {path}. Stop it first: two of them would cosign two histories."
            )
            raise StateError("STATE_IN_USE", message) from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let another process have the directory."""
        os.close(self._lock)

    def cosigned(self, origin: str) -> SignedNote | None:
        """Return the note of the checkpoint that was cosigned last, with the cosignature."""
        return self._notes.get(origin)

    def keep(self, checkpoint: Checkpoint, note: SignedNote) -> None:
        """Keep a cosigned checkpoint as the latest of its log. It is on disk when this returns.

        Raises:
            OSError: it may not be on disk, so the cosignature must not be given out.
        """
        replace_file(self._file(checkpoint.origin), str(note).encode())
        self.latest[checkpoint.origin], self._notes[checkpoint.origin] = checkpoint, note

    def keep_evidence(self, kind: Evidence, origin: str, note: SignedNote) -> bool:
        """Keep a refused checkpoint that the log signed, beside the one that was cosigned.

        Return whether it is new. Raises OSError.
        """
        name = f"{kind.value}-{_name(origin)}"
        path = self._path / _EVIDENCE / f"{name}-{hashlib.sha256(note.text.encode()).hexdigest()[:16]}"
        before = self._notes.get(origin)
        if path.exists() or len(list(path.parent.glob(f"{name}-*"))) >= MAX_EVIDENCE:
            return False
        replace_file(path, f"{before or ''}\n{note}".encode())
        return True

    def _load(self, origin: str) -> None:
        path = self._file(origin)
        try:
            note = parse_note(path.read_bytes())
            checkpoint = Checkpoint.parse(note.text)
        except FileNotFoundError:
            return
        except MalformedTextError as error:
            raise _damaged(path, str(error)) from None
        if checkpoint.origin != origin or cosigned_at(note, self._key) is None:
            raise _damaged(path, f"{self._key.name} did not cosign it with this key for {origin}.")
        self.latest[origin], self._notes[origin] = checkpoint, note

    def _file(self, origin: str) -> Path:
        return self._path / f"{_name(origin)}.checkpoint"


def _damaged(path: Path, what: str) -> StateError:
    message = (
        f"{path} is not what this witness kept: {what} Nothing was cosigned. Give the key and the directory that belong"
        " together, or put the file back from a copy that is not older."
    )
    return StateError("STATE_DAMAGED", message)


def _name(origin: str) -> str:
    """Return the name of the files of a log. An origin may have characters that a name must not have."""
    return hashlib.sha256(origin.encode()).hexdigest()[:32]
