"""A witness: it decides on submissions, one after the other, and keeps what it cosigns before it says so."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable

import msgspec

from pathbook.ledger.proofs.cosignature import cosign, cosigned_at
from pathbook.ledger.proofs.signed_note import VerifierKey
from pathbook.ledger.proofs.submission import SIZE_TYPE, Submission
from pathbook.ledger.proofs.text import MalformedTextError
from pathbook.witness.deciding import Accepted, Evidence, Logs, Refusal, Refused, decide
from pathbook.witness.key_file import WitnessKey
from pathbook.witness.state import State

TEXT: str = "text/plain; charset=utf-8"
"""The content type of cosignatures, and of sentences for people."""


class Answer(msgspec.Struct, frozen=True):
    """What is answered over HTTP."""

    status: int
    body: str
    content_type: str = TEXT


class Witness:
    """A witness of some logs. Threads may share it."""

    def __init__(
        self, key: WitnessKey, logs: Logs, state: State, clock: Callable[[], int], told: Callable[[str], None]
    ) -> None:
        """Use a key and a state.

        Args:
            key: with which checkpoints are cosigned.
            logs: the logs it knows.
            state: what it cosigned.
            clock: returns seconds since 1970 UTC.
            told: is called with a sentence for the operator, of everything that speaks against a log.
        """
        self._key, self._logs, self._state, self._clock, self._told = key, logs, state, clock, told
        self._lock = threading.Lock()

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answer a submission.

        Raises:
            OSError: the state could not be kept. Nothing was cosigned.
        """
        try:
            submission = Submission.parse(body)
        except MalformedTextError as error:
            return Answer(Refusal.MALFORMED.status, f"{Refusal.MALFORMED.sentence} {error}\n")
        with self._lock:  # between the look at the latest checkpoint and the new one, there must be no other
            decided = decide(self._state.latest, self._logs, submission)
            if isinstance(decided, Accepted):
                return Answer(200, self._cosigned(decided))
            self._look_at(decided)
        return _refused(decided)

    def _cosigned(self, accepted: Accepted) -> str:
        """Keep a checkpoint as the latest one, and return the line that cosigns it."""
        key, origin = self._key.verifier, accepted.checkpoint.origin
        before = self._state.cosigned(origin)
        last = 0 if before is None else cosigned_at(before, key) or 0
        # A clock may go back. A larger tree must not be the largest one at an earlier time than a smaller one.
        time = max(self._clock(), last)
        line = cosign(accepted.note, key, time, self._key.sign)
        if before is None or line not in before.signatures:
            self._state.keep(accepted.checkpoint, accepted.note.with_signatures([line]))
        return f"{line}\n"

    def _look_at(self, refused: Refused) -> None:
        """Keep what speaks against a log, and tell the operator once."""
        if refused.evidence is None or refused.note is None:
            return
        if self._state.keep_evidence(refused.evidence, refused.origin, refused.note):
            told = {
                Evidence.SPLIT_VIEW: "signed two histories. Both checkpoints are kept as evidence",
                Evidence.UNPROVEN: "signed a checkpoint that came without a valid proof. It is kept",
            }
            self._told(f"The log {refused.origin} {told[refused.evidence]}.")


def logs_of(keys: Iterable[VerifierKey]) -> Logs:
    """Return the keys of logs by their origins."""
    found: defaultdict[str, list[VerifierKey]] = defaultdict(list)
    for key in keys:
        found[key.name].append(key)
    return dict(found)


def _refused(refused: Refused) -> Answer:
    if refused.refusal is Refusal.OLD_NOT_LATEST:
        return Answer(refused.refusal.status, f"{refused.latest_size}\n", SIZE_TYPE)
    return Answer(refused.refusal.status, f"{refused.refusal.sentence}\n")
