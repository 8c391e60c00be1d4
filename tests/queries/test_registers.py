"""Registers and stock: registered objects, the stock of a party, and queries for unknown objects."""

from collections.abc import Callable

from pathbook.ledger.projections.registers import products_from_text
from pathbook.ledger.queries import Listed, Queries, TransferFilter
from pathbook.ledger.refusals import Reason, Refusal
from pathbook.ledger.values import Unit
from tests.queries.written import ladder_of, reason
from tests.scenario import BALM, MASK


def test_a_query_for_an_unknown_object_is_refused_by_name(query_story: Callable[[str], Queries]) -> None:
    """Each query for an object that the book does not have is refused with its own reason."""
    queries = query_story("")
    for number in (-1, 100):
        assert reason(queries.path("book", Unit(1, number))) is Reason.RANGE_BEYOND_BATCH
    assert reason(queries.path("book", Unit(2, 0))) is Reason.BATCH_UNKNOWN
    assert reason(queries.path("book", Unit(1, 0), 7)) is Reason.BATCH_UNKNOWN
    assert reason(queries.party("book", "dan")) is Reason.PARTY_UNKNOWN
    assert reason(queries.stock("book", "dan", 0, 10)) is Reason.PARTY_UNKNOWN
    assert reason(queries.transfers("book", TransferFilter(party="dan"))) is Reason.PARTY_UNKNOWN
    assert queries.transfers("book", TransferFilter(party="consumer:dan")) == Listed([], None)
    assert reason(queries.product("book", BALM)) is Reason.PRODUCT_UNKNOWN
    assert reason(queries.batches("book", BALM, 0, 10)) is Reason.PRODUCT_UNKNOWN
    assert reason(ladder_of(queries, BALM)) is Reason.PRODUCT_UNKNOWN
    assert reason(ladder_of(queries, 2)) is Reason.BATCH_UNKNOWN
    assert reason(queries.batch("book", 2)) is Reason.BATCH_UNKNOWN
    assert reason(queries.batch_of_lot("book", MASK, "L2")) is Reason.BATCH_UNKNOWN
    assert reason(queries.transfer("book", 8)) is Reason.TRANSFER_UNKNOWN
    for question in (queries.head, lambda book: queries.party(book, "acme")):
        assert reason(question("shelf")) is Reason.BOOK_UNKNOWN


def test_registers_return_the_registered_objects(query_story: Callable[[str], Queries]) -> None:
    """Parties are returned with authorizations, batches with recalls, and lists in pages."""
    queries = query_story("""
        batch L2 of mask size 5 made 2025-12-02 by acme
        recall batch 1 units 1:3-5 by acme as bad
        lift bad by acme
        authorize cat tier 3 by ben for mask until 2026-12-31 as given
        revoke given by ben
    """)
    cat = queries.party("book", "cat")
    assert not isinstance(cat, Refusal)
    (given,) = cat.authorizations
    assert (given.position, given.upline, given.tier, products_from_text(given.products)) == (
        *(13, "ben", 3, (MASK,)),
    )
    assert given.valid_from < (given.valid_until or 0)
    assert given.revoked_from == given.valid_from
    batch = queries.batch_of_lot("book", MASK, "L1")
    assert not isinstance(batch, Refusal)
    assert batch == queries.batch("book", 1)
    assert (batch.row.made_on, batch.row.expires_on, batch.row.size) == ("2025-12-01", "2026-06-30", 100)
    (recall,) = batch.recalls
    assert (recall.row.position, recall.row.ranges, recall.row.lifted_position) == (11, "[[3,5]]", 12)
    parties = [queries.parties("book", "", 2), queries.parties("book", "ann", 9)]
    assert [[p.row.party for p in page.items] for page in parties if isinstance(page, Listed)] == [
        ["acme", "ann"],
        ["ben", "cat"],
    ]
    lots = [queries.batches("book", gtin, after, 9) for gtin, after in ((MASK, 0), (None, 0), (None, 1))]
    assert [[b.row.lot for b in page.items] for page in lots if isinstance(page, Listed)] == [
        ["L1", "L2"]
    ] * 2 + [["L2"]]
    products = queries.products("book", "", 9)
    assert isinstance(products, list)
    assert products == [queries.product("book", MASK)]
    head = queries.head("book")
    assert not isinstance(head, Refusal)
    assert head.position == head.views_position == 14


def test_stock_is_sorted_by_expiry(query_story: Callable[[str], Queries]) -> None:
    """Batches without an expiry date come last, and a page begins after the given batch."""
    queries = query_story("""
        batch L2 of mask size 5 made 2025-12-02 by acme
        batch L3 of mask size 5 made 2025-12-02 expires 2026-03-31 by acme
        batch L4 of mask size 5 made 2025-12-02 by acme
        record 1:0-9 acme > ann at 15000 later
        offer 3:0-1 acme > ann at 15000
    """)
    lines = queries.stock("book", "acme", 0, 9)
    assert isinstance(lines, Listed)
    rows = [line.row for line in lines.items]
    assert [(i.batch.batch, i.owned, i.in_custody, i.reserved) for i in rows] == [
        *((3, 5, 5, 2), (1, 90, 100, 0), (2, 5, 5, 0), (4, 5, 5, 0))
    ]
    assert {row.product_name for row in rows} == {"mask"}
    pages = [queries.stock("book", "acme", after, 2) for after in (0, 1, 4)]
    assert pages == [Listed(lines.items[:2], 1), Listed(lines.items[2:], None), Listed([], None)]
