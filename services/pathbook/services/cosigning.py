"""Asks witnesses to cosign the newest checkpoints, and keeps their cosignatures. Nothing waits for them."""

import enum
import http.client
import threading
import time
from typing import Final

import msgspec
import structlog

from pathbook.ledger.proofs.ml_dsa import verification
from pathbook.ledger.proofs.signed_note import SUBTREE_COSIGNATURE, parse_note
from pathbook.ledger.proofs.submission import SIZE_TYPE, Submission, parse_cosignatures, parse_size
from pathbook.ledger.proofs.text import MalformedTextError
from pathbook.ledger.store.log.checkpoints import Checkpoints, KeptCheckpoint
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.tree.log_tree import LogTree
from pathbook.services.witness_calls import WitnessAddress, WitnessAnswer, WitnessConnection

LOOK_INTERVAL_S: Final = 0.5
"""How often it is looked whether a checkpoint was signed, by this process or by another one."""

FIRST_PAUSE_S: Final = 1.0
"""The pause after a witness did not cosign a checkpoint of a book. Each further pause in a row is twice as long."""

LONGEST_PAUSE_S: Final = 300.0
"""The longest pause. A witness that was down for a day is asked again that soon."""

ATTEMPTS_MAX: Final = 3
"""How often a witness is asked in a row, if each time it names another size that it cosigned last."""

