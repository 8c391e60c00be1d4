"""What a writer keeps of its book at hand: the parts that deciding needs, and the events behind the views."""

import itertools
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence

from pathbook.ledger.codec import decode
from pathbook.ledger.commands import Command, RecordTransfer, SellUnits
from pathbook.ledger.events import RecordedEvent, TransferRecorded, UnitsReturned, UnitsSold
from pathbook.ledger.rules.required_state import Needs, missing
from pathbook.ledger.rules.state import State, evolve, take_back
from pathbook.ledger.runs import Change
from pathbook.ledger.store.log.stream import StoredEntry, Stream, Turn
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.views.state_loader import Loader
from pathbook.ledger.values import TransferStatus

MAX_TAIL = 20_000
"""How many events the views may lag behind before writing waits for them: what is not in them is in memory."""

MAX_RUNS_AT_HAND = 400_000
"""How many runs are kept in memory before the batches unused for longest are let go (some 500 bytes each)."""

MAX_TRANSFERS_AT_HAND = 50_000
"""How many transfers are kept in memory before those no longer open are let go."""

MAX_CASES_AT_HAND = 50_000
"""How many cases are kept in memory before all are let go: those still in use are soon loaded again."""

MAX_LOTS_AT_HAND = 50_000
"""The same for the lots that are known to be taken."""

LOADS_OF_A_GROUP = 4
"""How many loads a group shares: transfers lead to units, units to cases, cases to contents."""

SHORT_TAIL = 256
"""How many events are kept behind without asking where the views stand: asking costs as much as a small group."""

GROUPS_BETWEEN_TIDYING = 64
"""How many groups are written before memory is looked over again: counting it costs as much as a small group."""

MAX_HOLDINGS = 1_000
"""For how many parties and products it is kept in which batches they may own units."""

PATIENCE_SECONDS = 10.0
"""How long writing waits for views that lag too far behind, before it fails: less than callers wait for an answer."""

_MOVES = (TransferRecorded, UnitsSold, UnitsReturned)


class BehindError(Exception):
    """What is at hand does not fit the log or the views any more: it has to begin anew from them."""


