"""Both kinds of database give the same answers."""

from pathbook.ledger.queries import Queries, Transfer
from pathbook.ledger.values import TransferStatus, Unit
from tests.projections.synthetic import SyntheticBook
from tests.queries.written import open_queries


def everything(queries: Queries, length: int) -> dict[str, object]:
    """Return the answers to all queries on a synthetic book, in pages of three."""
    parties = queries.parties("book", "", 100)
    batches = queries.batches("book", None, 0, 100)
    products = queries.products("book", "", 100)
    assert isinstance(parties, list)
    assert isinstance(batches, list)
    assert isinstance(products, list)
    paths = {
        str((batch.batch, number, as_of, corrections)): queries.path(
            "book", Unit(batch.batch, number), as_of, corrections=corrections
        )
        for batch in batches
        for number in (-1, *range(8), batch.size - 1, batch.size)
        for as_of in (0, 1, length // 2, length - 1, length, length + 1)
        for corrections in (False, True)
    }
    transfers = {
        str((party.party, status)): queries.transfers("book", party.party, status, limit=3)
        for party in parties
        for status in (None, *TransferStatus)
    }
    pages = [rows for rows in transfers.values() if isinstance(rows, list) and len(rows) == 3]
    return {
        "head": queries.head("book"),
        "parties": [queries.party("book", party.party) for party in parties],
        "products": [queries.ladder_of_product("book", product.product) for product in products],
        "batches": [
            (
                queries.batch("book", batch.batch),
                queries.batch_of_lot("book", batch.product, batch.lot),
                queries.batches("book", batch.product, 0, 3),
                queries.ladder_of_batch("book", batch.batch),
            )
            for batch in batches
        ],
        "stock": [
            [
                queries.stock("book", party.party, after, 3)
                for after in (0, *(batch.batch for batch in batches))
            ]
            for party in parties
        ],
        "next pages": [next_page(queries, rows) for rows in pages],
        "each": [queries.transfer("book", position) for position in range(length + 1)],
        **transfers,
        **paths,
    }


def next_page(queries: Queries, rows: list[Transfer]) -> object:
    """Return the page of transfers after a page."""
    last = rows[-1].row
    return queries.transfers("book", last.giver, before=(last.transfer, last.line), limit=3)


def test_answers_do_not_depend_on_the_database() -> None:
    """Both kinds of database answer every query on a book alike."""
    book = SyntheticBook(7, 150)
    with open_queries(book.entries, "sqlite") as one, open_queries(book.entries, "postgresql") as other:
        answers = everything(one, len(book.entries))
        for question, answer in everything(other, len(book.entries)).items():
            assert answer == answers[question], question
