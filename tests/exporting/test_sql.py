"""The SQL of the project says the same on DuckDB and PostgreSQL as the ledger does, and an export is only read."""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import duckdb
import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from pathbook.exporting.exporter import export
from pathbook.exporting.manifest import Export, ExportError
from pathbook.exporting.parquet_files import columns_of
from pathbook.exporting.querying import ask, opened
from pathbook.exporting.statements import NEWEST_TABLES, REPORTS, newest_table, report
from pathbook.ledger.reports.flat import FLAT_TABLES
from pathbook.ledger.reports.ladder import PriceRow, rungs
from pathbook.ledger.values import MAX_AMOUNT_MINOR, MAX_BATCH_SIZE, MAX_PRICE_UNITS
from tests.cli.conftest import pathbook
from tests.examples import examples
from tests.exporting.flows import LadderRow, append, ladder_rows, served, stock_of
from tests.exporting.notebook import run_notebook
from tests.postgres import driver_url, drop_database, new_database
from tests.projections.synthetic import SyntheticBook

SYNTHETIC: Final = SyntheticBook(11, 900)

_SQL_TYPES: Final = {int: "BIGINT", str: "TEXT", bytes: "BYTEA"}

Rows = list[tuple[object, ...]]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of a synthetic book in several files."""
    place = tmp_path_factory.mktemp("books")
    target = place / "x"
    with served(place) as client:
        append(place, SYNTHETIC.entries)
        export(client, target, events_per_file=300)
    return target


@pytest.fixture(scope="module")
def postgresql(exported: Path) -> Iterator[psycopg.Connection]:
    """A PostgreSQL with the tables of the export."""
    url = new_database()
    with psycopg.connect(driver_url(url)) as connection:
        load(connection, exported)
        yield connection
    drop_database(url)


def load(connection: psycopg.Connection, path: Path) -> None:
    """Load an export into a PostgreSQL, and make the tables of what is newest."""
    target = Export(path)
    manifest = target.read()
    for table, kind in FLAT_TABLES.items():
        names = [name for name, _, _ in columns_of(kind)]
        columns = ", ".join(f"{name} {_SQL_TYPES[column]}" for name, column, _ in columns_of(kind))
        connection.execute(f"CREATE TABLE {table} ({columns})")
        with connection.cursor().copy(f"COPY {table} ({', '.join(names)}) FROM STDIN") as copy:
            for file in target.files(manifest, table):
                for row in parquet.ParquetFile(file).read().to_pylist():
                    copy.write_row(list(row.values()))
    for name in NEWEST_TABLES:
        connection.execute(f"CREATE VIEW {name} AS {newest_table(name)}")


def on_postgresql(connection: psycopg.Connection, query: str) -> Rows:
    """Return the rows of a query."""
    return connection.execute(query).fetchall()


def on_duckdb(path: Path, query: str) -> Rows:
    """Return the rows of a query."""
    with opened(path) as connection:
        return list(ask(connection, query).rows)


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_says_the_same_on_both(name: str, exported: Path, postgresql: psycopg.Connection) -> None:
    """The same text gives the same rows, in the same order, and there are some."""
    found = on_duckdb(exported, report(name))
    assert found == on_postgresql(postgresql, report(name))
    assert len(found) > 3


@pytest.mark.parametrize("name", NEWEST_TABLES)
def test_a_table_of_what_is_newest_is_the_same_on_both(
    name: str, exported: Path, postgresql: psycopg.Connection
) -> None:
    """The same text makes the same tables."""
    query = f"SELECT * FROM {name} ORDER BY 1, 2"
    assert on_duckdb(exported, query) == on_postgresql(postgresql, query) != []


def test_the_price_ladder_is_that_of_the_ledger(exported: Path) -> None:
    """Least, median, most and sum of each tier and product are exactly those of the ledger's own ladder."""
    assert on_duckdb(exported, report("price_ladder")) == ladder_rows(SYNTHETIC.recorded)


def test_stuck_stock_adds_up_to_what_parties_own(exported: Path) -> None:
    """Over all tiers, the stock of each product and day of expiry is what the runs say that parties own."""
    found: defaultdict[tuple[str, str | None], int] = defaultdict(int)
    for _, product, expires_on, tier, _, units, _ in on_duckdb(exported, report("stuck_stock")):
        assert isinstance(product, str)
        assert isinstance(expires_on, str | None)
        assert isinstance(units, int)
        assert isinstance(tier, int)
        assert -1 <= tier < 1_000
        found[product, expires_on] += units
    assert {key: units for key, units in found.items() if units} == stock_of(SYNTHETIC.state)


