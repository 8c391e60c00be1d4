"""Events: what a book remembers. Each kind has one struct, and it is complete, so no reader looks anything up.

An event holds no free text of people, because it is hashed and kept for ever. Its ``note_commitment`` is what
``pathbook.ledger.notes`` returns for a note, and is empty without one.

Events hold no cycles, so the garbage collector need not track them (``gc=False``). Tracking costs a follower a
fifth of its time.
"""

import datetime

import msgspec

from pathbook.ledger.key_events import KeyRegistered, KeyRevoked, Signed, StatementsFiled
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import (
    DiscrepancyKind,
    PartyKind,
    Price,
    Ranges,
    UnitState,
)


class Policy(msgspec.Struct, frozen=True, gc=False):
    """What the operator of a book allows: the deepest tier of an authorization, 0 for the general limit.

    ``signed`` says that parties must sign what they ask. Consumers and the operator need not.
    """

    max_tier: int = 0
    signed: bool = False


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
    """A brand made ``size`` units of a product. It owns them all and has them in its custody.

    ``code_key`` is the fingerprint of the key with which the codes of the units are made, for ever.
    """

    batch: int
    product: str
    brand: str
    lot: str
    size: int
    made_on: datetime.date
    expires_on: datetime.date | None
    suggested_price: Price
    code_key: bytes


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

    ``unpacked`` names the cases that were accepted only in part. ``extra`` are the units of the terms that were not
    offered, and that the receiver found in the delivery.
    """

    transfer: int
    terms: Terms
    discrepancies: tuple[Discrepancy, ...]
    unpacked: tuple[str, ...]
    extra: Ranges


class TransferDeclined(msgspec.Struct, frozen=True, gc=False):
    """An offer was declined. The units are no longer reserved."""

    transfer: int
    giver: str
    receiver: str
    ranges: Ranges
    note_commitment: bytes


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


class TransferAttested(msgspec.Struct, frozen=True, gc=False):
    """The receiver reported a transfer that its giver had recorded, on equal terms. Both now attest it."""

    transfer: int
    party: str
    ranges: Ranges


class ReversalAsked(msgspec.Struct, frozen=True, gc=False):
    """One side asked to reverse a transfer."""

    transfer: int
    party: str
    note_commitment: bytes


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
    note_commitment: bytes


class UnitsWrittenOff(msgspec.Struct, frozen=True, gc=False):
    """Units were written off as lost, damaged, destroyed or defaced.

    ``confirmed`` are those of them whose purchase a consumer had confirmed.
    """

    party: str
    ranges: Ranges
    state: UnitState
    note_commitment: bytes
    confirmed: Ranges


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
    note_commitment: bytes


class RecallLifted(msgspec.Struct, frozen=True, gc=False):
    """A recall was lifted."""

    recall: int
    brand: str
    batch: int


DeclarableEvent = UnitsWrittenOff | PurchaseConfirmed | UnitsDelivered | ReversalAsked
"""The kinds of events that the party that acted may declare an error. Other kinds are corrected by other commands."""


class ErrorDeclared(msgspec.Struct, frozen=True, gc=False):
    """The event at a position was declared an error (EPCIS 2.0: error declaration). Its effect is undone."""

    position: int
    party: str
    note_commitment: bytes
    declared: DeclarableEvent


class ProductCorrected(msgspec.Struct, frozen=True, gc=False):
    """A brand corrected a product. The event has all that is right of it."""

    product: str
    brand: str
    name: str
    suggested_price: Price


class BatchCorrected(msgspec.Struct, frozen=True, gc=False):
    """A brand corrected a batch. The event has all that can be corrected of it."""

    batch: int
    brand: str
    made_on: datetime.date
    expires_on: datetime.date | None
    suggested_price: Price


class PartyCorrected(msgspec.Struct, frozen=True, gc=False):
    """The operator corrected the kind of a party."""

    party: str
    kind: PartyKind


class Sealed(msgspec.Struct, frozen=True, gc=False):
    """The book sealed its custody: as of position ``covers`` there were so many batches and parties.

    ``covers_recorded_at`` is when the event at that position was recorded, in microseconds since 1970 UTC. ``root`` is
    the custody root over the heads of all units, batches and parties.
    """

    covers: int
    covers_recorded_at: int
    batches: int
    parties: int
    root: bytes


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
    | TransferAttested
    | ErrorDeclared
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
    | ProductCorrected
    | BatchCorrected
    | PartyCorrected
    | Sealed
    | KeyRegistered
    | KeyRevoked
    | StatementsFiled
)
"""The kinds of events that change no run. They are about the book, parties, keys, products, transfers, cases or
batches."""

NotedEvent = (
    TransferDeclined | ReversalAsked | UnitsReturned | UnitsWrittenOff | UnitsRecalled | ErrorDeclared
)
"""The kinds of events that may commit to a note."""

Event = RunEvent | RegisterEvent


class RecordedEvent(msgspec.Struct, frozen=True, gc=False):
    """An event with its position, its times (microseconds since 1970 UTC), and the request that it answers.

    ``request`` is the result of ``pathbook.ledger.requests.request_of``.

    ``occurred_at`` is the claim of the party. ``recorded_at`` is set by the writer and never runs backwards.
    ``leaf`` is the RFC 6962 leaf hash of the stored bytes. ``signed`` is the statement on which it rests, or None.
    """

    position: int
    recorded_at: int
    occurred_at: int
    request: bytes
    request_digest: bytes
    event: Event
    leaf: bytes
    signed: Signed | None = None

    @property
    def note_commitment(self) -> bytes:
        """The commitment to the note of the event. It is empty if there is no note."""
        return self.event.note_commitment if isinstance(self.event, NotedEvent) else b""
