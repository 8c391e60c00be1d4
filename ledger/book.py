"""The write door: decide what waits, commit it in one transaction, then answer.

One thread a book decides and writes. Whatever waits when it comes back from the disk is decided one after the
other on the state in memory and committed together, so that the cost of reaching the disk is shared (group
commit). The primary key (book, position) is the fence against another writer: who loses it forgets the
undecided, reloads, and decides again.
"""

import contextlib
import itertools
import queue
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from heapq import heappop
from typing import NamedTuple

import msgspec

from ledger import runs
from ledger.codec import decode, encode, leaf_hash
from ledger.commands import Command, LapseTransfer, digest
from ledger.events import RecordedEvent
from ledger.refusals import Reason, Refusal, refuse
from ledger.rules.deciding import decide
from ledger.rules.needs import Needs, missing
from ledger.rules.state import State, evolve
from ledger.store.follower import Follower
from ledger.store.loader import Loader
from ledger.store.stream import PositionTaken, Stream
from ledger.values import WRITER_PREFIX, TransferStatus

MAX_GROUP = 1_000
"""How many waiting commands are decided and committed together: beyond it, latency grows and speed does not."""

MAX_TAIL = 20_000
"""How many events the views may lag behind before writing waits for them: what is not in them is in memory."""

MAX_RUNS_AT_HAND = 400_000
"""How many runs are kept in memory before the batches unused for longest are let go (some 300 bytes each)."""

MAX_TRANSFERS_AT_HAND = 50_000
"""How many transfers are kept in memory before those no longer open are let go."""

MAX_CONFLICTS = 1_000
"""How often a group is decided again because another writer was first, before its callers get the error."""

LOADS_OF_A_GROUP = 4
"""How many loads a group shares: transfers lead to units, units to cases, cases to contents."""

SHORT_TAIL = 256
"""How many events are kept behind without asking where the views stand: asking costs as much as a small group."""

GROUPS_BETWEEN_TIDYING = 64
"""How many groups are written before memory is looked over again: counting it costs as much as a small group."""

MAX_LAPSES = 500
"""How many offers are ended with one group: after a long stop, more than enough may be due."""

MAX_HOLDINGS = 1_000
"""For how many parties and products it is kept in which batches they may own units."""

IDLE_SECONDS = 1.0
"""How long the writer sleeps at the most before it looks for offers to lapse."""

PATIENCE_SECONDS = 60.0
"""How long writing waits for views that lag too far behind, before it goes on and lets memory grow."""


class Answer(msgspec.Struct, frozen=True):
    """The event a command caused, and whether an earlier, equal request had caused it before."""

    recorded: RecordedEvent
    duplicate: bool


Outcome = Answer | Refusal
Clock = Callable[[], int]


class _Waiting(NamedTuple):
    commands: Sequence[Command]
    done: Future[list[Outcome]]


class _BehindError(Exception):
    """The views know more than this writer, or less than it relied on: it has to begin again from them."""


