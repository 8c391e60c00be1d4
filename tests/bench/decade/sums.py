"""What the tables say, asked of DuckDB: which lines count, and what is summed of them.

Nothing here is Pathbook's own: the recipe's rules are said again in SQL, and which returns find what they give back
is found by counting bottles of each store and item in the order of the lines.
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
    """What one line says; prices in cents, the vendor's name in small letters.

    `source` is its file's name without the ending, `row` counts from 1.
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
    """Lines, bottles, and their cost and retail price in cents."""

    lines: int
    bottles: int
    cost: int
    retail: int


class Sums:
    """The tables of a directory, read by DuckDB, which keeps what does not fit 2 GB in a file beside."""

    def __init__(self, directory: Path, scratch: Path) -> None:
        """Read every Parquet file of the directory; `scratch` is a directory for what is kept beside."""
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

    def close(self) -> None:
        """Let go of the tables."""
        self._database.close()

    def counted(self) -> tuple[int, int, int]:
        """Return how many lines there are, how many cannot be read, and how many returns find too little."""
        (lines,) = self._one("SELECT count(*) FROM line")
        (unreadable,) = self._one("SELECT count(*) FROM line WHERE NOT readable")
        (refused,) = self._one("SELECT count(*) FROM refused")
        return lines, unreadable, refused

    def accepted(self, which: str = "true") -> Totals:
        """Return the sums of the lines that stand, or (SQL) of some of them."""
        return Totals(
            *self._one(
                "SELECT count(*), coalesce(sum(bottles), 0), coalesce(sum(bottles * cost), 0),"
                f" coalesce(sum(bottles * retail), 0) FROM accepted WHERE {which}"
            )
        )

    def stock(self) -> dict[tuple[str, str], int]:
        """Return how many bottles of each item each store has in the end, where it has any."""
        return self._keyed(
            "SELECT store, item, sum(bottles) FROM accepted GROUP BY ALL HAVING sum(bottles) <> 0"
        )

    def bought(self) -> dict[tuple[str, str], int]:
        """Return how many bottles of each item each vendor sold, less those that came back."""
        return self._keyed("SELECT vendor, item, sum(bottles) FROM accepted GROUP BY ALL")

    def given_back(self) -> dict[tuple[str, str], int]:
        """Return how many bottles of each item came back to each vendor."""
        return self._keyed("SELECT vendor, item, -sum(bottles) FROM accepted WHERE bottles < 0 GROUP BY ALL")

    def rejected(self) -> Iterator[tuple[str, int]]:
        """Yield source and row of each line that does not stand."""
        rows = self._database.execute(
            "SELECT source, row FROM line WHERE NOT readable OR place IN (SELECT place FROM refused) ORDER BY place"
        ).fetchall()
        yield from rows

    def fulfil(self, lines: Iterable[tuple[str, int]]) -> None:
        """Let returns (source, row) stand after all, of those that find too little by then."""
        for source, row in lines:
            self._database.execute(
                "DELETE FROM refused WHERE place = (SELECT place FROM line WHERE source = $1 AND row = $2)",
                [source, row],
            )

    def rows(self) -> dict[str, int]:
        """Return how many lines each source has."""
        return dict(self._database.execute("SELECT source, count(*) FROM line GROUP BY ALL").fetchall())

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
        """Yield the places of returns for which the store has too little of the item of the vendor by then."""
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
