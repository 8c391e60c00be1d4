"""Which submissions form the next group of a writer, and when the group ends, so that no caller waits long for another.

A group ends after a number of commands, and after a number of steps. A submission that does not have to be recorded
as a whole is then divided: the next groups go on with it. Each lane has its turn, and small submissions go first. They
share at most every other group with a submission that was divided.
"""

import time
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final

from pathbook.ledger.book.submissions import Submission

GROUP_MAX_COMMANDS = 1_000
"""How many commands form one group. Beyond it, latency grows and throughput does not."""

GROUP_STEPS_MAX = 60_000
"""After how many steps of its commands a group ends. The last of them may be the costliest there is."""

GATHER_MIN_CALLERS = 5
"""After a group of this many callers, the writer waits until as many are queued. Callers that were just
answered will call again."""

GATHER_TIMEOUT_S = 0.005
"""How long that wait lasts at most. Fewer, larger transactions leave the server more time for the calls.

With few callers there is no wait, because it would delay each of them for nothing.
"""

QUEUE_POLL_INTERVAL_S = 0.001
"""How often the writer checks the length of the queue during that wait."""

COMMAND_STEPS: Final = 30
"""How many steps each command counts besides those of its rule: to be encoded, stored and answered."""

SMALL_MAX_COMMANDS: Final = 10
"""How many commands a small submission has at most."""


class _Lane:
    """The submissions of one lane that wait, in their order."""

    __slots__ = ("is_small", "key", "queue")

    def __init__(self, key: object) -> None:
        self.key = key
        self.queue: deque[Submission] = deque()
        self.is_small = False


class Waiting:
    """The submissions that wait for a group. Only the writer's thread uses them."""

    def __init__(self) -> None:
        """Begin with none."""
        self._lanes: dict[object, _Lane] = {}
        self._small: deque[_Lane] = deque()
        self._large: deque[_Lane] = deque()
        self._alone = 0
        """How many of the next submissions are taken one by one."""
        self._were_alone = False
        """Whether the last group had small submissions only, while a costly one waited."""

    def __bool__(self) -> bool:
        """Tell whether any submission waits."""
        return bool(self._lanes)

    def add(self, submission: Submission) -> None:
        """Add a submission behind the others of its lane."""
        lane = self._lanes.get(submission.lane)
        if lane is None:
            lane = self._lanes[submission.lane] = _Lane(submission.lane)
        lane.queue.append(submission)
        if len(lane.queue) == 1:
            self._enlist(lane)

    def take(self) -> list[Submission]:
        """Take the submissions of the next group: small ones first, and then large ones, each lane in turn."""
        if self._alone:
            self._alone -= 1
            lane = (self._small or self._large).popleft()
            submission = lane.queue.popleft()
            self._go_on(lane)
            return [submission]
        size, group = 0, list[Submission]()
        unfinished: list[_Lane] = []
        # a small submission is answered with its group, so it had better not share that with a costly command
        alone = bool(self._small) and self._costs_much() and not self._were_alone
        self._were_alone = alone
        for lanes in (self._small,) if alone else (self._small, self._large):
            limit = GROUP_MAX_COMMANDS
            if lanes is self._small and self._large and not alone:
                limit //= 2
            taken = 0
            while lanes and (size < limit or not taken):
                lane = lanes.popleft()
                submission = lane.queue.popleft()
                group.append(submission)
                size += len(submission.next_commands())
                taken += 1
                if submission.ends_with_group:
                    self._go_on(lane)
                else:
                    unfinished.append(lane)  # nothing overtakes in its own lane
        for lane in unfinished:
            self._go_on(lane)
        return group

    def _go_on(self, lane: _Lane) -> None:
        """Let a lane whose first submission was taken wait with its next one, or forget it if it has none."""
        if lane.queue:
            self._enlist(lane)
        else:
            del self._lanes[lane.key]

    def _costs_much(self) -> bool:
        """Tell whether the next large submission was divided before, so its next command may take a whole group."""
        return bool(self._large) and self._large[0].queue[0].is_divided

    def put_back(self, group: list[Submission]) -> None:
        """Put back the unfinished submissions of a group. Those that were begun wait for the turn of their lane."""
        for submission in reversed(group):
            lane = self._lanes.get(submission.lane)
            if lane is None:
                lane = self._lanes[submission.lane] = _Lane(submission.lane)
            else:
                (self._small if lane.is_small else self._large).remove(lane)
            lane.queue.appendleft(submission)
            self._enlist(lane, first=not submission.outcomes)

    def put_back_alone(self, group: list[Submission]) -> None:
        """Put back all submissions of a group, one of which may have failed. Each is then taken alone."""
        self.put_back(group)
        self._alone = len(group)

    def _enlist(self, lane: _Lane, *, first: bool = False) -> None:
        """Put a lane among those whose next submission is small, or large, as the last or the first one."""
        lane.is_small = is_small(lane.queue[0])
        lanes = self._small if lane.is_small else self._large
        if first:
            lanes.appendleft(lane)
        else:
            lanes.append(lane)


def is_small(submission: Submission) -> bool:
    """Tell whether a submission goes before large ones."""
    return len(submission.commands) <= SMALL_MAX_COMMANDS


class GroupSteps:
    """The steps of a group. If large submissions are in it, small ones leave half of the steps to them."""

    def __init__(self, group: list[Submission]) -> None:
        """Begin with no steps spent."""
        has_large = not all(is_small(submission) for submission in group)
        self._limits = {True: GROUP_STEPS_MAX // 2 if has_large else GROUP_STEPS_MAX, False: GROUP_STEPS_MAX}
        self._begun: set[bool] = set()
        self._ended: set[object] = set()
        self.spent = 0

    def may_decide(self, submission: Submission) -> bool:
        """Tell whether the next command of a submission may be decided in this group. The first of each kind may."""
        if submission.lane in self._ended:
            return False
        kind = is_small(submission)
        if kind not in self._begun:
            self._begun.add(kind)
        elif self.spent >= self._limits[kind]:
            self._ended.add(submission.lane)  # nothing overtakes in its own lane
            return False
        return True


def gather(queue: SimpleQueue[Submission | None], callers: int, is_closed: Callable[[], bool]) -> None:
    """Wait a moment until as many callers are queued as the last group had, if these were many. One was taken."""
    if callers < GATHER_MIN_CALLERS:
        return
    deadline = time.monotonic() + GATHER_TIMEOUT_S
    while queue.qsize() + 1 < callers and not is_closed() and time.monotonic() < deadline:
        time.sleep(QUEUE_POLL_INTERVAL_S)
