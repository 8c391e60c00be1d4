"""Commands: what a caller may ask of a book. Each has one struct, which is parsed but not yet decided."""

import datetime
from typing import ClassVar, final

import msgspec

from pathbook.ledger.command_fields import NOTE_FIELDS, OPERATOR, AnsweringFields, CommandFields
from pathbook.ledger.key_commands import FileStatements, KeyCommand
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


class OpenBook(CommandFields, frozen=True, kw_only=True, tag="open_book", gc=False):
    """Open a book under its name. No other command begins a book.

    Without an origin, the book has ``pathbook/`` and its name. ``max_tier`` is the deepest tier of its
    authorizations, 0 for the general limit. ``signed`` says that parties must sign what they ask. ``code_key`` is the
    fingerprint of the server's key of codes.
    """

    ACTOR: ClassVar[str | None] = OPERATOR
    UNDIGESTED: ClassVar[frozenset[str]] = frozenset({"code_key"})
    name: str
    origin: str = ""
    max_tier: int = 0
    signed: bool = False
    code_key: bytes


class RegisterParty(CommandFields, frozen=True, kw_only=True, tag="register_party", gc=False):
    """Register a party."""

    ACTOR: ClassVar[str | None] = OPERATOR
    party: str
    kind: PartyKind | None


class AuthorizeParty(CommandFields, frozen=True, kw_only=True, tag="authorize_party", gc=False):
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


class RevokeAuthorization(AnsweringFields, frozen=True, kw_only=True, tag="revoke_authorization", gc=False):
    """End an authorization at a time. A ``revoked_from`` of 0 means now."""

    ROLE: ClassVar[str] = "upline"
    ANSWERS: ClassVar[str] = "authorization"
    upline: str
    authorization: int
    revoked_from: int = 0


class RegisterProduct(CommandFields, frozen=True, kw_only=True, tag="register_product", gc=False):
    """Register a brand's product by its GTIN."""

    ROLE: ClassVar[str] = "brand"
    brand: str
    product: str
    name: str
    suggested_price: Price


class CommissionBatch(CommandFields, frozen=True, kw_only=True, tag="commission_batch", gc=False):
    """Make a lot of units. Without a suggested price, the batch has the product's.

    ``code_key`` is the fingerprint of the server's current key. A retry may find a newer one.
    """

    ROLE: ClassVar[str] = "brand"
    UNDIGESTED: ClassVar[frozenset[str]] = frozenset({"code_key"})
    brand: str
    product: str
    lot: str
    size: int
    made_on: datetime.date
    expires_on: datetime.date | None = None
    suggested_price: Price | None = None
    code_key: bytes


class OfferTransfer(CommandFields, frozen=True, kw_only=True, tag="offer_transfer", gc=False):
    """Offer units at a price. They are reserved until the offer is answered or lapses at its deadline."""

    ROLE: ClassVar[str] = "giver"
    giver: str
    receiver: str
    units: Selection
    unit_price: Price
    delivery: Delivery = Delivery.WITH_TITLE
    deadline: int | None = None
    reference: str = ""
    extra_allowed: int = 0