def test_the_newest_tables_are_as_the_book_is(exported: Path) -> None:
    """Batches and parties are as corrected last, and offers have their last status."""
    batches = on_duckdb(exported, "SELECT batch, lot, size, suggested_minor FROM batch ORDER BY batch")
    known = [batch.commissioned for batch in SYNTHETIC.state.batches.values() if batch is not None]
    assert batches == [(made.batch, made.lot, made.size, made.suggested_price.amount_minor) for made in known]
    parties = sorted(on_duckdb(exported, "SELECT party, kind FROM party"))
    registered = SYNTHETIC.state.parties.items()
    assert parties == sorted(
        (name, party.kind.name.lower()) for name, party in registered if party is not None
    )
    offers = {row[0]: row[1] for row in on_duckdb(exported, "SELECT transfer, status FROM offer")}
    transfers = SYNTHETIC.state.transfers
    statuses = {at: found.status.name.lower() for at, found in transfers.items() if found is not None}
    assert offers == {at: status for at, status in statuses.items() if at in offers}
    assert {status for at, status in statuses.items() if at not in offers} <= {"accepted", "reversed"}
    assert len(set(offers.values())) > 3


PRICES: Final = st.tuples(
    st.integers(0, 2),
    st.integers(0, 9) | st.integers(0, 10**6) | st.integers(0, MAX_AMOUNT_MINOR),
    st.sampled_from([1, 1, 2, 3, 6, 7, 1_000]) | st.integers(1, MAX_PRICE_UNITS),
    st.integers(1, 50) | st.integers(1, MAX_BATCH_SIZE),
)
"""Tier, minor units, for how many units, and how many units were bought."""

Paid = list[tuple[int, int, int, int]]


@settings(max_examples=examples(25, 60))
@given(st.lists(PRICES, min_size=1, max_size=12))
@example([(0, MAX_AMOUNT_MINOR, 1, 1), (0, MAX_AMOUNT_MINOR, 1, MAX_BATCH_SIZE)])
@example([(0, 2**53, 1, 1), (0, 2**53 + 1, 1, 2)])
@example([(0, 1, 2, 1), (1, 3, 2, 1), (2, 1, 6, 1), (2, 1, 3, 1)])
@example([(0, 1, 10**9 - 1, 1), (0, 1, 10**9, 1), (0, MAX_AMOUNT_MINOR, 10**9, MAX_BATCH_SIZE)])
def test_any_prices_have_the_ladder_of_the_ledger(postgresql: psycopg.Connection, paid: Paid) -> None:
    """Prices are ordered by their value, stated for the fewest units, and added exactly, half to even, on both."""
    insert = (
        "INSERT INTO move (book, batch, hops, units, receiver_tier, currency_code, amount_minor, per_units)"
        " VALUES ('book', 1, 1, {3}, {0}, 'CNY', {1}, {2})"
    )
    with postgresql.transaction(force_rollback=True):
        postgresql.execute("DELETE FROM move")
        postgresql.execute("DELETE FROM batch_history WHERE batch > 1")
        (product,) = postgresql.execute("SELECT product FROM batch").fetchone() or ("",)
        for row in paid:
            postgresql.execute(insert.format(*row).encode())
        found = on_postgresql(postgresql, report("price_ladder"))
    with duckdb.connect() as connection:
        columns = ", ".join(f"{name} {_SQL_TYPES[kind]}" for name, kind, _ in columns_of(FLAT_TABLES["move"]))
        connection.execute(f"CREATE TABLE move ({columns})")
        connection.execute(f"CREATE TABLE batch AS SELECT 'book' AS book, 1 AS batch, '{product}' AS product")
        for row in paid:
            connection.execute(insert.format(*row))
        on_the_other = connection.execute(report("price_ladder")).fetchall()
    merged: defaultdict[tuple[int, int, int], int] = defaultdict(int)
    for tier, amount, per_units, units in paid:
        merged[tier, amount, per_units] += units
    rows = [PriceRow(tier, "CNY", amount, per, units) for (tier, amount, per), units in merged.items()]
    expected: list[LadderRow] = [
        (
            "book", product, rung.tier, "CNY", rung.units, rung.least.amount_minor, rung.least.per_units,
            rung.median.amount_minor, rung.median.per_units, rung.most.amount_minor, rung.most.per_units,
            rung.sum_minor,
        )
        for rung in rungs(rows, None)
    ]  # fmt: skip
    assert found == expected
    assert on_the_other == expected


