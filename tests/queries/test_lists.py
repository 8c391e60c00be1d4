"""Every list is what a naive filter of all events gives, in pages of any size, on both databases."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from pathbook.ledger.queries import (
    Batch,
    Holder,
    Listed,
    OfferFilter,
    Queries,
    Stock,
    Transfer,
    TransferFilter,
)
from pathbook.ledger.queries.answers import Party
from pathbook.ledger.queries.transfer_lists import FIRST_REFERENCE, ReferencePlace
from pathbook.ledger.refusals import Refusal
from pathbook.ledger.values import Ranges, TransferKind, TransferSide, TransferStatus, UnitRange
from tests.projections.synthetic import PARTIES, SIZES, SyntheticBook
from tests.queries import naive_lists
from tests.queries.naive_lists import Line
from tests.queries.written import MASKS, WrittenStory, open_queries
from tests.scenario import BALM, MASK

Item = TypeVar("Item")
Place = TypeVar("Place")
Otherwise = TypeVar("Otherwise")

SIDES = (*PARTIES, "consumer:wei")


def all_items(
    queries: Callable[[Place | None, int], Listed[Item, Place] | Refusal], limit: int
) -> list[Item]:
    """Return the items of all pages. No page is longer than the limit, and only the last one has no successor."""
    found: list[Item] = []
    after: Place | None = None
    while True:
        listed = queries(after, limit)
        assert isinstance(listed, Listed), listed
        assert len(listed.items) <= limit
        found += listed.items
        if listed.after is None:
            return found
        assert listed.after != after
        after = listed.after


def same(found: list[Transfer], expected: list[Line], queries: Queries) -> None:
    """Compare listed transfers with the lines of the events, and with what is returned for each of them alone."""
    assert [(item.row.transfer, item.row.line) for item in found] == [line.place for line in expected]
    for item, line in zip(found, expected, strict=True):
        alone = queries.transfer("book", line.transfer)
        assert isinstance(alone, list)
        assert item == alone[line.line]
        assert item.ranges == line.terms[0].ranges
        assert (item.discrepancies, item.extra) == (line.discrepancies, line.extra)


@st.composite
def filters(draw: st.DrawFn, book: SyntheticBook, lines: list[Line]) -> TransferFilter:
    """Draw a filter whose conditions are often met."""

    def maybe(values: Sequence[Item], otherwise: Otherwise) -> Item | Otherwise:
        is_asked: bool = draw(st.booleans())
        return draw(st.sampled_from(values)) if values and is_asked else otherwise

    occurred = sorted({recorded.occurred_at for recorded in book.recorded})
    recorded_at = sorted({recorded.recorded_at for recorded in book.recorded})
    times = [
        sorted((draw(st.sampled_from(known)), draw(st.sampled_from(known))))
        for known in (occurred, recorded_at)
    ]
    if not draw(st.booleans()):
        times[0] = [0, 2**63 - 1]
    if not draw(st.booleans()):
        times[1] = [0, 2**63 - 1]
    return TransferFilter(
        party=draw(st.sampled_from(SIDES)),
        side=maybe(list(TransferSide), None),
        status=maybe(list(TransferStatus), None),
        counterparty=maybe(list(SIDES), ""),
        kind=maybe(list(TransferKind), None),
        reference=maybe([line.reference for line in lines if line.reference], ""),
        batch=maybe(list(range(1, len(SIZES) + 1)), 0),
        gtin=maybe([MASK, BALM], ""),
        receiver_tier=maybe(list(range(6)), None),
        occurred_from=times[0][0],
        occurred_before=times[0][1],
        recorded_from=times[1][0],
        recorded_before=times[1][1],
    )


def under(
    queries: Queries, reference: str, giver: str, receiver: str, after: ReferencePlace | None, limit: int
) -> Listed[Transfer, ReferencePlace] | Refusal:
    """Return a page of what is under a reference."""
    return queries.transfers_by_reference("book", reference, giver, receiver, after or FIRST_REFERENCE, limit)


def held(
    queries: Queries, batch: int, ranges: Ranges, after: int | None, limit: int
) -> Listed[Holder, int] | Refusal:
    """Return a page of holders."""
    return queries.holders("book", batch, ranges, after or 0, limit)


def batches_of(
    queries: Queries, gtin: str | None, after: int | None, limit: int
) -> Listed[Batch, int] | Refusal:
    """Return a page of batches."""
    return queries.batches("book", gtin, after or 0, limit)


def stock_of(queries: Queries, party: str, after: int | None, limit: int) -> Listed[Stock, int] | Refusal:
    """Return a page of a stock."""
    return queries.stock("book", party, after or 0, limit)


NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
"""Each example makes a database, so a failing one is not made smaller: that would take minutes."""

BOOK = {"seed": st.integers(0, 2**32), "length": st.integers(20, 150), "limit": st.integers(1, 7)}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@settings(max_examples=6, phases=NO_SHRINKING)
@given(data=st.data(), **BOOK)
def test_transfers_are_those_that_a_naive_filter_of_all_events_gives(
    kind: str, data: st.DataObject, seed: int, length: int, limit: int
) -> None:
    """Transfers of a party under any conditions, its offers, and what is under each reference."""
    book = SyntheticBook(seed, length)
    lines = naive_lists.lines(book.recorded)
    products = {number: made.commissioned.product for number, made in book.state.batches.items() if made}
    with open_queries(book.entries, kind) as queries:
        pairs = [TransferFilter(party=one, counterparty=other) for one in SIDES for other in SIDES]
        drawn = data.draw(st.lists(filters(book, lines), min_size=10, max_size=10))
        for wanted in [*pairs, *drawn]:
            found = all_items(partial(queries.transfers, "book", wanted), limit)
            same(found, naive_lists.transfers(lines, products, wanted), queries)
        for party in PARTIES:
            for side in (None, *TransferSide):
                for status, ended in (
                    (None, False),
                    (None, True),
                    *((each, False) for each in TransferStatus),
                ):
                    offer = OfferFilter(party=party, side=side, status=status, include_ended=ended)
                    found = all_items(partial(queries.offers, "book", offer), limit)
                    same(found, naive_lists.offers(lines, offer), queries)
        named = {(line.reference, line.giver, line.receiver) for line in lines if line.reference}
        for reference, giver, receiver in sorted(named)[:10]:
            for sides in ((giver, receiver), (giver, ""), ("", receiver), ("", "")):
                found = all_items(partial(under, queries, reference, *sides), limit)
                same(found, naive_lists.by_reference(lines, reference, *sides), queries)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@settings(max_examples=4, phases=NO_SHRINKING)
@given(data=st.data(), **BOOK)
def test_holders_are_those_of_the_state_that_the_rules_decide_with(
    kind: str, data: st.DataObject, seed: int, length: int, limit: int
) -> None:
    """The holders of each batch, and of ranges of it, in pages of any size."""
    book = SyntheticBook(seed, length)
    with open_queries(book.entries, kind) as queries:
        for number, size in enumerate(SIZES, 1):
            cuts = data.draw(st.lists(st.integers(0, min(size, 60) - 1), min_size=2, max_size=8, unique=True))
            cuts.sort()
            some = tuple(UnitRange(number, *pair) for pair in zip(cuts[::2], cuts[1::2], strict=False))
            for ranges in (some, tuple(reversed(some)), ()):
                found = all_items(partial(held, queries, number, ranges), limit)
                whole = (UnitRange(number, 0, size - 1),)
                expected = naive_lists.holders(book.state, tuple(sorted(ranges)) or whole)
                assert found == [Holder(*each) for each in expected]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@settings(max_examples=4, phases=NO_SHRINKING)
@given(**BOOK)
def test_an_item_of_a_list_is_what_is_returned_for_it_alone(
    kind: str, seed: int, length: int, limit: int
) -> None:
    """Parties have their authorizations, and batches, also those of a stock, their recalls."""
    book = SyntheticBook(seed, length)
    with open_queries(book.entries, kind) as queries:
        parties = all_items(lambda after, count: queries.parties("book", after or "", count), limit)
        assert [item.row.party for item in parties] == sorted(
            name for name, known in book.state.parties.items() if known
        )
        for item in parties:
            alone = queries.party("book", item.row.party)
            assert isinstance(alone, Party)
            assert item == alone
        for gtin in (None, MASK, BALM):
            batches = all_items(partial(batches_of, queries, gtin), limit)
            assert batches == [queries.batch("book", each.row.batch) for each in batches]
            assert gtin or len(batches) == book.state.last_batch
        for party in PARTIES:
            for line in all_items(partial(stock_of, queries, party), limit):
                batch = queries.batch("book", line.row.batch.batch)
                assert not isinstance(batch, Refusal)
                assert (line.row.batch, line.recalls) == (batch.row, batch.recalls)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_page_ends_before_an_item_that_does_not_fit(kind: str) -> None:
    """Items of a page have 1,000 recalls together. An item with more is on a page alone, and whole."""
    recalled = [3, 400, 599, 1, 1_001, 2]
    story = MASKS + "".join(
        f"batch L{number} of mask size 5 made 2025-12-01 by acme\n" for number in range(2, 7)
    )
    story += "".join(
        f"recall batch {batch} units {batch}:0-4 by acme as r{batch}x{n}\n"
        for batch, count in enumerate(recalled, 1)
        for n in range(count)
    )
    with open_queries(WrittenStory(story).entries, kind) as queries:
        pages: list[list[int]] = []
        after: int | None = 0
        while after is not None:
            page = queries.batches("book", None, after, 100)
            assert isinstance(page, Listed)
            pages.append([item.row.batch for item in page.items])
            assert [len(item.recalls) for item in page.items] == [recalled[n - 1] for n in pages[-1]]
            after = page.after
    assert pages == [[1, 2], [3, 4], [5], [6]]


def test_a_page_that_examined_enough_ends_and_the_next_one_goes_on() -> None:
    """A page may be empty. Those after it find what meets a condition without an index, however far away it is."""
    story = MASKS + "batch L2 of mask size 6000 made 2025-12-01 by acme\nrecord 1:0 acme > ann at 15000\n"
    story += "".join(f"record 2:{number} acme > ann at 15000\n" for number in range(5_100))
    with open_queries(WrittenStory(story).entries) as queries:
        for wanted, sizes in (
            (TransferFilter(party="ann", batch=1), [0, 0, 0, 0, 0, 1]),
            (TransferFilter(party="ann", kind=TransferKind.SALE), [0, 0]),
            (TransferFilter(party="ann", kind=TransferKind.TRANSFER, recorded_before=1), [0]),
        ):
            found: list[int] = []
            after: tuple[int, int] | None = None
            while True:
                page = queries.transfers("book", wanted, after, 10)
                assert isinstance(page, Listed)
                found.append(len(page.items))
                if page.after is None:
                    break
                after = page.after
            assert found == sizes
