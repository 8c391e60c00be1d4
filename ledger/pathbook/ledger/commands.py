"""Commands: what a caller may ask of a book. Each has one struct, which is parsed but not yet decided."""

import datetime
import hashlib
from typing import ClassVar

import msgspec

from pathbook.ledger.values import (
    CONSUMER_PREFIX,
    WRITER_PREFIX,
    Delivery,
    DiscrepancyKind,
    PartyKind,
    Price,
    Ranges,
    Selection,
    UnitState,
)

OPERATOR = ""
"""The actor that opens the book and registers parties: the operator of the book, which is not a party of it."""


class _Command(msgspec.Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """The fields that every command has.

    All times here are in microseconds since 1970 UTC. An ``occurred_at`` of 0 means the time of recording.
    """

    ROLE: ClassVar[str]
    """The field that names the actor."""

    UNDIGESTED: ClassVar[frozenset[str]] = frozenset()
    """The fields that the server fills in. They are no part of what was asked, so the digest leaves them out."""

    request_id: str
    occurred_at: int = 0

    @property
    def actor(self) -> str:
        """The party that acts, or the pseudonym of a consumer with CONSUMER_PREFIX. Each command has one."""
        actor: str = getattr(self, self.ROLE)
        return actor


class OpenBook(_Command, frozen=True, kw_only=True, tag=True, gc=False):
    """Open a book under its name. No other command begins a book.

    Without an origin, the book has ``pathbook/`` and its name. ``max_tier`` is the deepest tier of its
    authorizations, 0 for the general limit. ``code_key`` is the fingerprint of the server's key of codes.
    """

    UNDIGESTED: ClassVar[frozenset[str]] = frozenset({"code_key"})
    name: str
    origin: str = ""
    max_tier: int = 0
    code_key: bytes

    @property
    def actor(self) -> str:
        """The operator, which opens books."""
        return OPERATOR


class RegisterParty(_Command, frozen=True, kw_only=True, tag=True, gc=False):
    """Register a party."""

    party: str
    kind: PartyKind | None

    @property
    def actor(self) -> str:
        """The operator, which registers parties."""
        return OPERATOR


class AuthorizeParty(_Command, frozen=True, kw_only=True, tag=True, gc=False):
    """Authorize a party to sell as an agent of a tier.

    Without products it may sell every product. Without ``valid_until`` the authorization has no end.
    """

    ROLE: ClassVar[str] = "upline"
    upline: str
    party: str
    tier: int
    products: tuple[str, ...] = ()
    region: str = ""
    valid_from: int = 0
    valid_until: int | None = None


class RevokeAuthorization(_Command, frozen=True, kw_only=True, tag=True, gc=False):
    """End an authorization at a time. A ``revoked_from`` of 0 means now."""

    ROLE: ClassVar[str] = "upline"
    upline: str
    authorization: int
    revoked_from: int = 0


class RegisterProduct(_Command, frozen=True, kw_only=True, tag=True, gc=False):
    """Register a brand's product by its GTIN."""

    ROLE: ClassVar[str] = "brand"
    brand: str
    product: str
    name: str
    suggested_price: Price


class CommissionBatch(_Command, frozen=True, kw_only=True, tag=True, gc=False):
    """Make a lot of units. Without a suggested price, the batch has the product's."""

    ROLE: ClassVar[str] = "brand"
    brand: str
    product: str
    lot: str
    size: int
    made_on: datetime.date
    expires_on: datetime.date | None = None
    suggested_price: Price | None = None


class OfferTransfer(_Command, frozen=True, kw_only=True, tag=True, gc=False):
    """Offer units at a price. They are reserved until the offer is answered or lapses at its deadline."""

    ROLE: ClassVar[str] = "giver"
    giver: str
    receiver: str
    units: Selection
    unit_price: Price
    delivery: Delivery = Delivery.WITH_TITLE
    deadline: int | None = None


class DiscrepancyClaim(msgspec.Struct, frozen=True, gc=False):
    """A part of an offer that is not accepted: some ranges, or without ranges the last ``count`` units."""

    kind: DiscrepancyKind
    ranges: Ranges = ()
    count: int = 0


class AcceptTransfer(_Command, frozen=True, kw_only=True, tag=True, gc=False):
    """Accept an offer without the units in its discrepancies."""

    ROLE: ClassVar[str] = "receiver"
    receiver: str
    transfer: int
    discrepancies: tuple[DiscrepancyClaim, ...] = ()


class DeclineTransfer(_Command, frozen=True, kw_only=True, tag=True, gc=False):
    """Decline an offer."""

    ROLE: ClassVar[str] = "receiver"
    receiver: str
    transfer: int
    note: str = ""


class WithdrawTransfer(_Command, frozen=True, kw_only=True, tag=True, gc=False):
    """Withdraw an offer as its giver."""

    ROLE: ClassVar[str] = "giver"
    giver: str
    transfer: int


class LapseTransfer(_Command, frozen=True, kw_only=True, tag=True, gc=False):
    """End an offer whose deadline has passed. Only the writer itself sends this command."""

    transfer: int

    @property
    def actor(self) -> str:
        """The writer itself."""
        return WRITER_PREFIX


class RecordTransfer(_Command, frozen=True, kw_only=True, tag=True, gc=False):
    """Record an agreed or historic transfer in one step."""

    ROLE: ClassVar[str] = "giver"
    giver: str
    receiver: str
    units: Selection
    unit_price: Price
    delivery: Delivery = Delivery.WITH_TITLE


class ReverseTransfer(_Command, frozen=True, kw_only=True, tag=True, gc=False):
    """Ask to reverse a transfer, or agree to the request of the other side."""

    ROLE: ClassVar[str] = "party"
    party: str
    transfer: int
    note: str = ""


class DeliverUnits(_Command, frozen=True, kw_only=True, tag=True, gc=False):
    """Deliver goods without their title, which moved before or stays."""

    ROLE: ClassVar[str] = "custodian"
    custodian: str
    receiver: str
    units: Selection


class SellUnits(_Command, frozen=True, kw_only=True, tag=True, gc=False):
    """Sell units to a consumer, who has a pseudonym."""

    ROLE: ClassVar[str] = "seller"
    seller: str
    consumer: str
    units: Selection
    unit_price: Price
    delivery: Delivery = Delivery.WITH_TITLE


class ConfirmPurchase(_Command, frozen=True, kw_only=True, tag=True, gc=False):
    """Confirm, as the consumer, that units were bought, and the price of one unit."""

    consumer: str
    units: Selection
    price_paid: Price

    @property
    def actor(self) -> str:
        """The consumer."""
        return CONSUMER_PREFIX + self.consumer


class ReturnUnits(_Command, frozen=True, kw_only=True, tag=True, gc=False):
    """Return units to the giver they came from, at the price paid. The owner may be a consumer."""

    ROLE: ClassVar[str] = "owner"
    owner: str
    units: Selection
    note: str = ""


class WriteOffUnits(_Command, frozen=True, kw_only=True, tag=True, gc=False):
    """Write off units in the party's custody as lost, damaged, destroyed or defaced."""

    ROLE: ClassVar[str] = "party"
    party: str
    units: Selection
    state: UnitState
    note: str = ""


class PackCase(_Command, frozen=True, kw_only=True, tag=True, gc=False):
    """Pack units and cases in a case or on a pallet."""

    ROLE: ClassVar[str] = "party"
    party: str
    sscc: str
    units: Selection


class UnpackCase(_Command, frozen=True, kw_only=True, tag=True, gc=False):
    """Unpack a case."""

    ROLE: ClassVar[str] = "party"
    party: str
    sscc: str


class RecallUnits(_Command, frozen=True, kw_only=True, tag=True, gc=False):
    """Recall ranges of a batch, or the whole batch if there are no ranges."""

    ROLE: ClassVar[str] = "brand"
    brand: str
    batch: int
    ranges: Ranges = ()
    note: str = ""


class LiftRecall(_Command, frozen=True, kw_only=True, tag=True, gc=False):
    """Lift a recall."""

    ROLE: ClassVar[str] = "brand"
    brand: str
    recall: int


Command = (
    OpenBook
    | RegisterParty
    | AuthorizeParty
    | RevokeAuthorization
    | RegisterProduct
    | CommissionBatch
    | OfferTransfer
    | AcceptTransfer
    | DeclineTransfer
    | WithdrawTransfer
    | LapseTransfer
    | RecordTransfer
    | ReverseTransfer
    | DeliverUnits
    | SellUnits
    | ConfirmPurchase
    | ReturnUnits
    | WriteOffUnits
    | PackCase
    | UnpackCase
    | RecallUnits
    | LiftRecall
)

DIGEST_BYTES = 16
"""How many bytes of the SHA-256 of a request are kept. 128 bits tell a retry from another request."""

_encoder = msgspec.json.Encoder(order="deterministic")


def digest(command: Command) -> bytes:
    """Return a hash that tells a retry of a command from another command under the same request id."""
    asked = _asked(command) if command.UNDIGESTED else command
    return hashlib.sha256(_encoder.encode(asked)).digest()[:DIGEST_BYTES]


def _asked(command: Command) -> dict[str, object]:
    """Return the fields of a command that the caller filled in, beside its tag."""
    fields = command.__struct_fields__
    asked = {name: getattr(command, name) for name in fields if name not in command.UNDIGESTED}
    return {"type": type(command).__name__, **asked}
