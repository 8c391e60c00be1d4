"""What callers submit to a book, and what they get."""

from collections.abc import Sequence
from concurrent.futures import Future
from typing import NamedTuple

import msgspec

from pathbook.ledger.commands import Command
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.refusals import Refusal


class Answer(msgspec.Struct, frozen=True, gc=False):
    """The event that a command caused, and whether an earlier, equal request had caused it before."""

    recorded: RecordedEvent
    duplicate: bool


Submitted = Command | Refusal
"""A command of a caller, or the refusal of a request that could not be read. It keeps its place among the others."""

Outcome = Answer | Refusal


class Submission(NamedTuple):
    """Commands that were submitted together, and the future that gets their outcomes."""

    commands: Sequence[Submitted]
    all_or_nothing: bool
    done: Future[list[Outcome]]


def first_refused(outcomes: Sequence[Outcome]) -> int | None:
    """Return the number of the first refusal, counted from 1."""
    return next((number for number, item in enumerate(outcomes, 1) if isinstance(item, Refusal)), None)
