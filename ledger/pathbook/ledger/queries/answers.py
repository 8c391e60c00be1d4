"""What a book answers. Times are microseconds since 1970 UTC, amounts minor units of their currency."""

import datetime

import msgspec

from pathbook.ledger.events import Discrepancy
from pathbook.ledger.projections.transfers import TransferKind
from pathbook.ledger.steps import Step
from pathbook.ledger.values import (
    Money,
    PartyKind,
    Ranges,
    TransferStatus,
    Unit,
    UnitRange,
    UnitState,
)


class Head(msgspec.Struct, frozen=True, gc=False):
    """The last position of a book, and the one at which its views stand."""

    position: int
    views_position: int


class Authorization(msgspec.Struct, frozen=True, gc=False):
    """An upline's word that a party may sell, by its position; no products means every product."""

    position: int
    upline: str
    tier: int
    products: tuple[str, ...]
    region: str
    valid_from: int
    valid_until: int | None
    revoked_from: int | None


class Party(msgspec.Struct, frozen=True, gc=False):
    """A party, where it was registered, and its authorisations, oldest first (none in lists)."""

    party: str
    kind: PartyKind
    position: int
    authorizations: tuple[Authorization, ...] = ()


class Product(msgspec.Struct, frozen=True, gc=False):
    """A product by its GTIN of 14 digits, and where it was registered."""

    product: str
    brand: str
    name: str
    suggested_price: Money
    position: int


class Recall(msgspec.Struct, frozen=True, gc=False):
    """A recall by its position; lifted at 0 while it stands."""

    position: int
    ranges: Ranges
    note: str
    occurred_at: int
    lifted_position: int


class Batch(msgspec.Struct, frozen=True, gc=False):
    """A batch by its number, where it was commissioned, and its recalls, oldest first (none in lists)."""

    batch: int
    product: str
    brand: str
    lot: str
    size: int
    made_on: datetime.date
    expires_on: datetime.date | None
    suggested_price: Money
    position: int
    recalls: tuple[Recall, ...] = ()


class Case(msgspec.Struct, frozen=True, gc=False):
    """A packed case: the case it lies in ("" for none), the units loose in it, and the SSCCs of cases in it."""

    sscc: str
    outer: str
    party: str
    position: int
    ranges: Ranges
    cases: tuple[str, ...]


class Transfer(msgspec.Struct, frozen=True, gc=False):
    """A transfer, a sale, or a line of a return, by the position that began it.

    ``ranges`` are the units offered or recorded, and ``discrepancies`` those not accepted (none in lists);
    ``answered_position`` is 0 while an offer is open, and ``returns_transfer`` names what a line of a return gives
    back.
    """

    transfer: int
    line: int
    kind: TransferKind
    status: TransferStatus
    giver: str
    receiver: str
    unit_price: Money
    units: int
    accepted_units: int
    occurred_at: int
    recorded_at: int
    deadline: int | None
    answered_position: int
    reversal_asked_by: str
    returns_transfer: int
    ranges: Ranges
    discrepancies: tuple[Discrepancy, ...]


class StockLine(msgspec.Struct, frozen=True, gc=False):
    """How many units of a batch a party owns wherever they lie, has in its hands, and has reserved by offers."""

    batch: Batch
    product_name: str
    owned: int
    in_custody: int
    reserved: int


class UnitRun(msgspec.Struct, frozen=True, gc=False):
    """The run a unit belongs to. ``sscc`` is the outermost case around the unit, "" for none."""

    range: UnitRange
    owner: str
    custodian: str
    state: UnitState
    transfer: int
    position: int
    head: bytes
    sscc: str


class Path(msgspec.Struct, frozen=True, gc=False):
    """A unit's path as of a position: what happened to it, in order, and where that left it."""

    unit: Unit
    product: Product
    batch: Batch
    run: UnitRun
    steps: tuple[Step, ...]
    as_of_position: int
