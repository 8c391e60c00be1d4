"""The stored shape of every kind of event, field by field. Reading and writing share this table.

A field is required if its type in ``pathbook.ledger.events`` does not allow None. A required id is not empty. A
position, a batch number and a size are at least 1. An enum has a member, and a time is set. A commitment has 32 bytes
or none. Free texts, tiers and amounts are not checked.
"""

from typing import Any, Final

from pathbook.ledger import events, key_events
from pathbook.ledger.codec.fields import (
    HASH_BYTES,
    Shape,
    commitment,
    count,
    date,
    flag,
    hashes,
    inner,
    inners,
    member,
    name,
    names,
    number,
    numbers,
    octets,
    one_of,
    optional_date,
    optional_member,
    optional_tier,
    optional_time,
    price,
    ranges,
    some_inners,
    text,
    tier,
    time,
)
from pathbook.ledger.events import Event
from pathbook.ledger.serials import FINGERPRINT_BYTES
from pathbook.ledger.terms import Authority, Terms
from pathbook.ledger.values import (
    KEY_BYTES,
    SIGNATURE_BYTES,
    AuthorizationStatus,
    Delivery,
    DiscrepancyKind,
    PartyKind,
    UnitState,
)

AUTHORITY: Final = Shape(
    Authority,
    numbers("batches"),
    optional_tier("giver_tier"),
    optional_tier("receiver_tier"),
    member("giver_authorization", AuthorizationStatus),
    optional_member("receiver_authorization", AuthorizationStatus),
)
OTHERS: Final = Shape(Terms, text("reference"), flag("chosen_by_book"), count("extra_allowed"))
"""The terms that few transfers have. They follow the other ones. `pathbook.ledger.codec.joined` writes them apart."""

TERMS: Final = Shape(
    Terms,
    name("giver"),
    name("receiver"),
    ranges("ranges"),
    price("unit_price"),
    member("delivery", Delivery),
    some_inners("authorities", AUTHORITY),
    *OTHERS.fields,
)

_POLICY: Final = Shape(events.Policy, tier("max_tier"), flag("signed"))
_DISCREPANCY: Final = Shape(events.Discrepancy, member("kind", DiscrepancyKind), ranges("ranges"))
_RETURN_LINE: Final = Shape(events.ReturnLine, number("transfer"), inner("terms", TERMS))
_DELIVERED: Final = Shape(events.UnitsDelivered, name("custodian"), name("receiver"), ranges("ranges"))
_CONFIRMED: Final = Shape(events.PurchaseConfirmed, name("consumer"), ranges("ranges"), price("price_paid"))
_WRITTEN_OFF: Final = Shape(
    events.UnitsWrittenOff,
    name("party"),
    ranges("ranges"),
    member("state", UnitState),
    commitment("note_commitment"),
    ranges("confirmed"),
)
_REVERSAL_ASKED: Final = Shape(
    events.ReversalAsked, number("transfer"), name("party"), commitment("note_commitment")
)
_DECLARABLE: Final[dict[str, Shape[Any]]] = {
    "units_written_off": _WRITTEN_OFF,
    "purchase_confirmed": _CONFIRMED,
    "units_delivered": _DELIVERED,
    "reversal_asked": _REVERSAL_ASKED,
}
_ENDED: Final = (number("transfer"), name("giver"), name("receiver"), ranges("ranges"))

