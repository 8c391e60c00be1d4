"""Snapshots of a book's views: all lookups in one snapshot see the views at the same position."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from itertools import starmap
from typing import NamedTuple, TypeAlias, TypeVar

import msgspec
from sqlalchemy import Engine, Select

from pathbook.ledger.projections.cases import CaseRangeRow, CaseRow
from pathbook.ledger.projections.fingerprints import PresentRun
from pathbook.ledger.projections.keys import KeyRow
from pathbook.ledger.projections.registers import (
    AuthorizationRow,
    BatchRow,
    CorrectionRow,
    PartyRow,
    ProductRow,
    RecallRow,
    corrected_batch,
)
from pathbook.ledger.projections.transfers import TransferRow
from pathbook.ledger.reports.findings import FindingChangeRow
from pathbook.ledger.reports.report import Report
from pathbook.ledger.reports.ties import KeyRow as RegisteredKeyRow
from pathbook.ledger.store.database.fast_read import Reader, ReaderPool
from pathbook.ledger.store.log.stream import persistence_errors
from pathbook.ledger.store.reports.positions import position_lookup
from pathbook.ledger.store.views import finding_changes, list_lookups, lookups, unit_history, whole_registers
from pathbook.ledger.store.views.batch_positions import BATCH_POSITIONS
from pathbook.ledger.store.views.list_lookups import HeldRun
from pathbook.ledger.store.views.lookups import NEVER, StockRow, SuggestionRow, ViewPosition
from pathbook.ledger.store.views.report_rows import ReportRows
from pathbook.ledger.store.views.tables import HopColumns
from pathbook.ledger.values import Price, TransferSide, TransferStatus, UnitRange

ViewsEngine: TypeAlias = Engine
"""The engine of the views, under a name for rooms that do not import SQLAlchemy."""

_Row = TypeVar("_Row")


class ViewsRebuildingError(Exception):
    """The views of `book` are at `position`. They are incomplete until they reach `through`, where they were before."""

    def __init__(self, book: str, position: int, through: int) -> None:
        super().__init__(
            f"The views of book {book} are being rebuilt, and are at position {position} of {through}. Retry later."
        )
        self.book = book
        self.position = position
        self.through = through


class ReportBuildingError(Exception):
    """A report about `book` is being built, and has reached `position` of `through`, where the book was before."""

    def __init__(self, report: str, book: str, position: int, through: int) -> None:
        super().__init__(
            f"The report {report} about book {book} is being built, and has reached position {position} of {through}."
            " Retry later."
        )
        self.report, self.book, self.position, self.through = report, book, position, through


class TransferScan(NamedTuple):
    """How transfers of a party are read: the newest or the oldest first, and on which side the party is (None: both).

    ``bound`` is the last position that is read. If a status is given, only transfers with it are read. It is not
    ACCEPTED, for which the views have no index.
    """

    newest_first: bool
    bound: int
    side: TransferSide | None = None
    status: TransferStatus | None = None


class ViewSnapshot:
    """A snapshot of a book's views, at ``position``. Pages hold at most ``limit`` rows."""

    def __init__(self, reader: Reader, book: str, position: int) -> None:
        self._reader, self.book, self.position = reader, book, position

    def party(self, party: str) -> PartyRow | None:
        """The party, or None if there is none."""
        return self._one(lookups.PARTY_NAMED, PartyRow, party=party)

    def parties(self, after: str, limit: int) -> list[PartyRow]:
        """The parties after an id, in order."""
        return self._all(lookups.PARTIES, PartyRow, after=after, limit=limit)

    def authorizations(
        self, party: str, after: int, limit: int, uplines: frozenset[str] | None = None
    ) -> list[AuthorizationRow]:
        """The authorizations of a party after a position, oldest first: all of them, or only those by some uplines."""
        if uplines is not None:
            lookup, keys = list_lookups.AUTHORIZATIONS_BY_UPLINES, _keys(sorted(uplines))
            return self._all(lookup, AuthorizationRow, party=party, after=after, limit=limit, keys=keys)
        return self._all(lookups.AUTHORIZATIONS, AuthorizationRow, party=party, after=after, limit=limit)

    def keys(self, party: str, after: int, limit: int) -> list[KeyRow]:
        """The keys that a party or OPERATOR had and has, registered after a position, oldest first."""
        return self._all(lookups.KEYS_OF_PARTY, KeyRow, party=party, after=after, limit=limit)

    def product(self, product: str) -> ProductRow | None:
        """The product with a GTIN of 14 digits, or None if there is none."""
        return self._one(lookups.PRODUCT_NAMED, ProductRow, product=product)

    def products(self, after: str, limit: int) -> list[ProductRow]:
        """The products after a GTIN, in order."""
        return self._all(lookups.PRODUCTS, ProductRow, after=after, limit=limit)

    def suggestion(self, product: str) -> Price | None:
        """The price that is suggested for all batches of a product, or None if their prices differ in value.

        It is stated for the lowest number of units for which it was ever stated.
        """
        found = self._all(lookups.SUGGESTIONS, SuggestionRow, product=product)
        stated = [
            Price(amount_minor, row.currency_code, row.per_units)
            for row in found
            for amount_minor in (row.lowest_minor, row.highest_minor)
        ]
        return stated[0] if stated and all(map(stated[0].is_worth, stated)) else None

    def batch(self, batch: int) -> BatchRow | None:
        """The batch with a number, or None if there is none."""
        return self._one(lookups.BATCH_NUMBERED, BatchRow, batch=batch)

    def batch_of_lot(self, product: str, lot: str) -> BatchRow | None:
        """The batch of a product with a lot number, or None if there is none."""
        return self._one(lookups.BATCH_OF_LOT, BatchRow, product=product, lot=lot)

    def batches(self, product: str | None, after: int, limit: int, brand: str = "") -> list[BatchRow]:
        """The batches of a product, or of all products, or of those of a brand, after a number, in order."""
        if product is None and brand:
            return self._all(lookups.BATCHES_OF_BRAND, BatchRow, brand=brand, after=after, limit=limit)
        if product is None:
            return self._all(lookups.BATCHES, BatchRow, after=after, limit=limit)
        return self._all(lookups.BATCHES_OF_PRODUCT, BatchRow, product=product, after=after, limit=limit)

    def recalls(self, batch: int, after: int, limit: int) -> list[RecallRow]:
        """The recalls of a batch after a position, oldest first."""
        return self._all(lookups.RECALLS, RecallRow, batch=batch, after=after, limit=limit)

    def corrections(self, subject: str, after: int, limit: int) -> list[CorrectionRow]:
        """The corrections of a subject after a position, oldest first."""
        return self._all(lookups.CORRECTIONS_OF, CorrectionRow, subject=subject, after=after, limit=limit)

    def case(self, sscc: str) -> CaseRow | None:
        """The packed case with an SSCC, or None if there is none."""
        return self._one(lookups.CASE_NAMED, CaseRow, sscc=sscc)

    def case_ranges(self, sscc: str) -> list[CaseRangeRow]:
        """The units packed loose in a case, in order."""
        return self._all(lookups.CASE_RANGES, CaseRangeRow, sscc=sscc)

    def cases_in(self, sscc: str) -> list[CaseRow]:
        """The cases packed in a case, in order of their SSCCs."""
        return self._all(lookups.CASES_IN, CaseRow, sscc=sscc)

    def transfer(self, position: int) -> list[TransferRow]:
        """The lines of the transfer, sale or return that began at a position."""
        return self._all(lookups.TRANSFER_AT, TransferRow, transfer=position)

    def transfers(
        self, party: str, scan: TransferScan, place: tuple[int, int], limit: int
    ) -> list[TransferRow]:
        """The transfers of a party after a place, which is a position and line, in the order of the scan."""
        parameters: dict[str, str | int] = {"party": party, "transfer": place[0], "line": place[1]}
        parameters |= {"bound": scan.bound, "limit": limit}
        if scan.status is None:
            lookup = list_lookups.TRANSFERS[scan.newest_first][scan.side]
            return self._all(lookup, TransferRow, **parameters)
        lookup = list_lookups.TRANSFERS_OF_STATUS[scan.newest_first][scan.side]
        return self._all(lookup, TransferRow, status=scan.status.value, **parameters)

    def transfers_by_reference(
        self, reference: str, giver: str, place: tuple[str, str, int, int], limit: int
    ) -> list[TransferRow]:
        """The transfers with a reference, of a giver or of all if "", after a place.

        The order, and so the place, is by giver, receiver, position and line.
        """
        parameters: dict[str, str | int] = {"giver": giver or place[0], "receiver": place[1]}
        parameters |= {"transfer": place[2], "line": place[3]}
        lookup = list_lookups.TRANSFERS_BY_REFERENCE
        if giver:
            lookup = list_lookups.TRANSFERS_BY_REFERENCE_OF_GIVER
        return self._all(lookup, TransferRow, reference=reference, limit=limit, **parameters)

    def next_transfer(self, position: int) -> tuple[int, int] | None:
        """The first transfer at or after a position: its position, and when it was recorded. None if there is none."""
        return self._one(list_lookups.NEXT_TRANSFER, lambda *row: row, transfer=position)

    def requested(self, request_hash: int) -> list[int]:
        """The positions at which requests with a hash were answered, in order."""
        return self._all(list_lookups.REQUESTED, lambda position: position, request_hash=request_hash)

    def held_runs(self, part: UnitRange, limit: int) -> list[HeldRun]:
        """The runs in force that have units of a range, in order. The batch has these units."""
        return self._all(
            list_lookups.HELD_RUNS, HeldRun, batch=part.batch, first=part.first, last=part.last, limit=limit
        )

    def present_runs(self, part: UnitRange, limit: int) -> list[PresentRun]:
        """The runs in force that have units of a range, in order, with what a fingerprint has of them."""
        return self._all(
            list_lookups.PRESENT_RUNS,
            _present_run,
            batch=part.batch,
            first=part.first,
            last=part.last,
            limit=limit,
        )

    def packed_in_batch(self, batch: int, after: int, limit: int) -> list[tuple[int, int, str]]:
        """The ranges of a batch that are packed in cases, after a unit: first, last and SSCC, in order."""
        return self._all(
            lookups.PACKED_IN_BATCH,
            lambda first, last, sscc: (first, last, sscc),
            batch=batch,
            after=after,
            limit=limit,
        )

    def authorizations_of(self, parties: Sequence[str], limit: int) -> list[AuthorizationRow]:
        """At most ``limit`` authorizations of parties, by party, oldest first."""
        lookup = list_lookups.AUTHORIZATIONS_OF_PARTIES
        return self._all(lookup, AuthorizationRow, keys=_keys(parties), limit=limit)

    def recalls_of(self, batches: Sequence[int], limit: int) -> list[RecallRow]:
        """At most ``limit`` recalls of batches, by batch, oldest first."""
        return self._all(list_lookups.RECALLS_OF_BATCHES, RecallRow, keys=_keys(batches), limit=limit)

    def batches_of_product_among(self, product: str, batches: Sequence[int]) -> set[int]:
        """Those of the batches that are of a product."""
        lookup = list_lookups.BATCHES_OF_PRODUCT_AMONG
        return set(self._all(lookup, lambda batch: batch, product=product, keys=_keys(batches)))

    def batches_numbered(self, batches: Sequence[int]) -> list[BatchRow]:
        """The batches with some numbers."""
        return self._all(list_lookups.BATCHES_NUMBERED, BatchRow, keys=_keys(batches))

    def numbers_of_batches(self, product: str, brand: str, limit: int) -> list[int]:
        """At most ``limit`` numbers of the batches of a product and a brand, of all if these are "", in order."""
        lookup = whole_registers.NUMBERS_OF_BATCHES
        return self._all(lookup, lambda batch: batch, product=product, brand=brand, limit=limit)

    def story_positions(self, batch: int, through: int) -> set[int]:
        """The positions, up to one, of all events that the story of a batch is made of."""
        asked = {"book": self.book, "batch": batch, "subject": corrected_batch(batch), "through": through}
        return {position for lookup in BATCH_POSITIONS for (position,) in self._reader.ask(lookup, asked)}

    def all_authorizations(self, through: int, limit: int) -> list[AuthorizationRow]:
        """At most ``limit`` authorizations up to a position, also those that ended, oldest first."""
        lookup = whole_registers.ALL_AUTHORIZATIONS
        return self._all(lookup, AuthorizationRow, through=through, limit=limit)

    def brands(self, limit: int) -> list[str]:
        """At most ``limit`` ids of brands, in order."""
        return self._all(whole_registers.BRANDS, lambda party: party, limit=limit)

    def report(self, report: Report) -> ReportRows:
        """The rows of a report, as far as it is in this snapshot: it may be behind the views.

        Raises:
            ReportBuildingError: it is being built from the first event on.
        """
        position, through = self._position_of(report)
        if position < through:
            raise ReportBuildingError(report.name, self.book, position, through)
        return ReportRows(self._reader, report, self.book, position)

    def report_so_far(self, report: Report) -> ReportRows:
        """The rows of a report as far as it is, also while it is being built: it has no rows of later events."""
        return ReportRows(self._reader, report, self.book, self._position_of(report)[0])

    def _position_of(self, report: Report) -> tuple[int, int]:
        return self._one(position_lookup(report), lambda *row: row) or (0, 0)

    def finding_changes(self, first: int, last: int, skip: int, limit: int) -> list[FindingChangeRow]:
        """At most ``limit`` changes of findings by the events ``first`` .. ``last``, in order, after those skipped."""
        return finding_changes.changes(self._reader, self.book, first, last, skip, limit)

    def keys_registered(self, first: int, last: int) -> list[str]:
        """The keys that the events ``first`` .. ``last`` registered, in hexadecimal digits."""
        return finding_changes.keys_registered(self._reader, self.book, first, last)

    def registrations_of(self, key: str) -> list[RegisteredKeyRow]:
        """The registrations of a key by all parties, as far as the report has them."""
        return finding_changes.registrations_of(self._reader, self.book, key)

    def units_traded(self, one: str, other: str) -> int:
        """How many units two parties traded with each other, as far as the report has it."""
        return finding_changes.units_traded(self._reader, self.book, one, other)

    def stock(self, party: str, after: int, limit: int, brand: str = "") -> list[StockRow]:
        """A party's stock of each batch after a given one (0: of all), by expiry, soonest first, and then by number.

        If a brand is named, only of its batches.
        """
        last = self.batch(after) if after else None
        expiry = "" if last is None else last.expires_on or NEVER
        return self._all(
            lookups.STOCK_OF_PARTY_AND_BRAND if brand else lookups.STOCK_OF_PARTY,
            lambda *row: StockRow(BatchRow(*row[:-4]), *row[-4:]),
            party=party,
            after_expiry=expiry,
            after=after,
            limit=limit,
            **({"brand": brand} if brand else {}),
        )

    def has_stock(self, party: str, batch: int) -> bool:
        """Whether a party owns units of a batch, or has some in its custody."""
        return bool(self._all(lookups.STOCK_OF_BATCH, lambda *row: row, party=party, batch=batch))

    def history(self, batch: int, number: int) -> unit_history.UnitHistory | None:
        """The history of a unit, or None if there is no such unit."""
        return unit_history.history(self._reader, self.book, batch, number)

    def run_extent(
        self, batch: int, number: int, run: unit_history.PastRun, as_of: int
    ) -> unit_history.RunExtent:
        """The extent of the run that an event made around a unit, as of a position."""
        return unit_history.run_extent(self._reader, self.book, batch, number, run, as_of)

    def _all(
        self, lookup: Select[*tuple[object, ...]], row: Callable[..., _Row], **parameters: str | int
    ) -> list[_Row]:
        return list(starmap(row, self._reader.ask(lookup, {"book": self.book, **parameters})))

    def _one(
        self, lookup: Select[*tuple[object, ...]], row: Callable[..., _Row], **parameters: str | int
    ) -> _Row | None:
        found = self._all(lookup, row, **parameters)
        return found[0] if found else None


