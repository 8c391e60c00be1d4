"""Cosigning of a checkpoint that was audited: an auditor is a witness that replays what it cosigns."""

import time
from collections.abc import Callable
from pathlib import Path

from pathbook.audit.differences import UncheckableError
from pathbook.audit.sources import Source
from pathbook.ledger.proofs.checkpoint import Checkpoint
from pathbook.ledger.proofs.signed_note import NoteSignature, SignedNote, VerifierKey, parse_note
from pathbook.ledger.proofs.submission import Submission, parse_cosignatures
from pathbook.witness.key_file import WitnessKey
from pathbook.witness.state import State
from pathbook.witness.witness import Witness, logs_of


def cosign_audited(
    source: Source,
    log: VerifierKey,
    key: WitnessKey,
    directory: Path,
    clock: Callable[[], int] = lambda: int(time.time()),
) -> tuple[SignedNote, NoteSignature]:
    """Cosign the newest checkpoint of a source, of which an audit found no difference.

    A witness of our own does it (`pathbook.witness`). It keeps what it cosigned in a directory, so that it never
    cosigns two histories, and demands the proof that the log only grew. Return the cosigned note, and the line.

    Args:
        source: whose newest checkpoint was compared with all events up to it.
        log: the key of the log, which the caller trusts.
        key: of the auditor.
        directory: of what was cosigned.
        clock: returns seconds since 1970 UTC.

    Raises:
        UncheckableError: there is no checkpoint, or it contradicts what was cosigned before.
        pathbook.witness.state.StateError: the directory cannot be used.
        OSError: the directory cannot be read or written.
    """
    if source.note is None:
        raise UncheckableError("There is no signed checkpoint to cosign yet.")
    note = parse_note(source.note)
    checkpoint = Checkpoint.parse(note.text)
    told: list[str] = []
    state = State(directory, key.verifier, [checkpoint.origin])
    try:
        latest = state.latest.get(checkpoint.origin)
        old = 0 if latest is None else latest.size
        if old > checkpoint.size:
            raise UncheckableError(
                f"A checkpoint of {old} events was cosigned, and the newest one is of {checkpoint.size} now."
                " Nothing was cosigned. Ask the operator whether the log lost events."
            )
        proof = tuple(source.proof(old, checkpoint.size)) if 0 < old < checkpoint.size else ()
        witness = Witness(key, logs_of([log]), state, clock, told.append)
        answer = witness.add_checkpoint(str(Submission(old, proof, note)).encode())
    finally:
        state.close()
    if answer.status != 200:  # noqa: PLR2004 - the status of HTTP
        what = " ".join([answer.body.strip(), *told])
        raise UncheckableError(f"The checkpoint of {checkpoint.size} events was not cosigned: {what}")
    (line,) = parse_cosignatures(answer.body.encode(), key.verifier)
    return note.with_signatures([line]), line
