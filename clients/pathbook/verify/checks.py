"""Verification of a unit: numbered checks of its code and its path, and a verdict from a closed list.

This module is pure. It has no clock (the caller gives the day), no network, and no drawing. A verdict rests on its
checks and is never one boolean. The report names what could not be checked. The object itself is never checked here.
"""

import datetime
from collections.abc import Sequence
from typing import Final

from pathbook.ledger.codes import PrintedCode, contradiction, parse_code
from pathbook.ledger.events import BatchCommissioned
from pathbook.ledger.hops import chain
from pathbook.ledger.money import print_price
from pathbook.ledger.refusals import Reason, Refusal
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import WRITTEN_OFF, AuthorizationStatus, UnitState, is_consumer
from pathbook.v1.paths_pb2 import GetPathResponse
from pathbook.verify import purchases, sellers, signatures
from pathbook.verify.claims import check_claims, price_of
from pathbook.verify.corrections import CorrectedBatch, corrected_batch
from pathbook.verify.replay import (
    ContradictionError,
    LongPathError,
    NewerPathError,
    ReplayedStep,
    replay,
    terms_of,
)
from pathbook.verify.statements import FalseStatementError
from pathbook.verify.verdicts import Check, Number, Outcome, Policy, Report, Result, Verdict

NEWER: Final = "newer than this program. Update this program, then check again."
"""The sentence of the verdict on a path that shows what this program does not know yet."""

LONG: Final = "the path is longer than this program replays."
"""The sentence of the verdict on a path of too many steps. An honest book may have recorded all of them."""

Found = dict[Number, Outcome]
"""What was found so far, by the number of the check."""

LISTED_MAX: Final = 5
"""The most steps out of order that a finding lists. It counts the others."""

_FIXED_OUTCOMES: Found = {
    Number.PROOFS: (Result.NOT_YET_SEALED, "nothing proves yet that no event was made up or withheld"),
    Number.OBJECT: (Result.NOT_CHECKED, "no record can see it; look at its seal and its label"),
}
_IN_WORDS: Final = {
    AuthorizationStatus.OTHER_PRODUCTS: "authorized for other products only",
    AuthorizationStatus.UPLINE_NOT_AUTHORIZED: "authorized by an upline that was not authorized itself",
}
"""The statuses whose names say too little."""

CODE_READ: Final[Found] = {Number.CODE: (Result.OK, "its check character and check digit are right")}
_REFUSALS = {
    Reason.CODE_MALFORMED: (Number.CODE, Verdict.CODE_MALFORMED),
    Reason.CODE_CHECK_CHARACTER: (Number.CODE, Verdict.CODE_MISTYPED),
    Reason.CODE_GTIN_CHECK_DIGIT: (Number.CODE, Verdict.CODE_MISTYPED),
    Reason.CODE_OTHER_BOOK: (Number.ISSUED, Verdict.CODE_OF_ANOTHER_BOOK),
    Reason.CODE_UNKNOWN: (Number.ISSUED, Verdict.CODE_UNKNOWN),
    Reason.CODE_CONTRADICTS: (Number.ISSUED, Verdict.CODE_CONTRADICTED),
    Reason.CODE_KEY_RETIRED: (Number.ISSUED, Verdict.CODE_OF_ANOTHER_KEY),
}


def read_code(text: str) -> PrintedCode | Report:
    """Make check 1, which needs no server. Return the code as read, or the report if the code is malformed."""
    parsed = parse_code(text)
    return refused(parsed.reason.name, str(parsed)) if isinstance(parsed, Refusal) else parsed


def refused(reason: str, message: str) -> Report:
    """Return the report for a code that check 1 or the server refused, for a named reason."""
    known = Reason[reason] if reason in Reason.__members__ else None
    if known not in _REFUSALS:
        return unanswered(message)
    number, verdict = _REFUSALS[known]
    read = CODE_READ if number is not Number.CODE else {}
    return report_of(verdict, {**read, number: (Result.FAILED, message)})


def unanswered(message: str) -> Report:
    """Return the report for a well-formed code for which the server gave no usable answer."""
    return report_of(Verdict.COULD_NOT_CHECK, {**CODE_READ, Number.ISSUED: (Result.NOT_CHECKED, message)})


