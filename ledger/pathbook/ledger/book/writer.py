"""The write door: decide what waits, commit it in one transaction, then answer.

One thread a book decides and writes. Whatever waits when it comes back from the disk is decided one after the
other on the state in memory and committed together, so that the cost of reaching the disk is shared (group
commit); after a group of many callers, as many are given a moment to ask again. It decides in its turn: a
transaction in which nobody else writes to the book, so that of several writers each goes on from where the other
ended. The primary key (book, position) is the fence against one who takes no turns: who loses it forgets the
undecided, begins anew, and decides again.
"""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from heapq import heappop
from typing import NamedTuple

import msgspec

from pathbook.ledger.book.memory import Memory, StaleMemoryError, ViewsLaggingError
from pathbook.ledger.codec import encode, leaf_hash
from pathbook.ledger.commands import Command, LapseTransfer, digest
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.rules.deciding import decide
from pathbook.ledger.store.log.stream import PositionTakenError, Stream, is_passing
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.views.state_loader import StateLoader
from pathbook.ledger.values import WRITER_PREFIX

GROUP_MAX_COMMANDS = 1_000
"""How many waiting commands are decided and committed together: beyond it, latency grows and speed does not."""

GATHER_MIN_CALLERS = 5
"""After a group of so many callers, the next one waits until as many wait again: those just answered will ask again."""

GATHER_TIMEOUT_S = 0.005
"""How long it does so at the most. Fewer transactions, of more callers each, leave the server more time for the calls.

Where only a few callers are at work, each of them would be kept waiting for nothing.
"""

QUEUE_POLL_INTERVAL_S = 0.001
"""How often it looks how many wait."""

CONFLICT_RETRIES_MAX = 1_000
"""How often a group is decided again because another writer was first, before its callers get the error."""

GROUP_LAPSES_MAX = 500
"""How many offers are ended with one group: after a long stop, more than enough may be due."""

IDLE_CHECK_INTERVAL_S = 1.0
"""How long the writer sleeps at the most before it looks for offers to lapse."""

IDLE_CATCH_UP_MAX_EVENTS = 1_000
"""How many events of others an idle writer follows: those who write more are at work, and end offers themselves."""


class Answer(msgspec.Struct, frozen=True, gc=False):
    """The event a command caused, and whether an earlier, equal request had caused it before."""

    recorded: RecordedEvent
    duplicate: bool


Submitted = Command | Refusal
"""What a caller asks for, or why that could not even be read: it keeps its place among the others."""

Outcome = Answer | Refusal
Clock = Callable[[], int]


class _Waiting(NamedTuple):
    commands: Sequence[Submitted]
    all_or_nothing: bool
    done: Future[list[Outcome]]


class _DecisionFailedError(Exception):
    """Deciding one of the waiting broke, as it should not: its caller gets the cause, and the others go on."""

    def __init__(self, broken: _Waiting) -> None:
        super().__init__()
        self.waiting = broken