EVENTS: Final[dict[str, Shape[Any]]] = {
    "book_opened": Shape(
        events.BookOpened,
        name("name"),
        name("origin"),
        octets("code_key", FINGERPRINT_BYTES),
        inner("policy", _POLICY),
    ),
    "party_registered": Shape(events.PartyRegistered, name("party"), member("kind", PartyKind)),
    "party_authorized": Shape(
        events.PartyAuthorized,
        name("upline"),
        name("party"),
        tier("tier"),
        names("products", "gtins", one="gtin"),
        text("region"),
        time("valid_from"),
        optional_time("valid_until"),
    ),
    "authorization_revoked": Shape(
        events.AuthorizationRevoked,
        number("authorization"),
        name("upline"),
        name("party"),
        time("revoked_from"),
    ),
    "product_registered": Shape(
        events.ProductRegistered,
        name("product", "gtin"),
        name("brand"),
        text("name"),
        price("suggested_price"),
    ),
    "batch_commissioned": Shape(
        events.BatchCommissioned,
        number("batch"),
        name("product", "gtin"),
        name("brand"),
        name("lot"),
        number("size"),
        date("made_on"),
        optional_date("expires_on"),
        price("suggested_price"),
        octets("code_key", FINGERPRINT_BYTES),
    ),
    "transfer_offered": Shape(events.TransferOffered, inner("terms", TERMS), optional_time("deadline")),
    "transfer_accepted": Shape(
        events.TransferAccepted,
        number("transfer"),
        inner("terms", TERMS),
        inners("discrepancies", _DISCREPANCY),
        names("unpacked", one="sscc"),
        ranges("extra"),
    ),
    "transfer_declined": Shape(events.TransferDeclined, *_ENDED, commitment("note_commitment")),
    "transfer_withdrawn": Shape(events.TransferWithdrawn, *_ENDED),
    "transfer_lapsed": Shape(events.TransferLapsed, *_ENDED),
    "transfer_recorded": Shape(events.TransferRecorded, inner("terms", TERMS)),
    "reversal_asked": _REVERSAL_ASKED,
    "transfer_reversed": Shape(
        events.TransferReversed, number("transfer"), inner("terms", TERMS), name("party")
    ),
    "units_delivered": _DELIVERED,
    "units_sold": Shape(events.UnitsSold, inner("terms", TERMS)),
    "purchase_confirmed": _CONFIRMED,
    "units_returned": Shape(
        events.UnitsReturned, name("owner"), inners("lines", _RETURN_LINE), commitment("note_commitment")
    ),
    "units_written_off": _WRITTEN_OFF,
    "case_packed": Shape(
        events.CasePacked, name("sscc"), name("party"), ranges("ranges"), names("cases", one="sscc")
    ),
    "case_unpacked": Shape(events.CaseUnpacked, name("sscc"), name("party")),
    "units_recalled": Shape(
        events.UnitsRecalled, name("brand"), number("batch"), ranges("ranges"), commitment("note_commitment")
    ),
    "recall_lifted": Shape(events.RecallLifted, number("recall"), name("brand"), number("batch")),
    "transfer_attested": Shape(events.TransferAttested, number("transfer"), name("party"), ranges("ranges")),
    "error_declared": Shape(
        events.ErrorDeclared,
        number("position"),
        name("party"),
        commitment("note_commitment"),
        one_of("declared", _DECLARABLE),
    ),
    "product_corrected": Shape(
        events.ProductCorrected,
        name("product", "gtin"),
        name("brand"),
        text("name"),
        price("suggested_price"),
    ),
    "batch_corrected": Shape(
        events.BatchCorrected,
        number("batch"),
        name("brand"),
        date("made_on"),
        optional_date("expires_on"),
        price("suggested_price"),
    ),
    "party_corrected": Shape(events.PartyCorrected, name("party"), member("kind", PartyKind)),
    "sealed": Shape(
        events.Sealed,
        number("covers"),
        time("covers_recorded_at"),
        count("batches"),
        count("parties"),
        octets("root", HASH_BYTES),
    ),
    "key_registered": Shape(
        key_events.KeyRegistered,
        text("party"),
        octets("key", KEY_BYTES),
        octets("recovery_key", KEY_BYTES, optional=True),
        text("endorser"),
        octets("endorser_key", KEY_BYTES),
        octets("replaced_key", KEY_BYTES, optional=True),
        octets("possession", SIGNATURE_BYTES),
        octets("endorsement", SIGNATURE_BYTES),
    ),
    "key_revoked": Shape(
        key_events.KeyRevoked,
        text("party"),
        octets("key", KEY_BYTES),
        text("revoker"),
        octets("revoker_key", KEY_BYTES),
        octets("signature", SIGNATURE_BYTES),
    ),
    "statements_filed": Shape(
        key_events.StatementsFiled,
        text("party"),
        octets("key", KEY_BYTES),
        octets("root", HASH_BYTES),
        hashes("leaf_hashes"),
        octets("signature", SIGNATURE_BYTES),
    ),
}
"""The shapes by the name of their field in ``pathbook.v1.Event``."""

FIELD_OF: Final[dict[type[Event], str]] = {shape.struct: field for field, shape in EVENTS.items()}
"""The name of the field in ``pathbook.v1.Event`` for each kind of event."""
