"""Computes fingerprints of the views, to compare rebuilt views with the views before, and sizes on disk."""

import hashlib
import time
from pathlib import Path

import msgspec
import sqlalchemy as sa
from sqlalchemy import Engine

from pathbook.ledger.reports.all_reports import REPORTS
from pathbook.ledger.store.database.engine import open_engine, reading
from pathbook.ledger.store.database.places import views_schema
from pathbook.ledger.store.reports.positions import positions
from pathbook.ledger.store.reports.tables import table_of
from pathbook.ledger.store.views.tables import REFILL, VIEWS
from pathbook.ledger.store.views.tracking import TRACKING
from pathbook.services.storage import EVENTS_FILE, VIEWS_FILE
from tests.bench.decade.processes import Store

POLL_SECONDS = 0.2

ROWS_AT_ONCE = 10_000
"""The number of rows in memory at a time."""


def fingerprints(store: Store) -> dict[str, tuple[int, str]]:
    """Return the number of rows of each table of views and reports, and a hash of the rows in key order."""
    engine = open_engine(store.database or store.data / VIEWS_FILE, purpose="views")
    # REFILL differs between updated and rebuilt views.
    tables = [table for table in VIEWS.sorted_tables if table is not REFILL] + list(map(table_of, REPORTS))
    try:
        return {table.name: _fingerprint(engine, table) for table in tables}
    finally:
        engine.dispose()


def _fingerprint(engine: Engine, table: sa.Table) -> tuple[int, str]:
    count, digest = 0, hashlib.sha256()
    encoder = msgspec.msgpack.Encoder()
    with reading(engine) as connection:
        rows = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(
            sa.select(table).order_by(*table.primary_key)
        )
        for chunk in rows.partitions():
            count += len(chunk)
            digest.update(encoder.encode([tuple(row) for row in chunk]))
    return count, digest.hexdigest()


def wait_for_reports(store: Store, seconds: float) -> None:
    """Wait at most so long until all reports have what the views have."""
    engine = open_engine(store.database or store.data / VIEWS_FILE, purpose="views")
    until = time.monotonic() + seconds
    try:
        while True:
            with reading(engine) as connection:
                tracked = connection.execute(sa.select(TRACKING.c.notification_id)).scalar_one()
                reached = [at.position for at in positions(connection)]
            if all(position >= tracked for position in reached):
                return
            assert time.monotonic() < until, (tracked, reached)
            time.sleep(POLL_SECONDS)
    finally:
        engine.dispose()


def disk(store: Store) -> tuple[int, int]:
    """Return the bytes that the log and the views take."""
    if store.database:
        return _schema(store, "pathbook_events"), _schema(store, views_schema())
    return _files(store.data, EVENTS_FILE), _files(store.data, VIEWS_FILE)


def _files(directory: Path, name: str) -> int:
    return sum(path.stat().st_size for path in directory.glob(f"{name}*"))


def _schema(store: Store, schema: str) -> int:
    engine = open_engine(store.database, purpose="events")
    try:
        with reading(engine) as connection:
            size = connection.exec_driver_sql(
                "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c"
                " JOIN pg_namespace n ON n.oid = c.relnamespace"
                f" WHERE n.nspname = '{schema}' AND c.relkind = 'r'"
            ).scalar_one()
            return int(size)
    finally:
        engine.dispose()
