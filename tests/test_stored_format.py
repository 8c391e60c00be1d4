"""The stored format: the bytes of one event of each kind are written here, so any change of format is noticed."""

import datetime
from typing import Final, get_args

import pytest

from pathbook.ledger import events
from pathbook.ledger.codec import decode, encode, leaf_hash
from pathbook.ledger.events import Event, RecordedEvent, Terms
from pathbook.ledger.values import (
    AuthorizationStatus,
    Delivery,
    DiscrepancyKind,
    PartyKind,
    Price,
    UnitRange,
    UnitState,
)
from pathbook.v1 import events_pb2

NOON: Final = 1_717_243_200_000_000  # 2024-06-01T12:00:00Z
DIGEST: Final = bytes(range(16))
DAY: Final = 86_400_000_000
GTIN: Final = "06901234567892"
CASE, PALLET = "106141411234567897", "106141419876543217"
YUAN: Final = Price(15_000, "CNY")
RANGES: Final = (UnitRange(1, 0, 999), UnitRange(300, 4_096, 4_096))
MOVED: Final = Terms(
    "maskworks",
    "agent-1",
    RANGES,
    YUAN,
    Delivery.LATER,
    0,
    1,
    AuthorizationStatus.AUTHORIZED,
    AuthorizationStatus.NEVER_AUTHORIZED,
)
SOLD: Final = Terms(
    "agent-5",
    "consumer:k7",
    (UnitRange(1, 7, 7),),
    YUAN,
    Delivery.WITH_TITLE,
    None,
    None,
    AuthorizationStatus.REVOKED,
    None,
)

ENVELOPE: Final = "0a0608c09aecb206120c08bf9aecb20610988cebdc031a03722d312210000102030405060708090a0b0c0d0e0f"
"""The times, the request id and the digest, which precede the kind of event."""

