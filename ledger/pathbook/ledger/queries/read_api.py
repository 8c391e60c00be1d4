"""The read API: each question is answered from a snapshot of a book's views."""

from collections.abc import Callable, Iterable, Iterator
from typing import Concatenate, ParamSpec, TypeVar

from pathbook.ledger.projections.keys import KeyRow
from pathbook.ledger.projections.registers import BatchRow, ProductRow
from pathbook.ledger.queries import (
    books,
    fingerprints,
    holders,
    paths,
    registers,
    requested,
    transfer_lists,
    transfers,
)
from pathbook.ledger.queries import corrections as corrected
from pathbook.ledger.queries import stock as stocks
from pathbook.ledger.queries.answers import (
    Batch,
    Case,
    Correction,
    Head,
    Holder,
    Listed,
    OpenedBook,
    Party,
    Path,
    RequestedEvent,
    Stock,
    Transfer,
)
from pathbook.ledger.queries.corrections import Subject
from pathbook.ledger.queries.filling import FILLED_ROWS_MAX
from pathbook.ledger.queries.finding_changes import FindingChanges, FindingPlace, ask_finding_changes
from pathbook.ledger.queries.fingerprints import Fingerprint, FingerprintPage, Pause
from pathbook.ledger.queries.fingerprints import Place as FingerprintPlace
from pathbook.ledger.queries.report_parts import Asked, Insight
from pathbook.ledger.queries.transfer_lists import (
    FIRST_REFERENCE,
    OfferFilter,
    PartyPlace,
    ReferencePlace,
    SeenBy,
    TransferFilter,
)
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.reports.wanted import Wanted
from pathbook.ledger.steps import Step
from pathbook.ledger.store.database.fast_read import ReaderPool
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.snapshot import ViewsEngine, ViewSnapshot, open_snapshot, read_history
from pathbook.ledger.values import MAX_KEYS_EVER, Ranges, Unit

_Params = ParamSpec("_Params")
_Answer = TypeVar("_Answer")
_Item = TypeVar("_Item")


