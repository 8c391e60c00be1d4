"""The changes that events make in the views: they add up to the state of the runs, for any grouping of events."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathbook.ledger import events, runs
from pathbook.ledger.chains import Chain, ChainHead
from pathbook.ledger.events import Event, RecordedEvent
from pathbook.ledger.hops import Hop, chain
from pathbook.ledger.projections.registers import RequestRow, request_hash
from pathbook.ledger.projections.runs import RunChanges, RunKey
from pathbook.ledger.projections.transfers import FIRST_LINE, TransferRow
from pathbook.ledger.projections.views import ViewChanges
from pathbook.ledger.ranges import count_units
from pathbook.ledger.reports.ladder import CONSUMER_TIER, NO_TIER, LadderChanges
from pathbook.ledger.run import Change, Run
from pathbook.ledger.runs import Partition
from pathbook.ledger.terms import Authority, Terms
from pathbook.ledger.values import (
    AuthorizationStatus,
    Delivery,
    Price,
    TransferKind,
    TransferStatus,
    UnitRange,
    UnitState,
)
from tests.projections.synthetic import GONE, SyntheticBook

books = st.builds(SyntheticBook, st.integers(0, 2**32), st.integers(0, 100))
RunTable: TypeAlias = dict[RunKey, tuple[Run, int | None]]


def changes_by(
    recorded: Sequence[RecordedEvent],
    partitions: dict[int, Partition],
    heads: Mapping[Chain, ChainHead] | None = None,
) -> ViewChanges:
    """Return the changes that events make in the views, and apply the events to the partitions before them."""
    changes = ViewChanges(heads or {})
    for event in recorded:
        changes.add(event, runs.apply(partitions, event))
    return changes


def write_changes(table: RunTable, changes: RunChanges) -> None:
    """Write changes to a table of runs and the positions at which they ended."""
    for key in changes.removed:
        del table[key]
    for key, position in changes.ended.items():
        if key not in changes.made:
            run, ended = table[key]
            assert ended is None
            table[key] = run, position
    for key, run in changes.made.items():
        assert key not in table
        table[key] = run, changes.ended.get(key)


def begun_transfers(recorded: RecordedEvent) -> list[TransferRow]:
    """Return the rows of the transfers, sales or returns that an event begins, built with field names."""
    match recorded.event:
        case events.TransferOffered(terms, deadline):
            offer = line_of(recorded, FIRST_LINE, TransferKind.TRANSFER, terms)
            return [
                offer._replace(
                    status=TransferStatus.OFFERED, accepted_units=0, answered_position=0, deadline=deadline
                )
            ]
        case events.TransferRecorded(terms):
            return [line_of(recorded, FIRST_LINE, TransferKind.TRANSFER, terms)]
        case events.UnitsSold(terms):
            return [line_of(recorded, FIRST_LINE, TransferKind.SALE, terms)]
        case events.UnitsReturned(lines=lines):
            return [
                line_of(recorded, number, TransferKind.RETURN, line.terms)._replace(
                    giver=line.terms.receiver, receiver=line.terms.giver, returns_transfer=line.transfer
                )
                for number, line in enumerate(lines)
            ]
        case _:
            return []


def line_of(recorded: RecordedEvent, line: int, kind: TransferKind, terms: Terms) -> TransferRow:
    """Return the row of a transfer that both sides agreed on."""
    return TransferRow(
        transfer=recorded.position,
        line=line,
        kind=kind,
        status=TransferStatus.ACCEPTED,
        giver=terms.giver,
        receiver=terms.receiver,
        amount_minor=terms.unit_price.amount_minor,
        currency_code=terms.unit_price.currency_code,
        per_units=terms.unit_price.per_units,
        units=count_units(terms.ranges),
        accepted_units=count_units(terms.ranges),
        occurred_at=recorded.occurred_at,
        recorded_at=recorded.recorded_at,
        deadline=None,
        answered_position=recorded.position,
        reversal_asked_by="",
        reversal_asked_position=None,
        returns_transfer=0,
        reference=terms.reference,
        is_attested=0,
        giver_signed=int(recorded.signed is not None),
        receiver_signed=0,
    )


@given(books)
def test_plain_rows_have_their_fields_in_order(book: SyntheticBook) -> None:
    """Rows of requests and transfers, which the code builds without field names, have each value in its field."""
    rows = changes_by(book.recorded, {}).rows
    assert rows[RequestRow] == [
        RequestRow(request_hash=request_hash(recorded.request), position=recorded.position)
        for recorded in book.recorded
    ]
    assert rows[TransferRow] == [row for recorded in book.recorded for row in begun_transfers(recorded)]


@given(books)
def test_a_ladder_counts_the_hops_in_force(book: SyntheticBook) -> None:
    """The ladder counts each unit once for each transfer in its chain, at the tier and price of that transfer."""
    expected: Counter[tuple[int, int, str, int, int]] = Counter()
    for batch, partition in book.state.partitions.items():
        for run in partition.runs:
            for hop in chain(run.last_hop):
                transfer = book.state.transfers[hop.transfer]
                assert transfer is not None
                terms, price = transfer.terms, transfer.terms.unit_price
                tier = (
                    CONSUMER_TIER
                    if terms.receiver == "consumer:wei"
                    else terms.authority(batch).receiver_tier
                )
                tier = NO_TIER if tier is None else tier
                key = (batch, tier, price.currency_code, price.amount_minor, price.per_units)
                expected[key] += run.last - run.first + 1
    ladder = LadderChanges()
    for recorded in book.recorded:
        ladder.add(recorded.event)
    sums = ladder.sums
    assert {key: units for key, units in sums.items() if units} == expected


@given(books)
def test_stock_agrees_with_the_runs(book: SyntheticBook) -> None:
    """Owned, held and reserved units of each party are those in its present runs, without written-off units."""
    expected: dict[tuple[str, int], list[int]] = {}
    for batch, partition in book.state.partitions.items():
        for run in partition.runs:
            units = run.last - run.first + 1 if run.state not in GONE else 0
            owner = expected.setdefault((run.owner, batch), [0, 0, 0])
            owner[0] += units
            owner[2] += units if run.state is UnitState.OFFERED else 0
            expected.setdefault((run.custodian, batch), [0, 0, 0])[1] += units
    stock = {key: list(sums) for key, sums in changes_by(book.recorded, {}).stock.sums.items() if any(sums)}
    assert stock == {
        key: sums for key, sums in expected.items() if any(sums) and not key[0].startswith("consumer:")
    }


@given(books, st.lists(st.integers(1, 9), max_size=30))
def test_runs_do_not_depend_on_the_grouping_of_events(book: SyntheticBook, sizes: Iterable[int]) -> None:
    """Runs written after every few events equal runs written at once, and the current ones form the partition."""
    at_once: RunTable = {}
    write_changes(at_once, changes_by(book.recorded, {}).runs)
    in_parts: RunTable = {}
    partitions: dict[int, Partition] = {}
    heads: dict[Chain, ChainHead] = {}
    remaining = list(book.recorded)
    for size in [*sizes, len(remaining)]:
        changes = changes_by(remaining[:size], partitions, heads)
        write_changes(in_parts, changes.runs)
        heads.update(changes.heads)
        remaining = remaining[size:]
    assert in_parts == at_once
    for batch, partition in book.state.partitions.items():
        in_force = [run for key, (run, ended) in at_once.items() if key[0] == batch and ended is None]
        assert sorted(in_force, key=lambda run: run.first) == partition.runs


@given(books)
def test_a_walk_over_previous_runs_leads_to_the_commissioning(book: SyntheticBook) -> None:
    """From each current run a walk over the previous runs leads to the commissioning, and each run covers the next."""
    table: RunTable = {}
    write_changes(table, changes_by(book.recorded, {}).runs)
    for (batch, _, _), (run, ended) in table.items():
        step = run
        while ended is None and step.previous:
            before, _ = table[batch, step.previous_origin, step.previous]
            assert before.position == before.valid_from == step.previous
            assert before.first <= step.first <= step.last <= before.last
            step = before


def test_an_event_that_names_a_unit_twice_fails_an_assertion() -> None:
    """An event cannot end a run that it made itself."""
    run = Run(0, 9, 7, 7, 0, 1, 0, "ann", "ann", UnitState.IN_STOCK, 7, Hop(7, "", 1, 0, None), b"")
    with pytest.raises(AssertionError):
        RunChanges().add([Change(1, run, run, ())], 7)


@pytest.mark.parametrize(
    ("receiver", "tier", "expected"),
    [("ann", 3, 3), ("ann", None, NO_TIER), ("acme", 0, 0), ("consumer:wei", None, CONSUMER_TIER)],
)
def test_a_price_counts_for_the_tier_that_paid_it(receiver: str, tier: int | None, expected: int) -> None:
    """Units count under the receiver's tier, and consumers and parties without a tier have their own entries."""
    ranges = (UnitRange(1, 0, 9), UnitRange(2, 5, 5))
    authority = Authority((), 0, tier, AuthorizationStatus.AUTHORIZED, None)
    terms = Terms("acme", receiver, ranges, Price(150, "CNY"), Delivery.WITH_TITLE, (authority,), "")
    ladder = LadderChanges()
    ladder.add(events.TransferRecorded(terms))
    assert ladder.sums == {(1, expected, "CNY", 150, 1): 10, (2, expected, "CNY", 150, 1): 1}
    ladder.add(events.TransferReversed(1, terms.narrowed((UnitRange(1, 0, 3),)), "acme"))
    assert ladder.sums == {(1, expected, "CNY", 150, 1): 6, (2, expected, "CNY", 150, 1): 1}


def test_the_synthetic_books_have_every_kind_of_event() -> None:
    """Thirty synthetic books contain every kind of event, so the properties cover all kinds."""
    recorded = [event for seed in range(30) for event in SyntheticBook(seed, 100).recorded]
    kinds = {type(item.event) for item in recorded}
    assert kinds == set(get_args(Event))
