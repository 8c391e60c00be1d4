"""Reads the rows of a report in a snapshot of the views: those that a question wants, added up by some columns."""

from collections.abc import Sequence
from functools import cache
from typing import Final, cast

import msgspec
import sqlalchemy as sa
from sqlalchemy import BigInteger, ColumnElement, Select, bindparam

from pathbook.ledger.reports.report import ColumnKind, Report, SumRow
from pathbook.ledger.reports.wanted import Wanted, not_kept
from pathbook.ledger.store.database.fast_read import Reader
from pathbook.ledger.store.reports.tables import table_of
from pathbook.ledger.store.views.list_lookups import OneOfTexts
from pathbook.ledger.store.views.tables import AUTHORIZATION, BATCH


class ReportRows:
    """The rows of a report about a book, as of ``position``."""

    def __init__(self, reader: Reader, report: Report, book: str, position: int) -> None:
        self._reader, self._report, self._book = reader, report, book
        self.position = position

    def wanted(
        self, wanted: Wanted, columns: Sequence[str], limit: int, *, with_count: bool = False
    ) -> list[SumRow]:
        """At most ``limit`` rows of those that are wanted, added up by some columns. The report has each filter.

        If asked for, the number of rows that were added up comes last.
        """
        lookup = wanted_rows(self._report, tuple(wanted.names()), tuple(columns), with_count=with_count)
        return self._ask(wanted, lookup, limit)

    def count(self, wanted: Wanted, limit: int) -> int:
        """How many rows are wanted, but no more than ``limit``, beyond which none is counted."""
        (counted,) = self._ask(wanted, count_of_rows(self._report, tuple(wanted.names())), limit)
        return cast("int", counted[0])

    def _ask(self, wanted: Wanted, lookup: Select[*tuple[object, ...]], limit: int) -> list[SumRow]:
        assert not_kept(self._report, wanted) is None, wanted
        parameters: dict[str, str | int] = {
            name: getattr(wanted, name) for name in wanted.names() if name != "first_parties"
        }
        if wanted.first_parties:
            parameters["keys"] = msgspec.json.encode(wanted.first_parties).decode()
        if wanted.region:
            parameters["within"] = f"{wanted.region}-"
            parameters["length"] = len(wanted.region) + 1
        return list(self._reader.ask(lookup, {"book": self._book, "limit": limit, **parameters}))


@cache
def wanted_rows(
    report: Report, filters: tuple[str, ...], columns: tuple[str, ...], *, with_count: bool = False
) -> Select[*tuple[object, ...]]:
    """Return the lookup of the rows that filters choose, which are parameters, added up by some columns.

    A report is never ahead of the batches.
    """
    table = table_of(report)
    shown = [table.c[name] for name in columns]
    left_out = {column.name for column in report.key} - set(columns)
    is_whole = left_out <= ({_first(report, ColumnKind.BATCH)} if "batch" in filters else set())
    if is_whole and not with_count:
        kept = [table.c[total] for total in report.sums]
        return _filtered(report, filters, [*shown, *kept]).limit(bindparam("limit"))
    # PostgreSQL's sum of integers is not an integer
    sums = [sa.cast(sa.func.sum(table.c[total]), BigInteger) for total in report.sums]
    counted = [sa.func.count()] if with_count else []
    found = _filtered(report, filters, [*shown, *sums, *counted]).group_by(*shown)
    if not with_count:
        found = found.having(sa.or_(*(total != 0 for total in sums)))  # as `added_up`
    # PostgreSQL would plan for the first rows alone, and read a whole book in the order of their columns
    whole = found.cte("added_up").prefix_with("MATERIALIZED", dialect="postgresql")
    return sa.select(*whole.c).limit(bindparam("limit"))


@cache
def count_of_rows(report: Report, filters: tuple[str, ...]) -> Select[int]:
    """Return the lookup of how many rows filters choose, up to a limit."""
    rows = _filtered(report, filters, [sa.literal_column("1").label("one")]).limit(bindparam("limit"))
    return sa.select(sa.func.count()).select_from(rows.subquery())


def _filtered(
    report: Report, filters: tuple[str, ...], read: Sequence[ColumnElement[str] | ColumnElement[int]]
) -> Select[*tuple[object, ...]]:
    table = table_of(report)
    conditions = [table.c.book == bindparam("book")]
    conditions += [_condition(report, name) for name in filters if name not in _OF_BATCHES]
    found = sa.select(*read).select_from(table)
    if named := [BATCH.c[name] == bindparam(name) for name in _OF_BATCHES if name in filters]:
        named.append(BATCH.c.book == bindparam("book"))
        batch = table.c[_first(report, ColumnKind.BATCH)]
        if report.key[0].kind is ColumnKind.BATCH:  # for a join, SQLite may read all rows by another index
            conditions.append(batch.in_(sa.select(BATCH.c.batch).where(*named)))
        else:  # for a list, SQLite may look up each batch of each party
            found = found.join(BATCH, BATCH.c.batch == batch)
            conditions += named
    return found.where(*conditions)


_OF_BATCHES: Final = ("product", "brand")
"""The filters that choose rows by what the register says of their batch."""


def _condition(report: Report, name: str) -> ColumnElement[bool]:
    """Return the condition of one filter."""
    table = table_of(report)
    parties = [table.c[column.name] for column in report.key if column.kind is ColumnKind.PARTY]
    match name:
        case "batch":  # the parameter may be beyond the numbers of batches
            return table.c[_first(report, ColumnKind.BATCH)] == bindparam("batch", type_=BigInteger)
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
        case "first_parties":
            return OneOfTexts(parties[0])
        case "second_party":
            return sa.and_(parties[1] == bindparam("second_party"), parties[1] != parties[0])
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
