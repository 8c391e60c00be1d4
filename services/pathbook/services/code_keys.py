"""The keys of a server: those in its file, read again when the file changes, and compared with those in use here."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog

from pathbook.ledger.serials import KeyRing
from pathbook.ledger.store.log.code_key import CodeKeysInUse
from pathbook.ledger.store.views.batch_keys import BatchKey
from pathbook.services.key_file import UnusableKeyError, make_key, read_keys
from pathbook.services.translate.statuses import Failure, failed

KNOWN_AGE_S: Final = 1.0
"""How old the list of the keys in use may be when a code fits no key of the ring. So invented codes cost no read."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class CodeKeys:
    """The keys of the codes of one server. Threads may share it.

    The database of the books remembers which keys are in use, oldest first. The file must begin with these keys. More
    keys after them come into use as soon as a server reads them.

    A running server reads the file again when it has changed. While it cannot be used, the server goes on with the
    keys that it has, but commissions no batch.
    """

    def __init__(
        self, path: Path, in_use: CodeKeysInUse, of_batches: Sequence[BatchKey], *, make: bool
    ) -> None:
        """Read the file. If it is missing, ``make`` is true and no key is in use here, make it.

        ``of_batches`` are the keys of batches. The file must have them, whatever the database remembers.

        Raises:
            UnusableKeyError: the file is missing, is not a key file, does not begin with the keys in use here, or
                lacks the key of a batch.
            eventsourcing.persistence.PersistenceError: the database fails.
            OSError: the file cannot be read or written.
        """
        self._path, self._in_use, self._of_batches = path, in_use, of_batches
        self._lock = threading.Lock()
        self._known = in_use.known()
        self._known_at = time.monotonic()
        self._problem = ""
        if make and not self._known:
            make_key(path)
        self._stamp = self._stamp_now()  # before the file is read: what is written after it is read again
        self._ring = self._read()

    def ring(self) -> KeyRing:
        """Return the keys. Read the file again if it has changed."""
        if self._stamp_now() == self._stamp:
            return self._ring
        with self._lock:
            stamp = self._stamp_now()
            if stamp != self._stamp:
                try:
                    self._ring, self._problem = self._read(), ""
                    _LOG.info("the keys of the codes were read again", keys=len(self._ring.by_fingerprint))
                except (UnusableKeyError, OSError) as error:
                    self._problem = error.problem if isinstance(error, UnusableKeyError) else "cannot be read"
                    _LOG.warning("no batch is commissioned: the keys cannot be used", problem=str(error))
                self._stamp = stamp  # last: until then, other threads wait for the lock
            return self._ring

    def for_new_batch(self) -> bytes:
        """Return the fingerprint of the current key, for a batch that is made now.

        Raises:
            CallFailedError: the file cannot be used, or another server uses a newer key.
            eventsourcing.persistence.PersistenceError: the database fails.
        """
        ring = self.ring()
        problem = self._problem
        if not problem:
            self._known, self._known_at = self._in_use.remember(ring.fingerprints), time.monotonic()
            problem = _difference(self._known, ring.fingerprints)
        if problem:
            raise failed(Failure.CODE_KEYS_UNUSABLE, problem=problem)
        return ring.current

    def missing(self) -> bytes | None:
        """Return the fingerprint of a key in use here that the ring lacks, or None. Others may have just added one.

        Raises:
            eventsourcing.persistence.PersistenceError: the database fails.
        """
        if time.monotonic() - self._known_at > KNOWN_AGE_S:
            self._known, self._known_at = self._in_use.known(), time.monotonic()
        ring = self.ring()
        return next((name for name in self._known if name not in ring.by_fingerprint), None)

    def _read(self) -> KeyRing:
        """Read the file, and take its new keys into use."""
        ring = read_keys(self._path)
        self._refuse(_difference(self._in_use.known(), ring.fingerprints))
        for name, book, batch in self._of_batches:
            if name not in ring.by_fingerprint:
                made = f"with which the codes of batch {batch} of book '{book}' are made"
                self._refuse(f"lacks key {name.hex()}, {made}")
        # last: a file that is refused leaves no trace; another server may have been first
        self._known = self._in_use.remember(ring.fingerprints)
        self._refuse(_difference(self._known, ring.fingerprints))
        return ring

    def _refuse(self, problem: str) -> None:
        if problem:
            raise UnusableKeyError(self._path, problem)

    def _stamp_now(self) -> tuple[int, int, int] | None:
        """Return what changes when the file is written or replaced, or None if there is no file."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size


def _difference(known: Sequence[bytes], ring: Sequence[bytes]) -> str:
    """Return what is wrong with a file that does not begin with the keys in use, or "" if nothing is."""
    if known and not set(known) & set(ring):
        return "is the key of other books"
    for line, (wanted, found) in enumerate(zip(known, [*ring, *[b""] * len(known)], strict=False), 1):
        if wanted not in ring:
            return f"lacks key {wanted.hex()}, which belongs on line {line}"
        if wanted != found:
            return f"has its keys in another order: key {wanted.hex()} belongs on line {line}"
    return ""
