"""Reads the rows of a report in a snapshot of the views: of a batch, or of all batches of a product."""

from collections.abc import Callable
from functools import cache
from itertools import starmap
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy import BigInteger, ColumnElement, Select, bindparam

from pathbook.ledger.reports.report import Report
from pathbook.ledger.store.database.fast_read import Reader
from pathbook.ledger.store.reports.tables import table_of
from pathbook.ledger.store.views.tables import BATCH

_Row = TypeVar("_Row")


class ReportRows:
    """The rows of a report about a book, as of ``position``. Batches are the first column of the report's key."""

    def __init__(self, reader: Reader, report: Report, book: str, position: int) -> None:
        self._reader, self._report, self._book = reader, report, book
        self.position = position

    def of_batch(self, batch: int, row: Callable[..., _Row]) -> list[_Row]:
        """The rows of a batch. ``row`` makes each of the columns of its key after the batch, and then its sums."""
        parameters = {"book": self._book, "batch": batch}
        return list(starmap(row, self._reader.ask(of_batch(self._report), parameters)))

    def of_product(self, product: str, row: Callable[..., _Row]) -> list[_Row]:
        """The rows of all batches of a product, added up, and made as those of a batch."""
        parameters = {"book": self._book, "product": product}
        return list(starmap(row, self._reader.ask(of_product(self._report), parameters)))


@cache
def of_batch(report: Report) -> Select[*tuple[object, ...]]:
    """Return the lookup of the rows of a batch."""
    table = table_of(report)
    return sa.select(*_key(report), *(table.c[total] for total in report.sums)).where(
        # the parameter may be beyond the numbers of batches
        table.c.book == bindparam("book"),
        table.c.batch == bindparam("batch", type_=BigInteger),
    )


@cache
def of_product(report: Report) -> Select[*tuple[object, ...]]:
    """Return the lookup of the rows of all batches of a product. A report is never ahead of the batches."""
    table = table_of(report)
    # PostgreSQL's sum of integers is not an integer
    sums = (sa.cast(sa.func.sum(table.c[total]), BigInteger) for total in report.sums)
    return (
        sa.select(*_key(report), *sums)
        .join(BATCH, BATCH.c.batch == table.c.batch)
        .where(
            BATCH.c.book == bindparam("book"),
            BATCH.c.product == bindparam("product"),
            table.c.book == bindparam("book"),
        )
        .group_by(*_key(report))
    )


def _key(report: Report) -> list[ColumnElement[object]]:
    table = table_of(report)
    return [table.c[column.name] for column in report.key[1:]]