CLOSE_TIMEOUT_S: Final = 0.5
"""How long a stopping server waits for open calls of witnesses, after it has cut their connections."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class Outcome(enum.Enum):
    """What became of asking a witness: a name for scripts, and a sentence for people."""

    COSIGNED = "the witness cosigned the checkpoint"
    SUPERSEDED = "a newer checkpoint was signed meanwhile"
    UNREACHABLE = "the witness cannot be reached"
    LOG_UNKNOWN = "the witness does not know this log: ask its operator to add the key of the log"
    KEY_REFUSED = "the witness knows another key of this log"
    REQUEST_REFUSED = "the witness refuses the request"
    AHEAD = "the witness has cosigned a larger checkpoint of this log than the newest one here"
    HISTORY_CONTRADICTED = "the witness has cosigned another history of this log: compare the two checkpoints"
    PROOF_REFUSED = (
        "the proof does not convince the witness: it may have cosigned another history of this log"
    )
    COSIGNATURE_FALSE = "the witness sent no cosignature that is valid under its key"
    ANSWER_MALFORMED = "the witness sent what is no answer of a witness"
    FAILED = "this server could not ask the witness"


ALARMS: Final = {Outcome.AHEAD, Outcome.HISTORY_CONTRADICTED, Outcome.PROOF_REFUSED}
"""What may mean that this log has shown another history before. An operator must look."""


class Conflict(msgspec.Struct, frozen=True):
    """The witness names the size that it cosigned last, which is not the one that it was asked with."""

    size: int


def judge(answer: WitnessAnswer, old: int, size: int) -> Outcome | Conflict | None:
    """Return what an answer means that has no cosignature: None if it should have one.

    Args:
        answer: of the witness.
        old: the old size that was sent.
        size: of the checkpoint.
    """
    match answer.status:
        case 200:
            return None
        case 400:
            return Outcome.REQUEST_REFUSED
        case 403:
            return Outcome.KEY_REFUSED
        case 404:
            return Outcome.LOG_UNKNOWN
        case 422:
            return Outcome.PROOF_REFUSED
        case 409 if answer.content_type == SIZE_TYPE:
            try:
                named = parse_size(answer.body)
            except MalformedTextError:
                return Outcome.ANSWER_MALFORMED
            if named > size:
                return Outcome.AHEAD
            if named != old:
                return Conflict(named)
            return Outcome.HISTORY_CONTRADICTED if old == size else Outcome.ANSWER_MALFORMED
        case 409 if old == size:
            return Outcome.HISTORY_CONTRADICTED
        case status if status == 429 or status >= 500:  # noqa: PLR2004 - the status of HTTP
            return Outcome.UNREACHABLE
        case _:
            return Outcome.ANSWER_MALFORMED


class _Progress:
    """How far a witness is with a book."""

    def __init__(self) -> None:
        self.cosigned = -1
        """The size of the checkpoint that it cosigned last, as this process knows."""
        self.failures = 0
        self.due = 0.0
        self.told = Outcome.COSIGNED


class CosignatureCollector:
    """Asks each witness in a thread of its own, so none waits for another."""

    def __init__(
        self,
        stream: Stream,
        tree: LogTree,
        checkpoints: Checkpoints,
        witnesses: tuple[WitnessAddress, ...],
        first_pause: float = FIRST_PAUSE_S,
    ) -> None:
        """Use the log, and ask these witnesses. Nothing is asked yet."""
        self._stream, self._tree, self._checkpoints = stream, tree, checkpoints
        self._first_pause = first_pause
        self._newest: dict[str, KeptCheckpoint] = {}
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._connections: list[WitnessConnection] = []
        self._threads = [threading.Thread(target=self._look, name="checkpoints", daemon=True)]
        for witness in witnesses:
            if witness.key.type == SUBTREE_COSIGNATURE and verification() is None:
                _LOG.warning(
                    "a witness is not asked: its cosignatures are by ML-DSA-44, which this installation cannot check",
                    witness=witness.name,
                    install="a version of cryptography that has it",
                )
                continue
            connection = WitnessConnection(witness.url)
            self._connections.append(connection)
            asking = threading.Thread(
                target=self._ask_on, args=(witness, connection), name=f"witness {witness.name}", daemon=True
            )
            self._threads.append(asking)

    def start(self) -> None:
        """Begin to ask."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop, in CLOSE_TIMEOUT_S. A cosignature that is on its way is asked for again after the next start."""
        self._stopped.set()
        with self._changed:
            self._changed.notify_all()
        due = time.monotonic() + CLOSE_TIMEOUT_S
        for connection in self._connections:
            connection.abort()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, due - time.monotonic()))

    def _look(self) -> None:
        """Look for new checkpoints."""
        while not self._stopped.is_set():
            try:
                books = self._stream.books() if self._checkpoints.any() else []
                found = {book: kept for book in books if (kept := self._checkpoints.newest(book)) is not None}
            except Exception as error:  # noqa: BLE001 - whatever happens, it is looked again
                self._tell_failure(error)
                found = self._newest
            with self._changed:
                self._newest = found
                self._changed.notify_all()
            self._stopped.wait(LOOK_INTERVAL_S)

    def _ask_on(self, witness: WitnessAddress, connection: WitnessConnection) -> None:
        """Ask a witness, as long as this runs."""
        progress: dict[str, _Progress] = {}
        while not self._stopped.is_set():
            with self._changed:
                self._changed.wait(LOOK_INTERVAL_S)
                newest = dict(self._newest)
            for book, kept in newest.items():
                at = progress.setdefault(book, _Progress())
                if kept.size > at.cosigned and time.monotonic() >= at.due and not self._stopped.is_set():
                    self._ask_once(witness, connection, book, kept, at)
        connection.close()

    def _ask_once(
        self,
        witness: WitnessAddress,
        connection: WitnessConnection,
        book: str,
        kept: KeptCheckpoint,
        at: _Progress,
    ) -> None:
        cause = ""
        try:
            outcome = self._ask(witness, connection, book, kept, max(0, at.cosigned))
        except (OSError, http.client.HTTPException) as error:
            outcome, cause = Outcome.UNREACHABLE, str(error) or type(error).__name__
        except Exception as error:  # noqa: BLE001 - whatever happens, the witness is asked again
            outcome, cause = Outcome.FAILED, str(error)
            self._tell_failure(error)
        if self._stopped.is_set() or outcome is Outcome.SUPERSEDED:
            return
        if outcome is Outcome.COSIGNED:
            at.cosigned, at.failures = kept.size, 0
        else:
            pause = min(LONGEST_PAUSE_S, self._first_pause * 2**at.failures)
            # The next time it is asked from the beginning, because it may have lost or gained what it knew.
            at.cosigned, at.failures, at.due = -1, min(at.failures + 1, 30), time.monotonic() + pause
        if outcome is not at.told:
            at.told = outcome
            log = _LOG.info if outcome is Outcome.COSIGNED else _LOG.warning
            log = _LOG.error if outcome in ALARMS else log
            log(
                outcome.value,
                reason=outcome.name,
                witness=witness.name,
                book=book,
                size=kept.size,
                cause=cause,
            )

    def _ask(
        self,
        witness: WitnessAddress,
        connection: WitnessConnection,
        book: str,
        kept: KeptCheckpoint,
        old: int,
    ) -> Outcome:
        """Have a witness cosign a checkpoint, and keep what it sends.

        Raises:
            OSError: the witness cannot be reached.
            http.client.HTTPException: its answer is not HTTP.
            Exception: as the log raises.
        """
        note = parse_note(kept.signed.encode())
        for _ in range(ATTEMPTS_MAX):
            proof = tuple(self._tree.consistency_proof(book, old, kept.size))
            answer = connection.post(str(Submission(old, proof, note)).encode())
            judged = judge(answer, old, kept.size)
            if isinstance(judged, Conflict):
                old = judged.size
                continue
            if judged is Outcome.AHEAD:
                newest = self._checkpoints.newest(book)
                return Outcome.SUPERSEDED if newest is not None and newest.size > kept.size else judged
            if judged is not None:
                return judged
            try:
                lines = parse_cosignatures(answer.body, witness.key)
            except MalformedTextError:
                return Outcome.ANSWER_MALFORMED
            is_valid = self._checkpoints.add_cosignatures(book, kept.size, witness.key, lines, verification())
            return Outcome.COSIGNED if is_valid else Outcome.COSIGNATURE_FALSE
        return Outcome.ANSWER_MALFORMED

    def _tell_failure(self, error: Exception) -> None:
        if not self._stopped.is_set() and not self._stream.outages.tell(error):
            _LOG.exception("cosignatures could not be collected; trying again", exc_info=error)
