"""Explanations of findings: who may say, replace and take back what, decided on the last step of a finding."""

import msgspec
import pytest

from pathbook.ledger.refusals import Reason, Refusal
from pathbook.ledger.reports.explaining import EXPLANATIONS_OF_FINDING_MAX, ExplainedBy, Explanation, explain

BRAND, AUDITOR, OPERATOR = ExplainedBy.BRAND, ExplainedBy.AUDITOR, ExplainedBy.OPERATOR


def said(role: ExplainedBy, text: str, *, withdrawn: bool = False, at: int = 1) -> Explanation:
    """Return what a caller says of a finding of 5 units."""
    party = "acme" if role is BRAND else ""
    return Explanation("below-cost.v1.1.9.ann.ben", withdrawn, text, role, party, f"pb-{role.value}", at, 5)


def steps(*said_in_turn: Explanation) -> list[Explanation | Reason]:
    """Return what becomes of steps that are asked for in turn: the step that counts, or the reason of a refusal."""
    last: Explanation | None = None
    outcomes: list[Explanation | Reason] = []
    for step in said_in_turn:
        decided = explain(last, step)
        if isinstance(decided, Refusal):
            assert "{" not in str(decided)
            outcomes.append(decided.reason)
        else:
            outcomes.append(decided)
            last = decided
    return outcomes


def test_steps_are_counted_and_a_repeat_adds_none() -> None:
    """The same words of the same caller are a repeat, also later. Other words replace them, and are another step."""
    first, repeat, other = said(BRAND, "sale"), said(BRAND, "sale", at=9), said(BRAND, "clearance", at=9)
    kept = steps(first, repeat, other)
    one = msgspec.structs.replace(first, step=1)
    assert kept == [one, one, msgspec.structs.replace(other, step=2)]
    more = msgspec.structs.replace(first, units=6)
    assert steps(first, more)[1] == msgspec.structs.replace(more, step=2)  # it is said of more units


def test_what_was_never_said_is_not_taken_back() -> None:
    """What was taken back once may be taken back again, which changes nothing, and explained again."""
    back, again = said(OPERATOR, "", withdrawn=True), said(AUDITOR, "", withdrawn=True, at=2)
    assert steps(back) == [Reason.FINDING_NOT_EXPLAINED]
    kept = steps(said(BRAND, "sale"), back, again, said(BRAND, "sale", at=3))
    assert kept[1] == kept[2] == msgspec.structs.replace(back, step=2)
    assert kept[3] == msgspec.structs.replace(said(BRAND, "sale", at=3), step=3)


@pytest.mark.parametrize("role", [AUDITOR, OPERATOR])
def test_a_brand_leaves_what_others_said(role: ExplainedBy) -> None:
    """It may not hide what an auditor or the operator said of it. They may replace what it said."""
    theirs, back = said(role, "asked for the papers"), said(BRAND, "", withdrawn=True)
    assert steps(theirs, said(BRAND, "all fine"), back)[1:] == [Reason.EXPLAINED_BY_OTHER] * 2
    assert not isinstance(steps(said(BRAND, "all fine"), theirs)[1], Reason)
    assert not isinstance(steps(theirs, said(role, "", withdrawn=True), said(BRAND, "sale"))[2], Reason)


def test_a_finding_has_a_bounded_number_of_steps() -> None:
    """A program that explains a finding again and again is stopped."""
    many = [said(BRAND, f"text {number}") for number in range(EXPLANATIONS_OF_FINDING_MAX + 1)]
    kept = steps(*many)
    assert kept[-1] is Reason.TOO_MANY_EXPLANATIONS
    assert not any(isinstance(each, Reason) for each in kept[:-1])
