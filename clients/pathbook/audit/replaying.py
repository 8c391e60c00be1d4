"""An audit from beginning to end, or on from where it was: whose checkpoints they are, the replay, what was found."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from pathbook.audit.auditor import Auditor, Replayed
from pathbook.audit.book import Book
from pathbook.audit.differences import DifferenceError, LaterError, Rule, UncheckableError
from pathbook.audit.fingerprints import compare
from pathbook.audit.sources import Source, Stored
from pathbook.audit.state_directory import StateDirectory
from pathbook.ledger.codec import leaf_hash
from pathbook.ledger.proofs.checkpoint import Checkpoint
from pathbook.ledger.proofs.signed_note import SignedNote, VerifierKey, parse_note
from pathbook.ledger.proofs.text import MalformedTextError
from pathbook.ledger.proofs.tree import is_consistent
from pathbook.verify.guards import RefutedError, UntrustedError
from pathbook.verify.trust import NO_POLICY, Trust, witnessed

PROGRESS_EVENTS: Final = 1_000
"""After how many events progress is told, and it is looked whether to stop or to keep what was replayed."""


class Signed(msgspec.Struct, frozen=True):
    """A checkpoint with which the events were compared.

    Attributes:
        size: how many events it is of.
        is_signed: whether a key of the log signed it. Without a key, nothing is known of that.
        is_trusted: whether the caller trusts that key.
        witnesses: those of the caller's policy that cosigned it.
    """

    size: int
    is_signed: bool
    is_trusted: bool
    witnesses: tuple[str, ...] = ()


class Audited(msgspec.Struct, frozen=True):
    """What an audit found of a book that holds.

    Attributes:
        replayed: what was replayed, from the first event on.
        checkpoints: those that are of its history, the newest first.
        begun_after: the position after which this audit began, 0 unless it went on from what was kept.
        compared_at: the position at which the views of the server were compared, 0 if they were not.
    """

    replayed: Replayed
    checkpoints: tuple[Signed, ...]
    begun_after: int = 0
    compared_at: int = 0


class StoppedError(Exception):
    """An audit was told to stop between two events. What was replayed is kept."""


class Replay:
    """An audit that can go on: each `run` replays what a source has beyond the last event that was replayed."""

    def __init__(
        self,
        state: StateDirectory | None = None,
        progress: Callable[[int, int | None], None] = lambda *_: None,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """Begin, or go on from what a directory keeps.

        Args:
            state: keeps what was replayed. None keeps nothing.
            progress: is called with the number of events that were taken, and the total.
            is_stopped: tells whether to stop. It is asked between two events.
        """
        self._state, self._progress, self._is_stopped = state, progress, is_stopped
        self._auditor: Auditor | None = None

    @property
    def position(self) -> int:
        """The position of the last event that was replayed."""
        return 0 if self._auditor is None else self._auditor.position

    def run(self, source: Source, remembered: Sequence[bytes], trust: Trust) -> Audited:
        """Replay all events of a source that were not replayed yet, and compare.

        Args:
            source: of the events, and of the newest checkpoint.
            remembered: signed notes that were kept from before, each a checkpoint of the same log.
            trust: keys of logs, and the witnesses that must have cosigned the newest checkpoint.

        Raises:
            DifferenceError: the first rule that does not hold.
            UncheckableError: nothing is known of whether the book holds. If it is a LaterError, it may be later.
            StoppedError: it was told to stop.
            pathbook.audit.state_directory.StateError: what was kept cannot be used.
            pathbook.client.RefusedError, pathbook.client.UnreachableError, OSError: as the source raises.
        """
        if source.note is None and (trust.logs or trust.policy != NO_POLICY):
            raise LaterError(
                "There is no signed checkpoint yet, and you named whose to trust. Audit again later."
            )
        newest = [] if source.note is None else [source.note]
        opened = [_opened(note, source.key, trust) for note in (*newest, *remembered)]
        if newest and not opened[0].has_quorum:
            names = ", ".join(opened[0].signed.witnesses) or "none"
            message = f"Your policy demands more witnesses of the newest checkpoint than {names}."
            raise LaterError(message)
        auditor = self._begin(source)
        begun_after = auditor.position
        self._require_history(auditor, source)
        for number, each in enumerate(opened):
            if not auditor.expect(each.checkpoint, is_demanded=number >= len(newest)):
                _require_proof(auditor, source, each.checkpoint)
        self._go_on(auditor, source, source.size)
        if auditor.position < source.size:
            raise UncheckableError(
                f"{auditor.position} of {source.size} events were given, and then no more."
            )
        replayed = auditor.finish()
        if self._state is not None and opened:
            largest = max(opened, key=lambda each: each.checkpoint.size)
            if largest.checkpoint.size >= max(auditor.compared):
                self._state.note = largest.text
        compared_at = 0
        if (client := source.client) is not None:

            def reach(position: int) -> Book:
                self._go_on(auditor, source, position)
                if auditor.position != position:
                    raise UncheckableError("The server answered as of an earlier position than it was asked.")
                client.position = position
                return auditor.book

            compared_at = compare(client, reach, auditor.position)
            replayed = auditor.replayed()
        if self._state is not None:
            self._state.keep(auditor)
        return Audited(replayed, tuple(each.signed for each in opened), begun_after, compared_at)

    def _begin(self, source: Source) -> Auditor:
        if self._auditor is None:
            loaded = None
            if self._state is not None:
                loaded = self._state.load(source.origin, "" if source.key is None else str(source.key))
            self._auditor = loaded or Auditor()
        return self._auditor

    def _require_history(self, auditor: Auditor, source: Source) -> None:
        """Require that the source still has the last event that was replayed. A directory may be an older copy."""
        position = auditor.position
        if source.size < position:
            if source.client is None:
                return
            found = f"the log has {source.size} events, and {position} of them were replayed before"
            raise DifferenceError(source.size + 1, Rule.HISTORY, found)
        last = next(source.events(position - 1, position), None) if position else None
        if position and last is None:
            raise DifferenceError(
                position, Rule.HISTORY, "an event was replayed here before, and there is none now"
            )
        if last is not None and leaf_hash(last.data) != auditor.last_leaf:
            raise DifferenceError(position, Rule.HISTORY, "another event was replayed here before")

    def _go_on(self, auditor: Auditor, source: Source, through: int) -> None:
        """Replay the events up to a position."""
        for stored in self._read(auditor, source, through):
            auditor.take(stored.data, stored.published)
            if auditor.position % PROGRESS_EVENTS == 0 or self._is_stopped():
                self._look(auditor, source.size)

    def _read(self, auditor: Auditor, source: Source, through: int) -> Iterator[Stored]:
        """Yield events. If the source fails between two of them, what was replayed is kept."""
        try:
            yield from source.events(auditor.position, through)
        except GeneratorExit:
            raise
        except BaseException:
            if self._state is not None:
                self._state.keep(auditor)
            raise

    def _look(self, auditor: Auditor, total: int) -> None:
        """Tell progress, and keep what was replayed if it is time to, or to stop."""
        self._progress(auditor.position, total)
        stops = self._is_stopped()
        if self._state is not None and (stops or self._state.is_due()):
            self._state.keep(auditor)
        if stops:
            raise StoppedError


class _Opened(msgspec.Struct, frozen=True):
    """A checkpoint: its note as text, whose word it is, and whether the policy's quorum cosigned it."""

    text: str
    checkpoint: Checkpoint
    signed: Signed
    has_quorum: bool


