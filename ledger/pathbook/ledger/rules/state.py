"""The state of a book that decisions need, in memory, and how each event changes it.

A state may hold only parts of a book. Each loaded part is complete, but of a batch some runs may be loaded and others
not. None means that a thing is known not to exist. Events about parts that are not loaded are skipped.
"""

from heapq import heappush
from typing import Final, assert_never

import msgspec

from pathbook.ledger import events, key_events, runs
from pathbook.ledger.command_fields import OPERATOR
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.rules import goods
from pathbook.ledger.rules.answerable import Declarable, Transfer
from pathbook.ledger.rules.budget import Budget
from pathbook.ledger.rules.goods import Batch, Case, Product, Recall
from pathbook.ledger.rules.key_ring import Key, Keys
from pathbook.ledger.run import Change
from pathbook.ledger.spans import merged
from pathbook.ledger.terms import Authority, Terms
from pathbook.ledger.values import AuthorizationStatus, PartyKind, Ranges, TransferStatus, UnitRange

IN_FORCE: Final = frozenset(
    {TransferStatus.OFFERED, TransferStatus.ACCEPTED, TransferStatus.ACCEPTED_IN_PART}
)
"""The statuses of a transfer that is open or agreed. Its reference names no other transfer meanwhile."""

_ACCEPTED: Final = TransferStatus.ACCEPTED  # looked up once, because the lookup takes longer than the use


class Authorization(msgspec.Struct):
    """An authorization of a party by its upline. Times are in microseconds since 1970 UTC, and None means never."""

    position: int
    upline: str
    tier: int
    products: tuple[str, ...]
    valid_from: int
    valid_until: int | None
    revoked_from: int | None = None


class Party(msgspec.Struct):
    """A brand, agent or shop with its authorizations by position, oldest first.

    ``by_line`` has the positions of the first ``sorted_in`` authorizations: by the product that they list, "" for those
    that list none, and by the upline if it is a brand, "" for those of all other uplines.
    """

    kind: PartyKind
    position: int
    authorizations: dict[int, Authorization] = {}
    by_line: dict[tuple[str, str], list[int]] = {}
    sorted_in: int = 0

    def add(self, given: Authorization) -> None:
        """Add the newest authorization."""
        self.authorizations[given.position] = given


