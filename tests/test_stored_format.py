"""The stored format: the bytes of one event of each kind are written here, so any change of format is noticed."""

import datetime
from typing import Final, get_args

import pytest

from pathbook.ledger import events, key_events
from pathbook.ledger.codec import decode, encode, leaf_hash
from pathbook.ledger.events import Event, RecordedEvent
from pathbook.ledger.key_events import Signed
from pathbook.ledger.notes import note_commitment
from pathbook.ledger.terms import Authority, Terms
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
SALT: Final = bytes(range(16))
REQUEST: Final = bytes(range(16, 32))
DAY: Final = 86_400_000_000
KEY, OTHER_KEY, RECOVERY_KEY = (bytes([number]) * 32 for number in (1, 2, 3))
SIGNATURE, ENDORSEMENT = (bytes([number]) * 64 for number in (4, 5))
GTIN: Final = "06901234567892"
CASE, PALLET = "106141411234567897", "106141419876543217"
YUAN: Final = Price(15_000, "CNY")
RANGES: Final = (UnitRange(1, 0, 999), UnitRange(300, 4_096, 4_096))
AUTHORIZED, NEVER = AuthorizationStatus.AUTHORIZED, AuthorizationStatus.NEVER_AUTHORIZED
MOVED: Final = Terms(
    "maskworks", "agent-1", RANGES, YUAN, Delivery.LATER, (Authority((), 0, 1, AUTHORIZED, NEVER),), "DN-4711"
)
MIXED: Final = Terms(
    "agent-1",
    "agent-2",
    RANGES,
    Price(125, "CNY", 100),
    Delivery.WITH_TITLE,
    (Authority((1,), 1, 2, AUTHORIZED, AUTHORIZED), Authority((300,), 1, None, AUTHORIZED, NEVER)),
    "",
)
SOLD: Final = Terms(
    "agent-5",
    "consumer:k7",
    (UnitRange(1, 7, 7),),
    YUAN,
    Delivery.WITH_TITLE,
    (Authority((), None, None, AuthorizationStatus.REVOKED, None),),
    "",
)

EVENTS: Final[tuple[Event, ...]] = (
    events.BookOpened("masks", "pathbook/masks", bytes(range(8)), events.Policy(5)),
    events.BookOpened("masks", "pathbook/masks", bytes(range(8)), events.Policy()),
    events.PartyRegistered("maskworks", PartyKind.BRAND),
    events.PartyAuthorized("maskworks", "agent-1", 1, (GTIN,), "East", NOON, NOON + DAY),
    events.AuthorizationRevoked(2, "maskworks", "agent-1", NOON + 1),
    events.ProductRegistered(GTIN, "maskworks", "Mask, box of 50", Price(30_000, "CNY")),
    events.BatchCommissioned(
        300,
        GTIN,
        "maskworks",
        "A7",
        10_000_000,
        datetime.date(2024, 5, 1),
        datetime.date(2026, 5, 1),
        YUAN,
        bytes(range(8)),
    ),
    events.TransferOffered(MOVED, NOON + DAY),
    events.TransferAccepted(
        6, MOVED, (events.Discrepancy(DiscrepancyKind.SHORT, (UnitRange(1, 1_000, 1_009),)),), (CASE,), ()
    ),
    events.TransferDeclined(6, "maskworks", "agent-1", RANGES, note_commitment(SALT, "too dear")),
    events.TransferWithdrawn(6, "maskworks", "agent-1", RANGES),
    events.TransferLapsed(6, "maskworks", "agent-1", RANGES),
    events.TransferRecorded(MOVED),
    events.ReversalAsked(6, "agent-1", note_commitment(SALT, "wrong lot")),
    events.TransferReversed(6, MOVED, "maskworks"),
    events.UnitsDelivered("maskworks", "agent-1", RANGES),
    events.UnitsSold(SOLD),
    events.PurchaseConfirmed("consumer:k7", (UnitRange(1, 7, 7),), Price(0, "CNY")),
    events.UnitsReturned(
        "agent-1", (events.ReturnLine(6, MOVED), events.ReturnLine(9, SOLD)), note_commitment(SALT, "unsold")
    ),
    events.UnitsWrittenOff("agent-1", RANGES, UnitState.DEFACED, b"", ()),
    events.CasePacked(PALLET, "agent-1", RANGES, (CASE,)),
    events.CaseUnpacked(CASE, "agent-1"),
    events.UnitsRecalled(
        "maskworks", 300, (UnitRange(300, 0, 9_999_999),), note_commitment(SALT, "seam opens")
    ),
    events.RecallLifted(22, "maskworks", 300),
    events.TransferRecorded(MIXED),
    events.TransferAccepted(6, MOVED, (), (), (UnitRange(300, 4_096, 4_096),)),
    events.UnitsWrittenOff("consumer:k7", RANGES, UnitState.LOST, b"", (UnitRange(1, 0, 999),)),
    events.TransferAttested(6, "agent-1", RANGES),
    events.ErrorDeclared(
        30,
        "agent-1",
        note_commitment(SALT, "wrong box"),
        events.UnitsWrittenOff("agent-1", RANGES, UnitState.LOST, b"", ()),
    ),
    events.ErrorDeclared(
        30, "consumer:k7", b"", events.PurchaseConfirmed("consumer:k7", RANGES, Price(1, "CNY"))
    ),
    events.ErrorDeclared(30, "maskworks", b"", events.UnitsDelivered("maskworks", "agent-1", RANGES)),
    events.ErrorDeclared(30, "agent-1", b"", events.ReversalAsked(6, "agent-1", b"")),
    events.ProductCorrected(GTIN, "maskworks", "Mask", Price(30_100, "CNY")),
    events.BatchCorrected(300, "maskworks", datetime.date(2024, 5, 1), None, YUAN),
    events.PartyCorrected("agent-1", PartyKind.SHOP),
    events.Sealed(300, NOON + 1, 2, 0, bytes(range(32))),
    events.BookOpened("masks", "pathbook/masks", bytes(range(8)), events.Policy(5, signed=True)),
    key_events.KeyRegistered("", KEY, RECOVERY_KEY, "", OTHER_KEY, OTHER_KEY, SIGNATURE, ENDORSEMENT),
    key_events.KeyRevoked("agent-1", KEY, "", OTHER_KEY, SIGNATURE),
    key_events.StatementsFiled("agent-1", KEY, bytes(range(32)), KEY + OTHER_KEY, SIGNATURE),
)
"""At least one event of each kind."""

