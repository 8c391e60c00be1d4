"""What callers submit to a book, and what they get."""

from collections.abc import Sequence
from concurrent.futures import Future

import msgspec

from pathbook.ledger.commands import AnyCommand
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.refusals import Refusal


class Answer(msgspec.Struct, frozen=True, gc=False):
    """The event that a command caused, and whether an earlier, equal request had caused it before."""

    recorded: RecordedEvent
    duplicate: bool


Submitted = AnyCommand | Refusal
"""A command of a caller, or the refusal of a request that could not be read. It keeps its place among the others."""

Outcome = Answer | Refusal


class Submission:
    """Commands that were submitted together, the outcomes of those on disk, and the future that gets all of them."""

    __slots__ = ("_reach", "all_or_nothing", "commands", "done", "lane", "outcomes")

    def __init__(
        self,
        commands: Sequence[Submitted],
        lane: object,
        done: Future[list[Outcome]],
        *,
        all_or_nothing: bool = False,
    ) -> None:
        self.commands = commands
        self.all_or_nothing = all_or_nothing
        self.lane = lane
        """The submissions of a lane are decided in their order. Those of other lanes may overtake them."""
        self.done = done
        self.outcomes: list[Outcome] = []
        self._reach = len(commands)

    @property
    def is_divided(self) -> bool:
        """Whether a group ended before all of its commands were decided, because they took many steps."""
        return self._reach < len(self.commands)

    def next_commands(self) -> Sequence[Submitted]:
        """Return the commands that may be decided next: after a group that took few of them, not many more."""
        if not self.outcomes and self._reach == len(self.commands):
            return self.commands
        start = len(self.outcomes)
        return self.commands[start : start + self._reach]

    @property
    def ends_with_group(self) -> bool:
        """Whether the next commands are all that are left. They may still be decided in more than one group."""
        return len(self.outcomes) + len(self.next_commands()) == len(self.commands)

    def add(self, decided: list[Outcome]) -> bool:
        """Add the outcomes of the next commands. Tell whether all commands have one; the future then gets them."""
        following = len(self.next_commands())
        if 0 < len(decided) < following:
            self._reach = 2 * len(decided) + 1
        elif len(decided) == following:
            self._reach = min(2 * self._reach, len(self.commands))
        self.outcomes += decided
        if len(self.outcomes) < len(self.commands):
            return False
        self.done.set_result(self.outcomes)
        return True


class DecisionFailedError(Exception):
    """Deciding a submission raised an unexpected exception. Its caller gets the cause, and the others are decided."""

    def __init__(self, submission: Submission) -> None:
        super().__init__()
        self.submission = submission


def first_refused(outcomes: Sequence[Outcome]) -> int | None:
    """Return the number of the first refusal, counted from 1."""
    return next((number for number, item in enumerate(outcomes, 1) if isinstance(item, Refusal)), None)