class ViewsFarBehind(Exception):  # noqa: N818 - nothing is broken: somebody has to follow the book
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

    def __init__(self, book: str, stream: Stream, loader: Loader, follower: Follower) -> None:
        """Begin with nothing, which is stale."""
        self._book, self._stream, self._loader, self._follower = book, stream, loader, follower
        self._groups = 0
        self.state = State(book)
        self.is_stale = True
        """Whether what is at hand must not be decided on, and is to be forgotten."""
        self._settled = False  # whether all is at hand that the commands prepared for need, as they are now
        self.beginnings = 0
        """How often it began anew: once, unless something was odd."""

    def refresh(self) -> None:
        """Where what is at hand is stale, begin anew from the views and the tail of the log behind them.

        Raises:
            ViewsFarBehind: they are, and stay there.
        """
        if not self.is_stale:
            if len(self._tail) > MAX_TAIL:
                self._wait_for_views(self.state.position, MAX_TAIL // 2)
                self.let_go()
            return
        self.beginnings += 1
        head = self._stream.head(self._book)
        if head - MAX_TAIL > self._follower.position(self._book):
            self._wait_for_views(head, MAX_TAIL)
        self.state = self._loader.open(self._book)
        self._tail: deque[RecordedEvent] = deque()
        self._asked: dict[str, RecordedEvent] = {}
        self._used: OrderedDict[int, None] = OrderedDict()
        self._views_position = 0
        self._others_write = self._settled = False
        self._since_mark: list[list[Change]] = []
        while entries := self._read(self.state.position, MAX_TAIL):
            for entry in entries:
                self.remember(decode(entry.position, entry.data))
        self.is_stale = False

    def read_on(self, turn: Turn | None = None) -> None:
        """Fold what others wrote since, in a turn up to the head.

        Raises:
            BehindError: it is too much of it, or the log does not hold what is known of it.
        """
        known = self.state.position
        entries = (turn.read if turn else self._read)(max(known - 1, 0), MAX_TAIL)
        if known:  # the last event known stands before what is new, or this is another log
            if not entries:
                raise BehindError
            del entries[0]
        if len(entries) >= MAX_TAIL - 1:
            raise BehindError
        for entry in entries:
            self.remember(decode(entry.position, entry.data))
        self._others_write = bool(entries)
        self._settled = self._settled and not entries

    def prepare(self, commands: Sequence[Command]) -> dict[str, RecordedEvent]:
        """Bring to hand what deciding needs, and return the events that answered these requests before.

        It is done before the turn, where it keeps nobody waiting. What the turn is then told by others may still
        lead to more.

        Raises:
            BehindError: see there.
        """
        if self._others_write:
            self.read_on()
        self._settled = self.bring_most(commands)
        return self._answered(commands)

    def remember(self, recorded: RecordedEvent) -> None:
        """Fold the next event."""
        changes = evolve(self.state, recorded)
        self._since_mark.append(changes)
        self._tail.append(recorded)
        self._asked[recorded.request_id] = recorded
        for number in {change.batch for change in changes}:
            self._used[number] = None
            self._used.move_to_end(number)
        if self._settled and not isinstance(recorded.event, _MOVES):
            self._settled = False

    def mark(self) -> None:
        """Let what is remembered from here on, and no more, be what can be taken back."""
        self._since_mark.clear()
        self._recorded_at = self.state.recorded_at

    def take_back(self) -> None:
        """Forget the transfers, sales and returns remembered since the mark, as if they had never been."""
        while self._since_mark:
            recorded = self._tail.pop()
            del self._asked[recorded.request_id]
            take_back(self.state, recorded, self._since_mark.pop(), self._recorded_at)

    def answer(self, request_id: str) -> RecordedEvent | None:
        """Return the event that answered a request, as far as it is in memory."""
        return self._asked.get(request_id)

    def bring(self, command: Command) -> None:
        """Bring to hand all that a command needs. Raises BehindError."""
        if self._settled and isinstance(command, RecordTransfer | SellUnits):
            return  # what moves units leads these to nothing that the group did not need
        while needs := missing(self.state, [command]):
            self._load(needs)

    def bring_most(self, commands: Sequence[Command]) -> bool:
        """Bring to hand in few loads what most of a group needs, and tell whether that is all. Raises BehindError."""
        for _ in range(LOADS_OF_A_GROUP):
            needs = missing(self.state, commands)
            if not needs:
                return True
            self._load(needs)
        return False

    def let_go(self) -> None:
        """Let go of the tail the views know, and of what was not used for long."""
        if len(self._tail) > SHORT_TAIL:
            self._views_position = self._follower.position(self._book)
        while self._tail and self._tail[0].position <= self._views_position:
            self._asked.pop(self._tail.popleft().request_id, None)
        self._groups += 1
        if self._groups % GROUPS_BETWEEN_TIDYING == 0:
            self._tidy(self.state)

    def _answered(self, commands: Iterable[Command]) -> dict[str, RecordedEvent]:
        """Return the events that answered requests before, as far as memory has let them go."""
        names = {command.request_id for command in commands if command.request_id not in self._asked}
        if not names:
            return {}
        known, positions = self._loader.requests(self._book, names)
        if known < self._tail_begins():
            raise BehindError  # the views are being made anew, and know less than what was let go
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
            self._follower.reached(self._book, head - lag).result(PATIENCE_SECONDS)
        except TimeoutError:
            raise ViewsFarBehind(self._book, self._follower.position(self._book), head) from None

    def _tail_begins(self) -> int:
        """Return the position behind which the tail holds every event."""
        return self.state.position - len(self._tail)

    def _load(self, needs: Needs) -> None:
        """Bring to hand what is needed: from the views, and from the tail what they do not know yet."""
        part = self._loader.load(self._book, needs)
        if part.position > self.state.position:
            self.read_on()
        known = part.position - self._tail_begins()
        if not 0 <= known <= len(self._tail):
            raise BehindError
        self._views_position = part.position  # before the tail carries the part on
        for recorded in itertools.islice(self._tail, known, None):
            evolve(part, recorded)
        self.state.adopt(part)
        for number in part.batches:  # also those that the tail began
            self._used.setdefault(number)

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
        if len(state.lots) > MAX_LOTS_AT_HAND:
            state.lots.clear()
        if len(state.cases) > MAX_CASES_AT_HAND:
            state.cases.clear()
        if len(state.holdings) > MAX_HOLDINGS:
            state.holdings.clear()
        state.forget_absent()
