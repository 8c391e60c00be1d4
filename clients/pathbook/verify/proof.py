"""Verification of a unit by its proof file alone: the arithmetic up to the key of the log, then the numbered checks.

This module is pure. It has no clock (the caller gives the time), no network and no database. It believes nothing but
what leads to the checkpoint, and of the checkpoint only what the caller's keys and policy vouch for.
"""

import datetime
from collections.abc import Sequence
from typing import Final

import msgspec

from pathbook.ledger.codes import PrintedCode, contradiction
from pathbook.ledger.events import Sealed
from pathbook.ledger.proofs.text import MalformedTextError
from pathbook.ledger.proofs.unit_proof import UnitProof, parse_unit_proof
from pathbook.ledger.values import CLOCK_TOLERANCE
from pathbook.verify import batch_chain, party_chains, signatures
from pathbook.verify.batch_chain import BatchPast, past_of
from pathbook.verify.checks import (
    CODE_READ,
    NEWER,
    Found,
    as_commissioned,
    authorized,
    judge_events,
    report_of,
    shown_hops,
    steps_in_force,
    verdict_of,
)
from pathbook.verify.guards import Guard, RefutedError, UntrustedError, require
from pathbook.verify.replay import ContradictionError, NewerPathError, ReplayedStep, replay_events
from pathbook.verify.sealed import Proven, prove, require_order
from pathbook.verify.statements import FalseStatementError, KnownPath
from pathbook.verify.trust import Trust, Witnessed, witnessed
from pathbook.verify.verdicts import Number, Outcome, Policy, Report, Result, Verdict

UNTRUSTED: Final = (
    "the file agrees with itself, but no key of its log is trusted, and anyone can make such a file."
    " Give the key that you got from the book in another way."
)
"""The sentence of the verdict on a proof without a key or a policy of the caller."""

OTHER_LOG: Final = "the proof is of a log that you do not trust."
"""The sentence of the verdict on a proof of a log that the caller's keys and policy do not name."""

SEALED_CONTRADICTION: Final = "what the book sealed contradicts itself. Do not rely on it."
"""The sentence of the verdict on a path that is sealed, and that no honest book would have recorded."""

_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_TOLERANCE: Final = CLOCK_TOLERANCE // datetime.timedelta(microseconds=1)


class Now(msgspec.Struct, frozen=True):
    """When a proof is checked: the time in microseconds since 1970 UTC, and the date from which days are counted."""

    moment: int
    today: datetime.date


class ProvenPath(msgspec.Struct, frozen=True):
    """A path that a proof proves: the file, what it proves, the replayed steps, and the past of the batch."""

    proof: UnitProof
    proven: Proven
    steps: tuple[ReplayedStep, ...]
    past: BatchPast


def check_proof(
    data: bytes | UnitProof, code: PrintedCode | None, trust: Trust, now: Now, policy: Policy
) -> tuple[Report, ProvenPath | None]:
    """Check a proof file, or one that was parsed, for a code, or for the unit that it names if there is no code.

    Return the report, and the path if it is proven and does not contradict itself.
    """
    found: Found = (
        dict(CODE_READ) if code is not None else {Number.CODE: (Result.NOT_CHECKED, "none was given")}
    )
    try:
        proof = data if isinstance(data, UnitProof) else parse_unit_proof(data)
        opened = witnessed(proof.seal.checkpoint, proof.log, trust)
        proven = prove(proof, opened.checkpoint)
        found[Number.ISSUED] = _issued(proof, code)
        steps, past = _replayed(proof, proven)
        if code is not None and (refusal := contradiction(code, proven.made.product, proven.made.lot)):
            found[Number.COMMISSIONED] = (Result.FAILED, str(refusal))
            return report_of(Verdict.CODE_CONTRADICTED, found), None
        missing = party_chains.left_out(proven.made, steps, proven.parties)
        signed = _signatures(proof, proven, steps, opened.checkpoint.origin)
        steps = signatures.vouched(steps, signed.counted)
    except MalformedTextError as error:
        return _refuted(found, f"this is no proof file: {error}"), None
    except RefutedError as error:
        return _refuted(found, str(error)), None
    except UntrustedError as error:
        found[Number.PROOFS] = (Result.NOT_CHECKED, str(error))
        return report_of(Verdict.COULD_NOT_CHECK, found, OTHER_LOG), None
    except ContradictionError as error:
        is_signature = isinstance(error, FalseStatementError)
        found[Number.SIGNATURES if is_signature else Number.PATH] = (Result.FAILED, str(error))
        return report_of(Verdict.PATH_CONTRADICTED, found, SEALED_CONTRADICTION), None
    except NewerPathError as error:
        found[Number.PATH] = (Result.NOT_CHECKED, str(error))
        return report_of(Verdict.COULD_NOT_CHECK, found, NEWER), None
    found |= judge_events(steps, past.corrected, now.today, policy)
    found |= {
        Number.COMMISSIONED: as_commissioned(past.corrected),
        Number.AUTHORIZED: party_chains.judge(authorized(shown_hops(steps), policy), missing, policy),
        Number.RECALL: batch_chain.judge(past, proof.unit.number, steps[-1].after.state, policy),
        Number.SIGNATURES: signatures.judge(steps, steps_in_force(steps), signed, policy),
        Number.PROOFS: _sealed(proven, opened, trust, now.moment, policy),
    }
    return _concluded(found, proven, opened, policy), ProvenPath(proof, proven, steps, past)


