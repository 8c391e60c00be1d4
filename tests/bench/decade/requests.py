"""The requests that the lines of the tables ask, by the hashes with which a book knows them.

A book holds 16 bytes of SHA-256(caller | 0x00 | request id) of each request, cut. The id names what the line says, and
which of the equal lines of its table it is. DuckDB computes them from the lines a second time, and compares both as
multisets. So each line was recorded exactly once, and nothing else was.
"""

from collections.abc import Iterator
from typing import Final

import pyarrow

from pathbook.importing.cells import lot_of, restricted_gtin, slug_of
from tests.bench.decade.recorded import STATE
from tests.bench.decade.sums import Line, Sums

REQUEST_BYTES: Final = 16
"""The bytes of a hash."""

HASHES_AT_ONCE: Final = 500_000
"""How many hashes are given to the database at a time."""

ID_DIGITS: Final = 32
"""The hexadecimal digits of the hash in a request id."""

FEW: Final = 5
"""How many wrong lines are named."""

_CONTENT: Final = """
    'content", "' || date::DATE || '", ' || bottles || ', "' || gtin || '", "' || lot || '", "", '
    || '[["' || party || '", "' || $1 || '", [' || cost || ', "USD", 1], ""], '
    || '["' || $1 || '", "store-' || store || '", [' || retail || ', "USD", 1], ""]]'
"""
"""What a line says, as an import writes it before it hashes it."""

_EXPECTED: Final = f"""
    CREATE OR REPLACE TABLE expected AS
    WITH said AS (
        SELECT place, source, row, store, bottles, party, unhex(sha256('["' || {_CONTENT} || ']')) AS content
        FROM line JOIN item USING (vendor, item) JOIN source USING (source) WHERE readable
    ), counted AS (
        SELECT *, row_number() OVER (PARTITION BY source, content ORDER BY row) AS occurrence FROM said
    ), named AS (
        SELECT *, 'row:' || left(sha256(content || unhex(printf('%016x', occurrence))), {ID_DIGITS}) || ':' AS name
        FROM counted SEMI JOIN accepted USING (place)
    )
    SELECT source, row, movement,
        unhex(left(sha256(caller || chr(0) || name || movement), {2 * REQUEST_BYTES})) AS request
    FROM (
        SELECT source, row, name, 'cost' AS movement, CASE WHEN bottles > 0 THEN party ELSE $1 END AS caller FROM named
        UNION ALL
        SELECT source, row, name, 'retail', CASE WHEN bottles > 0 THEN $1 ELSE 'store-' || store END FROM named
    )
"""


class Requests:
    """The requests of all lines that stand: two each, which the giver asks, or who returns bottles."""

    def __init__(self, sums: Sums) -> None:
        """Compute the hashes of the requests of the lines that stand now."""
        self._sums, self._database = sums, sums.database
        items = self._database.execute("SELECT DISTINCT vendor, item FROM line WHERE readable").fetchall()
        parties = {
            "vendor": [vendor for vendor, _ in items],
            "item": [item for _, item in items],
            "party": [slug_of(vendor) for vendor, _ in items],
            "gtin": [restricted_gtin("item_number", item, vendor) for vendor, item in items],
        }
        lots = {"source": sums.sources, "lot": [lot_of(source) for source in sums.sources]}
        self._database.register("item", pyarrow.table(parties))
        self._database.register("source", pyarrow.table(lots))
        self._database.execute(_EXPECTED, [STATE])
        self._database.unregister("item")
        self._database.unregister("source")

    def twice(self, found: bytes | bytearray) -> list[int]:
        """Take the hashes that a book holds, and return how often the first few are there that are there repeatedly."""
        self._database.execute("CREATE OR REPLACE TABLE found (request BLOB)")
        for hashes in _split(memoryview(found)):
            self._database.register(
                "hashes", pyarrow.table({"request": pyarrow.array(hashes, pyarrow.binary())})
            )
            self._database.execute("INSERT INTO found SELECT request FROM hashes")
            self._database.unregister("hashes")
        again = self._database.execute(
            f"SELECT count(*) FROM found GROUP BY request HAVING count(*) > 1 LIMIT {FEW}"
        )
        return [count for (count,) in again.fetchall()]

    def missing(self) -> list[tuple[str, int, str]]:
        """Return source, row and movement of the first few requests that stand, and that the book does not hold."""
        rows = self._database.execute(
            f"SELECT source, row, movement FROM expected ANTI JOIN found USING (request) ORDER BY ALL LIMIT {FEW}"
        )
        return [(source, row, movement) for source, row, movement in rows.fetchall()]

    def unexpected(self) -> int:
        """Return the number of requests that the book holds, and that no line asks that stands."""
        row = self._database.execute(
            "SELECT count(*) FROM found ANTI JOIN expected USING (request)"
        ).fetchone()
        assert row is not None
        return int(row[0])

    def line(self, request: bytes) -> tuple[Line, str]:
        """Return the line and the movement of the request with this hash."""
        found = self._database.execute(
            "SELECT source, row, movement FROM expected WHERE request = $1", [request]
        ).fetchall()
        ((source, row, movement),) = found
        return self._sums.line(source, row), movement


def _split(found: memoryview) -> Iterator[list[bytes]]:
    """Yield lists of single hashes."""
    size = HASHES_AT_ONCE * REQUEST_BYTES
    for start in range(0, len(found), size):
        part = bytes(found[start : start + size])
        yield [part[place : place + REQUEST_BYTES] for place in range(0, len(part), REQUEST_BYTES)]
