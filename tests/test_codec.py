"""The codec: each event is read back complete and unchanged."""

import hashlib
from enum import IntEnum
from typing import Final, get_args

import msgspec
import pytest
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from hypothesis import given, settings
from hypothesis import strategies as st

from pathbook.ledger.codec import decode, encode, leaf_hash
from pathbook.ledger.codec.fields import EARLIEST_TIME, LATEST_TIME
from pathbook.ledger.events import Event, RecordedEvent, TransferRecorded
from pathbook.ledger.values import (
    AuthorizationStatus,
    Delivery,
    DiscrepancyKind,
    PartyKind,
    TransferStatus,
    UnitState,
)
from pathbook.v1 import events_pb2, values_pb2
from tests.examples import examples
from tests.strategies import EVENTS, positions, request_digests, requests, signed, times
from tests.test_stored_format import BYTES, NOON


def written(recorded: RecordedEvent) -> tuple[str, bytes]:
    """Return the topic and the bytes of a recorded event."""
    return encode(
        recorded.event,
        recorded_at=recorded.recorded_at,
        occurred_at=recorded.occurred_at,
        request=recorded.request,
        request_digest=recorded.request_digest,
        signed=recorded.signed,
    )


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
@settings(max_examples=examples(10, 25))
@given(st.data())
def test_what_is_written_is_read_back(kind: type[Event], data: st.DataObject) -> None:
    """An event of any kind is decoded unchanged from the bytes that a book writes."""
    recorded = RecordedEvent(
        position=data.draw(positions),
        recorded_at=data.draw(times),
        occurred_at=data.draw(times),
        request=data.draw(requests),
        request_digest=data.draw(request_digests),
        event=data.draw(EVENTS[kind]),
        leaf=b"",
        signed=data.draw(st.none() | signed),
    )
    topic, stored = written(recorded)
    assert topic == f"{kind.__name__}.v1"
    read = decode(recorded.position, stored, strict=True)
    assert read == msgspec.structs.replace(recorded, leaf=leaf_hash(stored))


def test_every_kind_of_event_is_known() -> None:
    """The union, the strategies and the contract name the same kinds."""
    kinds = {kind.__name__ for kind in get_args(Event)}
    contract = events_pb2.Event.DESCRIPTOR.oneofs_by_name["kind"].fields
    assert {kind.__name__ for kind in EVENTS} == kinds
    assert {kind.message_type.name for kind in contract if kind.message_type} == kinds


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Delivery, values_pb2.Delivery),
        (DiscrepancyKind, values_pb2.DiscrepancyKind),
        (PartyKind, values_pb2.PartyKind),
        (AuthorizationStatus, values_pb2.AuthorizationStatus),
        (TransferStatus, values_pb2.TransferStatus),
        (UnitState, values_pb2.UnitState),
    ],
)
def test_enums_have_the_numbers_of_the_contract(ours: type[IntEnum], theirs: EnumTypeWrapper) -> None:
    """An enum and its twin have the same members, numbered 0, 1, 2 ... with 0 for unspecified."""
    prefix = theirs.Name(0).removesuffix("UNSPECIFIED")
    wanted = [(f"{prefix}UNSPECIFIED", 0), *((f"{prefix}{member.name}", int(member)) for member in ours)]
    assert theirs.items() == wanted
    assert theirs.values() == list(range(len(wanted)))


PARTY: Final = decode(1, BYTES["PartyRegistered.v1"])


@pytest.mark.parametrize("time", [EARLIEST_TIME, -1, 0, 1, 999_999, LATEST_TIME])
def test_times_are_kept_to_the_microsecond(time: int) -> None:
    """Both times of an event keep every value that a Timestamp can hold."""
    for recorded_at, occurred_at in ((time, time), (time, NOON), (NOON, time)):
        recorded = msgspec.structs.replace(PARTY, recorded_at=recorded_at, occurred_at=occurred_at)
        read = decode(1, written(recorded)[1], strict=True)
        assert (read.recorded_at, read.occurred_at) == (recorded_at, occurred_at)


@pytest.mark.parametrize("time", [EARLIEST_TIME - 1, LATEST_TIME + 1])
def test_a_time_beyond_the_calendar_is_never_written(time: int) -> None:
    """A time that no reader accepts is a programming error, and nothing is written."""
    with pytest.raises(AssertionError, match=f"no Timestamp can hold {time} microseconds"):
        written(msgspec.structs.replace(PARTY, recorded_at=time))


def test_a_leaf_is_hashed_as_certificate_transparency_hashes_it() -> None:
    """The leaf hash of no bytes is the test vector of RFC 6962, and events are hashed in the same way."""
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert PARTY.leaf == hashlib.sha256(b"\x00" + BYTES["PartyRegistered.v1"]).digest()


def test_a_party_is_one_string_in_memory() -> None:
    """Events that name the same party share one string for its id, which saves memory."""
    first, second = (decode(position, BYTES["TransferRecorded.v1"]).event for position in (1, 2))
    assert isinstance(first, TransferRecorded)
    assert isinstance(second, TransferRecorded)
    assert first.terms.giver is second.terms.giver
    assert first.terms.unit_price.currency_code is second.terms.unit_price.currency_code