def _require_proof(auditor: Auditor, source: Source, checkpoint: Checkpoint) -> None:
    """Require a proof that a checkpoint of fewer events than were replayed is of the same history."""
    size = checkpoint.size
    larger = min((known for known in auditor.compared if known > size), default=0)
    if not larger:
        raise UncheckableError(
            f"A checkpoint is of {size} events, and {auditor.position} were replayed before it was known. Audit without"
            " --state, or give a larger checkpoint."
        )
    proof = source.proof(size, larger)
    if not is_consistent(size, checkpoint.root, larger, auditor.compared[larger], proof):
        found = (
            f"no proof shows that the tree of the checkpoint of {larger} events begins with that of {size}"
        )
        raise DifferenceError(size, Rule.CHECKPOINT_ROOT, found)


def _opened(data: bytes, named: VerifierKey | None, trust: Trust) -> _Opened:
    """Return a checkpoint, and whose word it is."""
    try:
        note = parse_note(data)
        key = named or _key_of(note, trust)
        if key is None:
            checkpoint = Checkpoint.parse(note.text)
            signed = Signed(checkpoint.size, is_signed=False, is_trusted=False)
            return _Opened(str(note), checkpoint, signed, has_quorum=True)
        found = witnessed(note, key, trust)
    except (MalformedTextError, UntrustedError, RefutedError) as error:
        raise UncheckableError(f"A checkpoint cannot be relied upon: {error}.") from None
    signed = Signed(found.checkpoint.size, True, found.is_trusted, tuple(found.cosigned))  # noqa: FBT003 - a field
    return _Opened(str(note), found.checkpoint, signed, found.has_quorum)


def _key_of(note: SignedNote, trust: Trust) -> VerifierKey | None:
    """Return the trusted key that a note of a directory names, or None if the caller trusts no log.

    Raises:
        UntrustedError: the caller trusts logs, but none of them signed the note.
    """
    for key in trust.logs:
        if any(line.is_by(key) for line in note.signatures):
            return key
    if trust.logs:
        raise UntrustedError("no log that you trust signed it")
    return None