STORED: Final[list[tuple[Event, str, str]]] = [
    (
        events.BookOpened("masks", "pathbook/masks", bytes(range(8)), events.Policy(5)),
        "BookOpened.v1",
        "8202250a056d61736b73120e70617468626f6f6b2f6d61736b731a08000102030405060722020805",
    ),
    (
        events.BookOpened("masks", "pathbook/masks", bytes(range(8)), events.Policy()),
        "BookOpened.v1",
        "8202230a056d61736b73120e70617468626f6f6b2f6d61736b731a0800010203040506072200",
    ),
    (
        events.PartyRegistered("maskworks", PartyKind.BRAND),
        "PartyRegistered.v1",
        "520d0a096d61736b776f726b731001",
    ),
    (
        events.PartyAuthorized("maskworks", "agent-1", 1, (GTIN,), "East", NOON, NOON + DAY),
        "PartyAuthorized.v1",
        (
            "5a3c0a096d61736b776f726b7312076167656e742d311801220e30363930313233343536373839322a04456173743206"
            "08c09aecb2063a0608c0bdf1b206"
        ),
    ),
    (
        events.AuthorizationRevoked(2, "maskworks", "agent-1", NOON + 1),
        "AuthorizationRevoked.v1",
        "6221080212096d61736b776f726b731a076167656e742d31220908c09aecb20610e807",
    ),
    (
        events.ProductRegistered(GTIN, "maskworks", "Mask, box of 50", Price(30_000, "CNY")),
        "ProductRegistered.v1",
        (
            "6a370a0e303639303132333435363738393212096d61736b776f726b731a0f4d61736b2c20626f78206f662035302209"
            "08b0ea011203434e59"
        ),
    ),
    (
        events.BatchCommissioned(
            300,
            GTIN,
            "maskworks",
            "A7",
            10_000_000,
            datetime.date(2024, 5, 1),
            datetime.date(2026, 5, 1),
            YUAN,
        ),
        "BatchCommissioned.v1",
        (
            "724908ac02120e30363930313233343536373839321a096d61736b776f726b73220241372880ade204320a323032342d"
            "30352d30313a0a323032362d30352d303142080898751203434e59"
        ),
    ),
    (
        events.TransferOffered(MOVED, NOON + DAY),
        "TransferOffered.v1",
        (
            "7a440a3a0a096d61736b776f726b7312076167656e742d311a05080118e7071a0908ac02108020188020220808987512"
            "03434e5928023000380140014802120608c0bdf1b206"
        ),
    ),
    (
        events.TransferAccepted(
            6, MOVED, (events.Discrepancy(DiscrepancyKind.SHORT, (UnitRange(1, 1_000, 1_009),)),), (CASE,)
        ),
        "TransferAccepted.v1",
        (
            "8201600806123a0a096d61736b776f726b7312076167656e742d311a05080118e7071a0908ac02108020188020220808"
            "98751203434e59280230003801400148021a0c08011208080110e80718f1072212313036313431343131323334353637"
            "383937"
        ),
    ),
    (
        events.TransferDeclined(6, "maskworks", "agent-1", RANGES, "too dear"),
        "TransferDeclined.v1",
        (
            "8a0132080612096d61736b776f726b731a076167656e742d312205080118e707220908ac021080201880202a08746f6f"
            "2064656172"
        ),
    ),
    (
        events.TransferWithdrawn(6, "maskworks", "agent-1", RANGES),
        "TransferWithdrawn.v1",
        "920128080612096d61736b776f726b731a076167656e742d312205080118e707220908ac02108020188020",
    ),
    (
        events.TransferLapsed(6, "maskworks", "agent-1", RANGES),
        "TransferLapsed.v1",
        "9a0128080612096d61736b776f726b731a076167656e742d312205080118e707220908ac02108020188020",
    ),
    (
        events.TransferRecorded(MOVED),
        "TransferRecorded.v1",
        (
            "a2013c0a3a0a096d61736b776f726b7312076167656e742d311a05080118e7071a0908ac021080201880202208089875"
            "1203434e5928023000380140014802"
        ),
    ),
    (
        events.ReversalAsked(6, "agent-1", "wrong lot"),
        "ReversalAsked.v1",
        "aa0116080612076167656e742d311a0977726f6e67206c6f74",
    ),
    (
        events.TransferReversed(6, MOVED, "maskworks"),
        "TransferReversed.v1",
        (
            "b201490806123a0a096d61736b776f726b7312076167656e742d311a05080118e7071a0908ac02108020188020220808"
            "98751203434e59280230003801400148021a096d61736b776f726b73"
        ),
    ),
    (
        events.UnitsDelivered("maskworks", "agent-1", RANGES),
        "UnitsDelivered.v1",
        "ba01260a096d61736b776f726b7312076167656e742d311a05080118e7071a0908ac02108020188020",
    ),
    (
        events.UnitsSold(SOLD),
        "UnitsSold.v1",
        (
            "c2012e0a2c0a076167656e742d35120b636f6e73756d65723a6b371a0608011007180722080898751203434e59280140"
            "05"
        ),
    ),
    (
        events.PurchaseConfirmed("consumer:k7", (UnitRange(1, 7, 7),), Price(0, "CNY")),
        "PurchaseConfirmed.v1",
        "ca011c0a0b636f6e73756d65723a6b3712060801100718071a051203434e59",
    ),
    (
        events.UnitsReturned("agent-1", (events.ReturnLine(6, MOVED), events.ReturnLine(9, SOLD)), "unsold"),
        "UnitsReturned.v1",
        (
            "d20183010a076167656e742d31123e0806123a0a096d61736b776f726b7312076167656e742d311a05080118e7071a09"
            "08ac0210802018802022080898751203434e592802300038014001480212300809122c0a076167656e742d35120b636f"
            "6e73756d65723a6b371a0608011007180722080898751203434e59280140051a06756e736f6c64"
        ),
    ),
    (
        events.UnitsWrittenOff("agent-1", RANGES, UnitState.DEFACED, ""),
        "UnitsWrittenOff.v1",
        "da011d0a076167656e742d311205080118e707120908ac021080201880201808",
    ),
    (
        events.CasePacked(PALLET, "agent-1", RANGES, (CASE,)),
        "CasePacked.v1",
        (
            "e201430a1231303631343134313938373635343332313712076167656e742d311a05080118e7071a0908ac0210802018"
            "80202212313036313431343131323334353637383937"
        ),
    ),
    (
        events.CaseUnpacked(CASE, "agent-1"),
        "CaseUnpacked.v1",
        "ea011d0a1231303631343134313132333435363738393712076167656e742d31",
    ),
    (
        events.UnitsRecalled("maskworks", 300, (UnitRange(300, 0, 9_999_999),), "seam opens"),
        "UnitsRecalled.v1",
        "f201240a096d61736b776f726b7310ac021a0808ac0218fface204220a7365616d206f70656e73",
    ),
    (
        events.RecallLifted(22, "maskworks", 300),
        "RecallLifted.v1",
        "fa0110081612096d61736b776f726b7318ac02",
    ),
]
"""An event of each kind, its topic, and its bytes after the envelope."""

BYTES: Final = {topic: bytes.fromhex(ENVELOPE + stored) for _, topic, stored in STORED}


@pytest.mark.parametrize(("event", "topic", "stored"), STORED, ids=[topic for _, topic, _ in STORED])
def test_the_stored_format_never_changes(event: Event, topic: str, stored: str) -> None:
    """An event is always encoded to the same bytes, and decoded from them."""
    data = bytes.fromhex(ENVELOPE + stored)
    written = encode(event, recorded_at=NOON, occurred_at=NOON - 1, request_id="r-1", request_digest=DIGEST)
    assert written == (topic, data)
    assert decode(7, data, strict=True) == RecordedEvent(
        7, NOON, NOON - 1, "r-1", DIGEST, event, leaf_hash(data)
    )


@pytest.mark.parametrize(("event", "topic", "stored"), STORED, ids=[topic for _, topic, _ in STORED])
def test_protobuf_serializes_an_event_to_the_same_bytes(event: Event, topic: str, stored: str) -> None:
    """The deterministic serialization of protobuf itself gives the same bytes."""
    data = bytes.fromhex(ENVELOPE + stored)
    assert events_pb2.Event.FromString(data).SerializeToString(deterministic=True) == data


def test_every_kind_of_event_is_written_down() -> None:
    """The bytes of each kind of event are listed here."""
    assert {type(event) for event, _, _ in STORED} == set(get_args(Event))
