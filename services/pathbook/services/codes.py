"""Printed codes: reads them with the book's keys, checks them against the book, and makes them for printing."""

from collections.abc import Iterator, Sequence
from typing import Final

from pathbook.ledger.codes import PrintedCode, contradiction, open_code, parse_code, refuse_other_key
from pathbook.ledger.projections.registers import BatchRow
from pathbook.ledger.queries import Queries
from pathbook.ledger.queries.answers import Path
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.serials import KeyRing, print_serials
from pathbook.ledger.values import Unit, UnitRange
from pathbook.services.code_keys import CodeKeys
from pathbook.services.translate.statuses import Failure, failed

CODES_PER_MESSAGE: Final = 2_000
"""The most codes of one message: they take some 44 KiB, and are made in some 20 ms."""

CODES_AT_ONCE: Final = 200
"""How many codes are made in one turn, in some 2 ms. Other reads wait no longer for them."""


class Codes:
    """Reads and makes the codes of the books of one data directory."""

    def __init__(self, keys: CodeKeys, queries: Queries) -> None:
        self._keys = keys
        self._queries = queries

    def open(self, book: str, codes: Sequence[str]) -> tuple[PrintedCode, ...] | Refusal:
        """Return the codes as read, if each is of a unit of the book.

        Refuse a code that the book did not make, that was made with another key than its batch's, or that its label
        contradicts.

        Raises:
            CallFailedError: this server lacks a key, so it cannot tell whether the book made a code.
        """
        ring = self._keys.ring()
        opened = []
        batches: dict[int, BatchRow | Refusal] = {}
        for code in codes:
            parsed = parse_code(code)
            if isinstance(parsed, Refusal):
                return parsed
            batch = batches.get(parsed.batch)
            likely = batch.code_key if isinstance(batch, BatchRow) else b""
            made_with = open_code(parsed, ring, book, likely=likely)
            if isinstance(made_with, Refusal):
                self._require_key(book, parsed, ring)
                return made_with
            if batch is None:
                batch = batches[parsed.batch] = self._queries.batch_alone(book, parsed.batch)
            if isinstance(batch, Refusal):
                return refuse(Reason.CODE_UNKNOWN, code=parsed.serial)
            if (refused := _refuse_for(batch, parsed, made_with)) is not None:
                return refused
            opened.append(parsed)
        return tuple(opened)

    def path(
        self, book: str, code: str, as_of: int, *, corrections: bool
    ) -> tuple[PrintedCode, Path] | Refusal:
        """Return a code as read, and the path of its unit as of a position. Refuse as `open` and `Queries.path` do.

        The path tells all of the batch that the code is compared with, so the code costs no read of its own.

        Raises:
            CallFailedError: as `open`.
        """
        parsed = parse_code(code)
        if isinstance(parsed, Refusal):
            return parsed
        ring = self._keys.ring()
        made_with = open_code(parsed, ring, book)
        if isinstance(made_with, Refusal):
            self._require_key(book, parsed, ring)
            return made_with
        found = self._queries.path(book, Unit(parsed.batch, parsed.number), as_of, corrections=corrections)
        if isinstance(found, Refusal):
            opened = self.open(book, [code])
            return opened if isinstance(opened, Refusal) else found
        refused = _refuse_for(found.batch.row, parsed, made_with)
        return (parsed, found) if refused is None else refused

    def _require_key(self, book: str, parsed: PrintedCode, ring: KeyRing) -> None:
        """Raise CallFailedError if a key that this server lacks may have made a code that fits no key of its ring."""
        missing = self._keys.missing()
        if missing is None:
            return
        batch = self._queries.batch_alone(book, parsed.batch)
        if isinstance(batch, Refusal):
            raise failed(Failure.CODE_KEY_MISSING, code_key=missing.hex())
        if batch.code_key not in ring.by_fingerprint:
            raise failed(Failure.CODE_KEY_MISSING, code_key=batch.code_key.hex())

    def key_for_new_batch(self) -> bytes:
        """Return the fingerprint of the key for a batch that is made now. Raises CallFailedError."""
        return self._keys.for_new_batch()

    def batch_holding(self, book: str, units: UnitRange) -> BatchRow | Refusal:
        """Return the batch of a range, if the batch has all units of the range."""
        if units.first < 0 or units.last < units.first:
            return refuse(Reason.RANGE_REVERSED, range=units)
        batch = self._queries.batch_alone(book, units.batch)
        if not isinstance(batch, Refusal) and units.last >= batch.size:
            return refuse(Reason.RANGE_BEYOND_BATCH, range=units, last=batch.size - 1)
        return batch

    def serials(self, book: str, units: UnitRange, code_key: bytes) -> list[str]:
        """Return the serials printed on a range of units, which are made with the key of their batch.

        Nothing else makes codes, and only ListCodes calls it. Raises CallFailedError if this server lacks the key.
        """
        key = self._keys.ring().by_fingerprint.get(code_key)
        if key is None:
            raise failed(Failure.CODE_KEY_MISSING, code_key=code_key.hex())
        return list(print_serials(key, book, units))


def _refuse_for(batch: BatchRow, parsed: PrintedCode, made_with: bytes) -> Refusal | None:
    """Refuse a code that was not made for a unit of its batch, or that its label contradicts."""
    if (copied := refuse_other_key(parsed, made_with, batch.code_key)) is not None:
        return copied
    if parsed.number >= batch.size:
        return refuse(Reason.CODE_UNKNOWN, code=parsed.serial)
    return contradiction(parsed, batch.product, batch.lot)


def messages(units: UnitRange) -> Iterator[UnitRange]:
    """Yield the parts of a range: the codes of each part fit into one message."""
    return _parts(units, CODES_PER_MESSAGE)


def slices(units: UnitRange) -> Iterator[UnitRange]:
    """Yield the parts of a range: the codes of each part are made in one turn."""
    return _parts(units, CODES_AT_ONCE)


def _parts(units: UnitRange, count: int) -> Iterator[UnitRange]:
    for first in range(units.first, units.last + 1, count):
        yield UnitRange(units.batch, first, min(units.last, first + count - 1))
