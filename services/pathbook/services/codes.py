"""Printed codes: reads them with the book's key, checks them against the book, and makes them for printing."""

from collections.abc import Iterator, Sequence
from typing import Final

from pathbook.ledger.codes import contradiction, open_code, parse_code
from pathbook.ledger.queries import Queries
from pathbook.ledger.queries.answers import Batch
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.serials import BookKey, print_serial, print_serials
from pathbook.ledger.values import Unit, UnitRange

CODES_PER_MESSAGE: Final = 2_000
"""The most codes of one message: they take some 44 KiB, and are made in some 20 ms."""


class Codes:
    """Reads and makes the codes of the books of one data directory."""

    def __init__(self, key: BookKey, queries: Queries) -> None:
        self._key = key
        self._queries = queries

    def open(self, book: str, codes: Sequence[str]) -> tuple[Unit, ...] | Refusal:
        """Return the unit of each code. Refuse a code that the book did not make, or that its label contradicts."""
        units = []
        batches = {}
        for code in codes:
            parsed = parse_code(code)
            if isinstance(parsed, Refusal):
                return parsed
            unit = open_code(parsed, self._key, book)
            if isinstance(unit, Refusal):
                return unit
            if unit.batch not in batches:
                batches[unit.batch] = self._queries.batch(book, unit.batch)
            batch = batches[unit.batch]
            if isinstance(batch, Refusal) or unit.number >= batch.row.size:
                return refuse(Reason.CODE_UNKNOWN, code=parsed.serial)
            contradicted = contradiction(parsed, batch.row.product, batch.row.lot)
            if contradicted is not None:
                return contradicted
            units.append(unit)
        return tuple(units)

    def batch_holding(self, book: str, units: UnitRange) -> Batch | Refusal:
        """Return the batch of a range, if the batch has all units of the range."""
        if units.first < 0 or units.last < units.first:
            return refuse(Reason.RANGE_REVERSED, range=units)
        batch = self._queries.batch(book, units.batch)
        if not isinstance(batch, Refusal) and units.last >= batch.row.size:
            return refuse(Reason.RANGE_BEYOND_BATCH, range=units, last=batch.row.size - 1)
        return batch

    def serial(self, book: str, unit: Unit) -> str:
        """Return the serial printed on a unit."""
        return print_serial(self._key, book, unit.batch, unit.number)

    def serials(self, book: str, units: UnitRange) -> list[str]:
        """Return the serials printed on a range of units."""
        return list(print_serials(self._key, book, units))


def pieces(units: UnitRange) -> Iterator[UnitRange]:
    """Yield the parts of a range: the codes of each part fit into one message."""
    for first in range(units.first, units.last + 1, CODES_PER_MESSAGE):
        yield UnitRange(units.batch, first, min(units.last, first + CODES_PER_MESSAGE - 1))