class State:
    """The loaded parts of a book, as of ``position``."""

    def __init__(self, book: str, position: int = 0, recorded_at: int = 0, last_batch: int = 0) -> None:
        """Begin with no part loaded. Only the book's position, time, last batch, seal, origin and policy are known."""
        self.book = book
        self.position = position
        self.recorded_at = recorded_at
        self.last_batch = last_batch
        self.last_covers = 0
        """The position that the last seal covers, 0 without one."""
        self.policy = events.Policy()
        self.origin = ""
        self.parties: dict[str, Party | None] = {}
        self.products: dict[str, Product | None] = {}
        self.batches: dict[int, Batch | None] = {}
        self.lots: dict[tuple[str, str], int | None] = {}
        self.transfers: dict[int, Transfer | None] = {}
        self.cases: dict[str, Case | None] = {}
        self.recalls: dict[int, int | None] = {}
        self.authorizations: dict[int, str | None] = {}
        self.leaves: dict[int, bytes] = {}
        """The leaf hashes of recalls and authorizations. Transfers and declarables have theirs."""
        self.references: dict[tuple[str, str, str], int | None] = {}
        self.declarables: dict[int, Declarable | None] = {}
        self.keys: dict[str, Keys | None] = {}
        """The keys of parties and of OPERATOR. None means that it has none."""
        self.taken_keys: dict[bytes, int | None] = {}
        """The positions at which keys were registered, of any party."""
        self.partitions: dict[int, runs.Partition] = {}
        self.holdings: dict[tuple[str, str], set[int]] = {}
        self.deadlines: list[tuple[int, int]] = []
        self.budget = Budget()
        """What may be spent on the command that is decided. Nothing else is limited."""
        self.authority_moment = 0
        self.authority: dict[tuple[str, str, str], tuple[AuthorizationStatus | None, int | None]] = {}
        """What was found of parties, products and brands at that moment. An authorization and a revocation clear
        it. Nothing else changes it: a party neither becomes a brand nor ceases to be one."""
        self.authority_of_sides: dict[tuple[str, str, int], tuple[Authority]] = {}
        """The same of givers, receivers and batches."""

    def forget_authority(self, moment: int = 0) -> None:
        """Forget what was found of authority. What is found next is of a moment."""
        self.authority_moment = moment
        self.authority.clear()
        self.authority_of_sides.clear()

    def forget_absent(self) -> None:
        """Forget the things that are known not to exist. Callers may name any number of them."""
        self.parties = {key: item for key, item in self.parties.items() if item is not None}
        self.products = {key: item for key, item in self.products.items() if item is not None}
        self.batches = {key: item for key, item in self.batches.items() if item is not None}
        self.lots = {key: item for key, item in self.lots.items() if item is not None}
        self.transfers = {key: item for key, item in self.transfers.items() if item is not None}
        self.cases = {key: item for key, item in self.cases.items() if item is not None}
        self.recalls = {key: item for key, item in self.recalls.items() if item is not None}
        self.authorizations = {key: item for key, item in self.authorizations.items() if item is not None}
        self.references = {key: item for key, item in self.references.items() if item is not None}
        # each command looks for keys of its actor, so it stays known that a party has none
        self.keys = {key: item for key, item in self.keys.items() if item is not None or key in self.parties}
        self.taken_keys, self.leaves = {}, {}
        self.declarables = {}

    def adopt(self, part: "State") -> None:
        """Add the parts of another state, which is as of the same position."""
        assert part.position == self.position, (part.position, self.position)
        self.parties |= part.parties
        self.products |= part.products
        self.batches |= part.batches
        self.lots |= part.lots
        self.transfers |= part.transfers
        self.cases |= part.cases
        self.recalls |= part.recalls
        self.authorizations |= part.authorizations
        self.leaves |= part.leaves
        self.references |= part.references
        self.declarables |= part.declarables
        self.keys |= part.keys
        self.taken_keys |= part.taken_keys
        for number, loaded in part.partitions.items():
            self.partitions[number] = merged(self.partitions.get(number), loaded)
        self.holdings |= part.holdings


def evolve(state: State, recorded: RecordedEvent) -> list[Change]:
    """Apply the next event to the state, and return the changes of the loaded runs."""
    assert recorded.position == state.position + 1, (recorded.position, state.position)
    state.position, state.recorded_at = recorded.position, recorded.recorded_at
    _register(state, recorded)
    return runs.apply(state.partitions, recorded)


def evolve_runs(state: State, recorded: RecordedEvent) -> None:
    """Apply the next event to a state of which only runs are of use. It takes half as long."""
    assert recorded.position == state.position + 1, (recorded.position, state.position)
    state.position, state.recorded_at = recorded.position, recorded.recorded_at
    runs.apply(state.partitions, recorded)


def roll_back(state: State, recorded: RecordedEvent, changes: list[Change], recorded_at: int) -> None:
    """Undo the last event, which is a transfer, its attestation, a sale, a return or a filing of statements.

    ``changes`` are those that ``evolve`` returned. ``recorded_at`` is that of the event before. ``holdings`` are not
    undone. This is safe, because they may name more batches than those in which a party owns units.
    """
    assert recorded.position == state.position, (recorded.position, state.position)
    event = recorded.event
    assert isinstance(
        event,
        events.TransferRecorded
        | events.TransferAttested
        | events.UnitsSold
        | events.UnitsReturned
        | key_events.StatementsFiled,
    ), event
    by_batch: dict[int, list[Change]] = {}
    for change in changes:
        by_batch.setdefault(change.batch, []).append(change)
    for number, changed in by_batch.items():
        state.partitions[number].roll_back_many(recorded.position, changed)
    if isinstance(event, events.TransferRecorded | events.UnitsSold):
        _name_transfer(state, event.terms, None)
    if isinstance(event, events.TransferAttested) and (known := state.transfers[event.transfer]) is not None:
        known.attested = False
    state.transfers.pop(recorded.position, None)
    state.position, state.recorded_at = recorded.position - 1, recorded_at


