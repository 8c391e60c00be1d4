"""The single writer of a book: it decides the queued commands, commits them in one transaction, then answers.

Each book has at most one thread that decides and writes. It starts with the first command, and ends when none
has come for a while. It takes all commands that are queued when it comes back from the disk. It decides them one
after the other on the state in memory, and commits them together. So they share the cost of reaching the disk
(group commit). After a group of many callers, the writer waits a moment for as many to call again.

The writer decides inside a turn, which is a transaction that keeps other writers of the book out. So of
several writers, each continues at the position where the last one ended. A writer without turns still meets
the primary key (book, position), which is the fence. The writer that loses the race drops the group's events,
reloads its state, and decides again.
"""

import math
import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from heapq import heappop, heappush

from pathbook.ledger.book.clock import Clock, ClockJumpedError, time_after
from pathbook.ledger.book.errors import OF_BOOK, BookStoppingError
from pathbook.ledger.book.group import COMMAND_STEPS, GROUP_STEPS_MAX, GroupSteps, Waiting, gather
from pathbook.ledger.book.memory import Memory, StaleMemoryError
from pathbook.ledger.book.pending import (
    Pending,
    entry_of,
    noted_requests,
    refuse_repeated,
    refuse_too_large,
    statement_of,
)
from pathbook.ledger.book.submissions import (
    Answer,
    DecisionFailedError,
    Outcome,
    Submission,
    Submitted,
    first_refused,
)
from pathbook.ledger.codec import NewerEventError
from pathbook.ledger.commands import AnyCommand, LapseTransfer, SignedCommand
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.key_events import Signed
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.requests import request_of, unsigned
from pathbook.ledger.rules.budget import Budget
from pathbook.ledger.rules.statements import refuse_stranger
from pathbook.ledger.store.log.stream import PositionTakenError, Stream, is_passing
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.views.state_loader import StateLoader
from pathbook.ledger.values import MAX_STEPS, WRITER_PREFIX

CONFLICT_RETRIES_MAX = 1_000
"""How often a group is decided again after a conflict with another writer, before its callers get the error."""

GROUP_LAPSES_MAX = 500
"""How many offers one group ends at most. After a long stop, more than that may be due."""

IDLE_CHECK_INTERVAL_S = 1.0
"""How long the writer sleeps at most before it checks for offers to lapse."""

SLEEP_AFTER_S = 60.0
"""How long after its last command a book keeps its thread and its state. An idle book costs neither, nor a poll."""

SLEEP_AFTER_LAPSES_S = 0.1
"""The same for a book that was woken only to end offers. After a long stop, thousands of books may be."""

IDLE_CATCH_UP_MAX_EVENTS = 1_000
"""How many events of other writers an idle writer applies. One that appends more is busy, and ends offers itself."""