def check_path(path: GetPathResponse, code: PrintedCode, today: datetime.date, policy: Policy) -> Report:
    """Check the path that a server returned for a code. The path must be as of now, with its corrections."""
    found = {**CODE_READ, Number.ISSUED: _issued(path, code)}
    try:
        steps = replay(path)
        check_claims(path, steps)
    except ContradictionError as error:
        found[Number.PATH] = (Result.FAILED, str(error))
        return report_of(Verdict.PATH_CONTRADICTED, found)
    except (LongPathError, NewerPathError) as error:
        found[Number.PATH] = (Result.NOT_CHECKED, str(error))
        if found[Number.ISSUED][0] is Result.FAILED:
            return report_of(Verdict.PATH_CONTRADICTED, found)
        return report_of(Verdict.COULD_NOT_CHECK, found, NEWER if isinstance(error, NewerPathError) else LONG)
    made = steps[0].event
    assert isinstance(made, BatchCommissioned)  # the replay accepts no other path
    if (refusal := contradiction(code, made.product, made.lot)) is not None:
        found[Number.COMMISSIONED] = (Result.FAILED, str(refusal))
        return report_of(Verdict.CODE_CONTRADICTED, found)
    try:
        batch = corrected_batch(path, made, steps)
    except ContradictionError as error:
        found[Number.COMMISSIONED] = (Result.FAILED, str(error))
        return report_of(Verdict.PATH_CONTRADICTED, found)
    try:
        found[Number.SIGNATURES] = signatures.judge_unproven(made, steps, steps_in_force(steps), policy)
    except FalseStatementError as error:
        found[Number.SIGNATURES] = (Result.FAILED, str(error))
        return report_of(Verdict.PATH_CONTRADICTED, found)
    except NewerPathError as error:
        found[Number.SIGNATURES] = (Result.NOT_CHECKED, str(error))
        return report_of(Verdict.COULD_NOT_CHECK, found, NEWER)
    found |= judge_events(steps, batch, today, policy)
    found[Number.COMMISSIONED] = _commissioned(path, steps[0], batch)
    found[Number.AUTHORIZED] = authorized(shown_hops(steps), policy)
    found[Number.RECALL] = _recalled(path, steps[-1].after.state, policy)
    return report_of(verdict_of(found), found)


def judge_events(
    steps: Sequence[ReplayedStep], batch: CorrectedBatch, today: datetime.date, policy: Policy
) -> Found:
    """Make the checks that rest on nothing but the events of a path and the batch, from a server or a proof."""
    hops = hops_in_force(steps)
    return {
        Number.PATH: _unbroken(steps, len(hops)),
        Number.EXPIRY: _expired(batch.right.expires_on, today, policy),
        Number.PRICE: purchases.judge(steps),
        Number.SELLER: sellers.judge(steps, policy),
        Number.POLICY: _within_limits(batch.right.made_on, hops, today, policy),
    }


def hops_in_force(steps: Sequence[ReplayedStep]) -> list[tuple[int, Terms]]:
    """Return the hops that are still in force, oldest first: the position at which title moved, and the terms."""
    moved = {
        step.transfer: (step.recorded.position, terms)
        for step in steps
        if step.transfer and (terms := terms_of(step.event)) is not None
    }
    return [moved[hop.transfer] for hop in chain(steps[-1].after.last_hop)][::-1]


def steps_in_force(steps: Sequence[ReplayedStep]) -> list[ReplayedStep]:
    """Return the steps at which title moved by the hops that are still in force, oldest first."""
    places = {position for position, _ in hops_in_force(steps)}
    return [step for step in steps if step.recorded.position in places]


def shown_hops(steps: Sequence[ReplayedStep]) -> list[tuple[int, Terms]]:
    """Return the hops of a path without corrections. Some are in force, and some were returned later.

    The terms are only those of the unit, because a transfer of several products has an authority for each.
    """
    return [
        (step.recorded.position, terms)
        for step in steps
        if step.transfer and not step.corrected and (terms := step.movement.terms) is not None
    ]


def report_of(verdict: Verdict, found: Found, reason: str = "") -> Report:
    """Return the report, with an outcome for the checks that were not reached."""
    outcomes = dict.fromkeys(Number, (Result.NOT_CHECKED, "not reached")) | _FIXED_OUTCOMES | found
    return Report(verdict, tuple(Check(number, *outcomes[number]) for number in Number), reason)


def verdict_of(found: Found) -> Verdict:
    """Return the verdict that follows from the checks that were made."""
    failed = {number for number, (result, _) in found.items() if result is Result.FAILED}
    if failed & {Number.ISSUED, Number.COMMISSIONED, Number.PATH}:
        return Verdict.PATH_CONTRADICTED
    if Number.PRICE in failed:
        return Verdict.PRICE_CONTRADICTED
    return Verdict.AGAINST_POLICY if failed else Verdict.VERIFIED


def _issued(path: GetPathResponse, code: PrintedCode) -> Outcome:
    unit = f"unit {path.unit.number} of batch {path.unit.batch}"
    if (path.unit.batch, path.unit.number, path.serial) != (code.batch, code.number, code.serial):
        return Result.FAILED, f"the server answered for {unit}, which is not what the code names"
    return Result.OK, f"{unit}, by the key that the server holds"


def _unbroken(steps: Sequence[ReplayedStep], hops: int) -> Outcome:
    """Note each step that claims to have happened before an earlier one. Late paperwork is real, so it is no fault."""
    replayed = f"{len(steps)} events replayed from their bytes, {hops} hops in one chain"
    marks = [
        f"position {step.recorded.position} claims to have happened before position {step.out_of_order}"
        for step in steps
        if step.out_of_order
    ]
    if not marks:
        return Result.OK, replayed
    rest = [f"{len(marks) - LISTED_MAX} more do likewise"] if len(marks) > LISTED_MAX else []
    return Result.NOTED, "; ".join([replayed, *marks[:LISTED_MAX], *rest])