def _register(state: State, recorded: RecordedEvent) -> None:
    """Apply an event to all state except the runs. pathbook.ledger.runs applies it to these."""
    position, event = recorded.position, recorded.event
    match event:  # the most frequent kinds come first, because a match tries its cases in turn
        case (
            events.TransferRecorded() | events.UnitsSold()
        ):  # a pattern for the terms takes five times as long
            terms = event.terms
            state.transfers[position] = Transfer(_ACCEPTED, terms, recorded.leaf)
            if terms.reference:
                _name_transfer(state, terms, position)
            if state.holdings:
                _gain(state, terms.receiver, terms.ranges)
        case events.UnitsReturned(lines=lines):
            for line in lines:
                _gain(state, line.terms.giver, line.terms.ranges)
        case events.BookOpened():
            state.origin, state.policy = event.origin, event.policy
            state.keys[OPERATOR] = None
        case events.PartyRegistered(party, kind):
            state.parties[party] = Party(kind, position)
            state.keys[party] = None
        case events.PartyAuthorized():
            state.leaves[position] = recorded.leaf
            _authorize(state, position, event)
        case events.AuthorizationRevoked(authorization, _, party, revoked_from):
            if (holder := state.parties.get(party)) is not None:
                holder.authorizations[authorization].revoked_from = revoked_from
                state.forget_authority()
        case events.ProductRegistered(product):
            state.products[product] = Product(event, position)
        case events.BatchCommissioned():
            state.batches[event.batch] = Batch(event, [], {})
            state.lots[event.product, event.lot] = event.batch
            state.last_batch = event.batch
            _gain(state, event.brand, (UnitRange(event.batch, 0, event.size - 1),))
        case events.TransferOffered(terms, deadline):
            state.transfers[position] = Transfer(TransferStatus.OFFERED, terms, recorded.leaf, deadline)
            _name_transfer(state, terms, position)
            if deadline is not None:
                heappush(state.deadlines, (deadline, position))
        case events.TransferAccepted(transfer, terms, discrepancies, unpacked):
            status = TransferStatus.ACCEPTED_IN_PART if discrepancies else TransferStatus.ACCEPTED
            if (known := state.transfers.get(transfer)) is not None:
                known.terms, known.leaf, known.attested = terms, recorded.leaf, True
            _answer(state, transfer, status)
            _gain(state, terms.receiver, terms.ranges)
            goods.unpack(state.cases, state.batches, unpacked)
        case events.TransferDeclined(transfer):
            _answer(state, transfer, TransferStatus.DECLINED)
        case events.TransferWithdrawn(transfer):
            _answer(state, transfer, TransferStatus.WITHDRAWN)
        case events.TransferLapsed(transfer):
            _answer(state, transfer, TransferStatus.LAPSED)
        case events.ReversalAsked(transfer, party):
            if (known := state.transfers.get(transfer)) is not None:
                known.reversal_asked_by, known.reversal_asked_at = party, position
            _declarable(state, recorded, event)
        case events.TransferReversed(transfer, terms):
            _answer(state, transfer, TransferStatus.REVERSED)
            _gain(state, terms.giver, terms.ranges)
        case events.CasePacked():
            goods.pack(state.cases, state.batches, event)
        case events.CaseUnpacked(sscc):
            goods.unpack(state.cases, state.batches, (sscc,))
        case events.UnitsRecalled(_, batch, ranges):
            state.recalls[position], state.leaves[position] = batch, recorded.leaf
            if (loaded := state.batches.get(batch)) is not None:
                loaded.recalls[position] = Recall(ranges, recorded.occurred_at)
        case events.RecallLifted(recall, _, batch):
            if (loaded := state.batches.get(batch)) is not None:
                loaded.recalls[recall].until = recorded.occurred_at
        case events.UnitsDelivered() | events.PurchaseConfirmed() | events.UnitsWrittenOff():
            _declarable(state, recorded, event)
        case events.TransferAttested(transfer):
            _attest(state, transfer)
        case events.ErrorDeclared(earlier, declared=declared):
            if (mistake := state.declarables.get(earlier)) is not None:
                mistake.is_declared = True
            if isinstance(declared, events.UnitsWrittenOff):
                _regain(state, declared.ranges)
            if (
                isinstance(declared, events.ReversalAsked)
                and (known := state.transfers.get(declared.transfer)) is not None
            ):
                known.reversal_asked_by, known.reversal_asked_at = "", 0
        case events.ProductCorrected(product, brand, name, price):
            if (registered := state.products.get(product)) is not None:
                right = events.ProductRegistered(product, brand, name, price)
                state.products[product] = Product(right, registered.position)
        case events.BatchCorrected(batch, _, made_on, expires_on, price):
            if (loaded := state.batches.get(batch)) is not None:
                loaded.commissioned = msgspec.structs.replace(
                    loaded.commissioned, made_on=made_on, expires_on=expires_on, suggested_price=price
                )
        case events.PartyCorrected(party, kind):
            if (holder := state.parties.get(party)) is not None:
                holder.kind = kind
        case events.Sealed(covers):
            state.last_covers = covers
        case key_events.KeyRegistered():
            _register_key(state, recorded, event)
        case key_events.KeyRevoked(party, key):
            if (keys := state.keys.get(party)) is not None:
                keys.revoke(key, position)
        case key_events.StatementsFiled():
            pass  # the events that rest on them name its position
        case _:
            assert_never(event)


