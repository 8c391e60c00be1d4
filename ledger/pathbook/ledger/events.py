"""What a book remembers: one shape for each kind of event, complete enough that nobody has to look anything up.

Events hold no cycles, so the collector need not watch them (``gc=False``): it costs a fifth of following a book.
"""

import datetime

import msgspec

from pathbook.ledger.values import (
    AuthorizationStatus,
    Delivery,
    DiscrepancyKind,
    Money,
    PartyKind,
    Ranges,
    UnitState,
)


class Terms(msgspec.Struct, frozen=True, gc=False):
    """Who gives what to whom, at what price of one unit, and how both were authorized at that time.

    A tier is None for a consumer and for a party without one; a consumer has no authorization.
    """

    giver: str
    receiver: str
    ranges: Ranges
    unit_price: Money
    delivery: Delivery
    giver_tier: int | None
    receiver_tier: int | None
    giver_authorization: AuthorizationStatus
    receiver_authorization: AuthorizationStatus | None

    def narrowed(self, ranges: Ranges) -> "Terms":
        """Return the same terms for other ranges."""
        return msgspec.structs.replace(self, ranges=ranges)


class PartyRegistered(msgspec.Struct, frozen=True, gc=False):
    """A party was registered."""

    party: str
    kind: PartyKind


class PartyAuthorized(msgspec.Struct, frozen=True, gc=False):
    """An upline authorised a party; the event's position is the authorisation's id."""

    upline: str
    party: str
    tier: int
    products: tuple[str, ...]
    region: str
    valid_from: int
    valid_until: int | None


class AuthorizationRevoked(msgspec.Struct, frozen=True, gc=False):
    """An authorisation ended early."""

    authorization: int
    upline: str
    party: str
    revoked_from: int


class ProductRegistered(msgspec.Struct, frozen=True, gc=False):
    """A brand registered a product; ``product`` is its GTIN of 14 digits."""

    product: str
    brand: str
    name: str
    suggested_price: Money


class BatchCommissioned(msgspec.Struct, frozen=True, gc=False):
    """A brand made ``size`` units of a product, all its own and in its own hands."""

    batch: int
    product: str
    brand: str
    lot: str
    size: int
    made_on: datetime.date
    expires_on: datetime.date | None
    suggested_price: Money


class TransferOffered(msgspec.Struct, frozen=True, gc=False):
    """A transfer was offered; the event's position is the transfer's id."""

    terms: Terms
    deadline: int | None


class Discrepancy(msgspec.Struct, frozen=True, gc=False):
    """A part of an offer that was not accepted, and why."""

    kind: DiscrepancyKind
    ranges: Ranges


class TransferAccepted(msgspec.Struct, frozen=True, gc=False):
    """An offer was accepted: its terms with the units accepted, and what stays with the giver.

    ``unpacked`` names the cases accepted only in part.
    """

    transfer: int
    terms: Terms
    discrepancies: tuple[Discrepancy, ...]
    unpacked: tuple[str, ...]


class TransferDeclined(msgspec.Struct, frozen=True, gc=False):
    """An offer was declined; the units are no longer reserved."""

    transfer: int
    giver: str
    receiver: str
    ranges: Ranges
    note: str


class TransferWithdrawn(msgspec.Struct, frozen=True, gc=False):
    """An offer was withdrawn; the units are no longer reserved."""

    transfer: int
    giver: str
    receiver: str
    ranges: Ranges


class TransferLapsed(msgspec.Struct, frozen=True, gc=False):
    """An offer was not answered by its deadline; the units are no longer reserved."""

    transfer: int
    giver: str
    receiver: str
    ranges: Ranges


class TransferRecorded(msgspec.Struct, frozen=True, gc=False):
    """A transfer was recorded in one step; the event's position is the transfer's id."""

    terms: Terms


class ReversalAsked(msgspec.Struct, frozen=True, gc=False):
    """One side asked to reverse a transfer."""

    transfer: int
    party: str
    note: str


class TransferReversed(msgspec.Struct, frozen=True, gc=False):
    """Both sides agreed: the units of the terms are the giver's again, as if they had never moved."""

    transfer: int
    terms: Terms
    party: str


class UnitsDelivered(msgspec.Struct, frozen=True, gc=False):
    """Goods moved to another custodian; the owner stays."""

    custodian: str
    receiver: str
    ranges: Ranges


class UnitsSold(msgspec.Struct, frozen=True, gc=False):
    """Units were sold to a consumer; the event's position is the sale's id."""

    terms: Terms


class PurchaseConfirmed(msgspec.Struct, frozen=True, gc=False):
    """A consumer confirmed a purchase and the price paid for one unit."""

    consumer: str
    ranges: Ranges
    price_paid: Money


class ReturnLine(msgspec.Struct, frozen=True, gc=False):
    """What of a return had come by one transfer or sale: its terms, with only the units returned."""

    transfer: int
    terms: Terms


class UnitsReturned(msgspec.Struct, frozen=True, gc=False):
    """Units went back the way they came: each line's units are the giver's of its terms again."""

    owner: str
    lines: tuple[ReturnLine, ...]
    note: str


class UnitsWrittenOff(msgspec.Struct, frozen=True, gc=False):
    """Units are lost, damaged, destroyed or defaced."""

    party: str
    ranges: Ranges
    state: UnitState
    note: str


class CasePacked(msgspec.Struct, frozen=True, gc=False):
    """Loose units and whole cases were packed and now move together."""

    sscc: str
    party: str
    ranges: Ranges
    cases: tuple[str, ...]


class CaseUnpacked(msgspec.Struct, frozen=True, gc=False):
    """A case was unpacked: what was in it moves on its own again."""

    sscc: str
    party: str


class UnitsRecalled(msgspec.Struct, frozen=True, gc=False):
    """A brand recalled units of a batch; the event's position is the recall's id."""

    brand: str
    batch: int
    ranges: Ranges
    note: str


class RecallLifted(msgspec.Struct, frozen=True, gc=False):
    """A recall was lifted."""

    recall: int
    brand: str
    batch: int


TitleEvent = TransferAccepted | TransferRecorded | UnitsSold
"""The kinds that move title onward, on their terms."""

TransferBeginning = TransferOffered | TransferRecorded | UnitsSold | UnitsReturned
"""The kinds whose position is the id of an offer, a transfer, a sale or a return."""

RunEvent = (
    BatchCommissioned
    | TransferOffered
    | TransferAccepted
    | TransferDeclined
    | TransferWithdrawn
    | TransferLapsed
    | TransferRecorded
    | TransferReversed
    | UnitsDelivered
    | UnitsSold
    | PurchaseConfirmed
    | UnitsReturned
    | UnitsWrittenOff
)
"""The kinds that change runs: each is a step in the past of the units it names."""

RegisterEvent = (
    PartyRegistered
    | PartyAuthorized
    | AuthorizationRevoked
    | ProductRegistered
    | ReversalAsked
    | CasePacked
    | CaseUnpacked
    | UnitsRecalled
    | RecallLifted
)
"""The kinds that change no run: they say something of parties, products, transfers, cases or batches."""

Event = RunEvent | RegisterEvent


class RecordedEvent(msgspec.Struct, frozen=True, gc=False):
    """An event in its place: position, times (microseconds since 1970 UTC), and the request it answers.

    ``occurred_at`` is the party's claim, ``recorded_at`` the writer's stamp, which never runs backwards.
    ``leaf`` is the RFC 6962 leaf hash of the stored bytes.
    """

    position: int
    recorded_at: int
    occurred_at: int
    request_id: str
    request_digest: bytes
    event: Event
    leaf: bytes
