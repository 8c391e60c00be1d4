"""What a writer keeps of its book at hand: the parts that deciding needs, and the events behind the views."""

import itertools
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence

from pathbook.ledger.codec import decode
from pathbook.ledger.commands import Command, RecordTransfer, SellUnits
from pathbook.ledger.events import RecordedEvent, TransferRecorded, UnitsReturned, UnitsSold
from pathbook.ledger.rules.required_state import RequiredState, required_state
from pathbook.ledger.rules.state import State, evolve, roll_back
from pathbook.ledger.runs import Change
from pathbook.ledger.store.log.stream import StoredEntry, Stream, Turn
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.views.state_loader import StateLoader
from pathbook.ledger.values import TransferStatus

TAIL_MAX_EVENTS = 20_000
"""How many events the views may lag behind before writing waits for them: what is not in them is in memory."""

LOADED_RUNS_MAX = 400_000
"""How many runs are kept in memory before the batches unused for longest are let go (some 500 bytes each)."""

LOADED_TRANSFERS_MAX = 50_000
"""How many transfers are kept in memory before those no longer open are let go."""

LOADED_CASES_MAX = 50_000
"""How many cases are kept in memory before all are let go: those still in use are soon loaded again."""

LOADED_LOTS_MAX = 50_000
"""The same for the lots that are known to be taken."""

GROUP_LOADS_MAX = 4
"""How many loads a group shares: transfers lead to units, units to cases, cases to contents."""

TAIL_KEPT_EVENTS = 256
"""How many events are kept behind without asking where the views stand: asking costs as much as a small group."""

EVICTION_INTERVAL_GROUPS = 64
"""How many groups are written before memory is looked over again: counting it costs as much as a small group."""

LOADED_HOLDINGS_MAX = 1_000
"""For how many parties and products it is kept in which batches they may own units."""

VIEWS_LAG_TIMEOUT_S = 10.0
"""How long writing waits for views that lag too far behind, before it fails: less than callers wait for an answer."""

_MOVES = (TransferRecorded, UnitsSold, UnitsReturned)


class StaleMemoryError(Exception):
    """What is at hand does not fit the log or the views any more: it has to begin anew from them."""


class ViewsLaggingError(Exception):
    """The views of a book stand at a position so far behind its head that it is not written to."""

    def __init__(self, book: str, position: int, head: int) -> None:
        super().__init__(
            f"The views of book {book} stand at {position} of {head}, too far behind to write to it."
        )
        self.book = book
        self.position = position
        self.head = head


