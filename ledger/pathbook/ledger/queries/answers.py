"""Answers that are more than single rows of the views. Times are microseconds since 1970 UTC."""

from typing import Generic, TypeVar

import msgspec

from pathbook.ledger.events import BookOpened, Discrepancy
from pathbook.ledger.notes import Note
from pathbook.ledger.projections.cases import CaseRow
from pathbook.ledger.projections.registers import AuthorizationRow, BatchRow, PartyRow, ProductRow, RecallRow
from pathbook.ledger.projections.transfers import TransferRow
from pathbook.ledger.steps import Step
from pathbook.ledger.store.views.lookups import StockRow
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import Ranges, Unit, UnitRange, UnitState

Item = TypeVar("Item")
Place = TypeVar("Place")


class Listed(msgspec.Struct, Generic[Item, Place], frozen=True):
    """A page of a list. ``after`` is the place after which the next page begins, or None on the last page."""

    items: list[Item]
    after: Place | None


class Head(msgspec.Struct, frozen=True, gc=False):
    """The last position of a book, and the position that its views have reached."""

    position: int
    views_position: int


class OpenedBook(msgspec.Struct, frozen=True, gc=False):
    """A book: the event that opened it, when this was recorded, and the last position of the book."""

    opened: BookOpened
    opened_at: int
    position: int


class Party(msgspec.Struct, frozen=True, gc=False):
    """A party and its authorizations, oldest first. ``goes_on`` says that others follow these."""

    row: PartyRow
    authorizations: tuple[AuthorizationRow, ...]
    goes_on: bool = False


class Recall(msgspec.Struct, frozen=True, gc=False):
    """A recall and its note. ``note`` is None if the recall gave no reason, or if the note was erased.

    ``left_out`` is how many of its ranges are not in the row, because they do not hold the unit that was asked for.
    """

    row: RecallRow
    note: Note | None
    left_out: int = 0


class Batch(msgspec.Struct, frozen=True, gc=False):
    """A batch and its recalls, oldest first. ``goes_on`` says that there are others beside these."""

    row: BatchRow
    recalls: tuple[Recall, ...]
    goes_on: bool = False


class Stock(msgspec.Struct, frozen=True, gc=False):
    """What a party has of a batch, and the recalls of the batch, oldest first. ``goes_on`` is as in Batch."""

    row: StockRow
    recalls: tuple[Recall, ...]
    goes_on: bool = False


class Holder(msgspec.Struct, frozen=True, gc=False):
    """Consecutive units with the same owner, custodian and state."""

    range: UnitRange
    owner: str
    custodian: str
    state: UnitState


class RequestedEvent(msgspec.Struct, frozen=True, gc=False):
    """The event that a request caused: its position, when it was recorded, and its bytes as stored and hashed."""

    position: int
    recorded_at: int
    data: bytes


class Correction(msgspec.Struct, frozen=True, gc=False):
    """A correction by its position. ``data`` is the event as stored and hashed.

    ``note`` says why, and is None if there is no note, or if the note was erased.
    """

    position: int
    data: bytes
    note: Note | None


class Case(msgspec.Struct, frozen=True, gc=False):
    """A packed case, the units loose in it, and the SSCCs of the cases in it.

    ``rest`` is the unit from which on units are not in it yet, or None if it has all.
    """

    row: CaseRow
    ranges: Ranges
    cases: tuple[str, ...]
    rest: Unit | None = None


class Transfer(msgspec.Struct, frozen=True, gc=False):
    """A transfer, a sale, or a line of a return.

    ``ranges`` are the units offered or recorded, ``discrepancies`` those not accepted, and ``extra`` those that were
    accepted although they were not offered. ``note`` says why it was declined or returned, and ``reversal_note``
    why one side asked to reverse it. They are None if there is no note, or if it was erased. ``terms`` are those of
    its event, and those of its acceptance if it was an offer.
    """

    row: TransferRow
    note: Note | None
    reversal_note: Note | None
    ranges: Ranges
    discrepancies: tuple[Discrepancy, ...]
    extra: Ranges
    terms: tuple[Terms, ...]


class UnitRun(msgspec.Struct, frozen=True, gc=False):
    """The run that a unit belongs to. ``sscc`` is the outermost case around the unit, or "" if there is none."""

    range: UnitRange
    owner: str
    custodian: str
    state: UnitState
    transfer: int
    position: int
    head: bytes
    sscc: str


class Path(msgspec.Struct, frozen=True, gc=False):
    """The path of a unit as of a position: its steps in order, and the run that holds it after them.

    ``batch_correction`` is the last correction of the batch, or None. The batch is as this correction left it.
    """

    unit: Unit
    product: ProductRow
    batch: Batch
    run: UnitRun
    steps: tuple[Step, ...]
    as_of_position: int
    batch_correction: Correction | None
