"""One day of Iowa's real sales is exported, and its ladder is what DuckDB finds in the table itself."""

import contextlib
import io
from pathlib import Path
from typing import Final

import duckdb
import pytest

from pathbook.cli.main import run
from pathbook.client import Client
from pathbook.exporting.exporter import export
from pathbook.exporting.querying import ask, opened
from pathbook.exporting.statements import report
from pathbook.importing.cells import slug_of
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from tests.exporting.notebook import run_notebook
from tests.importing.sheets import open_book
from tests.importing.test_iowa import TABLE, arguments, first_rows

pytestmark = pytest.mark.skipif(not TABLE.exists(), reason=f"../shared/data/{TABLE.name} is not there.")

OF_TABLE: Final = """
WITH paid AS (
    SELECT vendor_name, item_number, 1 AS tier, CAST(round(state_bottle_cost * 100) AS BIGINT) AS cents, bottles_sold
    FROM read_csv(?) WHERE state_bottle_cost IS NOT NULL
    UNION ALL
    SELECT vendor_name, item_number, 2, CAST(round(state_bottle_retail * 100) AS BIGINT), bottles_sold
    FROM read_csv(?) WHERE state_bottle_cost IS NOT NULL
),
bottles AS (SELECT vendor_name, item_number, tier, cents, unnest(range(bottles_sold)) AS bottle FROM paid)
SELECT
    vendor_name, tier, count(*), min(cents), quantile_disc(cents, 0.5), max(cents), CAST(sum(cents) AS BIGINT)
FROM bottles
GROUP BY vendor_name, item_number, tier
"""
"""The ladder of each vendor's items, from single bottles: another way than that of the report."""

OF_EXPORT: Final = """
WITH ladder AS ({ladder})
SELECT
    (SELECT any_value(brand) FROM batch WHERE batch.product = ladder.product) AS vendor, tier, units,
    least_minor, median_minor, most_minor, sum_minor
FROM ladder
ORDER BY ALL
"""
"""The same from the report, which is put in its place."""


ROWS: Final = 2_000
"""How many rows of the day are exported each time. With the heavy tests it is all of them."""


@pytest.fixture(scope="module", params=[ROWS, pytest.param(10_000, marks=pytest.mark.heavy)])
def table(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first rows of the day."""
    return first_rows(request.param, tmp_path_factory.mktemp("day"))


def bottles(table: Path) -> tuple[int, int]:
    """Return how many bottles the accepted rows have, and what the stores paid for all of them in cents."""
    sums = "SELECT sum(bottles_sold), sum(bottles_sold * CAST(round(state_bottle_retail * 100) AS BIGINT))"
    (found,) = duckdb.execute(
        f"{sums} FROM read_csv(?) WHERE state_bottle_cost IS NOT NULL", [str(table)]
    ).fetchall()
    return int(found[0]), int(found[1])


@pytest.fixture(scope="module")
def exported(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of these rows, in the folder `analysis`."""
    place = tmp_path_factory.mktemp("iowa")
    with running(Settings(data=place / "books", listen="127.0.0.1:0")) as port:
        target = f"127.0.0.1:{port}"
        open_book(target, "book")
        with contextlib.redirect_stdout(io.StringIO()):
            assert run(arguments(target, table)) == 0
        with Client(target, book="book") as client:
            export(client, place / "analysis", events_per_file=5_000)
    return place / "analysis"


def test_the_ladder_of_the_export_is_that_of_the_table(exported: Path, table: Path) -> None:
    """For each vendor, product and tier: units, least, median, most, and the sum to the cent."""
    rows = duckdb.execute(OF_TABLE, [str(table), str(table)]).fetchall()
    expected = sorted((slug_of(vendor), *figures) for vendor, *figures in rows)
    text = report("price_ladder").partition("\nORDER BY book, product, tier, currency_code\n")[0]
    with opened(exported) as connection:
        found = list(ask(connection, OF_EXPORT.format(ladder=text)).rows)
        (sums,) = ask(
            connection, "SELECT sum(units), sum(units * amount_minor) FROM move WHERE receiver_tier = 2"
        ).rows
    assert found == expected
    assert sums == bottles(table)
    assert len(expected) > ROWS / 10


def test_the_notebook_runs_on_the_day(exported: Path, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cells of the notebook run one after the other, and the state, which bought all, gave the most."""
    monkeypatch.chdir(exported.parent)
    givers = run_notebook()["givers"]
    assert isinstance(givers, list)
    assert givers[0] == ("state-of-iowa", bottles(table)[0])