ENVELOPE: Final = (
    "0a0608c09aecb206120c08bf9aecb20610988cebdc031a10101112131415161718191a1b1c1d1e1f2210000102030405"
    "060708090a0b0c0d0e0f"
)
"""The times, the request and the digest, which precede the kind of event."""

STORED: Final[tuple[tuple[str, str], ...]] = (
    (
        "BookOpened.v1",
        ("8202250a056d61736b73120e70617468626f6f6b2f6d61736b731a08000102030405060722020805"),
    ),
    (
        "BookOpened.v1",
        "8202230a056d61736b73120e70617468626f6f6b2f6d61736b731a0800010203040506072200",
    ),
    (
        "PartyRegistered.v1",
        "520d0a096d61736b776f726b731001",
    ),
    (
        "PartyAuthorized.v1",
        (
            "5a3c0a096d61736b776f726b7312076167656e742d311801220e30363930313233343536373839322a04456173743206"
            "08c09aecb2063a0608c0bdf1b206"
        ),
    ),
    (
        "AuthorizationRevoked.v1",
        "6221080212096d61736b776f726b731a076167656e742d31220908c09aecb20610e807",
    ),
    (
        "ProductRegistered.v1",
        (
            "6a370a0e303639303132333435363738393212096d61736b776f726b731a0f4d61736b2c20626f78206f662035302209"
            "08b0ea011203434e59"
        ),
    ),
    (
        "BatchCommissioned.v1",
        (
            "725308ac02120e30363930313233343536373839321a096d61736b776f726b73220241372880ade204320a323032342d"
            "30352d30313a0a323032362d30352d303142080898751203434e594a080001020304050607"
        ),
    ),
    (
        "TransferOffered.v1",
        (
            "7a4f0a450a096d61736b776f726b7312076167656e742d311a05080118e7071a0908ac02108020188020220808987512"
            "03434e592802320810001801200128023a07444e2d34373131120608c0bdf1b206"
        ),
    ),
    (
        "TransferAccepted.v1",
        (
            "82016b080612450a096d61736b776f726b7312076167656e742d311a05080118e7071a0908ac02108020188020220808"
            "98751203434e592802320810001801200128023a07444e2d343731311a0c08011208080110e80718f107221231303631"
            "3431343131323334353637383937"
        ),
    ),
    (
        "TransferDeclined.v1",
        (
            "8a014a080612096d61736b776f726b731a076167656e742d312205080118e707220908ac021080201880202a20fc6445"
            "b2fa25b3dc1fbdee88cece943e989fc13443c824960882a23bdb18f881"
        ),
    ),
    (
        "TransferWithdrawn.v1",
        ("920128080612096d61736b776f726b731a076167656e742d312205080118e707220908ac02108020188020"),
    ),
    (
        "TransferLapsed.v1",
        ("9a0128080612096d61736b776f726b731a076167656e742d312205080118e707220908ac02108020188020"),
    ),
    (
        "TransferRecorded.v1",
        (
            "a201470a450a096d61736b776f726b7312076167656e742d311a05080118e7071a0908ac021080201880202208089875"
            "1203434e592802320810001801200128023a07444e2d34373131"
        ),
    ),
    (
        "ReversalAsked.v1",
        ("aa012d080612076167656e742d311a207fcd7a224717ca64c704a1f41d3746a4e6290174c002a134e7835b7f026bc849"),
    ),
    (
        "TransferReversed.v1",
        (
            "b20154080612450a096d61736b776f726b7312076167656e742d311a05080118e7071a0908ac02108020188020220808"
            "98751203434e592802320810001801200128023a07444e2d343731311a096d61736b776f726b73"
        ),
    ),
    (
        "UnitsDelivered.v1",
        ("ba01260a096d61736b776f726b7312076167656e742d311a05080118e7071a0908ac02108020188020"),
    ),
    (
        "UnitsSold.v1",
        (
            "c201300a2e0a076167656e742d35120b636f6e73756d65723a6b371a0608011007180722080898751203434e59280132"
            "022005"
        ),
    ),
    (
        "PurchaseConfirmed.v1",
        "ca011c0a0b636f6e73756d65723a6b3712060801100718071a051203434e59",
    ),
    (
        "UnitsReturned.v1",
        (
            "d201aa010a076167656e742d311249080612450a096d61736b776f726b7312076167656e742d311a05080118e7071a09"
            "08ac0210802018802022080898751203434e592802320810001801200128023a07444e2d3437313112320809122e0a07"
            "6167656e742d35120b636f6e73756d65723a6b371a0608011007180722080898751203434e592801320220051a202c47"
            "e66eff9013dc8d2032adb24f39661d5bd51068ea18523c299b3aca6329a2"
        ),
    ),
    (
        "UnitsWrittenOff.v1",
        "da011d0a076167656e742d311205080118e707120908ac021080201880201808",
    ),
    (
        "CasePacked.v1",
        (
            "e201430a1231303631343134313938373635343332313712076167656e742d311a05080118e7071a0908ac0210802018"
            "80202212313036313431343131323334353637383937"
        ),
    ),
    (
        "CaseUnpacked.v1",
        "ea011d0a1231303631343134313132333435363738393712076167656e742d31",
    ),
    (
        "UnitsRecalled.v1",
        (
            "f2013a0a096d61736b776f726b7310ac021a0808ac0218fface2042220a0a10844a82454334c965afd1788e078205046"
            "93ed5930bca9393df117634c7e"
        ),
    ),
    (
        "RecallLifted.v1",
        "fa0110081612096d61736b776f726b7318ac02",
    ),
    (
        "TransferRecorded.v1",
        (
            "a2014c0a4a0a076167656e742d3112076167656e742d321a05080118e7071a0908ac021080201880202209087d120343"
            "4e5918642801320b0a01011001180220012801320a0a02ac02100120012802"
        ),
    ),
    (
        "TransferAccepted.v1",
        (
            "820154080612450a096d61736b776f726b7312076167656e742d311a05080118e7071a0908ac02108020188020220808"
            "98751203434e592802320810001801200128023a07444e2d343731312a0908ac02108020188020"
        ),
    ),
    (
        "UnitsWrittenOff.v1",
        ("da01280a0b636f6e73756d65723a6b371205080118e707120908ac0210802018802018052a05080118e707"),
    ),
    (
        "TransferAttested.v1",
        "8a021d080612076167656e742d311a05080118e7071a0908ac02108020188020",
    ),
    (
        "ErrorDeclared.v1",
        (
            "92024c081e12076167656e742d311a205be51731b17dfc6fe0c7e137d2e05b228ffcb78f0281a9e872f04f43a2d7631e"
            "521d0a076167656e742d311205080118e707120908ac021080201880201805"
        ),
    ),
    (
        "ErrorDeclared.v1",
        (
            "920239081e120b636f6e73756d65723a6b375a280a0b636f6e73756d65723a6b371205080118e707120908ac02108020"
            "1880201a0708011203434e59"
        ),
    ),
    (
        "ErrorDeclared.v1",
        (
            "920235081e12096d61736b776f726b7362260a096d61736b776f726b7312076167656e742d311a05080118e7071a0908"
            "ac02108020188020"
        ),
    ),
    (
        "ErrorDeclared.v1",
        "920218081e12076167656e742d316a0b080612076167656e742d31",
    ),
    (
        "ProductCorrected.v1",
        ("9a022c0a0e303639303132333435363738393212096d61736b776f726b731a044d61736b22090894eb011203434e59"),
    ),
    (
        "BatchCorrected.v1",
        "a2022408ac0212096d61736b776f726b731a0a323032342d30352d30312a080898751203434e59",
    ),
    (
        "PartyCorrected.v1",
        "aa020b0a076167656e742d311003",
    ),
    (
        "Sealed.v1",
        (
            "b2023208ac02120908c09aecb20610e80718022a20000102030405060708090a0b0c0d0e0f101112131415161718191a"
            "1b1c1d1e1f"
        ),
    ),
    (
        "BookOpened.v1",
        "8202270a056d61736b73120e70617468626f6f6b2f6d61736b731a080001020304050607220408051001",
    ),
    (
        "KeyRegistered.v1",
        f"ba028c021220{'01' * 32}1a20{'03' * 32}2a20{'02' * 32}3220{'02' * 32}3a40{'04' * 64}4240{'05' * 64}",
    ),
    ("KeyRevoked.v1", f"c2028f010a076167656e742d311220{'01' * 32}2220{'02' * 32}2a40{'04' * 64}"),
    (
        "StatementsFiled.v1",
        (
            f"ca02d1010a076167656e742d311220{'01' * 32}1a20{bytes(range(32)).hex()}2240{'01' * 32}{'02' * 32}"
            f"2a40{'04' * 64}"
        ),
    ),
)
"""The topic of each of these events, and its bytes after the envelope."""