def _present_run(
    first: int,
    last: int,
    owner: str,
    custodian: str,
    state: int,
    position: int,
    head: bytes,
    *columns: str | int,
) -> PresentRun:
    hop = HopColumns._make(columns)
    last_hop = hop.transfer
    if hop.hop:
        transfer, _, moved = hop.hop.partition(",")
        last_hop = int(transfer) if moved else 0
    return PresentRun(
        first, last, owner, custodian, state, hop.transfer, last_hop, hop.moved_from, position, head
    )


def _keys(keys: Sequence[str] | Sequence[int]) -> str:
    return msgspec.json.encode(keys).decode()


@contextlib.contextmanager
def open_snapshot(views: ReaderPool, book: str) -> Iterator[ViewSnapshot]:
    """Open a snapshot of a book's views for a few lookups. Views that were never updated are at position 0.

    Raises:
        ViewsRebuildingError: the views are being rebuilt, and have not reached the position they had before.
    """
    with persistence_errors(), views.consistent() as reader:
        (reached,) = map(ViewPosition._make, reader.ask(lookups.POSITION, {"book": book}))
        if reached.position < reached.through:
            raise ViewsRebuildingError(book, *reached)
        yield ViewSnapshot(reader, book, reached.position)


def read_history(
    views: ReaderPool, book: str, batch: int, number: int, *, with_events: bool = False
) -> unit_history.UnitHistory | None:
    """The history of a unit, read faster than in a snapshot. Its events are read as `unit_history.history` says.

    None if there is no such unit, or the views are incomplete.
    """
    with persistence_errors():
        found = unit_history.history(views, book, batch, number, with_events=with_events)
    return None if found is None or found.position < found.through else found
