"""The transfers of a party, in pages, newest first."""

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from pathbook.ledger.events import TransferOffered, TransferRecorded, UnitsReturned, UnitsSold
from pathbook.ledger.projections.transfers import TransferRow
from pathbook.ledger.queries import Listed, Queries, TransferFilter
from pathbook.ledger.ranges import count_units
from pathbook.ledger.values import TransferStatus
from tests.examples import examples
from tests.projections.synthetic import PARTIES, SyntheticBook
from tests.queries.written import open_queries


@settings(max_examples=examples(8, 20))
@given(seed=st.integers(0, 2**32), length=st.integers(20, 100), limit=st.integers(1, 5))
def test_pages_hold_each_transfer_once_newest_first(seed: int, length: int, limit: int) -> None:
    """For each party and status, the pages together are the party's transfers that the events record."""
    book = SyntheticBook(seed, length)
    expected: list[tuple[int, int, str, str, TransferStatus, int]] = []
    for recorded in book.recorded:
        position, event = recorded.position, recorded.event
        if isinstance(event, TransferOffered | TransferRecorded | UnitsSold):
            known = book.state.transfers[position]
            assert known is not None
            terms, status = event.terms, known.status
            expected.append((position, 0, terms.giver, terms.receiver, status, count_units(terms.ranges)))
        if isinstance(event, UnitsReturned):
            for number, line in enumerate(event.lines):
                sides = line.terms.receiver, line.terms.giver
                units = count_units(line.terms.ranges)
                expected.append((position, number, *sides, TransferStatus.ACCEPTED, units))
    expected.sort(reverse=True)
    with open_queries(book.entries) as queries:
        for party in (*PARTIES, "consumer:wei"):
            for status in (None, *TransferStatus):
                found = list(every_transfer(queries, party, status, limit))
                assert [(i.transfer, i.line, i.giver, i.receiver, i.status, i.units) for i in found] == [
                    item for item in expected if party in item[2:4] and status in (None, item[4])
                ]


def every_transfer(
    queries: Queries, party: str, status: TransferStatus | None, limit: int
) -> Iterator[TransferRow]:
    """Yield the transfers of a party, page by page."""
    after, more = None, True
    while more:
        page = queries.transfers("book", TransferFilter(party=party, status=status), after, limit)
        assert isinstance(page, Listed)
        assert len(page.items) <= limit
        yield from [found.row for found in page.items]
        after, more = page.after, page.after is not None