class Book:
    """One book, open for writing. The state that deciding needs is loaded with the first command."""

    def __init__(
        self, name: str, stream: Stream, loader: StateLoader, follower: Follower, clock: Clock
    ) -> None:
        """Open a book. ``clock`` returns microseconds since 1970 UTC."""
        self.name = name
        self._stream, self._clock, self._follower = stream, clock, follower
        self._memory = Memory(name, stream, loader, follower)
        self._queue: queue.SimpleQueue[Submission | None] = queue.SimpleQueue()
        self._waiting = Waiting()
        self._closed = self._gives_up = False
        self._head_seen = 0
        self._newer: NewerEventError | None = None
        self._waking = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def is_awake(self) -> bool:
        """Whether the book has a thread: from its first command until it was idle for a while."""
        return self._thread is not None

    def submit(
        self, commands: Sequence[Submitted], *, all_or_nothing: bool = False, lane: object = None
    ) -> Future[list[Outcome]]:
        """Decide commands in order. The future gives an outcome for each, once all accepted events are on disk.

        With ``all_or_nothing``, the commands are transfers, sales and returns. If one of them is refused,
        none is recorded that was not recorded before. All of them together have the budget of one command.
        The submissions of a ``lane`` are decided in their order.
        """
        done: Future[list[Outcome]] = Future()
        with self._waking:
            if self._closed:
                done.set_exception(BookStoppingError(self.name))
                return done
            self._queue.put(Submission(commands, lane, done, all_or_nothing=all_or_nothing))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=f"writer of {self.name}", daemon=True)
                self._thread.start()
        return done

    def lapse_due(self) -> Future[list[Outcome]]:
        """End the offers whose deadline has passed. The future is done when that is on disk."""
        return self.submit(())  # each group begins with them

    def give_up(self) -> None:
        """Decide no more. What is queued fails with BookStoppingError, unless it is being committed."""
        self._gives_up = True

    def close(self) -> None:
        """Answer the queued commands, then stop."""
        with self._waking:
            self._closed = True
            thread = self._thread
            self._queue.put(None)
        if thread is not None:
            thread.join()

    def _work(self) -> None:
        """Serve groups until the book is closed, or was idle for a while."""
        closing, callers = False, 0
        idle_since = -math.inf  # when the last command was served
        timeout = SLEEP_AFTER_LAPSES_S
        while self._waiting or not closing:
            if not self._waiting:
                try:
                    closing = self._receive(self._queue.get(timeout=timeout))
                except queue.Empty:
                    callers, timeout = 0, IDLE_CHECK_INTERVAL_S
                    if time.monotonic() - idle_since >= SLEEP_AFTER_S and self._sleep():
                        return
                    self._check_idle()
                    continue
                gather(self._queue, callers, lambda: self._closed)
            while not self._queue.empty():
                closing = self._receive(self._queue.get()) or closing
            group = self._waiting.take()
            callers = len(group)
            if any(submission.commands for submission in group):
                idle_since = time.monotonic()
            self._serve(group)
            while not closing and not self._waiting and self._queue.empty() and self._is_due():
                self._check_idle()  # more offers are due than one group ends

    def _receive(self, submission: Submission | None) -> bool:
        """Let a submission wait for its group, unless its caller has gone. Tell whether there will be no more."""
        if submission is not None and submission.done.set_running_or_notify_cancel():
            self._waiting.add(submission)
        return submission is None

    def _sleep(self) -> bool:
        """Let the thread end, and drop the state. Return false if there is still something to do.

        An offer that the views do not hold yet would be forgotten, so the book stays awake for it.
        """
        try:
            if not self._memory.views_hold_all():
                return False
        except Exception:  # noqa: BLE001 - the store is out of reach; the book sleeps later
            return False
        with self._waking:
            if not self._queue.empty():
                return False
            self._memory.forget()
            self._thread = None
            return True

    def _is_due(self) -> bool:
        """Tell whether a deadline of an open offer has passed, as far as the state in memory knows."""
        deadlines = self._memory.state.deadlines
        try:
            return not self._memory.is_stale and bool(deadlines) and deadlines[0][0] <= self._clock()
        except ClockJumpedError:
            return False  # nothing lapses by a clock that is not believed

    def _serve(self, group: list[Submission]) -> None:
        """Decide and commit a group, and answer its callers."""
        while group:
            try:
                outcomes = self._commit(group)
            except DecisionFailedError as failure:
                self._memory.is_stale = True
                group.remove(failure.submission)
                failure.submission.done.set_exception(failure.__cause__)
                continue
            except Exception as error:  # noqa: BLE001 - any error belongs to the callers; the writer must survive it
                self._memory.is_stale = True
                self._note_newer(error)
                self._fail(group, error)
                return
            decided = zip(group, outcomes, strict=True)
            self._waiting.put_back([submission for submission, found in decided if not submission.add(found)])
            break
        self._evict()

    def _fail(self, group: list[Submission], error: Exception) -> None:
        """Give a group its error. If one submission may have caused it, let each be served alone instead."""
        of_book = isinstance(error, OF_BOOK)
        if len(group) == 1 or of_book or is_passing(error):
            for submission in group:
                submission.done.set_exception(error)
            return
        self._waiting.put_back_alone(group)

    def _note_newer(self, error: Exception) -> None:
        """Remember that the log has an event that is newer than this program. Only another program can go on."""
        if isinstance(error, NewerEventError):
            self._newer = error

    def _check_idle(self) -> None:
        """Apply the events of other writers and end the offers that are due, while no command is queued."""
        if self._newer is not None or self._follower.damage(self.name) is not None:
            return
        memory = self._memory
        try:
            head = self._stream.head(self.name)
            known = self._head_seen if memory.is_stale else memory.state.position
            self._head_seen = head
            if head - known > IDLE_CATCH_UP_MAX_EVENTS:
                memory.is_stale = True
                return
            memory.refresh()
            memory.catch_up()
            if self._is_due():
                self._commit([])
        except Exception as error:  # noqa: BLE001 - the store is out of reach; the next caller gets the error
            memory.is_stale = True
            self._note_newer(error)
        self._evict()

    def _evict(self) -> None:
        try:
            self._memory.evict()
        except Exception:  # noqa: BLE001 - as above
            self._memory.is_stale = True

    def _commit(self, group: list[Submission]) -> list[list[Outcome]]:
        """Decide a group and append its events. Repeat after each conflict with a writer that takes no turn."""
        commands = [
            item for submission in group for item in submission.next_commands() if type(item) is not Refusal
        ]
        for _ in range(CONFLICT_RETRIES_MAX):
            try:
                return self._decide_and_append(group, commands)
            except (PositionTakenError, StaleMemoryError):
                self._memory.is_stale = True
        raise RuntimeError(
            f"{self.name} had {CONFLICT_RETRIES_MAX} conflicts with other writers. Retry later."
        )

    def _decide_and_append(self, group: list[Submission], commands: list[AnyCommand]) -> list[list[Outcome]]:
        """Decide on the head of the book and append, in a turn that keeps other writers out."""
        memory = self._memory
        if self._gives_up:
            raise BookStoppingError(self.name)
        if (newer := self._newer) is not None:
            raise NewerEventError(newer.position, newer.field, newer.what)
        if (damage := self._follower.damage(self.name)) is not None:
            raise damage.again()  # the views, of which deciding needs more and more, do not go on
        memory.refresh()
        earlier = memory.preload_group(commands)
        with self._stream.turn(self.name) as turn:
            memory.catch_up(turn)
            head = memory.state.position
            now = time_after(self._clock, self.name, memory.state.recorded_at)
            pending = Pending(turn.notes(self._answered_with_notes(commands, earlier)))
            steps = GroupSteps(group)
            self._lapse(now, pending, steps)
            outcomes = [self._decide(submission, earlier, now, pending, steps) for submission in group]
            turn.append(head, pending.entries, pending.notes, pending.leaves)
        return outcomes

    def _decide(
        self,
        submission: Submission,
        earlier: dict[bytes, RecordedEvent],
        now: int,
        pending: Pending,
        steps: GroupSteps,
    ) -> list[Outcome]:
        """Return the outcomes of the next commands of a submission, as far as the steps go, and add what it appends."""
        memory, start, head = self._memory, len(pending.entries), self._memory.state.position
        memory.savepoint()
        shared = Budget(MAX_STEPS) if submission.all_or_nothing else None
        outcomes: list[Outcome] = []
        try:
            for item in submission.next_commands():
                if (shared is None or not outcomes) and not steps.may_decide(submission):
                    return outcomes
                budget = shared or Budget(MAX_STEPS)
                steps.spent += COMMAND_STEPS - budget.worked
                outcomes.append(self._outcome(item, earlier, now, pending, budget))
                steps.spent += budget.worked
        except (StaleMemoryError, BookStoppingError):
            raise
        except Exception as error:
            raise DecisionFailedError(submission) from error
        if not submission.all_or_nothing or (first := first_refused(outcomes)) is None:
            return outcomes
        memory.roll_back()
        pending.drop(start, head)
        refusal = refuse(Reason.OTHER_ENTRY_REFUSED, entry=first)
        return [
            refusal if isinstance(outcome, Answer) and outcome.recorded.position > head else outcome
            for outcome in outcomes
        ]

    def _outcome(
        self,
        item: Submitted,
        earlier: dict[bytes, RecordedEvent],
        now: int,
        pending: Pending,
        budget: Budget,
    ) -> Outcome:
        if type(item) is Refusal:
            return item
        if self._gives_up:
            raise BookStoppingError(self.name)
        command = unsigned(item)
        request = request_of(command.actor, command.request_id)
        before = self._memory.answer(request) or earlier.get(request)
        if before is None:
            if type(item) is not SignedCommand:
                return self._handle(item, request, now, pending, budget)
            signed = statement_of(item, lambda filed: self._memory.answer(filed) or earlier.get(filed))
            if isinstance(signed, Refusal):
                return signed
            return self._handle(item, request, now, pending, budget, signed)
        stranger = refuse_stranger(self._memory.state, item, now) if isinstance(item, SignedCommand) else None
        return stranger or refuse_repeated(item, before, pending) or Answer(before, duplicate=True)

    def _answered_with_notes(
        self, commands: list[AnyCommand], earlier: dict[bytes, RecordedEvent]
    ) -> set[int]:
        """Return the positions of events that answered these requests before, and that have a note to compare."""
        noted = noted_requests(commands)
        answers = [self._memory.answer(request) or earlier.get(request) for request in noted]
        return {before.position for before in answers if before is not None and before.note_commitment}

    def _handle(
        self,
        item: AnyCommand,
        request: bytes,
        now: int,
        pending: Pending,
        budget: Budget,
        signed: Signed | None = None,
    ) -> Outcome:
        """Decide one command, and apply its event to the state as if it were written."""
        memory, command = self._memory, unsigned(item)
        event = memory.decide(item, now, budget)
        if type(event) is Refusal:
            return event
        position = memory.state.position + 1
        recorded, topic, data = entry_of(
            command, event, position=position, recorded_at=now, request=request, signed=signed
        )
        if (refusal := refuse_too_large(event, len(data))) is not None:
            return refusal
        memory.remember(recorded)
        pending.add(command, recorded, topic, data)
        return Answer(recorded, duplicate=False)

    def _lapse(self, now: int, pending: Pending, steps: GroupSteps) -> None:
        """End the offers whose deadline has passed. The next group ends those beyond the limits."""
        deadlines, due = self._memory.state.deadlines, list[tuple[int, int]]()
        while deadlines and deadlines[0][0] <= now and len(due) < GROUP_LAPSES_MAX:
            due.append(heappop(deadlines))
        commands = [
            LapseTransfer(request_id=f"{WRITER_PREFIX}lapse/{offer}", transfer=offer) for _, offer in due
        ]
        self._memory.preload(commands)
        for offer, command in zip(due, commands, strict=True):
            if steps.spent >= GROUP_STEPS_MAX // 2:
                heappush(deadlines, offer)
                continue
            budget = Budget()  # no offer may stay open because of its size
            self._handle(command, request_of(command.actor, command.request_id), now, pending, budget)
            steps.spent += COMMAND_STEPS + budget.worked
