"""A path that a server shows, compared with the proof of it. The proof wins, and says how far it goes."""

from typing import Final

from pathbook.v1.paths_pb2 import GetPathResponse, PathStepKind
from pathbook.verify.checks import report_of, verdict_of
from pathbook.verify.proof import ProvenPath
from pathbook.verify.verdicts import Number, Outcome, Report, Result, Verdict

HOPS: Final = frozenset({PathStepKind.PATH_STEP_KIND_TRANSFERRED, PathStepKind.PATH_STEP_KIND_SOLD})
"""The kinds of steps at which title moves onward."""

_REFUTING: Final = frozenset({Verdict.PROOF_REFUTED, Verdict.PATH_CONTRADICTED, Verdict.CODE_CONTRADICTED})
"""The verdicts on a proof that no path outweighs."""


def compared_with_proof(
    shown: Report, path: GetPathResponse, proof: Report, proven: ProvenPath | None, *, is_new_key: bool
) -> Report:
    """Return the report on a path that a server shows, with all of its steps, and on the proof that it gave.

    The steps up to the sealed position must be those of the proof. Newer ones are not sealed yet, which is said.
    ``is_new_key`` tells that the key of the log is known from this answer alone.
    """
    if proof.verdict in _REFUTING or shown.verdict is Verdict.PATH_CONTRADICTED:
        return proof if proof.verdict in _REFUTING else shown
    if proven is None:
        return shown
    covers = proven.proven.sealed.covers
    found = {check.number: (check.result, check.detail) for check in shown.checks}
    result, detail = next(
        (check.result, check.detail) for check in proof.checks if check.number is Number.PROOFS
    )
    sealed = [step.position for step in path.steps if step.position <= covers]
    if sealed != [step.recorded.position for step in proven.steps]:
        detail = f"the server shows other steps up to position {covers} than it sealed"
        return report_of(Verdict.PROOF_REFUTED, found | {Number.PROOFS: (Result.FAILED, detail)})
    newer = len(path.steps) - len(sealed)
    if newer:
        detail += f"; {newer} newer steps are not sealed yet, and are the server's word"
    if is_new_key:
        detail += "; the key of this log was seen for the first time, and is remembered now"
    if result is Result.OK and (newer or is_new_key):
        result = Result.NOTED
    found[Number.PROOFS] = (result, detail)
    found[Number.SIGNATURES] = _signatures(found[Number.SIGNATURES], proof, path, covers)
    holds = shown.verdict in (Verdict.VERIFIED, Verdict.AGAINST_POLICY)
    verdict = verdict_of(found) if holds else shown.verdict
    return report_of(verdict, found, _reason(verdict, covers, newer, is_new_key=is_new_key))


def _signatures(shown: Outcome, proof: Report, path: GetPathResponse, covers: int) -> Outcome:
    """Return what was proven of signatures, unless the caller demands them and a newer hop is not sealed yet."""
    (proven,) = ((check.result, check.detail) for check in proof.checks if check.number is Number.SIGNATURES)
    newer = [
        step for step in path.steps if step.position > covers and step.kind in HOPS and not step.corrected
    ]
    if not newer:
        return proven
    detail = f"{proven[1]}; whose keys signed the newer steps is not sealed yet"
    if shown[0] is Result.FAILED:
        return (
            Result.FAILED,
            f"you demand signatures, and none of {len(newer)} newer hops is proven; {detail}",
        )
    return Result.NOTED if proven[0] is Result.OK else proven[0], detail


def _reason(verdict: Verdict, covers: int, newer: int, *, is_new_key: bool) -> str:
    """Return the sentence of a path that holds: how far it is sealed, and by whose key."""
    if verdict is not Verdict.VERIFIED:
        return ""
    until = f"It is sealed, and complete up to position {covers}"
    beyond = f"; what came after is not sealed yet: {newer} steps" if newer else ""
    key = " by a key that was seen for the first time" if is_new_key else ""
    return f"the path holds. {until}{key}{beyond}."
