"""The budget of a command: the steps that deciding it and applying its event may take. The rules count them.

A step is one look at a run, a range, a case, a batch, a recall or an authorization. It takes about as long for each.
So a limit on steps is a limit on time, but equal on every machine.
"""

import sys
from typing import Final

import msgspec

RANGES: Final = "the ranges that it names"
RUNS: Final = "the runs in which its units lie"
QUANTITIES: Final = "its quantities"
CASES: Final = "the cases of its units"
RECALLS: Final = "the recalls of its batches"
AUTHORIZATIONS: Final = "the authorizations of its parties"
LINES: Final = "the transfers by which its units came"
"""What a request may spend too many steps on, as its refusal names it."""


class BudgetSpentError(Exception):
    """A command takes more steps than it may. The code that gave it its budget refuses it."""

    def __init__(self, part: str, limit: int) -> None:
        super().__init__(part, limit)
        self.part = part
        self.limit = limit


class Budget(msgspec.Struct):
    """The steps that were spent, and how many may be.

    ``loading`` are the steps of loading runs, and of asking again after it. They depend on what memory holds, so they
    have a limit of their own, and do not count for the answer.
    """

    limit: int = sys.maxsize
    spent: int = 0
    loading: int = 0

    @property
    def worked(self) -> int:
        """All steps that were taken."""
        return self.spent + self.loading

    @property
    def left(self) -> int:
        """The steps that may still be spent."""
        return self.limit - self.spent

    def spend(self, steps: int, part: str) -> None:
        """Spend steps on a part of the request. Raises BudgetSpentError."""
        self.spent += steps
        if self.spent > self.limit:
            raise BudgetSpentError(part, self.limit)
