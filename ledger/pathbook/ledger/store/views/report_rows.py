"""Reads the rows of a report in a snapshot of the views: those that a question wants, added up by some columns."""

from collections.abc import Callable, Sequence
from functools import cache
from itertools import starmap
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy import BigInteger, ColumnElement, Select, bindparam

from pathbook.ledger.reports.report import ColumnKind, Report, SumRow
from pathbook.ledger.reports.wanted import Wanted, not_kept
from pathbook.ledger.store.database.fast_read import Reader
from pathbook.ledger.store.reports.tables import table_of
from pathbook.ledger.store.views.tables import AUTHORIZATION, BATCH

_Row = TypeVar("_Row")


class ReportRows:
    """The rows of a report about a book, as of ``position``."""

    def __init__(self, reader: Reader, report: Report, book: str, position: int) -> None:
        self._reader, self._report, self._book = reader, report, book
        self.position = position

    def of_batch(self, batch: int, row: Callable[..., _Row]) -> list[_Row]:
        """The rows of a batch. ``row`` makes each of the columns of its key after the batch, and then its sums."""
        return self._rows(Wanted(batch=batch), row)

    def of_product(self, product: str, row: Callable[..., _Row]) -> list[_Row]:
        """The rows of all batches of a product, added up, and made as those of a batch."""
        return self._rows(Wanted(product=product), row)

    def wanted(self, wanted: Wanted, columns: Sequence[str], limit: int) -> list[SumRow]:
        """At most ``limit`` rows of those that are wanted, added up by some columns. The report has each filter."""
        assert not_kept(self._report, wanted) is None, wanted
        lookup = wanted_rows(self._report, tuple(wanted.names()), tuple(columns))
        parameters: dict[str, str | int] = {name: getattr(wanted, name) for name in wanted.names()}
        if wanted.region:
            parameters["within"] = f"{wanted.region}-"
            parameters["length"] = len(wanted.region) + 1
        return list(self._reader.ask(lookup, {"book": self._book, "limit": limit, **parameters}))

    def _rows(self, wanted: Wanted, row: Callable[..., _Row]) -> list[_Row]:
        columns = [column.name for column in self._report.key if column.kind is not ColumnKind.BATCH]
        return list(starmap(row, self.wanted(wanted, columns, EVERY_ROW)))


EVERY_ROW = 2**62
"""A limit that leaves out no row."""


@cache
def wanted_rows(
    report: Report, filters: tuple[str, ...], columns: tuple[str, ...]
) -> Select[*tuple[object, ...]]:
    """Return the lookup of the rows that filters choose, which are parameters, added up by some columns.

    A report is never ahead of the batches.
    """
    table = table_of(report)
    shown = [table.c[name] for name in columns]
    conditions = [table.c.book == bindparam("book"), *(_condition(report, name) for name in filters)]
    left_out = {column.name for column in report.key} - set(columns)
    is_whole = left_out <= ({_first(report, ColumnKind.BATCH)} if "batch" in filters else set())
    if is_whole:
        sums: list[ColumnElement[int]] = [table.c[total] for total in report.sums]
    else:  # PostgreSQL's sum of integers is not an integer
        sums = [sa.cast(sa.func.sum(table.c[total]), BigInteger) for total in report.sums]
    found = sa.select(*shown, *sums).select_from(table)
    if "product" in filters or "brand" in filters:
        found = found.join(BATCH, BATCH.c.batch == table.c[_first(report, ColumnKind.BATCH)])
        conditions.append(BATCH.c.book == bindparam("book"))
    found = found.where(*conditions).limit(bindparam("limit"))
    if is_whole:
        return found
    is_some = sa.or_(*(sa.func.sum(table.c[total]) != 0 for total in report.sums))  # as a row of a report
    return found.group_by(*shown).having(is_some)


def _condition(report: Report, name: str) -> ColumnElement[bool]:
    """Return the condition of one filter."""
    table = table_of(report)
    parties = [table.c[column.name] for column in report.key if column.kind is ColumnKind.PARTY]
    match name:
        case "batch":  # the parameter may be beyond the numbers of batches
            return table.c[_first(report, ColumnKind.BATCH)] == bindparam("batch", type_=BigInteger)
        case "product" | "brand":
            return BATCH.c[name] == bindparam(name)
        case "party":
            return sa.or_(*(column == bindparam("party") for column in parties))
        case "region":
            return sa.or_(*(column.in_(_PARTIES_OF_REGION) for column in parties))
        case "tier":
            return table.c[_first(report, ColumnKind.TIER)] == bindparam("tier", type_=BigInteger)
        case "first_day":
            return table.c[_first(report, ColumnKind.DAY)] >= bindparam("first_day", type_=BigInteger)
        case "last_day":
            return table.c[_first(report, ColumnKind.DAY)] <= bindparam("last_day", type_=BigInteger)
        case _:
            raise AssertionError(name)


_PARTIES_OF_REGION = sa.select(AUTHORIZATION.c.party).where(
    AUTHORIZATION.c.book == bindparam("book"),
    sa.or_(
        AUTHORIZATION.c.region == bindparam("region"),
        sa.func.substr(AUTHORIZATION.c.region, 1, bindparam("length", type_=sa.Integer))
        == bindparam("within"),
    ),
)


def _first(report: Report, kind: ColumnKind) -> str:
    return next(column.name for column in report.key if column.kind is kind)