def _gain(state: State, owner: str, ranges: Ranges) -> None:
    """Add the batches in which a party now may own units, if its holdings are loaded."""
    if not state.holdings:
        return
    for number in {part.batch for part in ranges}:
        batch = state.batches.get(number)
        if batch is not None:
            state.holdings.get((owner, batch.commissioned.product), set()).add(number)
            continue
        for (
            party,
            _,
        ), batches in state.holdings.items():  # the batch is not loaded, so its product is unknown
            if party == owner:
                batches.add(number)


def _regain(state: State, ranges: Ranges) -> None:
    """Add the batches of units that are no longer written off to all holdings. One of the parties owns the units."""
    for batches in state.holdings.values():
        batches.update(part.batch for part in ranges)


def _authorize(state: State, position: int, event: events.PartyAuthorized) -> None:
    state.authorizations[position] = event.party
    state.forget_authority()
    if (party := state.parties.get(event.party)) is not None:
        party.add(
            Authorization(
                position, event.upline, event.tier, event.products, event.valid_from, event.valid_until
            )
        )


def _register_key(state: State, recorded: RecordedEvent, event: key_events.KeyRegistered) -> None:
    state.taken_keys[event.key] = recorded.position
    if event.party not in state.keys:
        return
    keys = state.keys[event.party]
    if keys is None:
        keys = state.keys[event.party] = Keys({})
    is_rotation = event.endorser_key == event.replaced_key
    keys.add(
        Key(
            event.key,
            event.recovery_key,
            recorded.position,
            recorded.recorded_at,
            event.replaced_key,
            is_rotation,
            endorser=event.endorser,
        )
    )
    if event.replaced_key:
        keys.revoke(event.replaced_key, recorded.position)


def _answer(state: State, position: int, status: TransferStatus) -> None:
    transfer = state.transfers.get(position)
    if status not in IN_FORCE:
        known = state.references if transfer is None else [_reference(transfer.terms)]
        for key in [key for key in known if state.references.get(key) == position]:
            state.references[key] = None  # the reference may name another transfer now
    if transfer is not None:
        transfer.status = status


def _name_transfer(state: State, terms: Terms, position: int | None) -> None:
    """Keep which transfer the reference of the terms names, if they have one."""
    if terms.reference:
        state.references[_reference(terms)] = position


def _reference(terms: Terms) -> tuple[str, str, str]:
    return terms.giver, terms.receiver, terms.reference


def _attest(state: State, position: int) -> None:
    if (transfer := state.transfers.get(position)) is not None:
        transfer.attested = True


def _declarable(state: State, recorded: RecordedEvent, event: events.DeclarableEvent) -> None:
    """Keep an event that was asked for before it was recorded."""
    if recorded.position in state.declarables:
        state.declarables[recorded.position] = Declarable(event, recorded.leaf)
