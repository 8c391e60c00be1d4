"""The statements that write the changes of a group of events to the views, and the tables that are made for them."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, groupby
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.schema import CreateTable

from pathbook.ledger.projections import cases, keys, registers, transfers
from pathbook.ledger.projections.runs import RunChanges
from pathbook.ledger.projections.views import Row as ViewRow
from pathbook.ledger.projections.views import ViewChanges
from pathbook.ledger.store.database.bulk_write import (
    Row,
    Statement,
    add_statement,
    clear_statement,
    delete_statement,
    insert_statement,
    update_statement,
)
from pathbook.ledger.store.database.damage import DatabaseDamagedError
from pathbook.ledger.store.database.engine import create_schema, reading, shown_name, version_for, writing
from pathbook.ledger.store.database.format import UnknownFormatError
from pathbook.ledger.store.database.places import VIEWS_VERSION
from pathbook.ledger.store.database.planner_stats import write_statistics
from pathbook.ledger.store.views import tables
from pathbook.ledger.store.views.tracking import TRACKING

# Executed in this order, because the same group of events may insert a row and update it.
_REGISTERS: Mapping[type[ViewRow], Statement] = {
    registers.RequestRow: insert_statement(tables.REQUEST),
    registers.PartyRow: insert_statement(tables.PARTY),
    registers.ProductRow: insert_statement(tables.PRODUCT),
    registers.BatchRow: insert_statement(tables.BATCH),
    registers.AuthorizationRow: insert_statement(tables.AUTHORIZATION),
    registers.AuthorizationEnd: update_statement(tables.AUTHORIZATION, registers.AuthorizationEnd._fields),
    registers.PartyCorrection: update_statement(tables.PARTY, registers.PartyCorrection._fields),
    registers.ProductCorrection: update_statement(tables.PRODUCT, registers.ProductCorrection._fields),
    registers.BatchCorrection: update_statement(tables.BATCH, registers.BatchCorrection._fields),
    registers.CorrectionRow: insert_statement(tables.CORRECTION),
    registers.RecallRow: insert_statement(tables.RECALL),
    registers.RecallEnd: update_statement(tables.RECALL, registers.RecallEnd._fields),
    registers.SealRow: insert_statement(tables.SEAL),
    keys.KeyRow: insert_statement(tables.KEY),
    keys.KeyEnd: update_statement(tables.KEY, keys.KeyEnd._fields),
    transfers.TransferRow: insert_statement(tables.TRANSFER),
    transfers.TransferAnswer: update_statement(tables.TRANSFER, transfers.TransferAnswer._fields),
    transfers.TransferAttestation: update_statement(tables.TRANSFER, transfers.TransferAttestation._fields),
    transfers.ReversalRequest: update_statement(tables.TRANSFER, transfers.ReversalRequest._fields),
    transfers.TransferReversal: update_statement(tables.TRANSFER, transfers.TransferReversal._fields),
}
_KEYS: Mapping[type[ViewRow], int] = {
    registers.PartyCorrection: 1,
    registers.ProductCorrection: 1,
    registers.BatchCorrection: 1,
    transfers.ReversalRequest: 2,
}
"""The number of key columns of changes that one group may make several times to one row. The last one counts. A
statement for many rows would make any of them."""

_CASES: Mapping[type[cases.CaseStep], Sequence[Statement]] = {
    cases.CaseRow: [insert_statement(tables.PACKED_CASE)],
    cases.CaseRangeRow: [insert_statement(tables.CASE_RANGE)],
    cases.CaseOuter: [update_statement(tables.PACKED_CASE, cases.CaseOuter._fields)],
    cases.CaseUnpacking: [
        delete_statement(tables.PACKED_CASE, ["sscc"]),
        delete_statement(tables.CASE_RANGE, ["sscc"]),
        clear_statement(tables.PACKED_CASE, "outer"),
    ],
}
_MOVE_PARTY_HEAD = update_statement(tables.PARTY, registers.PartyHead._fields)
_MOVE_BATCH_HEAD = update_statement(tables.BATCH, registers.BatchHead._fields)
_VERSION = sa.Table("views_version", sa.MetaData(), sa.Column("version", sa.Text, nullable=False))
_RUN_KEY = ["batch", "first", "valid_from"]
_INSERT_RUN = insert_statement(tables.RUN)
_END_RUN = update_statement(tables.RUN, [*_RUN_KEY, "valid_to"])
_REMOVE_RUN = delete_statement(tables.RUN, _RUN_KEY)
_ADD_STOCK, _REMOVE_STOCK = (
    add_statement(tables.STOCK),
    delete_statement(tables.STOCK, [], tables.NOTHING_LEFT),
)

STATEMENTS: Final = (
    *_REGISTERS.values(),
    *(_MOVE_PARTY_HEAD, _MOVE_BATCH_HEAD),
    *chain.from_iterable(_CASES.values()),
    *(_REMOVE_RUN, _END_RUN, _INSERT_RUN),
    *(_ADD_STOCK, _REMOVE_STOCK),
)
"""All statements that ever write a view. An index in this tuple means the same in every process of this program."""


def open_views(engine: Engine) -> None:
    """Create the tables of the engine's version, unless they are there.

    Raises:
        UnknownFormatError: they are of another version than the name of their place says.
        pathbook.ledger.store.database.damage.DatabaseDamagedError: they are damaged.
    """
    with reading(engine) as connection:
        if _is_made(connection):
            if not sa.inspect(connection).has_table(TRACKING.name):
                cause = f"the table {TRACKING.name} is missing"
                raise DatabaseDamagedError(is_log=False, name="The database of the views", cause=cause)
            return
    with writing(engine) as connection:
        open_views_on(connection)


def open_views_on(connection: Connection) -> None:
    """Do as ``open_views`` in the caller's transaction. Another process may have made the tables before it."""
    if not _is_made(connection):
        create_schema(connection)
        for name in sa.inspect(
            connection
        ).get_table_names():  # of a start that was cut short, or of no program
            sa.Table(name, sa.MetaData()).drop(connection)
        tables.as_kept().create_all(connection)
        connection.execute(CreateTable(TRACKING))
        connection.execute(CreateTable(_VERSION))
        connection.execute(_VERSION.insert().values(version=version_for(connection.engine)))
        if connection.dialect.name == "sqlite":
            write_statistics(tables.VIEWS, connection)


