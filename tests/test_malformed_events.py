"""Bytes that are no event, or not the bytes a book writes: decoding refuses them with position and cause."""

import contextlib
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pathbook.ledger.codec import MalformedEventError, NewerEventError, decode, leaf_hash
from pathbook.v1 import events_pb2
from tests.examples import examples
from tests.test_stored_format import BYTES, ENVELOPE, REQUEST
from tests.verify.wire import field, varint

MALFORMED: Final[list[tuple[str, object, str]]] = [
    ("recorded_at", None, "its recorded_at is missing"),
    ("recorded_at.nanos", 1_500, "1717243200 s and 1500 ns is not a time in whole microseconds"),
    ("recorded_at.nanos", -1_000, "-1000 ns is not a time"),
    ("recorded_at.nanos", 1_000_000_000, "1000000000 ns is not a time"),
    ("occurred_at.seconds", 2**63 - 1, "is not a time"),
    ("request", None, "its request has 0 bytes, not 16"),
    ("request_digest", b"short", "its request_digest has 5 bytes, not 16"),
    ("transfer_recorded", None, "its kind is missing"),
    ("transfer_recorded.terms", None, "its giver is missing"),
    ("transfer_recorded.terms.receiver", None, "its receiver is missing"),
    ("transfer_recorded.terms.unit_price", None, "its currency_code is missing"),
    ("transfer_recorded.terms.ranges.0.batch", 0, "0:0-999 is not a range of units"),
    ("transfer_recorded.terms.ranges.0.first", 1_000, "1:1000-999 is not a range of units"),
    ("transfer_recorded.terms.ranges.0.first", -1, "1:-1-999 is not a range of units"),
    ("transfer_recorded.terms.delivery", None, "Delivery has no number 0"),
    ("transfer_recorded.terms.delivery", -1, "Delivery has no number -1"),
    ("transfer_recorded.terms.authorities", None, "its authorities is missing"),
    (
        "transfer_recorded.terms.authorities.0.giver_authorization",
        None,
        "AuthorizationStatus has no number 0",
    ),
    ("party_authorized.valid_from", None, "its valid_from is missing"),
    ("party_authorized.valid_until.nanos", 1, "is not a time in whole microseconds"),
    ("authorization_revoked.revoked_from", None, "its revoked_from is missing"),
    ("authorization_revoked.authorization", 0, "its authorization is 0, but must be at least 1"),
    ("batch_commissioned.size", 0, "its size is 0, but must be at least 1"),
    ("batch_commissioned.made_on", None, "Invalid isoformat string: ''"),
    ("batch_commissioned.made_on", "20240501", "'20240501' is not written YYYY-MM-DD"),
    ("batch_commissioned.expires_on", "2024-02-30", "day is out of range for month"),
    ("batch_commissioned.expires_on", "2024-W05-1", "'2024-W05-1' is not written YYYY-MM-DD"),
    ("batch_commissioned.suggested_price", None, "its currency_code is missing"),
    ("batch_commissioned.code_key", None, "its code_key has 0 bytes, not 8"),
    ("batch_commissioned.code_key", b"seven b", "its code_key has 7 bytes, not 8"),
    ("batch_commissioned.code_key", b"nine byte", "its code_key has 9 bytes, not 8"),
    ("transfer_offered.deadline.seconds", -(2**62), "is not a time in whole microseconds"),
    ("transfer_accepted.discrepancies.0.kind", None, "DiscrepancyKind has no number 0"),
    ("transfer_accepted.transfer", -6, "its transfer is -6, but must be at least 1"),
    ("units_returned.lines.1.terms", None, "its giver is missing"),
    ("units_written_off.state", -9, "UnitState has no number -9"),
    ("case_packed.sscc", None, "its sscc is missing"),
    ("recall_lifted.batch", None, "its batch is 0, but must be at least 1"),
]
"""A field, the value written into it (None clears it), and the expected part of the message."""