def _commissioned(path: GetPathResponse, first: ReplayedStep, corrected: CorrectedBatch) -> Outcome:
    """Compare the server's batch with its event, as corrected. The product's name is in no event of the path."""
    batch, made = path.batch, corrected.right
    for name, claimed, recorded in (
        ("number", batch.batch, made.batch),
        ("position", batch.position, first.recorded.position),
        ("position of its correction", batch.corrected_position, corrected.position),
        ("GTIN", (batch.gtin, path.product.gtin), (made.product, made.product)),
        ("brand", (batch.brand, path.product.brand), (made.brand, made.brand)),
        ("lot", batch.lot, made.lot),
        ("size", batch.size, made.size),
        ("date of making", batch.made_on, made.made_on.isoformat()),
        ("expiry", batch.expires_on, made.expires_on.isoformat() if made.expires_on else ""),
        ("key of its codes", batch.code_key, made.code_key.hex()),
        ("suggested price", price_of(batch.suggested_price), made.suggested_price),
    ):
        if claimed != recorded:
            event = "corrected" if corrected.position else "made"
            return Result.FAILED, f"the server shows another {name} than the event that {event} the batch"
    return as_commissioned(corrected)


def as_commissioned(corrected: CorrectedBatch) -> Outcome:
    """Return what a batch is, as it was corrected."""
    made = corrected.right
    found = f"GTIN {made.product}, lot {made.lot}, made {made.made_on} by {made.brand}"
    if not corrected.position:
        return Result.OK, found
    before = f", before that it said: {', '.join(corrected.before)}" if corrected.before else ""
    return Result.NOTED, f"{found}; corrected at position {corrected.position}{before}"


def authorized(hops: Sequence[tuple[int, Terms]], policy: Policy) -> Outcome:
    """Check that each side of every hop was authorized for the product at that time. List each side that was not."""
    marks = [
        f"{party} {_in_words(status)} at position {position}"
        for position, terms in hops
        for party, status in _statuses(terms)
        if status is not AuthorizationStatus.AUTHORIZED and not is_consumer(party)
    ]
    if marks:
        return Result.FAILED if policy.require_authorized else Result.NOTED, "; ".join(marks)
    if not hops:
        return Result.OK, "there is no hop yet"
    return Result.OK, "each side was authorized for the product; who may sell to whom is not judged"


def _statuses(terms: Terms) -> tuple[tuple[str, AuthorizationStatus | None], ...]:
    """Return both sides of a hop of one unit, each with its status for the product of the unit, None if it has none."""
    batch = terms.ranges[0].batch
    for authority in terms.authorities:
        if not authority.batches or batch in authority.batches:
            return (
                (terms.giver, authority.giver_authorization),
                (terms.receiver, authority.receiver_authorization),
            )
    return (terms.giver, None), (terms.receiver, None)


def _recalled(path: GetPathResponse, state: UnitState, policy: Policy) -> Outcome:
    if state in WRITTEN_OFF:
        return Result.FAILED, f"written off as {state.name.lower()}"
    for recall in path.batch.recalls:
        affected = any(part.first <= path.unit.number <= part.last for part in recall.ranges)
        in_force = not recall.lifted_position or recall.lifted_position > path.as_of_position
        if affected and in_force:
            result = Result.NOTED if policy.allow_recalled else Result.FAILED
            return (
                result,
                f"recalled at position {recall.position}: {recall.note.text or 'no reason on record'}",
            )
    return Result.OK, "the server knows of none in force"


def _expired(expires_on: datetime.date | None, today: datetime.date, policy: Policy) -> Outcome:
    if expires_on is None:
        return Result.OK, "it does not expire"
    days = (expires_on - today).days
    if days >= 0:
        return Result.OK, f"{days} days left on {today}"
    return Result.NOTED if policy.allow_expired else Result.FAILED, f"expired {expires_on}, {-days} days ago"


def _within_limits(
    made_on: datetime.date, hops: Sequence[tuple[int, Terms]], today: datetime.date, policy: Policy
) -> Outcome:
    limit, violations = policy.max_price, []
    if (limit, policy.max_tiers, policy.max_age) == (None, None, None):
        return Result.NOT_CHECKED, "none given"
    for position, price in ((position, terms.unit_price) for position, terms in hops if limit is not None):
        if limit is not None and price.currency_code != limit.currency_code:
            violations.append(f"{print_price(price)} at position {position} is not in {limit.currency_code}")
        elif limit is not None and price.each > limit.each:
            violations.append(f"{print_price(price)} at position {position} is above {print_price(limit)}")
    between_parties = sum(not is_consumer(terms.receiver) for _, terms in hops)
    if policy.max_tiers is not None and between_parties > policy.max_tiers:
        violations.append(f"{between_parties} hops between parties, more than {policy.max_tiers}")
    age = (today - made_on).days
    if policy.max_age is not None and age > policy.max_age:
        violations.append(f"made {age} days ago, more than {policy.max_age}")
    return (Result.FAILED, "; ".join(violations)) if violations else (Result.OK, "kept")


def _in_words(status: AuthorizationStatus | None) -> str:
    if status is None:
        return "has no authorization status"
    return _IN_WORDS.get(status, status.name.lower().replace("_", " "))
