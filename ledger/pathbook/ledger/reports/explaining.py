"""Explanations of findings: what is said about one, by whom, and whether it may be said or taken back.

Explanations lie beside the book. Each is a step of its finding, 1, 2, 3 ..., and no step is ever changed. The last one
counts, unless it takes the one before back.
"""

import enum
from typing import Final

import msgspec

from pathbook.ledger.refusals import Reason, Refusal, refuse

EXPLANATIONS_OF_FINDING_MAX: Final = 100
"""How many steps a finding has at most. People who discuss one take a few, and a program that errs is stopped."""


class ExplainedBy(enum.Enum):
    """What the caller was to the book. The values are the words of roles."""

    BRAND = "brand"
    AUDITOR = "auditor"
    OPERATOR = "operator"


class Explanation(msgspec.Struct, frozen=True):
    """A step of a finding: an explanation, or that the one before is taken back.

    Attributes:
        finding: the id of the finding.
        withdrawn: whether the explanation before is taken back.
        text: what is said. None if it was erased, or cannot be read here.
        role: what the caller was to the book.
        party: the party for which it spoke, "" for none.
        caller: the id of its token, or how else it is known.
        at: when, in microseconds since 1970 UTC.
        units: how many units the finding had then, 0 if it is taken back.
        number: 1, 2, 3 ... for all steps of a book. It is given when the step is written, and so is the next one.
        step: 1, 2, 3 ... for the steps of a finding.
    """

    finding: str
    withdrawn: bool
    text: str | None
    role: ExplainedBy
    party: str
    caller: str
    at: int
    units: int = 0
    number: int = 0
    step: int = 0

    @property
    def said(self) -> tuple[bool, str | None, ExplainedBy, str, str, int]:
        """What a repeated request has in common with the first one."""
        return self.withdrawn, self.text, self.role, self.party, self.caller, self.units


def explain(last: Explanation | None, step: Explanation) -> Explanation | Refusal:
    """Return a step with its place among those of its finding, or the last one if it says the same already.

    FINDING_NOT_EXPLAINED, EXPLAINED_BY_OTHER, TOO_MANY_EXPLANATIONS.

    Args:
        last: the last step of the finding, None if there is none.
        step: what a caller says of the finding.
    """
    if last is None and step.withdrawn:
        return refuse(Reason.FINDING_NOT_EXPLAINED, finding=step.finding)
    if last is None:
        return msgspec.structs.replace(step, step=1)
    if last.withdrawn and step.withdrawn:
        return last  # a repeated request: there is nothing more to take back
    if last.said == step.said:
        return last
    is_of_brand = step.role is ExplainedBy.BRAND
    if is_of_brand and not last.withdrawn and last.role is not ExplainedBy.BRAND:
        return refuse(Reason.EXPLAINED_BY_OTHER, finding=step.finding, role=last.role.value)
    if last.step >= EXPLANATIONS_OF_FINDING_MAX:
        return refuse(Reason.TOO_MANY_EXPLANATIONS, finding=step.finding, limit=EXPLANATIONS_OF_FINDING_MAX)
    return msgspec.structs.replace(step, step=last.step + 1)