class Book:
    """One book, open for writing. What deciding needs is brought to hand by the first who writes."""

    def __init__(
        self, name: str, stream: Stream, loader: StateLoader, follower: Follower, clock: Clock
    ) -> None:
        """Open a book; ``clock`` returns microseconds since 1970 UTC."""
        self.name = name
        self._stream, self._clock = stream, clock
        self._memory = Memory(name, stream, loader, follower)
        self._waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._closed = False
        self._head_seen = 0
        self._thread = threading.Thread(target=self._work, name=f"writer of {name}", daemon=True)
        self._thread.start()

    def submit(self, commands: Sequence[Submitted], *, all_or_nothing: bool = False) -> Future[list[Outcome]]:
        """Decide commands in order; done with an outcome for each when all that was accepted is on disk.

        With ``all_or_nothing``, the commands are transfers, sales and returns, and where one is refused, none is
        recorded that was not before.
        """
        done: Future[list[Outcome]] = Future()
        if self._closed:
            done.set_exception(RuntimeError(f"book {self.name} is closed"))
        else:
            self._waiting.put(_Waiting(commands, all_or_nothing, done))
        return done

    def close(self) -> None:
        """Finish what waits, then stop."""
        self._closed = True
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        """Serve groups until closed."""
        last, callers = False, 0
        while not last:
            try:
                first = self._waiting.get(timeout=IDLE_CHECK_INTERVAL_S)
            except queue.Empty:
                callers = 0
                self._look()
                continue
            if callers >= GATHER_MIN_CALLERS:
                self._gather(callers)
            group: list[_Waiting] = []
            size = 0
            while first is not None:
                if first.done.set_running_or_notify_cancel():
                    group.append(first)
                    size += len(first.commands)
                if size >= GROUP_MAX_COMMANDS or self._waiting.empty():
                    break
                first = self._waiting.get()
            last, callers = first is None, len(group)
            self._serve(group)

    def _gather(self, callers: int) -> None:
        """Wait for so many callers, of whom one is at hand, for a moment."""
        until = time.monotonic() + GATHER_TIMEOUT_S
        while self._waiting.qsize() + 1 < callers and not self._closed and time.monotonic() < until:
            time.sleep(QUEUE_POLL_INTERVAL_S)

    def _serve(self, group: list[_Waiting]) -> None:
        """Decide and commit a group, and answer it."""
        while group:
            try:
                outcomes = self._commit(group)
            except _DecisionFailedError as broken:
                self._memory.is_stale = True
                group.remove(broken.waiting)
                broken.waiting.done.set_exception(broken.__cause__)
                continue
            except Exception as error:  # noqa: BLE001 - whatever it is belongs to the callers; the writer lives on
                self._memory.is_stale = True
                self._fail(group, error)
                return
            for waiting, decided in zip(group, outcomes, strict=True):
                waiting.done.set_result(decided)
            break
        self._evict()

    def _fail(self, group: list[_Waiting], error: Exception) -> None:
        """Tell a group what went wrong; where it may be one of them that it goes wrong with, serve each alone."""
        if len(group) == 1 or isinstance(error, ViewsLaggingError) or is_passing(error):
            for waiting in group:
                waiting.done.set_exception(error)
            return
        for waiting in group:
            self._serve([waiting])

    def _look(self) -> None:
        """Follow what others write, and end the offers that are due, though nobody asks for anything."""
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
            deadlines = memory.state.deadlines
            if deadlines and deadlines[0][0] <= self._clock():
                self._commit([])
        except Exception:  # noqa: BLE001 - the store is out of reach: whoever writes next is told so
            memory.is_stale = True
        self._evict()

    def _evict(self) -> None:
        try:
            self._memory.evict()
        except Exception:  # noqa: BLE001 - as above
            self._memory.is_stale = True

    def _commit(self, group: list[_Waiting]) -> list[list[Outcome]]:
        """Decide what waits and append the events, again and again while one who takes no turns is first."""
        commands = [
            asked for waiting in group for asked in waiting.commands if not isinstance(asked, Refusal)
        ]
        for _ in range(CONFLICT_RETRIES_MAX):
            try:
                return self._in_turn(group, commands)
            except (PositionTakenError, StaleMemoryError):
                self._memory.is_stale = True
        msg = f"{CONFLICT_RETRIES_MAX} times another writer of book {self.name} was first"
        raise RuntimeError(msg)

    def _in_turn(self, group: list[_Waiting], commands: list[Command]) -> list[list[Outcome]]:
        """Decide on the head of the book, and append; nobody else writes to it meanwhile."""
        memory = self._memory
        memory.refresh()
        earlier = memory.preload_group(commands)
        with self._stream.turn(self.name) as turn:
            memory.catch_up(turn)
            head = memory.state.position
            now = max(self._clock(), memory.state.recorded_at)
            entries: list[tuple[str, bytes]] = []
            self._lapse(now, entries)
            outcomes = [self._decide(waiting, earlier, now, entries) for waiting in group]
            turn.append(head, entries)
        return outcomes

    def _decide(
        self,
        waiting: _Waiting,
        earlier: dict[str, RecordedEvent],
        now: int,
        entries: list[tuple[str, bytes]],
    ) -> list[Outcome]:
        """Return an outcome for each of the commands submitted together, and add the entries to append."""
        memory, begin, head = self._memory, len(entries), self._memory.state.position
        memory.savepoint()
        try:
            outcomes = [self._outcome(asked, earlier, now, entries) for asked in waiting.commands]
        except StaleMemoryError:
            raise
        except Exception as error:
            raise _DecisionFailedError(waiting) from error
        if not waiting.all_or_nothing or (first := _first_refused(outcomes)) is None:
            return outcomes
        memory.roll_back()
        del entries[begin:]
        refusal = refuse(Reason.OTHER_ENTRY_REFUSED, entry=first)
        return [
            refusal if isinstance(outcome, Answer) and outcome.recorded.position > head else outcome
            for outcome in outcomes
        ]

    def _outcome(
        self,
        command: Submitted,
        earlier: dict[str, RecordedEvent],
        now: int,
        entries: list[tuple[str, bytes]],
    ) -> Outcome:
        if isinstance(command, Refusal):
            return command
        before = self._memory.answer(command.request_id) or earlier.get(command.request_id)
        if before is None:
            return self._handle(command, now, entries)
        if before.request_digest == digest(command):
            return Answer(before, duplicate=True)
        facts = {"request_id": command.request_id, "position": before.position}
        return refuse(Reason.REQUEST_ID_REUSED, **facts)

    def _handle(self, command: Command, now: int, entries: list[tuple[str, bytes]]) -> Outcome:
        """Decide one command, and remember its event as if it were written."""
        memory = self._memory
        memory.load(command)
        event = decide(memory.state, command, now)
        if isinstance(event, Refusal):
            return event
        occurred_at = command.occurred_at or now
        request_digest = digest(command)
        topic, data = encode(
            event,
            recorded_at=now,
            occurred_at=occurred_at,
            request_id=command.request_id,
            request_digest=request_digest,
        )
        position = memory.state.position + 1
        recorded = RecordedEvent(
            position=position,
            recorded_at=now,
            occurred_at=occurred_at,
            request_id=command.request_id,
            request_digest=request_digest,
            event=event,
            leaf=leaf_hash(data),
        )
        memory.remember(recorded)
        entries.append((topic, data))
        return Answer(recorded, duplicate=False)

    def _lapse(self, now: int, entries: list[tuple[str, bytes]]) -> None:
        """End the offers whose deadline has passed, or begin to: the next group goes on."""
        deadlines, due = self._memory.state.deadlines, list[LapseTransfer]()
        while deadlines and deadlines[0][0] <= now and len(due) < GROUP_LAPSES_MAX:
            _, transfer = heappop(deadlines)
            due.append(LapseTransfer(request_id=f"{WRITER_PREFIX}lapse/{transfer}", transfer=transfer))
        self._memory.preload(due)
        for command in due:
            self._handle(command, now, entries)


def _first_refused(outcomes: list[Outcome]) -> int | None:
    """Return the number of the first refusal, counted from 1."""
    return next((number for number, item in enumerate(outcomes, 1) if isinstance(item, Refusal)), None)