def _replayed(proof: UnitProof, proven: Proven) -> tuple[tuple[ReplayedStep, ...], BatchPast]:
    """Replay the unit and its batch, after all events were found to have one order."""
    steps = replay_events(proof.unit, [*proof.batch_events[:1], *proof.events])
    shown = [step.recorded for step in steps]
    parties = [item for chain in proven.parties.values() for item in chain]
    require_order([*shown, *proven.batch_events, *parties], proven.sealed)
    return steps, past_of(proven.made, proven.batch_events, steps)


def _signatures(
    proof: UnitProof, proven: Proven, steps: Sequence[ReplayedStep], origin: str
) -> signatures.Signatures:
    """Check the statements of all events that the proof shows."""
    parties = [item for chain in proven.parties.values() for item in chain]
    shown = [*(step.recorded for step in steps), *proven.batch_events, *parties]
    known = KnownPath(proven.made, steps, shown)
    return signatures.check_signatures(shown, proof.filed, proven.parties, origin, known)


def _refuted(found: Found, why: str) -> Report:
    return report_of(Verdict.PROOF_REFUTED, found | {Number.PROOFS: (Result.FAILED, why)})


def _concluded(found: Found, proven: Proven, opened: Witnessed, policy: Policy) -> Report:
    """Return the report of a path that is proven. Without a trusted key, it is the file's word alone."""
    verdict, reason = verdict_of(found), ""
    if not opened.is_trusted and verdict in (Verdict.VERIFIED, Verdict.AGAINST_POLICY):
        return report_of(Verdict.COULD_NOT_CHECK, found, UNTRUSTED)
    if verdict is Verdict.VERIFIED:
        until = _time(proven.sealed.covers_recorded_at, policy)
        reason = (
            f"the path holds. It is sealed, and complete up to position {proven.sealed.covers} of {until}."
        )
    return report_of(verdict, found, reason)


def _issued(proof: UnitProof, code: PrintedCode | None) -> Outcome:
    """Compare the code with the proof. Only the book knows the key with which its codes are made."""
    unit = f"unit {proof.unit.number} of batch {proof.unit.batch}"
    if code is None:
        return Result.NOT_CHECKED, f"no code was given; the proof is of {unit}"
    named = f"unit {code.number} of batch {code.batch}"
    require(Guard.CODE, named == unit, f"the proof is of {unit}, but the code names {named}")
    return Result.NOTED, f"{unit} is sealed; whether the book printed this label, only the book can tell"


def _sealed(proven: Proven, opened: Witnessed, trust: Trust, moment: int, policy: Policy) -> Outcome:
    """Return who vouches for the seal, of which time it is, and whether that is enough for the caller."""
    sealed, checkpoint, names = proven.sealed, opened.checkpoint, ", ".join(opened.cosigned)
    until = _time(sealed.covers_recorded_at, policy)
    found = [
        f"sealed in {checkpoint.origin} at size {checkpoint.size}, covers position {sealed.covers} of {until}",
        f"cosigned by {len(opened.cosigned)} witnesses: {names}" if names else "cosigned by no known witness",
    ]
    if opened.unchecked:
        found.append(
            f"not checked, because ML-DSA-44 needs the package cryptography: {', '.join(opened.unchecked)}"
        )
    if not opened.is_trusted:
        found.append(
            f"no key and no policy was given: the key of the log is the file's own word, {opened.key}"
        )
    age, problems = _age(sealed, moment), []
    if not opened.has_quorum:
        problems.append(f"your policy demands more witnesses than {names or 'none'}")
    if age < -_TOLERANCE:
        problems.append("it claims a time that is yet to come")
    elif trust.max_age is not None and age > trust.max_age:
        problems.append(f"it is older than you allow: {_duration(age)}")
    if problems:
        return Result.FAILED, "; ".join([*problems, *found])
    return Result.OK if opened.is_trusted else Result.NOT_CHECKED, "; ".join(found)


def _age(sealed: Sealed, moment: int) -> int:
    """Return how old what was sealed is, in microseconds. The time of the checkpoint says nothing of it."""
    return moment - sealed.covers_recorded_at


def _duration(microseconds: int) -> str:
    return str(datetime.timedelta(seconds=microseconds // 1_000_000))


def _time(moment: int, policy: Policy) -> str:
    """Return a time in microseconds since 1970 in the zone in which findings name days."""
    shown = (_EPOCH + datetime.timedelta(microseconds=moment)).astimezone(policy.zone)
    return f"{shown:%Y-%m-%d %H:%M:%S} ({policy.zone_name})"