def version_of(connection: Connection) -> str:
    """Return the version that the tables say they have, or "" if there are none."""
    if not sa.inspect(connection).has_table(_VERSION.name):
        return ""
    return connection.execute(sa.select(_VERSION.c.version)).scalar() or ""


def _is_made(connection: Connection) -> bool:
    """Tell whether the tables are there. Raises as ``open_views``."""
    found, wanted = version_of(connection), version_for(connection.engine)
    if found and not _is_version(found):
        raise DatabaseDamagedError(
            is_log=False, name="The database of the views", cause=f"its version reads as {found!r}"
        )
    if found and found != wanted:
        raise UnknownFormatError(shown_name(connection.engine), found, wanted)
    return bool(found)


def _is_version(text: object) -> bool:
    """Tell whether this is the number of a version, known or not."""
    return isinstance(text, str) and len(text) == len(VIEWS_VERSION) and text.isdecimal()


def writes(changes: ViewChanges) -> Iterator[tuple[Statement, list[Row]]]:
    """Yield the statements that write the changes of a group of events, in order, each with its rows.

    Each is one of STATEMENTS. When they are executed, the views must be at the position where the group
    begins.
    """
    assert changes.rows.keys() <= _REGISTERS.keys(), changes.rows.keys()
    for kind, statement in _REGISTERS.items():
        yield statement, _last_of_each(changes.rows.get(kind, []), _KEYS.get(kind, 0))
    heads = changes.moved_heads().items()
    yield _MOVE_PARTY_HEAD, [(chain, *head) for chain, head in heads if isinstance(chain, str)]
    yield _MOVE_BATCH_HEAD, [(chain, *head) for chain, head in heads if isinstance(chain, int)]
    for step, steps in groupby(changes.cases, key=type):
        rows: list[Row] = list(steps)
        for statement in _CASES[step]:
            yield statement, rows
    yield from _run_writes(changes.runs)
    yield _ADD_STOCK, [(*key, *more) for key, more in changes.stock.sums.items() if any(more)]
    yield _REMOVE_STOCK, [()]


def _last_of_each(rows: list[Row], key: int) -> list[Row]:
    """Return the last of the rows with the same first ``key`` columns, or all rows if it is 0."""
    return list({row[:key]: row for row in rows}.values()) if key else rows


def _run_writes(runs: RunChanges) -> Iterator[tuple[Statement, list[Row]]]:
    yield _REMOVE_RUN, list(runs.removed)
    yield _END_RUN, [(*key, position) for key, position in runs.ended.items() if key not in runs.made]
    made = sorted(runs.made.items())
    yield _INSERT_RUN, [tables.row_from_run(key[0], run, runs.ended.get(key)) for key, run in made]
