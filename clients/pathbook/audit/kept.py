"""What an auditor keeps to go on later: a struct of plain values, from which the same auditor is made again.

It has no classes that run code when they are read. The runs are those of the position of the custody, because the
events after it are kept with it, and are applied again.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from pathbook.audit.book import Book
from pathbook.audit.custody import Custody
from pathbook.ledger.chains import ChainHead
from pathbook.ledger.codec import decode, encode
from pathbook.ledger.events import DeclarableEvent, Policy, RecordedEvent
from pathbook.ledger.hops import Hop, chain
from pathbook.ledger.key_events import StatementsFiled
from pathbook.ledger.proofs.checkpoint import Checkpoint
from pathbook.ledger.proofs.key_chain import KeyChains, KeyedParty
from pathbook.ledger.rules.answerable import Declarable, Transfer
from pathbook.ledger.rules.goods import Batch, Case, Product
from pathbook.ledger.rules.state import Party, State
from pathbook.ledger.run import Run
from pathbook.ledger.runs import Partition
from pathbook.ledger.values import UnitState

_REQUEST_BYTES: Final = 16
_NO_HOP: Final = -1


class KeptDeclarable(msgspec.Struct, frozen=True, array_like=True):
    """An event that may be declared an error: its stored bytes, as far as its kind and fields go, and its leaf hash."""

    data: bytes
    leaf: bytes
    is_declared: bool


class KeptHop(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A hop. ``earlier`` is the place of the one before it in the list of all hops, -1 without one."""

    transfer: int
    moved_from: str
    position: int
    origin: int
    earlier: int