class Memory:
    """The parts of one book at hand, as of the last event this writer knows of. Not to be shared between threads."""

    def __init__(self, book: str, stream: Stream, loader: StateLoader, follower: Follower) -> None:
        """Begin with nothing, which is stale."""
        self._book, self._stream, self._loader, self._follower = book, stream, loader, follower
        self._groups = 0
        self.state = State(book)
        self.is_stale = True
        """Whether what is at hand must not be decided on, and is to be forgotten."""
        self._all_loaded = (
            False  # whether all is at hand that the commands prepared for need, as they are now
        )
        self.reload_count = 0
        """How often it began anew: once, unless something was odd."""

    def refresh(self) -> None:
        """Where what is at hand is stale, begin anew from the views and the tail of the log behind them.

        Raises:
            ViewsLaggingError: they are, and stay there.
        """
        if not self.is_stale:
            if len(self._tail) > TAIL_MAX_EVENTS:
                self._wait_for_views(self.state.position, TAIL_MAX_EVENTS // 2)
                self.evict()
            return
        self.reload_count += 1
        head = self._stream.head(self._book)
        if head - TAIL_MAX_EVENTS > self._follower.position(self._book):
            self._wait_for_views(head, TAIL_MAX_EVENTS)
        self.state = self._loader.open(self._book)
        self._tail: deque[RecordedEvent] = deque()
        self._asked: dict[str, RecordedEvent] = {}
        self._used: OrderedDict[int, None] = OrderedDict()
        self._views_position = 0
        self._others_write = self._all_loaded = False
        self._since_savepoint: list[list[Change]] = []
        while entries := self._read(self.state.position, TAIL_MAX_EVENTS):
            for entry in entries:
                self.remember(decode(entry.position, entry.data))
        self.is_stale = False

    def catch_up(self, turn: Turn | None = None) -> None:
        """Fold what others wrote since, in a turn up to the head.

        Raises:
            StaleMemoryError: it is too much of it, or the log does not hold what is known of it.
        """
        known = self.state.position
        entries = (turn.read if turn else self._read)(max(known - 1, 0), TAIL_MAX_EVENTS)
        if known:  # the last event known stands before what is new, or this is another log
            if not entries:
                raise StaleMemoryError
            del entries[0]
        if len(entries) >= TAIL_MAX_EVENTS - 1:
            raise StaleMemoryError
        for entry in entries:
            self.remember(decode(entry.position, entry.data))
        self._others_write = bool(entries)
        self._all_loaded = self._all_loaded and not entries

    def preload_group(self, commands: Sequence[Command]) -> dict[str, RecordedEvent]:
        """Bring to hand what deciding needs, and return the events that answered these requests before.

        It is done before the turn, where it keeps nobody waiting. What the turn is then told by others may still
        lead to more.

        Raises:
            StaleMemoryError: see there.
        """
        if self._others_write:
            self.catch_up()
        self._all_loaded = self.preload(commands)
        return self._answered(commands)

    def remember(self, recorded: RecordedEvent) -> None:
        """Fold the next event."""
        changes = evolve(self.state, recorded)
        self._since_savepoint.append(changes)
        self._tail.append(recorded)
        self._asked[recorded.request_id] = recorded
        for number in {change.batch for change in changes}:
            self._used[number] = None
            self._used.move_to_end(number)
        if self._all_loaded and not isinstance(recorded.event, _MOVES):
            self._all_loaded = False

    def savepoint(self) -> None:
        """Let what is remembered from here on, and no more, be what can be taken back."""
        self._since_savepoint.clear()
        self._recorded_at = self.state.recorded_at

    def roll_back(self) -> None:
        """Forget the transfers, sales and returns remembered since the savepoint, as if they had never been."""
        while self._since_savepoint:
            recorded = self._tail.pop()
            del self._asked[recorded.request_id]
            roll_back(self.state, recorded, self._since_savepoint.pop(), self._recorded_at)

    def answer(self, request_id: str) -> RecordedEvent | None:
        """Return the event that answered a request, as far as it is in memory."""
        return self._asked.get(request_id)

    def load(self, command: Command) -> None:
        """Load all that a command needs. Raises StaleMemoryError."""
        if self._all_loaded and isinstance(command, RecordTransfer | SellUnits):
            return  # what moves units leads these to nothing that the group did not need
        while required := required_state(self.state, [command]):
            self._load(required)

    def preload(self, commands: Sequence[Command]) -> bool:
        """Load what most of a group needs in few loads, and tell whether that is all. Raises StaleMemoryError."""
        for _ in range(GROUP_LOADS_MAX):
            required = required_state(self.state, commands)
            if not required:
                return True
            self._load(required)
        return False

    def evict(self) -> None:
        """Let go of the tail the views know, and of what was not used for long."""
        if len(self._tail) > TAIL_KEPT_EVENTS:
            self._views_position = self._follower.position(self._book)
        while self._tail and self._tail[0].position <= self._views_position:
            self._asked.pop(self._tail.popleft().request_id, None)
        self._groups += 1
        if self._groups % EVICTION_INTERVAL_GROUPS == 0:
            self._evict_unused(self.state)

    def _answered(self, commands: Iterable[Command]) -> dict[str, RecordedEvent]:
        """Return the events that answered requests before, as far as memory has let them go."""
        names = {command.request_id for command in commands if command.request_id not in self._asked}
        if not names:
            return {}
        known, positions = self._loader.requests(self._book, names)
        if known < self._tail_begins():
            raise StaleMemoryError  # the views are being made anew, and know less than what was let go
        found: dict[str, RecordedEvent] = {}
        for entry in self._loader.entries(self._book, positions):
            recorded = decode(entry.position, entry.data)
            found[recorded.request_id] = recorded
        return found

    def _read(self, after: int, limit: int) -> list[StoredEntry]:
        return self._stream.read(self._book, after, limit)

    def _wait_for_views(self, head: int, lag: int) -> None:
        """Wait until the views are at most ``lag`` events behind a head."""
        try:
            self._follower.reached(self._book, head - lag).result(VIEWS_LAG_TIMEOUT_S)
        except TimeoutError:
            raise ViewsLaggingError(self._book, self._follower.position(self._book), head) from None

    def _tail_begins(self) -> int:
        """Return the position behind which the tail holds every event."""
        return self.state.position - len(self._tail)

    def _load(self, required: RequiredState) -> None:
        """Bring to hand what is needed: from the views, and from the tail what they do not know yet."""
        part = self._loader.load(self._book, required)
        if part.position > self.state.position:
            self.catch_up()
        known = part.position - self._tail_begins()
        if not 0 <= known <= len(self._tail):
            raise StaleMemoryError
        self._views_position = part.position  # before the tail carries the part on
        for recorded in itertools.islice(self._tail, known, None):
            evolve(part, recorded)
        self.state.adopt(part)
        for number in part.batches:  # also those that the tail began
            self._used.setdefault(number)

    def _evict_unused(self, state: State) -> None:
        """Let go of batches unused for longest, of transfers no longer open, and of what is known not to exist."""
        loaded = sum(len(partition.runs) for partition in state.partitions.values())
        while loaded > LOADED_RUNS_MAX and len(self._used) > 1:
            number, _ = self._used.popitem(last=False)
            state.batches.pop(number, None)
            if (partition := state.partitions.pop(number, None)) is not None:
                loaded -= len(partition.runs)
        if len(state.transfers) > LOADED_TRANSFERS_MAX:
            offered = TransferStatus.OFFERED
            closed = [key for key, item in state.transfers.items() if item and item.status is not offered]
            for key in closed:
                del state.transfers[key]
        if len(state.lots) > LOADED_LOTS_MAX:
            state.lots.clear()
        if len(state.cases) > LOADED_CASES_MAX:
            state.cases.clear()
        if len(state.holdings) > LOADED_HOLDINGS_MAX:
            state.holdings.clear()
        state.forget_absent()