BYTES: Final = {topic: bytes.fromhex(ENVELOPE + stored) for topic, stored in reversed(STORED)}
"""The bytes of the first of these events of each topic."""

WRITTEN: Final = [(event, *stored) for event, stored in zip(EVENTS, STORED, strict=True)]


@pytest.mark.parametrize(("event", "topic", "stored"), WRITTEN)
def test_the_stored_format_never_changes(event: Event, topic: str, stored: str) -> None:
    """An event is always encoded to the same bytes, and decoded from them."""
    data = bytes.fromhex(ENVELOPE + stored)
    written = encode(event, recorded_at=NOON, occurred_at=NOON - 1, request=REQUEST, request_digest=DIGEST)
    assert written == (topic, data)
    assert decode(7, data, strict=True) == RecordedEvent(
        7, NOON, NOON - 1, REQUEST, DIGEST, event, leaf_hash(data)
    )


@pytest.mark.parametrize(
    ("signed", "stored"),
    [
        (Signed(b"a statement", SIGNATURE), f"2a0b612073746174656d656e743240{'04' * 64}"),
        (Signed(b"a statement", filed=300), "2a0b612073746174656d656e7438ac02"),
        (Signed(b"a statement", filed=300, index=999), "2a0b612073746174656d656e7438ac0240e707"),
    ],
)
def test_a_statement_stands_between_the_envelope_and_the_event(signed: Signed, stored: str) -> None:
    """It has a signature of its own, or the position and the place where it is filed."""
    event, topic, content = WRITTEN[2]
    data = bytes.fromhex(ENVELOPE + stored + content)
    written = encode(
        event, recorded_at=NOON, occurred_at=NOON - 1, request=REQUEST, request_digest=DIGEST, signed=signed
    )
    assert written == (topic, data)
    assert decode(7, data, strict=True).signed == signed


@pytest.mark.parametrize(("event", "topic", "stored"), WRITTEN)
def test_protobuf_serializes_an_event_to_the_same_bytes(event: Event, topic: str, stored: str) -> None:
    """The deterministic serialization of protobuf itself gives the same bytes."""
    data = bytes.fromhex(ENVELOPE + stored)
    assert events_pb2.Event.FromString(data).SerializeToString(deterministic=True) == data


def test_every_kind_of_event_is_written_down() -> None:
    """The bytes of each kind of event are listed here."""
    assert {type(event) for event in EVENTS} == set(get_args(Event))