@pytest.mark.parametrize(
    "query",
    [
        "COPY move TO 'stolen.csv'",
        "CREATE TABLE mine AS SELECT 1",
        "DROP VIEW move",
        "SELECT 1; SELECT 2",
        "SET threads = 1",
        "ATTACH 'other.db'",
        "",
    ],
)
def test_an_export_is_only_read(exported: Path, query: str) -> None:
    """What is no single query is refused, and nothing is written."""
    before = sorted(exported.rglob("*"))
    with opened(exported) as connection, pytest.raises(ExportError) as found:
        ask(connection, query)
    assert found.value.reason == "QUERY_NOT_READING"
    assert sorted(exported.rglob("*")) == before


def test_a_query_reads_no_other_file(exported: Path, tmp_path: Path) -> None:
    """A file that is not of the export cannot be read, however it is named."""
    other = tmp_path / "secret.csv"
    other.write_text("a\n1\n")
    for name in (str(other), f"{exported}/../../{other.name}"):
        with opened(exported) as connection, pytest.raises(ExportError, match="disabled by configuration"):
            list(ask(connection, f"SELECT * FROM read_csv('{name}')").rows)


def test_the_verb_prints_rows_and_reports(exported: Path) -> None:
    """JSON has an object for each row. A report prints its text, too, and a mistake is told with its reason."""
    line = ["sql", "--export", str(exported)]
    ran = pathbook(*line, "SELECT count(*) AS moves FROM move", "--output", "json")
    assert (ran.code, ran.json()) == (0, {"rows": [{"moves": Export(exported).read().rows("move")}]})
    ran = pathbook(*line, "SELECT position, leaf FROM event ORDER BY 1 LIMIT 2", "--output", "jsonl")
    assert [json.loads(text) for text in ran.out.splitlines()] == [
        {"position": recorded.position, "leaf": recorded.leaf.hex()} for recorded in SYNTHETIC.recorded[:2]
    ]
    for name in REPORTS:
        assert pathbook(*line, "--report", name).out.splitlines()[0].split()[:2] == ["book", "product"]
        assert pathbook(*line, "--report", name, "--print").out == report(name)
    ran = pathbook(*line, "SELECT nothing FROM move")
    assert (ran.code, ran.out) == (4, "")
    assert ran.err.startswith("pathbook: QUERY_FAILED: DuckDB says: Binder Error: ")
    assert pathbook(*line).code == pathbook(*line, "SELECT 1", "--report", "stuck_stock").code == 2
    ran = pathbook("sql", "--export", str(exported / "move"), "SELECT 1")
    assert ran.err.startswith("pathbook: EXPORT_MISSING: ")


def no_number(name: str) -> object:
    """Fail on a word that Python reads in JSON, and no one else."""
    raise AssertionError(name)


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_numbers_that_json_has_not_are_text(exported: Path, form: str) -> None:
    """Every reader of JSON can read the rows, also those with infinite numbers, alone and in lists."""
    query = "SELECT 'NaN'::DOUBLE AS a, ['-Infinity'::FLOAT, 1.5] AS b, 'Infinity'::DOUBLE AS c, 1e300 AS d"
    ran = pathbook("sql", "--export", str(exported), query, "--output", form)
    found = json.loads(ran.out, parse_constant=no_number)
    row = {"a": "NaN", "b": ["-Infinity", 1.5], "c": "Infinity", "d": 1e300}
    assert (ran.code, found) == (0, {"rows": [row]} if form == "json" else row)


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_columns_of_one_name_are_refused_in_json(exported: Path, form: str) -> None:
    """An object would have only the last one. A table has both, and other names help."""
    line = ["sql", "--export", str(exported)]
    query = "SELECT 1 AS a, 2 AS b, 3 AS a"
    ran = pathbook(*line, query, "--output", form)
    assert (ran.code, ran.out) == (4, "")
    error = json.loads(ran.err)["error"]
    assert error["reason"] == "COLUMN_NAMED_TWICE"
    assert error["message"].startswith("Two columns are named 'a', ")
    assert pathbook(*line, query).out.split() == ["a", "b", "a", "1", "2", "3"]
    ran = pathbook(*line, query.replace("3 AS a", "3 AS c"), "--output", "jsonl")
    assert json.loads(ran.out) == {"a": 1, "b": 2, "c": 3}


def test_the_notebook_runs(demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cells run on an export of the demo, whose brand gave the most units."""
    monkeypatch.chdir(tmp_path)
    assert pathbook("export", "--to", "analysis", "--data", str(demo)).code == 0
    givers = run_notebook()["givers"]
    assert isinstance(givers, list)
    assert givers[0] == ("mask-brand", 80)
