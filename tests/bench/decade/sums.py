"""The expected sums, computed from the tables by DuckDB.

Nothing here is code of Pathbook. The rules of the recipe are written again in SQL. A count of
the bottles of each store and item, in the order of the lines, finds the returns that can be fulfilled.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import duckdb

ROW = """
    row_number() OVER (ORDER BY source, file_row_number) AS place,
    source,
    file_row_number + 1 AS row,
    date,
    store_number::VARCHAR AS store,
    try_cast(item_number AS BIGINT)::VARCHAR AS item,
    trim(lower(regexp_replace(vendor_name, '[-.,\\s]+', ' ', 'g'))) AS vendor,
    round(state_bottle_cost * 100)::BIGINT AS cost,
    round(state_bottle_retail * 100)::BIGINT AS retail,
    bottles_sold::BIGINT AS bottles,
    coalesce(
        date IS NOT NULL AND store_number IS NOT NULL AND trim(vendor_name) <> '' AND trim(item_description) <> ''
        AND regexp_full_match(item_number::VARCHAR, '[0-9]{1,6}') AND bottles_sold <> 0
        AND state_bottle_cost >= 0 AND abs(state_bottle_cost * 100 - cost) < 0.0001
        AND state_bottle_retail >= 0 AND abs(state_bottle_retail * 100 - retail) < 0.0001,
        false
    ) AS readable
"""


class Line(NamedTuple):
    """One line of a table, with prices in cents and the vendor's name in lower case.

    `source` is the name of the file without its suffix, and `row` counts from 1.
    """

    source: str
    row: int
    date: str
    store: str
    item: str
    vendor: str
    cost: int
    retail: int
    bottles: int


class Totals(NamedTuple):
    """Numbers of lines and bottles, and their cost and retail price in cents."""

    lines: int
    bottles: int
    cost: int
    retail: int


class Sums:
    """The tables of a directory in DuckDB, which uses a file for data beyond 2 GB of memory."""

    def __init__(self, directory: Path, scratch: Path) -> None:
        """Read every Parquet file of the directory; `scratch` is the directory of DuckDB's file."""
        self.sources = sorted(path.stem for path in directory.glob("*.parquet"))
        self._database = duckdb.connect(str(scratch / "sums.duckdb"))
        self._database.execute("SET memory_limit = '2GB'")
        files = str(directory / "*.parquet")
        self._database.execute(
            f"CREATE TABLE line AS SELECT {ROW} FROM (SELECT *, parse_filename(filename, true) AS source"
            " FROM read_parquet($1, filename = true, file_row_number = true))",
            [files],
        )
        self._database.execute("CREATE TABLE refused (place BIGINT)")
        refused = [[place] for place in self._unfulfilled()]
        if refused:
            self._database.executemany("INSERT INTO refused VALUES (?)", refused)
        self._database.execute(
            "CREATE VIEW accepted AS SELECT * FROM line WHERE readable AND place NOT IN (SELECT place FROM refused)"
        )

    @property
    def database(self) -> duckdb.DuckDBPyConnection:
        """The database, with the tables' lines in `line`, and those that stand in `accepted`."""
        return self._database

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def counts(self) -> tuple[int, int, int]:
        """Return the numbers of lines, of unreadable lines, and of returns that cannot be fulfilled."""
        (lines,) = self._one("SELECT count(*) FROM line")
        (unreadable,) = self._one("SELECT count(*) FROM line WHERE NOT readable")
        (refused,) = self._one("SELECT count(*) FROM refused")
        return lines, unreadable, refused

    def accepted(self, which: str = "true") -> Totals:
        """Return the sums of the accepted lines, or of those that an SQL condition selects."""
        return Totals(
            *self._one(
                "SELECT count(*), coalesce(sum(bottles), 0), coalesce(sum(bottles * cost), 0),"
                f" coalesce(sum(bottles * retail), 0) FROM accepted WHERE {which}"
            )
        )

    def stock(self) -> dict[tuple[str, str], int]:
        """Return the bottles of each item that each store has at the end, without zeros."""
        return self._keyed(
            "SELECT store, item, sum(bottles) FROM accepted GROUP BY ALL HAVING sum(bottles) <> 0"
        )

    def bought(self) -> dict[tuple[str, str], int]:
        """Return the bottles of each item that each vendor sold, without returned ones."""
        return self._keyed("SELECT vendor, item, sum(bottles) FROM accepted GROUP BY ALL")

    def given_back(self) -> dict[tuple[str, str], int]:
        """Return the bottles of each item that came back to each vendor."""
        return self._keyed("SELECT vendor, item, -sum(bottles) FROM accepted WHERE bottles < 0 GROUP BY ALL")

    def rejected(self) -> Iterator[tuple[str, int]]:
        """Yield the source and the row of each rejected line."""
        rows = self._database.execute(
            "SELECT source, row FROM line WHERE NOT readable OR place IN (SELECT place FROM refused) ORDER BY place"
        ).fetchall()
        yield from rows

    def fulfil(self, lines: Iterable[tuple[str, int]]) -> None:
        """Count returns (source, row) as fulfilled that could not be fulfilled before."""
        for source, row in lines:
            self._database.execute(
                "DELETE FROM refused WHERE place = (SELECT place FROM line WHERE source = $1 AND row = $2)",
                [source, row],
            )

    def line(self, source: str, row: int) -> Line:
        """Return one line."""
        found = self._database.execute(
            "SELECT source, row, date::DATE::VARCHAR, store, item, vendor, cost, retail, bottles FROM line"
            " WHERE source = $1 AND row = $2",
            [source, row],
        ).fetchone()
        assert found is not None, (source, row)
        return Line(*found)

    def _unfulfilled(self) -> Iterator[int]:
        """Yield the places of returns of more bottles than the store has at that place."""
        rows = self._database.execute(
            "SELECT place, store, item, vendor, bottles FROM line SEMI JOIN"
            " (SELECT store, item FROM line WHERE readable AND bottles < 0) USING (store, item)"
            " WHERE readable ORDER BY place"
        ).fetchall()
        has: dict[tuple[str, str, str], int] = {}
        for place, store, item, vendor, bottles in rows:
            key = (store, item, vendor)
            if has.get(key, 0) + bottles < 0:
                yield place
            else:
                has[key] = has.get(key, 0) + bottles

    def _one(self, query: str) -> tuple[int, ...]:
        row = self._database.execute(query).fetchone()
        assert row is not None, query
        return row

    def _keyed(self, query: str) -> dict[tuple[str, str], int]:
        return {(one, other): int(count) for one, other, count in self._database.execute(query).fetchall()}
