"""The state of a book that its writer keeps in memory, and the events that the views do not hold yet."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from pathbook.ledger.applying import hops_to_load
from pathbook.ledger.book import tail
from pathbook.ledger.book.tail import Tail
from pathbook.ledger.commands import AnyCommand, AuthorizeParty, RecordTransfer, SellUnits, SignedCommand
from pathbook.ledger.events import Event, RecordedEvent, TransferRecorded, UnitsReturned, UnitsSold
from pathbook.ledger.hops import Hop
from pathbook.ledger.key_events import StatementsFiled
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.requests import request_of, unsigned
from pathbook.ledger.rules.budget import QUANTITIES, Budget, BudgetSpentError
from pathbook.ledger.rules.deciding import decide
from pathbook.ledger.rules.parts import RequiredState
from pathbook.ledger.rules.preview import needing_as_much, preview
from pathbook.ledger.rules.required_state import required_state
from pathbook.ledger.rules.seller import SellerAuthority, seller_authority
from pathbook.ledger.rules.state import State, evolve, evolve_runs, roll_back
from pathbook.ledger.run import Change
from pathbook.ledger.spans import StockNotLoadedError
from pathbook.ledger.store.log.entries import entries_after
from pathbook.ledger.store.log.event_hashes import StoredEntry, read_event
from pathbook.ledger.store.log.stream import Stream, Turn
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.views.state_loader import StateLoader
from pathbook.ledger.values import MAX_STEPS, Ranges, Selection, TransferStatus

LOADED_RUNS_MAX = 300_000
"""How many runs are kept in memory, at some 1,100 bytes each. Beyond it, the least recently used batches are evicted.