class Queries:
    """The questions that books answer. Threads may share it, and each question reads a snapshot of the views.

    Every question is refused as BOOK_UNKNOWN for a book without events. Other reasons are named at the
    question. Each question raises pathbook.ledger.store.views.snapshot.ViewsRebuildingError while the book's
    views are being rebuilt, and eventsourcing.persistence.PersistenceError if the database fails. A question to a
    report also raises ReportBuildingError of the same module while the report is being built.
    """

    def __init__(self, stream: Stream, views: ViewsEngine) -> None:
        """Read from the views in ``views``, which a follower updates, and read the events of paths from the log."""
        self._stream, self._views = stream, ReaderPool(views)
        self._is_one_database = stream.engine.url == views.url  # on PostgreSQL; SQLite has a file for each

    @property
    def losses(self) -> int:
        """How often a connection to the views was lost. After each time, they may be at an earlier position."""
        return self._views.losses

    def head(self, book: str) -> Head | Refusal:
        """The last position of a book, and the position that its views have reached."""
        with open_snapshot(self._views, book) as views:
            position = self._stream.head(book)
            return Head(position, views.position) if position else refuse(Reason.BOOK_UNKNOWN, book=book)

    def book(self, book: str) -> OpenedBook | Refusal:
        """How a book was opened, and its last position. The log answers."""
        return books.book(self._stream, book)

    def books(self, after: str, limit: int) -> list[OpenedBook]:
        """At most ``limit`` books after a name, in order. The log answers."""
        return books.books(self._stream, after, limit)

    def party(
        self, book: str, party: str, after: int = 0, limit: int = FILLED_ROWS_MAX, *, own: str = ""
    ) -> Party | Refusal:
        """A party with at most ``limit`` of its authorizations, after a position. PARTY_UNKNOWN.

        If ``own`` is a party, it is what that one may see, and a party that it may not see is unknown.
        """
        return self._ask(book, registers.party, party, after, limit, own)

    def is_shown(self, book: str, party: str, own: str) -> bool | Refusal:
        """Whether ``own`` may know that a party is there: it is in its line, or was authorized by it."""
        return self._ask(book, registers.is_shown, party, own)

    def is_below(self, book: str, party: str, own: str) -> bool | Refusal:
        """Whether a party is below ``own``, and accepted its line."""
        return self._ask(book, registers.is_below, party, own)

    def is_in_line(self, book: str, party: str, own: str) -> bool | Refusal:
        """Whether ``own`` may see a party: itself, one above it, or one below that accepted its line."""
        return self._ask(book, registers.is_in_line, party, own)

    def parties(self, book: str, after: str, limit: int) -> Listed[Party, str] | Refusal:
        """At most ``limit`` parties after an id, in order, with their authorizations."""
        return self._ask(book, registers.parties, after, limit)

    def keys(
        self, book: str, party: str, after: int = 0, limit: int = MAX_KEYS_EVER
    ) -> list[KeyRow] | Refusal:
        """At most ``limit`` keys of a party or OPERATOR after a position, oldest first, with revoked ones.

        PARTY_UNKNOWN.
        """
        return self._ask(book, registers.keys, party, after, limit)

    def product(self, book: str, gtin: str) -> ProductRow | Refusal:
        """The product with a GTIN of 14 digits. PRODUCT_UNKNOWN."""
        return self._ask(book, registers.product, gtin)

    def products(self, book: str, after: str, limit: int) -> list[ProductRow] | Refusal:
        """At most ``limit`` products after a GTIN, in order."""
        return self._ask(book, registers.products, after, limit)

    def batch(self, book: str, number: int, after: int = 0, limit: int = FILLED_ROWS_MAX) -> Batch | Refusal:
        """The batch with a number, with at most ``limit`` of its recalls, after a position. BATCH_UNKNOWN."""
        return self._ask(book, registers.batch, self._stream, number, after, limit)

    def batch_alone(self, book: str, number: int) -> BatchRow | Refusal:
        """The batch with a number, without its recalls. BATCH_UNKNOWN."""
        return self._ask(book, registers.batch_alone, number)

    def batch_of_lot(
        self, book: str, gtin: str, lot: str, after: int = 0, limit: int = FILLED_ROWS_MAX
    ) -> Batch | Refusal:
        """The batch of a product with a lot number, as ``batch`` returns it. BATCH_UNKNOWN."""
        return self._ask(book, registers.batch_of_lot, self._stream, gtin, lot, after, limit)

    def batches(
        self, book: str, gtin: str | None, after: int, limit: int, *, brand: str = ""
    ) -> Listed[Batch, int] | Refusal:
        """At most ``limit`` batches of a product, or of all if None, after a number, with recalls. PRODUCT_UNKNOWN.

        If a brand is named, only those of its products.
        """
        return self._ask(book, registers.batches, self._stream, gtin, after, limit, brand)

    def holders(
        self, book: str, batch: int, ranges: Ranges, after: int, limit: int
    ) -> Listed[Holder, int] | Refusal:
        """At most ``limit`` holders of a batch, or of ranges of it, from a unit on. BATCH_UNKNOWN, RANGE_REVERSED,
        RANGE_BEYOND_BATCH, RANGES_OVERLAP.
        """
        return self._ask(book, holders.holders, batch, ranges, after, limit)

    def holders_of_lot(
        self, book: str, gtin: str, lot: str, ranges: Ranges, after: int, limit: int
    ) -> Listed[Holder, int] | Refusal:
        """The same, of the batch of a product with a lot number."""
        return self._ask(book, holders.holders_of_lot, gtin, lot, ranges, after, limit)

    def case(
        self, book: str, sscc: str, after: Unit = registers.FIRST_UNIT, limit: int = FILLED_ROWS_MAX
    ) -> Case | Refusal:
        """The contents of a packed case: at most ``limit`` ranges from a unit on. CASE_UNKNOWN."""
        return self._ask(book, registers.case, sscc, after, limit)

    def corrections(
        self, book: str, subject: Subject, after: int = 0, limit: int = 100
    ) -> list[Correction] | Refusal:
        """At most ``limit`` corrections of a subject after a position, in order.

        PRODUCT_UNKNOWN, BATCH_UNKNOWN, PARTY_UNKNOWN.
        """
        return self._ask(book, corrected.corrections, self._stream, subject, after, limit)

    def transfer(self, book: str, position: int) -> list[Transfer] | Refusal:
        """The transfer or sale that began at a position, or each line of a return, with its units. TRANSFER_UNKNOWN."""
        return self._ask(book, transfers.transfer, self._stream, position)

    def transfers(
        self, book: str, wanted: TransferFilter, after: PartyPlace | None = None, limit: int = 100
    ) -> Listed[Transfer, PartyPlace] | Refusal:
        """At most ``limit`` transfers of a party or consumer after a place, newest first, with their units.

        PARTY_UNKNOWN, BATCH_UNKNOWN, PRODUCT_UNKNOWN, TIER_OUT_OF_BOUNDS.
        """
        return self._ask(book, transfer_lists.transfers, self._stream, wanted, after, limit)

    def offers(
        self, book: str, wanted: OfferFilter, after: PartyPlace | None = None, limit: int = 100
    ) -> Listed[Transfer, PartyPlace] | Refusal:
        """At most ``limit`` offers to a party or by it after a place, oldest first, with their units. PARTY_UNKNOWN."""
        return self._ask(book, transfer_lists.offers, self._stream, wanted, after, limit)

    def transfers_by_reference(
        self,
        book: str,
        reference: str,
        giver: str = "",
        receiver: str = "",
        after: ReferencePlace = FIRST_REFERENCE,
        limit: int = 100,
        seen_by: SeenBy | None = None,
    ) -> Listed[Transfer, ReferencePlace] | Refusal:
        """At most ``limit`` transfers under a reference after a place, by giver, receiver, position. PARTY_UNKNOWN."""
        question = transfer_lists.transfers_by_reference
        return self._ask(book, question, self._stream, reference, giver, receiver, after, limit, seen_by)

    def event_of_request(self, book: str, actor: str, request_id: str) -> RequestedEvent | Refusal:
        """The event that a request of a party, a consumer or the operator caused. PARTY_UNKNOWN, REQUEST_UNKNOWN."""
        return self._ask(book, requested.event_of_request, self._stream, actor, request_id)

    def path(self, book: str, unit: Unit, as_of: int = 0, *, corrections: bool = False) -> Path | Refusal:
        """The path of a unit as of a position, 0 for now. BATCH_UNKNOWN, RANGE_BEYOND_BATCH."""
        assert as_of >= 0, as_of
        history = read_history(self._views, book, unit.batch, unit.number, with_events=self._is_one_database)
        if history is not None and paths.is_complete(history, unit, as_of):
            return paths.build_path(
                self._stream, book, unit, history, paths.NO_RECALLS, corrections=corrections
            )
        return self._ask(book, paths.path, self._stream, unit, as_of, corrections=corrections)

    def with_events(self, book: str, steps: Iterable[Step]) -> Iterator[Step]:
        """The steps of a path with the events that are too large for it. Each is read when its step is asked for."""
        return paths.with_events(self._stream, book, steps)

    def fingerprint(self, book: str, pause: Pause) -> Fingerprint | Refusal:
        """The fingerprint of a book. ``pause`` is called after some rows, and may raise to give up."""
        return self._ask(book, fingerprints.of_book, pause)

    def fingerprint_of_units(
        self, book: str, batch: int, first: int, last: int, pause: Pause
    ) -> Fingerprint | Refusal:
        """The same of units of a batch. BATCH_UNKNOWN, RANGE_REVERSED, RANGE_BEYOND_BATCH."""
        return self._ask(book, fingerprints.of_units, batch, first, last, pause)

    def fingerprints(
        self, book: str, after: FingerprintPlace, limit: int, pause: Pause
    ) -> FingerprintPage | Refusal:
        """At most ``limit`` fingerprints of batches and parties after a place."""
        return self._ask(book, fingerprints.listed, after, limit, pause)

    def insight(
        self,
        book: str,
        question: Callable[
            Concatenate[ViewSnapshot, Stream, Asked, Pause, _Params], Insight[_Item] | Refusal
        ],
        asked: Asked,
        pause: Pause,
        *args: _Params.args,
        **kwargs: _Params.kwargs,
    ) -> Insight[_Item] | Refusal:
        """What reports answer to a question, such as those of `pathbook.ledger.queries.insights`.

        ``pause`` is called between parts of the work, and may raise to give up. BATCH_UNKNOWN, PRODUCT_UNKNOWN,
        PARTY_UNKNOWN, FILTER_NOT_KEPT, REPORT_TOO_LARGE, AS_OF_TOO_FAR.
        """
        return self._ask(book, question, self._stream, asked, pause, *args, **kwargs)

    def finding_changes(
        self, book: str, after: FindingPlace, wanted: Wanted, rule: str
    ) -> FindingChanges | Refusal:
        """What events changed in findings after a place. As `ask_finding_changes`."""
        return self._ask(book, ask_finding_changes, self._stream, after=after, wanted=wanted, rule=rule)

    def stock(
        self, book: str, party: str, after: int, limit: int, *, brand: str = ""
    ) -> Listed[Stock, int] | Refusal:
        """At most ``limit`` lines of a party's stock after the line of a batch, from the first if 0. PARTY_UNKNOWN.

        If a brand is named, only those of its batches.
        """
        return self._ask(book, stocks.stock, self._stream, party, after, limit, brand)

    def has_stock(self, book: str, party: str, batch: int) -> bool | Refusal:
        """Whether a party owns units of a batch, or has some in its custody. An unknown party has none."""
        return self._ask(book, stocks.has_stock, party, batch)

    def _ask(
        self,
        book: str,
        question: Callable[Concatenate[ViewSnapshot, _Params], _Answer],
        *args: _Params.args,
        **kwargs: _Params.kwargs,
    ) -> _Answer | Refusal:
        with open_snapshot(self._views, book) as views:
            if views.position == 0 and self._stream.head(book) == 0:
                return refuse(Reason.BOOK_UNKNOWN, book=book)
            return question(views, *args, **kwargs)