def overwritten(path: str, value: object) -> bytes:
    """Return the bytes of an event that has the field, with the field replaced or cleared."""
    head, *_ = path.split(".")
    topic = "".join(word.title() for word in head.split("_")) + ".v1"
    message = events_pb2.Event.FromString(BYTES.get(topic, BYTES["TransferRecorded.v1"]))
    *parents, last = path.split(".")
    owner: Any = message
    for parent in parents:
        owner = owner[int(parent)] if parent.isdigit() else getattr(owner, parent)
    if value is None:
        owner.ClearField(last)
    else:
        setattr(owner, last, value)
    return message.SerializeToString()


@pytest.mark.parametrize(("path", "value", "cause"), MALFORMED)
def test_a_missing_or_misplaced_value_is_refused(path: str, value: object, cause: str) -> None:
    """A malformed event is refused with its position and the cause."""
    with pytest.raises(MalformedEventError, match="event at position 7 is malformed: ") as refused:
        decode(7, overwritten(path, value))
    assert cause in str(refused.value)
    assert refused.value.position == 7


BEFORE: Final = bytes.fromhex(ENVELOPE)
DECLINED: Final = BYTES["TransferDeclined.v1"]
DECLINED_FIELDS: Final = events_pb2.Event.FromString(DECLINED).transfer_declined.SerializeToString()

UNUSUAL: Final = {
    "a field twice": DECLINED + field(3, REQUEST),
    "a field twice, first otherwise": field(3, bytes(16)) + DECLINED,
    "another kind before": field(10, b"\x0a\x01x") + DECLINED,
    "a message in two parts": DECLINED + field(17, b""),
    "an order of its own": field(17, DECLINED_FIELDS) + BEFORE,
    "a long tag": b"\x8a\x00" + DECLINED[1:],
    "a long length": b"\x0a\x86\x00" + DECLINED[2:],
    "a long number": BEFORE + field(17, b"\x08\x86\x00" + DECLINED_FIELDS[2:]),
    "a field of another type": DECLINED + varint(3 << 3) + b"\x07",
    "a default written out": BEFORE + field(17, b"\x08\x00" + DECLINED_FIELDS),
}
"""Other bytes for the same event, which protobuf reads and no book writes."""

NEWER_FIELDS: Final = {
    DECLINED + field(100, b"?"): 100,
    BEFORE + field(17, DECLINED_FIELDS + field(100, b"?")): 100,
    field(1, DECLINED[2:8] + b"\x18\x01") + DECLINED[8:]: 3,
    DECLINED + b"\x4b\x4c": 9,
    DECLINED + field(3, REQUEST) + field(100, b"?"): 100,
}
"""The bytes of an event with a field that is unknown, and the number of the field."""


@pytest.mark.parametrize("data", UNUSUAL.values(), ids=UNUSUAL.keys())
def test_an_event_has_one_strict_form(data: bytes) -> None:
    """Other bytes for the same event are decoded, but not if the reader asks for the strict form."""
    assert data != DECLINED
    usual, read = decode(7, DECLINED, strict=True), decode(7, data)
    assert read == msgspec.structs.replace(usual, leaf=leaf_hash(data))
    with pytest.raises(
        MalformedEventError, match="given twice, out of order, longer than need be or of another type"
    ):
        decode(7, data, strict=True)


def test_of_a_strict_form_an_unknown_field_is_newer() -> None:
    """A reader that asks for the strict form knows all fields of an event, also of the messages inside."""
    for data, number in NEWER_FIELDS.items():
        assert decode(7, data).event == decode(7, DECLINED).event
        with pytest.raises(NewerEventError) as newer:
            decode(7, data, strict=True)
        assert newer.value.field == number


NEWER: Final[list[tuple[str, int, int, str]]] = [
    (
        "transfer_recorded.terms.authorities.0.receiver_authorization",
        8,
        5,
        "number 8 of AuthorizationStatus in field 5",
    ),
    ("transfer_recorded.terms.delivery", 99, 5, "number 99 of Delivery in field 5"),
    ("transfer_accepted.discrepancies.0.kind", 99, 1, "number 99 of DiscrepancyKind in field 1"),
    ("party_registered.kind", 4, 2, "number 4 of PartyKind in field 2"),
    ("units_written_off.state", 99, 3, "number 99 of UnitState in field 3"),
]
"""A field, a number that no member of its enum has, the number of the field, and the expected part of the message."""