class KeptRun(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A run, whose last hop is at a place in the list of all hops, -1 without one."""

    first: int
    last: int
    valid_from: int
    position: int
    origin: int
    previous: int
    previous_origin: int
    owner: str
    custodian: str
    state: UnitState
    transfer: int
    last_hop: int
    head: bytes


class KeptBook(msgspec.Struct, frozen=True):
    """A `Book`: its state without its runs, its requests joined, its keys, and the statements that were filed."""

    position: int
    recorded_at: int
    last_batch: int
    last_covers: int
    policy: Policy
    origin: str
    parties: dict[str, Party | None]
    products: dict[str, Product | None]
    batches: dict[int, Batch | None]
    lots: dict[tuple[str, str], int | None]
    transfers: dict[int, Transfer | None]
    cases: dict[str, Case | None]
    recalls: dict[int, int | None]
    authorizations: dict[int, str | None]
    leaves: dict[int, bytes]
    references: dict[tuple[str, str, str], int | None]
    declarables: dict[int, KeptDeclarable | None]
    requests: bytes
    keys: dict[str, KeyedParty]
    filings: dict[int, StatementsFiled]
    claimed: list[int] = []


class KeptCustody(msgspec.Struct, frozen=True):
    """The custody as of a position: the heads of chains, the parties in the order of their numbers, and all runs."""

    position: int
    recorded_at: int
    party_heads: dict[str, ChainHead]
    batch_heads: dict[int, ChainHead]
    hops: list[KeptHop]
    runs: dict[int, list[KeptRun]]


class KeptAuditor(msgspec.Struct, frozen=True):
    """An `Auditor` after an event.

    Attributes:
        book: as of that event, but for its runs.
        custody: as of the last seal, with the runs.
        followed: the stored bytes of the events after the custody.
        size: how many events were taken.
        nodes: the roots of the complete subtrees of their tree, the largest first.
        last_leaf: the leaf of the last event.
        seals: how many were checked.
        compared: the roots of the checkpoints that were compared, by their sizes.
        sealed: the roots of the tree at the last seals, by its sizes.
        demanded: the checkpoints of more events that the tree must lead to.
    """

    book: KeptBook
    custody: KeptCustody
    followed: list[bytes]
    size: int
    nodes: list[bytes]
    last_leaf: bytes
    seals: int
    compared: dict[int, bytes]
    sealed: dict[int, bytes]
    demanded: list[Checkpoint] = []


def keep_book(book: Book) -> KeptBook:
    """Return what is kept of a book."""
    state = book.state
    return KeptBook(
        position=state.position,
        recorded_at=state.recorded_at,
        last_batch=state.last_batch,
        last_covers=state.last_covers,
        policy=state.policy,
        origin=state.origin,
        parties=state.parties,
        products=state.products,
        batches=state.batches,
        lots=state.lots,
        transfers=state.transfers,
        cases=state.cases,
        recalls=state.recalls,
        authorizations=state.authorizations,
        leaves=state.leaves,
        references=state.references,
        declarables={at: _kept_declarable(found) for at, found in state.declarables.items()},
        requests=b"".join(book.requests),
        keys=dict(book.keys.parties),
        filings=book.filings,
        claimed=book.claimed,
    )


def book_of(kept: KeptBook) -> Book:
    """Return the book that was kept. It has no runs."""
    book, state = Book(), State("", kept.position, kept.recorded_at, kept.last_batch)
    state.last_covers, state.policy, state.origin = kept.last_covers, kept.policy, kept.origin
    state.parties, state.products, state.batches, state.lots = (
        kept.parties, kept.products, kept.batches, kept.lots,
    )  # fmt: skip
    state.transfers, state.cases, state.recalls = kept.transfers, kept.cases, kept.recalls
    state.authorizations, state.references = kept.authorizations, kept.references
    state.leaves = kept.leaves
    state.declarables = {at: _declarable(found) for at, found in kept.declarables.items()}
    data = kept.requests
    book.state, book.filings, book.claimed = state, kept.filings, kept.claimed
    book.requests = {data[at : at + _REQUEST_BYTES] for at in range(0, len(data), _REQUEST_BYTES)}
    book.keys = KeyChains(kept.origin, kept.keys)
    return book


def keep_custody(
    custody: Custody, position: int, recorded_at: int, partitions: Mapping[int, Partition]
) -> KeptCustody:
    """Return what is kept of the custody as of a position, whose runs these are."""
    hops: list[KeptHop] = []
    places: dict[int, int] = {}
    return KeptCustody(
        position,
        recorded_at,
        {name: custody.heads[name] for name in custody.party_names},
        {number: custody.heads[number] for number in partitions},
        hops,
        {
            number: [_kept_run(run, _place(run.last_hop, hops, places)) for run in partition.runs]
            for number, partition in partitions.items()
        },
    )


def partitions_of(kept: KeptCustody) -> dict[int, Partition]:
    """Return the runs that were kept, by batch.

    Raises:
        ValueError: they are of no book.
    """
    hops: list[Hop] = []
    for each in kept.hops:
        if not _NO_HOP <= each.earlier < len(hops):
            raise ValueError("a hop comes before the one before it")
        earlier = None if each.earlier == _NO_HOP else hops[each.earlier]
        hops.append(Hop(each.transfer, each.moved_from, each.position, each.origin, earlier))
    return {
        number: Partition(number, [_run(run, hops) for run in found]) for number, found in kept.runs.items()
    }


def _place(hop: Hop | None, hops: list[KeptHop], places: dict[int, int]) -> int:
    """Return the place of a hop in the list, to which it and those before it are added. Runs share their hops."""
    added: list[Hop] = []
    place = _NO_HOP
    for each in chain(hop):
        if (found := places.get(id(each))) is not None:
            place = found
            break
        added.append(each)
    for each in reversed(added):
        hops.append(KeptHop(each.transfer, each.moved_from, each.position, each.origin, place))
        place = places[id(each)] = len(hops) - 1
    return place


def _kept_run(run: Run, place: int) -> KeptRun:
    return KeptRun(
        run.first, run.last, run.valid_from, run.position, run.origin, run.previous, run.previous_origin,
        run.owner, run.custodian, run.state, run.transfer, place, run.head,
    )  # fmt: skip


def _run(run: KeptRun, hops: list[Hop]) -> Run:
    if not _NO_HOP <= run.last_hop < len(hops):
        raise ValueError("a run names a hop that is not there")
    hop = None if run.last_hop == _NO_HOP else hops[run.last_hop]
    return Run(
        run.first, run.last, run.valid_from, run.position, run.origin, run.previous, run.previous_origin,
        run.owner, run.custodian, run.state, run.transfer, hop, run.head,
    )  # fmt: skip


def _kept_declarable(found: Declarable | None) -> KeptDeclarable | None:
    if found is None:
        return None
    blank = bytes(_REQUEST_BYTES)
    data = encode(found.event, recorded_at=0, occurred_at=0, request=blank, request_digest=blank)[1]
    return KeptDeclarable(data, found.leaf, found.is_declared)


def _declarable(kept: KeptDeclarable | None) -> Declarable | None:
    if kept is None:
        return None
    event = decode(1, kept.data).event
    if not isinstance(event, DeclarableEvent):
        raise ValueError("an event was kept that cannot be declared an error")  # noqa: TRY004 - of the file
    return Declarable(event, kept.leaf, kept.is_declared)


def recorded_of(position: int, followed: Iterable[bytes]) -> list[tuple[RecordedEvent, bytes]]:
    """Return the events after a position, with their bytes."""
    return [(decode(at, data), data) for at, data in enumerate(followed, position + 1)]
