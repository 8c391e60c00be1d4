"""Writing the views: what a sequence of events changes in them, and dropping views of another version."""

from collections.abc import Mapping, Sequence
from itertools import groupby

import sqlalchemy as sa
import structlog
from sqlalchemy import Connection, Engine

from ledger.projections import cases, registers, transfers
from ledger.projections.runs import RunChanges
from ledger.projections.views import Row, ViewChanges
from ledger.store import tables
from ledger.store.database import FormatNotKnown, create_tables, writing
from ledger.store.planning import describe
from ledger.store.statements import Statement, adding, amending, emptying, inserting, removing

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

# Executed in this order, for what is amended may have been inserted by the same sequence of events.
_REGISTERS: Mapping[type[Row], Statement] = {
    registers.RequestRow: inserting(tables.REQUEST),
    registers.PartyRow: inserting(tables.PARTY),
    registers.ProductRow: inserting(tables.PRODUCT),
    registers.BatchRow: inserting(tables.BATCH),
    registers.AuthorizationRow: inserting(tables.AUTHORIZATION),
    registers.AuthorizationEnd: amending(tables.AUTHORIZATION, registers.AuthorizationEnd._fields),
    registers.RecallRow: inserting(tables.RECALL),
    registers.RecallEnd: amending(tables.RECALL, registers.RecallEnd._fields),
    transfers.TransferRow: inserting(tables.TRANSFER),
    transfers.TransferAnswer: amending(tables.TRANSFER, transfers.TransferAnswer._fields),
    transfers.ReversalRequest: amending(tables.TRANSFER, transfers.ReversalRequest._fields),
    transfers.TransferReversal: amending(tables.TRANSFER, transfers.TransferReversal._fields),
}
_CASES: Mapping[type[cases.CaseStep], Sequence[Statement]] = {
    cases.CaseRow: [inserting(tables.PACKED_CASE)],
    cases.CaseRangeRow: [inserting(tables.CASE_RANGE)],
    cases.CaseOuter: [amending(tables.PACKED_CASE, cases.CaseOuter._fields)],
    cases.CaseUnpacking: [
        removing(tables.PACKED_CASE, ["sscc"]),
        removing(tables.CASE_RANGE, ["sscc"]),
        emptying(tables.PACKED_CASE, "outer"),
    ],
}
_RUN_KEY = ["batch", "first", "valid_from"]
_INSERT_RUN = inserting(tables.RUN)
_END_RUN = amending(tables.RUN, [*_RUN_KEY, "valid_to"])
_REMOVE_RUN = removing(tables.RUN, _RUN_KEY)
_ADD_LADDER, _REMOVE_LADDER = adding(tables.LADDER), removing(tables.LADDER, [], tables.NO_UNITS)
_ADD_STOCK, _REMOVE_STOCK = adding(tables.STOCK), removing(tables.STOCK, [], tables.NOTHING_LEFT)

sa.event.listen(tables.VIEWS, "after_create", describe)  # in the same transaction: who sees tables, sees both


def open_views(engine: Engine) -> None:
    """See to it that the tables are there and of this version; what another version left is dropped."""
    try:
        create_tables(engine, tables.VIEWS, format_number=tables.VIEWS_VERSION)
    except FormatNotKnown as other:
        _LOG.warning("views of another version are rebuilt", found=other.found, version=tables.VIEWS_VERSION)
        with writing(engine) as connection:
            # another process may have been first
            if connection.exec_driver_sql("PRAGMA user_version").scalar_one() == other.found:
                for name in sa.inspect(connection).get_table_names():
                    sa.Table(name, sa.MetaData()).drop(connection)
                connection.exec_driver_sql("PRAGMA user_version = 0")
        create_tables(engine, tables.VIEWS, format_number=tables.VIEWS_VERSION)


def write_changes(connection: Connection, book: str, changes: ViewChanges) -> None:
    """Write what a sequence of events changes in a book's views; they must stand where it begins."""
    assert changes.rows.keys() <= _REGISTERS.keys(), changes.rows.keys()
    for kind, statement in _REGISTERS.items():
        statement.execute(connection, book, changes.rows.get(kind, ()))
    for step, rows in groupby(changes.cases, key=type):
        same = list(rows)
        for statement in _CASES[step]:
            statement.execute(connection, book, same)
    _write_runs(connection, book, changes.runs)
    _ADD_LADDER.execute(connection, book, [(*key, more) for key, more in changes.ladder.sums.items() if more])
    _ADD_STOCK.execute(
        connection, book, [(*key, *more) for key, more in changes.stock.sums.items() if any(more)]
    )
    _REMOVE_LADDER.execute(connection, book, [()])
    _REMOVE_STOCK.execute(connection, book, [()])


def _write_runs(connection: Connection, book: str, runs: RunChanges) -> None:
    made = [tables.row_from_run(key[0], run, runs.ended.get(key)) for key, run in sorted(runs.made.items())]
    ended = [(*key, position) for key, position in runs.ended.items() if key not in runs.made]
    _REMOVE_RUN.execute(connection, book, runs.removed)
    _END_RUN.execute(connection, book, ended)
    _INSERT_RUN.execute(connection, book, made)