@pytest.mark.parametrize(("path", "value", "field_number", "what"), NEWER)
def test_an_unknown_number_of_an_enum_is_newer(path: str, value: int, field_number: int, what: str) -> None:
    """A newer program may know more members of an enum. The error names the position and the field."""
    with pytest.raises(NewerEventError, match="event at position 7 is newer than this program") as newer:
        decode(7, overwritten(path, value))
    assert what in str(newer.value)
    assert (newer.value.position, newer.value.field) == (7, field_number)


OF_ANOTHER_KIND: Final = {
    "a message": (field(98, b"\x0a\x01x"), 98),
    "no content": (field(98, b""), 98),
    "a number": (varint(98 << 3) + b"\x07", 98),
    "the field after the last kind": (field(2_000, b"new"), 2_000),
    "with a statement": (field(5, b"signed") + field(98, b"new"), 98),
    "only something else about the event": (field(9, b"new"), 9),
}
"""What follows the times, the request id and the digest, and the number of the field that the error names."""


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(("rest", "number"), OF_ANOTHER_KIND.values(), ids=OF_ANOTHER_KIND.keys())
def test_an_unknown_kind_is_newer(rest: bytes, number: int, strict: bool) -> None:
    """An event without a known kind and with an unknown field is of a newer program, whatever else it lacks."""
    for data in (BEFORE + rest, rest):
        with pytest.raises(
            NewerEventError, match=rf"position 7 .* does not know field {number}\. Update"
        ) as newer:
            decode(7, data, strict=strict)
        assert (newer.value.position, newer.value.field) == (7, number)


@pytest.mark.parametrize(
    "data", [b"", BEFORE, b"\x1a\x00", BEFORE + b"\xff", BEFORE + varint(20 << 3) + b"\x07"]
)
def test_an_event_without_any_kind_is_malformed(data: bytes) -> None:
    """Bytes without a kind and without an unknown field are of no program."""
    with pytest.raises(MalformedEventError):
        decode(7, data)


def test_of_two_known_kinds_the_last_counts() -> None:
    """An event of two known kinds is that of the last, and its strict form has only one."""
    (sold, declined) = (BYTES["UnitsSold.v1"], BYTES["TransferDeclined.v1"])
    both = sold + declined.removeprefix(BEFORE)
    assert decode(7, both).event == decode(7, declined).event
    with pytest.raises(MalformedEventError):
        decode(7, both, strict=True)


def test_an_unknown_field_beside_a_known_kind_is_ignored() -> None:
    """A field that a newer program added does not make a known event unreadable."""
    for number in (9, 98, 2_000):
        assert decode(7, DECLINED + field(number, b"more")).event == decode(7, DECLINED).event


contents: Final = st.recursive(
    st.binary(max_size=12) | st.text(max_size=12).map(str.encode),
    lambda inner: st.lists(
        st.builds(field, st.integers(1, 9), inner)
        | st.builds(
            lambda number, value: varint(number << 3) + varint(value),
            st.integers(1, 9),
            st.integers(0, 2**64 - 1),
        ),
        max_size=6,
    ).map(b"".join),
    max_leaves=12,
)
nearly_events: Final = st.builds(
    lambda kind, content: BEFORE + field(kind, content), st.integers(10, 31), contents
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Draw an event's bytes with a few bytes removed and others inserted."""
    data = draw(st.sampled_from(list(BYTES.values())))
    start = draw(st.integers(0, len(data)))
    end = draw(st.integers(start, min(start + 4, len(data))))
    return data[:start] + draw(st.binary(max_size=4)) + data[end:]


@settings(max_examples=examples(150, 400))
@given(st.binary() | contents | nearly_events | damaged(), st.booleans())
def test_any_bytes_are_an_event_or_newer_or_malformed(data: bytes, strict: bool) -> None:
    """Decoding any bytes returns an event or raises NewerEventError or MalformedEventError."""
    with contextlib.suppress(MalformedEventError, NewerEventError):
        decode(7, data, strict=strict)
