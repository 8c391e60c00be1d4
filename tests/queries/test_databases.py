"""Both kinds of database give the same answers."""

from pathbook.ledger.queries import Listed, Queries, Transfer, TransferFilter
from pathbook.ledger.values import TransferStatus, Unit
from tests.projections.synthetic import SyntheticBook
from tests.queries.written import ladder_of, open_queries


def everything(queries: Queries, length: int) -> dict[str, object]:
    """Return the answers to all queries on a synthetic book, in pages of three."""
    parties = queries.parties("book", "", 100)
    batches = queries.batches("book", None, 0, 100)
    products = queries.products("book", "", 100)
    assert isinstance(parties, Listed)
    assert isinstance(batches, Listed)
    assert isinstance(products, list)
    paths = {
        str((batch.batch, number, as_of, corrections)): queries.path(
            "book", Unit(batch.batch, number), as_of, corrections=corrections
        )
        for batch in [item.row for item in batches.items]
        for number in (-1, *range(8), batch.size - 1, batch.size)
        for as_of in (0, 1, length // 2, length - 1, length, length + 1)
        for corrections in (False, True)
    }
    transfers = {
        str((party.row.party, status)): queries.transfers(
            "book", TransferFilter(party=party.row.party, status=status), limit=3
        )
        for party in parties.items
        for status in (None, *TransferStatus)
    }
    pages = [page for page in transfers.values() if isinstance(page, Listed) and page.after is not None]
    return {
        "head": queries.head("book"),
        "parties": [queries.party("book", party.row.party) for party in parties.items],
        "products": [ladder_of(queries, product.product) for product in products],
        "batches": [
            (
                queries.batch("book", batch.batch),
                queries.batch_of_lot("book", batch.product, batch.lot),
                queries.batches("book", batch.product, 0, 3),
                ladder_of(queries, batch.batch),
            )
            for batch in [item.row for item in batches.items]
        ],
        "stock": [
            [
                queries.stock("book", party.row.party, after, 3)
                for after in (0, *(batch.row.batch for batch in batches.items))
            ]
            for party in parties.items
        ],
        "next pages": [next_page(queries, page) for page in pages],
        "each": [queries.transfer("book", position) for position in range(length + 1)],
        **transfers,
        **paths,
    }


def next_page(queries: Queries, page: Listed[Transfer, tuple[int, int]]) -> object:
    """Return the page of transfers after a page."""
    giver = page.items[-1].row.giver
    return queries.transfers("book", TransferFilter(party=giver), page.after, limit=3)


def test_answers_do_not_depend_on_the_database() -> None:
    """Both kinds of database answer every query on a book alike."""
    book = SyntheticBook(7, 150)
    with open_queries(book.entries, "sqlite") as one, open_queries(book.entries, "postgresql") as other:
        answers = everything(one, len(book.entries))
        for question, answer in everything(other, len(book.entries)).items():
            assert answer == answers[question], question
