"""The flat tables say what the events say: every moved range once, the same prices as the ladder, the same owners."""

from collections import defaultdict
from random import Random

import pytest

from pathbook.ledger.codec.table import FIELD_OF
from pathbook.ledger.moves import changed_ranges
from pathbook.ledger.reports.flat import (
    FLAT_TABLES,
    BatchHistoryRow,
    EventRow,
    MoveRow,
    OfferHistoryRow,
    PartyHistoryRow,
    rows_of,
)
from pathbook.ledger.reports.ladder import LadderChanges
from pathbook.ledger.values import TransferStatus
from tests.audit.honest_book import BOOK, LOG
from tests.projections.synthetic import SyntheticBook

SEEDS = range(6)


def moves(book: SyntheticBook) -> list[MoveRow]:
    """Return the rows of the moves of a book."""
    rows = [
        row
        for recorded, (_, data) in zip(book.recorded, book.entries, strict=True)
        for row in rows_of("book", recorded, data)
    ]
    return [row for row in rows if isinstance(row, MoveRow)]


@pytest.mark.parametrize("seed", SEEDS)
def test_each_range_that_an_event_changes_is_a_row(seed: int) -> None:
    """The rows of an event have its ranges, in order, with lines from 0."""
    book = SyntheticBook(seed, 300)
    found: defaultdict[int, list[MoveRow]] = defaultdict(list)
    for row in moves(book):
        found[row.position].append(row)
    for recorded in book.recorded:
        rows = found[recorded.position]
        assert [(row.batch, row.first, row.last) for row in rows] == [
            (part.batch, part.first, part.last) for part in changed_ranges(recorded.event)
        ]
        assert [row.line for row in rows] == list(range(len(rows)))
        assert all(row.units == row.last - row.first + 1 for row in rows)
        assert {row.kind for row in rows} <= {FIELD_OF[type(recorded.event)]}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_hops_add_up_to_the_ladder(seed: int) -> None:
    """Units by batch, tier and price are those that the ladder keeps, also after returns and reversals."""
    book, ladder = SyntheticBook(seed, 300), LadderChanges()
    for recorded in book.recorded:
        ladder.add(recorded.event)
    sums: defaultdict[tuple[int, int | None, str | None, int | None, int | None], int] = defaultdict(int)
    for row in moves(book):
        if row.hops:
            sums[row.batch, row.receiver_tier, row.currency_code, row.amount_minor, row.per_units] += (
                row.hops * row.units
            )
    assert {key: units for key, units in sums.items() if units} == {
        key: units for key, units in ladder.sums.items() if units
    }
    assert any(row.hops < 0 for row in moves(SyntheticBook(0, 300))), "nothing was undone"


@pytest.mark.parametrize("seed", SEEDS)
def test_the_hops_add_up_to_the_owners(seed: int) -> None:
    """What a party received less what it gave is what it owns: title is never lost or doubled."""
    book = SyntheticBook(seed, 300)
    held: defaultdict[tuple[int, str | None], int] = defaultdict(int)
    for number, batch in book.state.batches.items():
        assert batch is not None
        held[number, batch.commissioned.brand] += batch.commissioned.size
    for row in moves(book):
        held[row.batch, row.receiver] += row.hops * row.units
        held[row.batch, row.giver] -= row.hops * row.units
    owned: defaultdict[tuple[int, str | None], int] = defaultdict(int)
    for number, partition in book.state.partitions.items():
        for run in partition.runs:
            owned[number, run.owner] += run.last - run.first + 1
    assert {key: units for key, units in held.items() if units} == dict(owned)


def test_every_kind_of_event_has_its_rows() -> None:
    """The honest book has all kinds of events. Registers and offers are told, and a correction tells what is right."""
    rows = [row for recorded, data in zip(BOOK, LOG, strict=True) for row in rows_of("b", recorded, data)]
    stored = [row for row in rows if isinstance(row, EventRow)]
    assert [row.bytes for row in stored] == list(LOG)
    assert [row.position for row in stored] == list(range(1, len(LOG) + 1))
    assert {type(row) for row in rows} == set(FLAT_TABLES.values())
    assert all(row.book == "b" for row in rows)
    batches = [row for row in rows if isinstance(row, BatchHistoryRow) and row.batch == 1]
    assert [(row.size, row.suggested_minor) for row in batches] == [(20, 30_000), (None, 27_000)]
    parties = [row.kind for row in rows if isinstance(row, PartyHistoryRow) and row.party == "cat"]
    assert parties == ["shop", "agent"]
    offers = [row for row in rows if isinstance(row, OfferHistoryRow)]
    assert {row.status for row in offers} == {status.name.lower() for status in TransferStatus}
    ended = [row.units for row in offers if row.transfer == offers[0].transfer]
    assert ended == [2, 1], "an offer of two units, of which one was accepted"


def test_write_offs_are_added_and_taken_back() -> None:
    """Units that were written off count once, and an error takes them back."""
    seen = 0
    for seed in SEEDS:
        rows = moves(SyntheticBook(seed, 600))
        for row in rows:
            undone = row.kind == "error_declared"
            assert row.written_off == {"units_written_off": 1}.get(row.kind, 0) or undone
            seen += row.written_off == -1
    assert seen, "no write-off was declared an error"


def test_rows_do_not_depend_on_their_order() -> None:
    """Each event has the same rows, whatever was asked before: so ranges can be written on their own."""
    book = SyntheticBook(1, 200)
    pairs = list(zip(book.recorded, book.entries, strict=True))
    straight = [list(rows_of("book", recorded, entry[1])) for recorded, entry in pairs]
    Random(1).shuffle(pairs)
    shuffled = {recorded.position: list(rows_of("book", recorded, entry[1])) for recorded, entry in pairs}
    assert [shuffled[position] for position in sorted(shuffled)] == straight