class DiscrepancyClaim(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A part of an offer that is not accepted: some ranges, or without ranges the last ``count`` units."""

    kind: DiscrepancyKind
    ranges: Ranges = ()
    count: int = 0


class AcceptTransfer(AnsweringFields, frozen=True, kw_only=True, tag="accept_transfer", gc=False):
    """Accept an offer without the units in its discrepancies, and with extra units of the giver that it lacks."""

    ROLE: ClassVar[str] = "receiver"
    receiver: str
    transfer: int
    discrepancies: tuple[DiscrepancyClaim, ...] = ()
    extra: Ranges = ()


class DeclineTransfer(AnsweringFields, frozen=True, kw_only=True, tag="decline_transfer", gc=False):
    """Decline an offer."""

    ROLE: ClassVar[str] = "receiver"
    UNDIGESTED: ClassVar[frozenset[str]] = NOTE_FIELDS
    receiver: str
    transfer: int
    note: str = ""
    note_salt: bytes = b""


class WithdrawTransfer(AnsweringFields, frozen=True, kw_only=True, tag="withdraw_transfer", gc=False):
    """Withdraw an offer as its giver."""

    ROLE: ClassVar[str] = "giver"
    giver: str
    transfer: int


class LapseTransfer(CommandFields, frozen=True, kw_only=True, tag="lapse_transfer", gc=False):
    """End an offer whose deadline has passed. Only the writer itself sends this command."""

    ACTOR: ClassVar[str | None] = WRITER_PREFIX
    transfer: int


class RecordTransfer(CommandFields, frozen=True, kw_only=True, tag="record_transfer", gc=False):
    """Record an agreed or historic transfer in one step.

    The giver reports it, unless ``reported_by`` names the receiver. The receiver can only attest a transfer with the
    same reference that the giver has reported.
    """

    giver: str
    receiver: str
    units: Selection
    unit_price: Price
    delivery: Delivery = Delivery.WITH_TITLE
    reference: str = ""
    reported_by: str = ""

    @property
    def actor(self) -> str:
        """The side that reports the transfer."""
        return self.reported_by or self.giver


class ReverseTransfer(AnsweringFields, frozen=True, kw_only=True, tag="reverse_transfer", gc=False):
    """Ask to reverse a transfer, or agree to the request of the other side. It answers what agreed the transfer."""

    ROLE: ClassVar[str] = "party"
    UNDIGESTED: ClassVar[frozenset[str]] = NOTE_FIELDS
    party: str
    transfer: int
    note: str = ""
    note_salt: bytes = b""


class DeliverUnits(CommandFields, frozen=True, kw_only=True, tag="deliver_units", gc=False):
    """Deliver goods without their title, which moved before or stays."""

    ROLE: ClassVar[str] = "custodian"
    custodian: str
    receiver: str
    units: Selection


class SellUnits(CommandFields, frozen=True, kw_only=True, tag="sell_units", gc=False):
    """Sell units to a consumer, who has a pseudonym."""

    ROLE: ClassVar[str] = "seller"
    seller: str
    consumer: str
    units: Selection
    unit_price: Price
    delivery: Delivery = Delivery.WITH_TITLE
    reference: str = ""


class ConfirmPurchase(CommandFields, frozen=True, kw_only=True, tag="confirm_purchase", gc=False):
    """Confirm, as the consumer, that units were bought, and the price of one unit."""

    consumer: str
    units: Selection
    price_paid: Price

    @property
    def actor(self) -> str:
        """The consumer."""
        return CONSUMER_PREFIX + self.consumer


class ReturnUnits(CommandFields, frozen=True, kw_only=True, tag="return_units", gc=False):
    """Return units to the giver they came from, at the price paid. The owner may be a consumer."""

    ROLE: ClassVar[str] = "owner"
    UNDIGESTED: ClassVar[frozenset[str]] = NOTE_FIELDS
    owner: str
    units: Selection
    note: str = ""
    note_salt: bytes = b""


class WriteOffUnits(CommandFields, frozen=True, kw_only=True, tag="write_off_units", gc=False):
    """Write off units in the party's custody as lost, damaged, destroyed or defaced."""

    ROLE: ClassVar[str] = "party"
    UNDIGESTED: ClassVar[frozenset[str]] = NOTE_FIELDS
    party: str
    units: Selection
    state: UnitState
    note: str = ""
    note_salt: bytes = b""


class PackCase(CommandFields, frozen=True, kw_only=True, tag="pack_case", gc=False):
    """Pack units and cases in a case or on a pallet."""

    ROLE: ClassVar[str] = "party"
    party: str
    sscc: str
    units: Selection


class UnpackCase(CommandFields, frozen=True, kw_only=True, tag="unpack_case", gc=False):
    """Unpack a case."""

    ROLE: ClassVar[str] = "party"
    party: str
    sscc: str


class RecallUnits(CommandFields, frozen=True, kw_only=True, tag="recall_units", gc=False):
    """Recall ranges of a batch, or the whole batch if there are no ranges."""

    ROLE: ClassVar[str] = "brand"
    UNDIGESTED: ClassVar[frozenset[str]] = NOTE_FIELDS
    brand: str
    batch: int
    ranges: Ranges = ()
    note: str = ""
    note_salt: bytes = b""


class LiftRecall(AnsweringFields, frozen=True, kw_only=True, tag="lift_recall", gc=False):
    """Lift a recall."""

    ROLE: ClassVar[str] = "brand"
    ANSWERS: ClassVar[str] = "recall"
    brand: str
    recall: int


class DeclareError(AnsweringFields, frozen=True, kw_only=True, tag="declare_error", gc=False):
    """Declare that an event of the party was an error, which undoes its effect."""

    ROLE: ClassVar[str] = "party"
    ANSWERS: ClassVar[str] = "position"
    UNDIGESTED: ClassVar[frozenset[str]] = NOTE_FIELDS
    party: str
    position: int
    note: str = ""
    note_salt: bytes = b""


class CorrectProduct(CommandFields, frozen=True, kw_only=True, tag="correct_product", gc=False):
    """Correct the name or the suggested price of a product. An empty name and None stay as they are."""

    ROLE: ClassVar[str] = "brand"
    brand: str
    product: str
    name: str = ""
    suggested_price: Price | None = None


class CorrectBatch(CommandFields, frozen=True, kw_only=True, tag="correct_batch", gc=False):
    """Correct the dates or the suggested price of a batch. None stays as it is."""

    ROLE: ClassVar[str] = "brand"
    brand: str
    batch: int
    made_on: datetime.date | None = None
    expires_on: datetime.date | None = None
    never_expires: bool = False
    suggested_price: Price | None = None


class CorrectParty(CommandFields, frozen=True, kw_only=True, tag="correct_party", gc=False):
    """Correct the kind of a party, as the operator."""

    ACTOR: ClassVar[str | None] = OPERATOR
    party: str
    kind: PartyKind | None


class Seal(CommandFields, frozen=True, kw_only=True, tag="seal", gc=False):
    """Seal the custody, if the last seal covers ``after`` (0: there is none, None: any). Only the sealer does."""

    ACTOR: ClassVar[str | None] = WRITER_PREFIX
    covers: int
    covers_recorded_at: int
    batches: int
    parties: int
    root: bytes
    after: int | None = None


OwnCommand = LapseTransfer | Seal | FileStatements
"""The commands that a book sends itself. Their request ids begin with WRITER_PREFIX, which no caller's id does."""

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
    | DeclareError
    | CorrectProduct
    | CorrectBatch
    | CorrectParty
    | Seal
    | KeyCommand
    | FileStatements
)


@final
class SignedCommand(msgspec.Struct, frozen=True, gc=False):
    """A command with the statement that asks it. Its signature was checked, and the statement says what is asked.

    ``filed_by`` is the request id of the FileStatements that has the signature, or "" if the statement has its own.
    ``signed_at`` is in microseconds since 1970 UTC.
    """

    command: Command
    origin: str
    party: str
    key: bytes
    signed_at: int
    statement: bytes
    signature: bytes = b""
    filed_by: str = ""
    index: int = 0


AnyCommand = Command | SignedCommand
"""A command with or without a statement."""

NotedCommand = DeclineTransfer | ReverseTransfer | ReturnUnits | WriteOffUnits | RecallUnits | DeclareError
"""The commands that may have a note. A note needs a salt of ``pathbook.ledger.notes.SALT_BYTES`` random bytes."""
