"""Events: what a book remembers. Each kind has one struct, and it is complete, so no reader looks anything up.

Events hold no cycles, so the garbage collector need not track them (``gc=False``). Tracking costs a follower a
fifth of its time.
"""

import datetime

import msgspec

from pathbook.ledger.values import (
    AuthorizationStatus,
    Delivery,
    DiscrepancyKind,
    PartyKind,
    Price,
    Ranges,
    UnitState,
)


class Terms(msgspec.Struct, frozen=True, gc=False):
    """The terms of a transfer: giver, receiver, units, price of one unit, and the authorization status of both sides.

    The tiers and the status are those at that time. A consumer has no tier and no status, which is None. A party
    may have no tier.
    """

    giver: str
    receiver: str
    ranges: Ranges
    unit_price: Price
    delivery: Delivery
    giver_tier: int | None
    receiver_tier: int | None
    giver_authorization: AuthorizationStatus
    receiver_authorization: AuthorizationStatus | None

    def narrowed(self, ranges: Ranges) -> "Terms":
        """Return the same terms for other ranges."""
        return msgspec.structs.replace(self, ranges=ranges)


class Policy(msgspec.Struct, frozen=True, gc=False):
    """What the operator of a book allows: the deepest tier of an authorization, 0 for the general limit."""

    max_tier: int = 0


class BookOpened(msgspec.Struct, frozen=True, gc=False):
    """The operator opened the book. This event is at position 1 of every book, and at no other.

    ``origin`` names the book in checkpoints. ``code_key`` is the fingerprint of the key of codes at that time.
    """

    name: str
    origin: str
    code_key: bytes
    policy: Policy


class PartyRegistered(msgspec.Struct, frozen=True, gc=False):
    """A party was registered."""

    party: str
    kind: PartyKind


class PartyAuthorized(msgspec.Struct, frozen=True, gc=False):
    """An upline authorized a party. The position of the event is the id of the authorization."""

    upline: str
    party: str
    tier: int
    products: tuple[str, ...]
    region: str
    valid_from: int
    valid_until: int | None


class AuthorizationRevoked(msgspec.Struct, frozen=True, gc=False):
    """An authorization was revoked."""

    authorization: int
    upline: str
    party: str
    revoked_from: int


class ProductRegistered(msgspec.Struct, frozen=True, gc=False):
    """A brand registered a product. ``product`` is its GTIN of 14 digits."""

    product: str
    brand: str
    name: str
    suggested_price: Price


class BatchCommissioned(msgspec.Struct, frozen=True, gc=False):
    """A brand made ``size`` units of a product. It owns them all and has them in its custody."""

    batch: int
    product: str
    brand: str
    lot: str
    size: int
    made_on: datetime.date
    expires_on: datetime.date | None
    suggested_price: Price


class TransferOffered(msgspec.Struct, frozen=True, gc=False):
    """A transfer was offered. The position of the event is the id of the transfer."""

    terms: Terms
    deadline: int | None


class Discrepancy(msgspec.Struct, frozen=True, gc=False):
    """A part of an offer that was not accepted, and why."""

    kind: DiscrepancyKind
    ranges: Ranges


class TransferAccepted(msgspec.Struct, frozen=True, gc=False):
    """An offer was accepted. The terms have the accepted units, and ``discrepancies`` those that stay with the giver.

    ``unpacked`` names the cases that were accepted only in part.
    """

    transfer: int
    terms: Terms
    discrepancies: tuple[Discrepancy, ...]
    unpacked: tuple[str, ...]


class TransferDeclined(msgspec.Struct, frozen=True, gc=False):
    """An offer was declined. The units are no longer reserved."""

    transfer: int
    giver: str
    receiver: str
    ranges: Ranges
    note: str


class TransferWithdrawn(msgspec.Struct, frozen=True, gc=False):
    """An offer was withdrawn. The units are no longer reserved."""

    transfer: int
    giver: str
    receiver: str
    ranges: Ranges


class TransferLapsed(msgspec.Struct, frozen=True, gc=False):
    """An offer was not answered by its deadline. The units are no longer reserved."""

    transfer: int
    giver: str
    receiver: str
    ranges: Ranges


class TransferRecorded(msgspec.Struct, frozen=True, gc=False):
    """A transfer was recorded in one step. The position of the event is the id of the transfer."""

    terms: Terms


class ReversalAsked(msgspec.Struct, frozen=True, gc=False):
    """One side asked to reverse a transfer."""

    transfer: int
    party: str
    note: str


class TransferReversed(msgspec.Struct, frozen=True, gc=False):
    """Both sides agreed to reverse a transfer. Its giver owns the units again, as if they had never moved."""

    transfer: int
    terms: Terms
    party: str


class UnitsDelivered(msgspec.Struct, frozen=True, gc=False):
    """Goods moved to another custodian. The owner is the same."""

    custodian: str
    receiver: str
    ranges: Ranges


class UnitsSold(msgspec.Struct, frozen=True, gc=False):
    """Units were sold to a consumer. The position of the event is the id of the sale."""

    terms: Terms


class PurchaseConfirmed(msgspec.Struct, frozen=True, gc=False):
    """A consumer confirmed a purchase and the price paid for one unit."""

    consumer: str
    ranges: Ranges
    price_paid: Price


class ReturnLine(msgspec.Struct, frozen=True, gc=False):
    """The returned units that had come by one transfer or sale: its terms, with only these units."""

    transfer: int
    terms: Terms


class UnitsReturned(msgspec.Struct, frozen=True, gc=False):
    """Units were returned. The units of each line belong to the giver of its terms again."""

    owner: str
    lines: tuple[ReturnLine, ...]
    note: str


class UnitsWrittenOff(msgspec.Struct, frozen=True, gc=False):
    """Units were written off as lost, damaged, destroyed or defaced."""

    party: str
    ranges: Ranges
    state: UnitState
    note: str


class CasePacked(msgspec.Struct, frozen=True, gc=False):
    """Loose units and whole cases were packed in a case. They now move together."""

    sscc: str
    party: str
    ranges: Ranges
    cases: tuple[str, ...]


class CaseUnpacked(msgspec.Struct, frozen=True, gc=False):
    """A case was unpacked. Its contents move on their own again."""

    sscc: str
    party: str


class UnitsRecalled(msgspec.Struct, frozen=True, gc=False):
    """A brand recalled units of a batch. The position of the event is the id of the recall."""

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
"""The kinds of events that move title onward, on their terms."""

TransferBeginning = TransferOffered | TransferRecorded | UnitsSold | UnitsReturned
"""The kinds of events whose position is the id of an offer, a transfer, a sale or a return."""

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
"""The kinds of events that change runs. Each is a step in the past of the units that it names."""

RegisterEvent = (
    BookOpened
    | PartyRegistered
    | PartyAuthorized
    | AuthorizationRevoked
    | ProductRegistered
    | ReversalAsked
    | CasePacked
    | CaseUnpacked
    | UnitsRecalled
    | RecallLifted
)
"""The kinds of events that change no run. They are about the book, parties, products, transfers, cases or batches."""

Event = RunEvent | RegisterEvent


class RecordedEvent(msgspec.Struct, frozen=True, gc=False):
    """An event with its position, its times (microseconds since 1970 UTC), and the request that it answers.

    ``occurred_at`` is the claim of the party. ``recorded_at`` is set by the writer and never runs backwards.
    ``leaf`` is the RFC 6962 leaf hash of the stored bytes.
    """

    position: int
    recorded_at: int
    occurred_at: int
    request_id: str
    request_digest: bytes
    event: Event
    leaf: bytes
