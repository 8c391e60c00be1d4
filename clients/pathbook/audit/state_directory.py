"""The directory of what an auditor remembers: how far it replayed a book, what it cosigned, and evidence.

Each file appears whole and on disk, or not at all. What was replayed is bound to its book, to the key of its log and to
this program. A checksum tells damage. It does not tell who wrote the file: keep the directory where only the auditor
may write.
"""

import fcntl
import hashlib
import importlib.metadata
import os
import time
from pathlib import Path
from typing import Final, Self

import msgspec

from pathbook.audit.auditor import Auditor
from pathbook.audit.kept import KeptAuditor
from pathbook.keys.files import replace_file
from pathbook.ledger.codec import MalformedEventError, NewerEventError

REPLAYED: Final = "replayed"
"""The file of what was replayed."""

COSIGNED: Final = "cosigned"
"""The directory of what was cosigned, as a witness keeps it (`pathbook.witness.state`)."""

EVIDENCE: Final = "evidence"
"""The directory of files that each hold two signed checkpoints that cannot both be true, and what was found."""

FIRST_SAVE_S: Final = 10.0
"""After how many seconds what was replayed is kept for the first time."""

SAVE_SHARE: Final = 0.1
"""The most part of the time that keeping takes. What takes longer is kept less often."""

_LOCK: Final = "lock"
_HEADER: Final = b"pathbook.audit-state@v1\n"
_DIGEST_BYTES: Final = 32


class StateError(Exception):
    """The directory cannot be used. The message says why, and what to do.

    Attributes:
        reason: the name for scripts: AUDIT_STATE_IN_USE, AUDIT_STATE_CHANGED, AUDIT_STATE_OF_OTHER_BOOK or
            AUDIT_STATE_OF_OTHER_PROGRAM.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Kept(msgspec.Struct, frozen=True):
    """What was replayed, and of which book.

    Attributes:
        program: the version of Pathbook that kept it.
        origin: of the book.
        log_key: of its log, "" if none was known.
        note: the newest signed checkpoint that was compared, "" if there was none.
        auditor: after its last event.
    """

    program: str
    origin: str
    log_key: str
    note: str
    auditor: KeptAuditor


class StateDirectory:
    """What an auditor remembers of one book. One process has the directory at a time."""

    def __init__(self, path: Path) -> None:
        """Open a directory, which is made if it is missing.

        Raises:
            StateError: AUDIT_STATE_IN_USE.
            OSError: the directory cannot be made, or its files cannot be read.
        """
        self.path = path
        self.note = ""
        """The newest signed checkpoint that was compared, "" if there was none."""
        self.log_key = ""
        """The key of the log, "" if none is known."""
        path.mkdir(0o700, parents=True, exist_ok=True)
        self._due, self._pause = time.monotonic() + FIRST_SAVE_S, FIRST_SAVE_S
        self._lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            message = f"Another auditor runs on {path}. Wait until it ends, or name another directory."
            raise StateError("AUDIT_STATE_IN_USE", message) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._lock)

    def load(self, origin: str, log_key: str) -> Auditor | None:
        """Return the auditor that was kept of a book, None if none was.

        Args:
            origin: of the book that is to be audited now.
            log_key: of its log, "" if none is known.

        Raises:
            StateError: AUDIT_STATE_CHANGED, AUDIT_STATE_OF_OTHER_BOOK or AUDIT_STATE_OF_OTHER_PROGRAM.
            OSError: the file cannot be read.
        """
        place = self.path / REPLAYED
        try:
            data = place.read_bytes()
        except FileNotFoundError:
            self.log_key = log_key
            return None
        begin = len(_HEADER) + _DIGEST_BYTES
        body = memoryview(data)[begin:]
        if not data.startswith(_HEADER) or data[len(_HEADER) : begin] != hashlib.sha256(body).digest():
            raise self._changed("it is damaged, or was changed")
        try:
            program = msgspec.msgpack.decode(body, type=_OfAnyProgram).program
            if program != _program():
                message = (
                    f"{place} is of version {program} of Pathbook, and this is {_program()}. Audit with that version,"
                    " or remove the file: then all events are replayed again."
                )
                raise StateError("AUDIT_STATE_OF_OTHER_PROGRAM", message)
            kept = msgspec.msgpack.decode(body, type=Kept)
            self._require_book(kept, origin, log_key)
            auditor = Auditor.restored(kept.auditor)
        except (
            AssertionError,
            msgspec.MsgspecError,
            ValueError,
            LookupError,
            MalformedEventError,
            NewerEventError,
        ) as error:
            raise self._changed(f"it does not hold together ({error})") from None
        self.note, self.log_key = kept.note, kept.log_key or log_key
        return auditor

    def is_due(self) -> bool:
        """Tell whether it is time to keep what was replayed."""
        return time.monotonic() >= self._due

    def keep(self, auditor: Auditor) -> None:
        """Keep what was replayed, with `note` and `log_key`. It is on disk when this returns.

        Raises:
            OSError: it may not be on disk. What was kept before is.
        """
        if not auditor.position:
            return
        began = time.monotonic()
        origin = auditor.book.state.origin
        kept = Kept(_program(), origin, self.log_key, self.note, auditor.kept())
        body = msgspec.msgpack.encode(kept)
        replace_file(self.path / REPLAYED, _HEADER + hashlib.sha256(body).digest() + body)
        ended = time.monotonic()
        self._pause = max(FIRST_SAVE_S, (ended - began) / SAVE_SHARE)
        self._due = ended + self._pause

    def keep_evidence(self, name: str, text: str) -> Path:
        """Keep a file of evidence, and return it. It is on disk when this returns. Raises OSError."""
        directory = self.path / EVIDENCE
        directory.mkdir(0o700, exist_ok=True)
        path = directory / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        replace_file(path, text.encode())
        return path

    def _require_book(self, kept: Kept, origin: str, log_key: str) -> None:
        """Refuse what was kept of another book, or of a log with another key."""
        place = self.path / REPLAYED
        if kept.origin != origin:
            message = f"{place} is of the book {kept.origin}, and not of {origin}. Name another directory."
        elif kept.log_key and log_key and kept.log_key != log_key:
            message = (
                f"{place} is of a log with the key {kept.log_key}, and the log of {origin} has the key {log_key} now."
                " Ask the operator why. A log with another key is another log: audit it with another directory."
            )
        else:
            return
        raise StateError("AUDIT_STATE_OF_OTHER_BOOK", message)

    def _changed(self, what: str) -> StateError:
        message = (
            f"{self.path / REPLAYED} cannot be used: {what}. Put it back from a copy, or remove it: then all events are"
            " replayed again."
        )
        return StateError("AUDIT_STATE_CHANGED", message)


class _OfAnyProgram(msgspec.Struct):
    program: str


def _program() -> str:
    return importlib.metadata.version("pathbook")