A group that needs more gets them. They are evicted after it, and a later group loads only those that it touches.
"""

LOADED_TRANSFERS_MAX = 50_000
"""How many transfers are kept in memory. Beyond it, the transfers that are no longer open are evicted."""

LOADED_CASES_MAX = 50_000
"""How many cases are kept in memory. Beyond it, all are evicted. Cases still in use are soon loaded again."""

LOADED_LOTS_MAX = 50_000
"""How many known lots are kept in memory. Beyond it, all are evicted."""

LOADED_REFERENCES_MAX = 50_000
"""How many references are kept in memory. Beyond it, all are evicted."""

LOADED_KEYS_MAX = 50_000
"""How many keys of parties are kept in memory, revoked ones too. Beyond it, all are evicted."""

GROUP_LOADS_MAX = 5
"""How many loads a group shares: transfers lead to units, units to cases and hops, and cases to contents."""

EVICTION_INTERVAL_GROUPS = 64
"""How many groups pass between two checks of the memory limits. A check costs as much as a small group."""

LOADING_STEPS_MAX = 4 * MAX_STEPS
"""How many steps the quantities of a command may take until their runs are loaded. This is enough for 8,000 runs, and a
command can hardly move more."""

LOADED_RUN_STEPS = 5
"""How many steps it counts to load a run of an owner."""

EVICTION_INTERVAL_RUNS = LOADED_RUNS_MAX // 10
"""How many runs are loaded between two checks of the memory limits, if that is sooner."""

LOADED_HOLDINGS_MAX = 1_000
"""For how many pairs of a party and a product the batches are kept in which the party may own units."""

VIEWS_LAG_TIMEOUT_S = 10.0
"""How long a write waits for views that lag too far behind, before it fails. Callers wait longer for an answer."""

Decided = TypeVar("Decided")

_NEED_NO_MORE = (TransferRecorded, UnitsSold, UnitsReturned, StatementsFiled)
"""The kinds of events after which transfers and sales need no more state than before."""

_MOVING = (RecordTransfer, SellUnits)  # they never need more state because of an event that moves units


class StaleMemoryError(Exception):
    """The state in memory no longer fits the log or the views. It must be reloaded from them."""


class ViewsLaggingError(Exception):
    """The views of a book lag so far behind its head that writes to the book are paused."""

    def __init__(self, book: str, position: int, head: int) -> None:
        super().__init__(
            f"Writes are paused: the views are {head - position} events behind."
            " Check that `pathbook views follow` runs, then retry."
        )
        self.book = book
        self.position = position
        self.head = head


class Memory:
    """The loaded state of one book, as of the last event that its writer knows.

    Threads must not share it.
    """

    def __init__(
        self, book: str, stream: Stream, loader: StateLoader, follower: Follower, *, lapses: bool = True
    ) -> None:
        """Start with nothing loaded, which counts as stale. If no offer lapses here, no deadline is loaded."""
        self._lapses = lapses
        self._book, self._stream, self._loader, self._follower = book, stream, loader, follower
        self._groups = self._runs_loaded = 0
        self.state = State(book)
        self.is_stale = True
        """Whether the state must not be used for decisions and must be reloaded."""
        self._all_loaded = False
        """Whether everything that the prepared commands need is loaded, given the present state."""
        self.reload_count = 0
        """How often the state was loaded from scratch: once, unless a conflict, an error or a lag made it stale."""
        self.forget()

    def refresh(self) -> None:
        """If the state is stale, reload it from the views and from the tail of the log that the views lack.

        Raises:
            ViewsLaggingError: the views lag too far behind, and do not catch up in time.
        """
        if not self.is_stale:
            self._shorten_tail()
            return
        self.reload_count += 1
        head = self._stream.head(self._book)
        if head - tail.TAIL_MAX_EVENTS > self._follower.position(self._book):
            self._wait_for_views(head, tail.TAIL_MAX_EVENTS)
        self.forget()
        self.state = self._loader.open(self._book, with_deadlines=self._lapses)
        self._views_position = 0
        self._others_write = self._all_loaded = False
        for entry in entries_after(self._read, self.state.position):
            self.remember(read_event(self._book, entry))
            self._shorten_tail()
        self.is_stale = False

    def forget(self) -> None:
        """Drop everything that is loaded, which then counts as stale."""
        self.state = State(self._book)
        self._tail = Tail()
        self._used: OrderedDict[int, None] = OrderedDict()
        self._since_savepoint: list[list[Change]] = []
        self.is_stale = True

    def views_hold_all(self) -> bool:
        """Tell whether the views hold every event of the log, so that nothing is known here alone."""
        return self._follower.position(self._book) >= self._stream.head(self._book)

    def catch_up(self, turn: Turn | None = None) -> None:
        """Apply the events that other writers appended. Inside a turn, this reaches the head.

        Raises:
            StaleMemoryError: there are too many new events, or the log lacks an event that is known.
        """
        known = self.state.position
        entries = entries_after(turn.read if turn else self._read, max(known - 1, 0))
        # The read begins with the last known event. If it is missing, this is another log.
        if known and next(entries, None) is None:
            raise StaleMemoryError
        ranges_before = self._tail.ranges
        for count, entry in enumerate(entries):
            if count >= tail.TAIL_MAX_EVENTS or self._tail.ranges - ranges_before > tail.TAIL_MAX_RANGES:
                raise StaleMemoryError
            self.remember(read_event(self._book, entry))
        self._others_write = self.state.position > known
        self._all_loaded = self._all_loaded and not self._others_write

    def preload_group(self, commands: Sequence[AnyCommand]) -> dict[bytes, RecordedEvent]:
        """Load the state that deciding needs, and return the events that answered these requests before.

        This runs before the turn, so it does not delay other writers. Events of other writers that are read
        in the turn may still require more loads.

        Raises:
            StaleMemoryError: the state in memory no longer fits the log or the views.
        """
        if self._others_write:
            self.catch_up()
        self._all_loaded = self.preload(commands)
        return self._answered(commands)

    def remember(self, recorded: RecordedEvent) -> None:
        """Apply the next event."""
        self._load_undone(self.state, recorded.event)
        changes = evolve(self.state, recorded)
        self._since_savepoint.append(changes)
        self._tail.append(recorded)
        for number in dict.fromkeys([change.batch for change in changes]):
            self._used[number] = None
            self._used.move_to_end(number)
        if self._all_loaded and not isinstance(recorded.event, _NEED_NO_MORE):
            self._all_loaded = False

    def savepoint(self) -> None:
        """Set the point to which ``roll_back`` returns."""
        self._since_savepoint.clear()
        self._recorded_at = self.state.recorded_at

    def roll_back(self) -> None:
        """Undo the transfers, their attestations, sales and returns that were remembered since the savepoint."""
        while self._since_savepoint:
            roll_back(self.state, self._tail.pop(), self._since_savepoint.pop(), self._recorded_at)

    def answer(self, request: bytes) -> RecordedEvent | None:
        """Return the event that answered a request, if it is still in memory."""
        return self._tail.answer(request)

    def _load_all(self, command: AnyCommand, loading: Budget) -> Refusal | None:
        """Load everything that a command needs, or return why that would be too much."""
        if self._all_loaded and isinstance(unsigned(command), _MOVING):
            return None
        while True:
            required = required_state(self.state, [command])
            if required.refusals:
                return required.refusals[0]
            if not required:
                return None
            if required.stocks:
                self._load_stock(required, loading)
            else:
                self._load(required)

    def decide(self, command: AnyCommand, now: int, budget: Budget) -> Event | Refusal:
        """Load what a command needs, and decide it within its budget. Raises StaleMemoryError.

        What was loaded stays in memory, so a request that was refused because of it may be accepted the next time.
        """
        if self._all_loaded and isinstance(command, _MOVING) and not command.units.quantities:
            return decide(self.state, command, now, budget)  # nearly always
        return self._decided(command, budget, lambda: decide(self.state, command, now, budget))

    def preview(self, owner: str, units: Selection, now: int) -> Ranges | Refusal:
        """Load what a transfer needs, and return the units that a selection means to it. Raises StaleMemoryError."""
        budget, command = Budget(MAX_STEPS), needing_as_much(owner, units)
        return self._decided(command, budget, lambda: preview(self.state, owner, units, now, budget))

    def seller_authority(self, party: str, product: str, moment: int) -> SellerAuthority | Refusal:
        """Load the line of a party, and return its authority for a product at a time. Raises StaleMemoryError."""
        needing = AuthorizeParty(request_id="", upline=party, party=party, products=(product,), tier=1)
        self.state.budget = budget = Budget(MAX_STEPS)
        return self._decided(needing, budget, lambda: seller_authority(self.state, party, product, moment))

    def _decided(
        self, command: AnyCommand, budget: Budget, rule: Callable[[], Decided | Refusal]
    ) -> Decided | Refusal:
        """Load what a command needs, and return what a rule decides on it. The rule may ask for more runs."""
        loading = Budget(LOADING_STEPS_MAX)
        try:
            if (refusal := self._load_all(command, loading)) is not None:
                budget.spent = budget.limit
                return refusal
            spent = budget.spent
            while True:
                try:
                    return rule()
                except StockNotLoadedError as error:
                    asked, budget.spent = budget.spent - spent, spent
                    loading.spend(asked, QUANTITIES)
                    self._load_stock(RequiredState(stocks=error.stocks, runs=set(error.gained)), loading)
        except BudgetSpentError as error:
            return refuse(Reason.TOO_MUCH_WORK, part=error.part, limit=error.limit)
        finally:
            budget.loading += loading.spent

    def _load_stock(self, required: RequiredState, loading: Budget) -> None:
        """Load runs of owners, and count steps for them. Raises BudgetSpentError if they are too many."""
        before = self._runs_loaded
        self._load(required)
        loading.spend(LOADED_RUN_STEPS * (self._runs_loaded - before), QUANTITIES)

    def preload(self, commands: Sequence[AnyCommand]) -> bool:
        """Load what most of a group needs, in few loads. Tell whether that is everything. Raises StaleMemoryError."""
        for _ in range(GROUP_LOADS_MAX):
            required = required_state(self.state, commands)
            if not required:
                return not (required.refusals or required.is_cut)
            self._load(required)
        return False

    def evict(self) -> None:
        """Drop the part of the tail that the views hold, and state that was not used for long."""
        if not self._tail.is_kept_whole and self._tail.begins_after(self._views_position):
            self._views_position = self._follower.position(self._book)
        self._tail.drop_through(self._views_position)
        self._since_savepoint.clear()  # nothing is rolled back after this
        self._groups += 1
        if self._groups >= EVICTION_INTERVAL_GROUPS or self._runs_loaded >= EVICTION_INTERVAL_RUNS:
            self._groups = self._runs_loaded = 0
            self._evict_unused(self.state)

    def _answered(self, commands: Iterable[AnyCommand]) -> dict[bytes, RecordedEvent]:
        """Return the events that answered these requests before and are no longer in memory.

        With them are those that filed the statements of these commands. A group may have the commands alone.
        """
        requests: set[bytes] = set()
        for item in commands:
            command = unsigned(item)
            requests.add(request_of(command.actor, command.request_id))
            if isinstance(item, SignedCommand) and item.filed_by:
                requests.add(request_of(item.party, item.filed_by))
        unseen = self._tail.unseen(requests)
        if not unseen:
            return {}
        known, positions = self._loader.requests(self._book, unseen)
        if known < self._tail_start():
            raise StaleMemoryError  # the views are being rebuilt, and lack events that were evicted
        self._views_position = known
        found: dict[bytes, RecordedEvent] = {}
        for entry in self._loader.entries(self._book, positions):
            recorded = read_event(self._book, entry)
            found[recorded.request] = recorded
        return found

    def _read(self, after: int, limit: int) -> list[StoredEntry]:
        return self._stream.read(self._book, after, limit)

    def _wait_for_views(self, head: int, lag: int) -> None:
        """Wait until the views are at most ``lag`` events behind a head."""
        try:
            self._follower.reached(self._book, head - lag).result(VIEWS_LAG_TIMEOUT_S)
        except TimeoutError:
            raise ViewsLaggingError(self._book, self._follower.position(self._book), head) from None

    def _shorten_tail(self) -> None:
        """Wait until the views hold half of the tail, if it is too long."""
        if self._tail.is_too_long:
            self._wait_for_views(self.state.position, len(self._tail) // 2)
            self.evict()

    def _tail_start(self) -> int:
        """Return the position after which the tail holds every event."""
        return self.state.position - len(self._tail)

    def _load(self, required: RequiredState) -> None:
        """Load the required state from the views, then apply the events of the tail that the views lack."""
        self._load_hops(required.hops)
        part = self._loader.load(self._book, required)
        if part.position > self.state.position:
            self.catch_up()
        known = part.position - self._tail_start()
        if not 0 <= known <= len(self._tail):
            raise StaleMemoryError
        self._views_position = part.position  # read before the tail moves the position of the part
        apply = evolve_runs if required.is_of_runs() else evolve
        for recorded in self._tail.without(known):
            self._load_undone(part, recorded.event)
            apply(part, recorded)
        self._runs_loaded += sum(len(partition.runs) for partition in part.partitions.values())
        self.state.adopt(part)
        for number in (
            part.batches.keys() | part.partitions.keys()
        ):  # including batches that began in the tail
            self._used.setdefault(number)

    def _load_undone(self, state: State, event: Event) -> None:
        """Load what the next event of a state undoes. Of another writer's event, it was not required before."""
        self._load_hops(hops_to_load(state.partitions, event))

    def _load_hops(self, hops: list[tuple[int, Hop]]) -> None:
        """Load the hop before each of these hops of batches. Raises StaleMemoryError if views are being rebuilt."""
        if hops and not self._loader.load_hops(self._book, hops):
            raise StaleMemoryError

    def _evict_unused(self, state: State) -> None:
        """Evict the least recently used batches, transfers no longer open, and entries that record an absence."""
        loaded = sum(len(partition.runs) for partition in state.partitions.values())
        while loaded > LOADED_RUNS_MAX and self._used:
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
        if len(state.references) > LOADED_REFERENCES_MAX:
            state.references.clear()
        if len(state.cases) > LOADED_CASES_MAX:
            state.cases.clear()
        if sum(len(keys.by_key) for keys in state.keys.values() if keys is not None) > LOADED_KEYS_MAX:
            state.keys.clear()
        if len(state.holdings) > LOADED_HOLDINGS_MAX:
            state.holdings.clear()
        state.forget_absent()
