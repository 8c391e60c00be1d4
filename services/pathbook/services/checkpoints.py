"""Signs the checkpoints of books: commit first, sign second, and never anything that contradicts what was signed."""

from pathlib import Path

from pathbook.ledger.events import BookOpened, Sealed
from pathbook.ledger.proofs.checkpoint import Checkpoint, open_checkpoint
from pathbook.ledger.proofs.signed_note import SignedNote, VerifierKey, parse_note, sign_note
from pathbook.ledger.proofs.text import MalformedTextError
from pathbook.ledger.proofs.tree import Frontier, is_consistent
from pathbook.ledger.store.log.checkpoints import Checkpoints
from pathbook.ledger.store.log.event_hashes import read_event
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.tree.log_tree import LogTree
from pathbook.services.key_file import locked
from pathbook.services.last_checkpoints import read_last_checkpoints, write_last_checkpoints
from pathbook.services.log_key import (
    LAST_CHECKPOINT_FILE,
    LOG_KEY_FILE,
    LogKey,
    make_log_key,
    read_log_key,
)
from pathbook.services.signing import Reason, SigningError


class CheckpointSigner:
    """Signs the checkpoints of the books of a directory. Threads may share it, and other processes may sign, too.

    What was signed last is in a file beside the key, which no restore of the log touches. A tree is signed only if it
    begins with the tree that was signed last, by that file and by the log's database, and if its last event is a seal.
    Its new part is read from the events, not from the kept nodes of the tree.
    """

    def __init__(self, directory: Path, stream: Stream, tree: LogTree, checkpoints: Checkpoints) -> None:
        """Use the key and the last checkpoints in a directory. Nothing is read yet."""
        self._key_file = directory / LOG_KEY_FILE
        self._last_file = directory / LAST_CHECKPOINT_FILE
        self._stream, self._tree, self._checkpoints = stream, tree, checkpoints
        self._origins: dict[str, str] = {}

    def key(self) -> LogKey:
        """Return the key. If the directory has none, and nothing was signed yet, make one.

        Raises:
            SigningError: KEY_MISSING or KEY_UNUSABLE.
            eventsourcing.persistence.PersistenceError: the database fails.
            OSError: the file cannot be read or written.
        """
        self.make_key()
        return read_log_key(self._key_file)

    def make_key(self) -> None:
        """Make a key if the directory has none, and nothing was signed yet. Raises as `key`."""
        if not self._key_file.exists() and not self._checkpoints.any():
            make_log_key(self._key_file)

    def verifier(self, book: str) -> VerifierKey:
        """Return the public key of the checkpoints of a book that has an event. Raises as `key`."""
        return self.key().verifier(self._origin(book))

    def sign_checkpoint(self, book: str, size: int) -> SignedNote:
        """Sign the tree of a size, and keep it. Return the signed note, without the cosignatures it may have by now.

        The events up to that position must be committed. If this or a larger tree of the book was signed before, its
        checkpoint is returned, and nothing is signed.

        Raises:
            SigningError: it would contradict what was signed, or that cannot be told.
            pathbook.ledger.store.log.damage.EventDamagedError: an event is damaged.
            eventsourcing.persistence.PersistenceError: the database fails.
            OSError: a file cannot be read or written.
        """
        key = self.key()
        verifier = key.verifier(self._origin(book))
        while True:
            kept, last = self._signed(book, verifier)
            self._require_same_log(book, kept, last)
            if last is not None and (kept is None or _size(kept) < _size(last)):
                kept = self._keep(book, last)  # a process was killed before it did
            signed = max((note for note in (kept, last) if note is not None), key=_size, default=None)
            if signed is not None and _size(signed) >= size:
                return signed
            self._require_seal(book, size)
            root = self._root(book, size, signed)
            with locked(self._key_file):  # not before: a first checkpoint may read millions of events
                if self._signed(book, verifier) != (kept, last):
                    continue  # another process signed meanwhile
                note = sign_note(str(Checkpoint(verifier.name, size, root)), verifier, key.sign)
                notes = read_last_checkpoints(self._last_file)
                write_last_checkpoints(self._last_file, {**notes, verifier.name: note})
            return self._keep(book, note)

    def _signed(self, book: str, key: VerifierKey) -> tuple[SignedNote | None, SignedNote | None]:
        """Return the newest checkpoint of the database, and the last one of the file."""
        newest = self._checkpoints.newest(book)
        # After the database, because a signer writes the file first: it has what the database had.
        last = read_last_checkpoints(self._last_file).get(key.name)
        if last is None and newest is not None:
            raise SigningError(Reason.LAST_MISSING, place=self._last_file)
        kept = None
        if newest is not None:
            try:
                kept = parse_note(newest.signed.encode())
            except MalformedTextError:
                raise SigningError(Reason.OTHER_KEY, book=book, place="the database") from None
        for note, place in ((kept, "the database"), (last, str(self._last_file))):
            if note is not None and (open_checkpoint(note, key) is None):
                raise SigningError(Reason.OTHER_KEY, book=book, place=place)
        return kept, last

    def _require_same_log(self, book: str, *notes: SignedNote | None) -> None:
        """Refuse a log that does not begin with the trees that were signed."""
        for signed in {Checkpoint.parse(note.text) for note in notes if note is not None}:
            head = self._stream.head(book)
            if head < signed.size:
                raise SigningError(Reason.LOG_SHORTER, book=book, size=signed.size, head=head)
            if self._tree.root(book, signed.size) != signed.root:
                self._tree.drop(book)  # the kept nodes may be damaged, and the events may not
                if self._tree.root(book, signed.size) != signed.root:
                    raise SigningError(Reason.OTHER_HISTORY, book=book, size=signed.size)

    def _require_seal(self, book: str, size: int) -> None:
        """Refuse a tree whose last event is no seal. What is beyond the log is refused later."""
        for stored in self._stream.at(book, [size]):
            if not isinstance(read_event(book, stored).event, Sealed):
                raise SigningError(Reason.NOT_SEALED, book=book, size=size)

    def _root(self, book: str, size: int, signed: SignedNote | None) -> bytes:
        """Return the root of a larger tree than the one that was signed, which begins with that one."""
        edge, old, old_root = Frontier(), 0, b""
        if signed is not None:
            before = Checkpoint.parse(signed.text)
            edge, old, old_root = self._tree.frontier(book, before.size), before.size, before.root
            assert edge.root() == old_root, "it was compared before"
        self._tree.grow(book, edge, size)
        root = edge.root()
        for is_last in (False, True):
            # The proof is made from the kept nodes, as callers will get it.
            proof = self._tree.consistency_proof(book, old, size)
            is_shown = is_consistent(old, old_root, size, root, proof) or not old
            if is_shown and self._tree.root(book, size) == root:
                break
            if is_last:
                raise SigningError(Reason.TREE_DAMAGED, book=book, size=size)
            self._tree.drop(book)
        return root

    def _keep(self, book: str, note: SignedNote) -> SignedNote:
        """Keep a signed note in the database. Return it as it is there."""
        stored = self._checkpoints.keep(book, _size(note), str(note))
        found = parse_note(stored.signed.encode())
        if found.text != note.text:
            raise SigningError(Reason.OTHER_HISTORY, book=book, size=stored.size)
        return found

    def _origin(self, book: str) -> str:
        """Return the origin of a book that has an event."""
        if book not in self._origins:
            (first,) = self._stream.at(book, [1])
            event = read_event(book, first).event
            assert isinstance(event, BookOpened), event
            self._origins[book] = event.origin
        return self._origins[book]


def _size(note: SignedNote) -> int:
    return Checkpoint.parse(note.text).size