class Book:
    """One book, open for writing."""

    def __init__(self, name: str, stream: Stream, loader: Loader, follower: Follower, clock: Clock) -> None:
        """Open a book; ``clock`` returns microseconds since 1970 UTC."""
        self.name = name
        self._stream, self._loader, self._follower, self._clock = stream, loader, follower, clock
        self._waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._groups = 0
        self._closed = False
        self._reload()
        self._thread = threading.Thread(target=self._work, name=f"writer of {name}", daemon=True)
        self._thread.start()

    @property
    def head(self) -> int:
        """The last position this writer knows to be on disk."""
        return self._committed

    def submit(self, commands: Sequence[Command]) -> Future[list[Outcome]]:
        """Decide commands in order; done with an outcome for each when all that was accepted is on disk."""
        done: Future[list[Outcome]] = Future()
        if self._closed:
            done.set_exception(RuntimeError(f"book {self.name} is closed"))
        else:
            self._waiting.put(_Waiting(commands, done))
        return done

    def close(self) -> None:
        """Finish what waits, then stop."""
        self._closed = True
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        """Serve groups until closed."""
        last = False
        while not last:
            group: list[_Waiting] = []
            try:
                first = self._waiting.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                first = _Waiting((), Future())
            size = 0
            while first is not None:
                if first.done.set_running_or_notify_cancel():
                    group.append(first)
                    size += len(first.commands)
                if size >= MAX_GROUP or self._waiting.empty():
                    break
                first = self._waiting.get()
            last = first is None
            self._serve(group)

    def _serve(self, group: list[_Waiting]) -> None:
        """Decide and commit a group; where it fails as a whole, each of its members alone."""
        try:
            outcomes = self._commit([command for waiting in group for command in waiting.commands])
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to the callers; the writer lives on
            self._recover()
            if len(group) == 1:
                group[0].done.set_exception(error)
                return
            for waiting in group:
                self._serve([waiting])
            return
        begin = 0
        for waiting in group:
            end = begin + len(waiting.commands)
            waiting.done.set_result(outcomes[begin:end])
            begin = end

    def _recover(self) -> None:
        """Forget what was decided but not written; where even that fails, the next group tries again."""
        try:
            self._reload()
        except Exception:  # noqa: BLE001 - the store is out of reach: the next group says so to its callers
            self._stale = True

    def _commit(self, commands: list[Command]) -> list[Outcome]:
        """Decide commands and append their events, again and again while another writer is first."""
        if self._stale:
            self._reload()
        for _ in range(MAX_CONFLICTS):
            try:
                outcomes, entries = self._decide(commands)
                self._stream.append(self.name, self._committed, entries)
                if not entries and any(isinstance(outcome, Refusal) for outcome in outcomes):
                    self._expect_nothing_newer()
            except (PositionTaken, _BehindError):
                self._reload()
                continue
            self._committed += len(entries)
            self._let_go()
            return outcomes
        msg = f"{MAX_CONFLICTS} times another writer of book {self.name} was first"
        raise RuntimeError(msg)

    def _expect_nothing_newer(self) -> None:
        """Say no only on what the book is now: nothing was appended that the fence could have judged."""
        if self._stream.head(self.name) != self._committed:
            raise _BehindError

    def _reload(self) -> None:
        """Begin again from the views and the tail of the log behind them."""
        self._stale = False
        behind = self._stream.head(self.name) - MAX_TAIL
        if behind > self._follower.position(self.name):
            self._follower.reached(self.name, behind).result()
        self._state = self._loader.open(self.name)
        self._tail: deque[RecordedEvent] = deque()
        self._asked: dict[str, RecordedEvent] = {}
        self._used: OrderedDict[int, None] = OrderedDict()
        while entries := self._stream.read(self.name, self._state.position, MAX_TAIL):
            for entry in entries:
                self._remember(decode(entry.position, entry.data))
        self._committed = self._state.position
        self._views_position = 0

    def _remember(self, recorded: RecordedEvent) -> None:
        evolve(self._state, recorded)
        self._tail.append(recorded)
        self._asked[recorded.request_id] = recorded
        touched = runs.batches(recorded.event)
        for batches in self._state.holdings.values():
            batches.update(touched)  # more than need be: what the party owns there is looked up
        for number in touched:
            self._used[number] = None
            self._used.move_to_end(number)

    def _decide(self, commands: list[Command]) -> tuple[list[Outcome], list[tuple[str, bytes]]]:
        """Return an outcome for each command, and the entries to append for those accepted."""
        now = max(self._clock(), self._state.recorded_at)
        entries: list[tuple[str, bytes]] = []
        self._lapse(now, entries)
        earlier = self._asked_earlier(commands)
        self._load_for(commands)
        outcomes: list[Outcome] = []
        for command in commands:
            before = self._asked.get(command.request_id) or earlier.get(command.request_id)
            if before is None:
                outcomes.append(self._handle(command, now, entries))
            elif before.request_digest == digest(command):
                outcomes.append(Answer(before, duplicate=True))
            else:
                facts = {"request_id": command.request_id, "position": before.position}
                outcomes.append(refuse(Reason.REQUEST_ID_REUSED, **facts))
        return outcomes, entries

    def _load_for(self, commands: Sequence[Command]) -> None:
        """Bring to hand in few loads what most of a group needs; what it leads to later is loaded one by one."""
        for _ in range(LOADS_OF_A_GROUP):
            needs = missing(self._state, commands)
            if not needs:
                return
            self._load(needs)

    def _asked_earlier(self, commands: list[Command]) -> dict[str, RecordedEvent]:
        """Return the events that answered these requests before, as far as memory has let them go."""
        names = {command.request_id for command in commands if command.request_id not in self._asked}
        if not names:
            return {}
        known, positions = self._loader.requests(self.name, names)
        if known < self._state.position - len(self._tail):
            raise _BehindError  # the views are being made anew, and know less than what was let go
        found: dict[str, RecordedEvent] = {}
        for entry in self._loader.entries(self.name, positions):
            recorded = decode(entry.position, entry.data)
            found[recorded.request_id] = recorded
        return found

    def _handle(self, command: Command, now: int, entries: list[tuple[str, bytes]]) -> Outcome:
        """Decide one command, and remember its event as if it were written."""
        while needs := missing(self._state, [command]):
            self._load(needs)
        event = decide(self._state, command, now)
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
        position = self._state.position + 1
        recorded = RecordedEvent(
            position, now, occurred_at, command.request_id, request_digest, event, leaf_hash(data)
        )
        self._remember(recorded)
        entries.append((topic, data))
        return Answer(recorded, duplicate=False)

    def _load(self, needs: Needs) -> None:
        """Bring to hand what is needed: from the views, and from the tail what they do not know yet."""
        part = self._loader.load(self.name, needs)
        known = part.position - (self._state.position - len(self._tail))
        if not 0 <= known <= len(self._tail):
            raise _BehindError
        self._views_position = part.position  # before the tail carries the part on
        for recorded in itertools.islice(self._tail, known, None):
            evolve(part, recorded)
            for key in needs.holdings:
                part.holdings[key] |= runs.batches(recorded.event)
        self._state.adopt(part)
        for number in needs.batches:
            self._used[number] = None

    def _lapse(self, now: int, entries: list[tuple[str, bytes]]) -> None:
        """End the offers whose deadline has passed, or begin to: the next group goes on."""
        deadlines, due = self._state.deadlines, list[LapseTransfer]()
        while deadlines and deadlines[0][0] <= now and len(due) < MAX_LAPSES:
            _, transfer = heappop(deadlines)
            due.append(LapseTransfer(request_id=f"{WRITER_PREFIX}lapse/{transfer}", transfer=transfer))
        self._load_for(due)
        for command in due:
            self._handle(command, now, entries)

    def _let_go(self) -> None:
        """Let go of the tail the views know, and of what was not used for long."""
        if len(self._tail) > MAX_TAIL:
            behind = self._follower.reached(self.name, self._committed - MAX_TAIL // 2)
            with contextlib.suppress(TimeoutError):
                behind.result(PATIENCE_SECONDS)
        if len(self._tail) > SHORT_TAIL:
            self._views_position = self._follower.position(self.name)
        while self._tail and self._tail[0].position <= self._views_position:
            self._asked.pop(self._tail.popleft().request_id, None)
        self._groups += 1
        if self._groups % GROUPS_BETWEEN_TIDYING:
            return
        self._tidy(self._state)

    def _tidy(self, state: State) -> None:
        """Let go of batches unused for longest, of transfers no longer open, and of what is known not to exist."""
        at_hand = sum(len(partition.runs) for partition in state.partitions.values())
        while at_hand > MAX_RUNS_AT_HAND and len(self._used) > 1:
            number, _ = self._used.popitem(last=False)
            state.batches.pop(number, None)
            if (partition := state.partitions.pop(number, None)) is not None:
                at_hand -= len(partition.runs)
        if len(state.transfers) > MAX_TRANSFERS_AT_HAND:
            offered = TransferStatus.OFFERED
            closed = [key for key, item in state.transfers.items() if item and item.status is not offered]
            for key in closed:
                del state.transfers[key]
        if len(state.holdings) > MAX_HOLDINGS:
            state.holdings.clear()
        state.forget_absent()
