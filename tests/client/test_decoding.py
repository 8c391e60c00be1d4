"""Events as Python values: times, kinds and enums, and events that are newer than the program."""

import datetime
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathbook import client as exported
from pathbook.client import (
    Client,
    Delivery,
    FailureReason,
    NewerEventError,
    PartyKind,
    RefusalReason,
    UnitState,
    decode,
    decode_batch,
    parse_event,
)
from pathbook.ledger.codec import MalformedEventError, encode
from pathbook.ledger.codec.table import FIELD_OF
from pathbook.ledger.events import Event, PartyRegistered, TransferRecorded, UnitsWrittenOff
from pathbook.ledger.refusals import Reason
from pathbook.services.translate.statuses import Failure
from pathbook.v1 import events_pb2, paths_pb2, refusals_pb2, transfers_pb2, values_pb2
from tests.newer import of_unknown_kind, of_unknown_state
from tests.services.masks import begin, boxes, moved
from tests.strategies import any_event

RECORDED_AT = 1_767_571_200_000_001
"""A moment of 5 January 2026, in microseconds since 1970 UTC."""


def registered() -> bytes:
    """Return the stored bytes of an event."""
    event = PartyRegistered("ann", PartyKind.AGENT)
    _, data = encode(
        event,
        recorded_at=RECORDED_AT,
        occurred_at=RECORDED_AT,
        request=b"r" * 16,
        request_digest=b"d" * 16,
    )
    return data


@given(event=any_event, as_message=st.booleans())
def test_every_kind_of_event_is_decoded(event: Event, as_message: bool) -> None:
    """The event, its kind, its position and both times come back, from bytes and from the message."""
    _, data = encode(
        event,
        recorded_at=RECORDED_AT,
        occurred_at=RECORDED_AT - 1,
        request=b"r" * 16,
        request_digest=b"d" * 16,
    )
    decoded = decode(events_pb2.Event.FromString(data) if as_message else data, 5)
    assert (decoded.position, decoded.kind, decoded.event) == (5, FIELD_OF[type(event)], event)
    assert decoded.recorded_at == datetime.datetime(2026, 1, 5, 0, 0, 0, 1, tzinfo=datetime.UTC)
    assert decoded.recorded_at - decoded.occurred_at == datetime.timedelta(microseconds=1)


def test_a_stream_is_decoded_with_positions_and_members_of_enums(client: Client) -> None:
    """What ``read`` and ``subscribe`` give has the same events, and their enums are members."""
    begin(client)
    moved(client, 0, 9)
    client.write_off_units(party="acme", units=boxes(10, 10), state=UnitState.LOST)
    read = [event for batch in client.read() for event in decode_batch(batch)]
    followed = next(iter(client.subscribe()))
    assert list(decode_batch(followed)) == read
    assert [event.position for event in read] == list(range(1, client.position + 1))
    brand, transferred, lost = read[1].event, read[-2].event, read[-1].event
    assert isinstance(brand, PartyRegistered)
    assert brand.kind is PartyKind.BRAND
    assert isinstance(transferred, TransferRecorded)
    assert transferred.terms.delivery is Delivery.WITH_TITLE
    assert isinstance(lost, UnitsWrittenOff)
    assert lost.state is UnitState.LOST


@pytest.mark.parametrize("newer", [of_unknown_kind, of_unknown_state])
def test_a_newer_event_is_told_with_its_position_and_bytes(newer: Callable[[bytes], bytes]) -> None:
    """The error has what a newer program needs to read the event."""
    data = newer(registered())
    for read in (lambda: decode(data, 7), lambda: parse_event(7, data)):
        with pytest.raises(NewerEventError, match="position 7 is newer than this program") as error:
            read()
        assert (error.value.position, error.value.data) == (7, data)


def test_the_events_before_a_newer_one_are_decoded() -> None:
    """A batch yields what this program knows, and then says where it ends."""
    batch = events_pb2.ReadResponse(
        first_position=3, events=[registered(), of_unknown_kind(registered())], next_after_position=4
    )
    decoded = decode_batch(batch)
    assert next(decoded).position == 3
    with pytest.raises(NewerEventError, match="position 4"):
        next(decoded)


def test_bytes_that_are_no_event_are_told() -> None:
    """They are a ValueError that names the position."""
    with pytest.raises(MalformedEventError, match="position 9 is malformed"):
        decode(b"\xff", 9)


def test_the_client_exports_every_enum_of_the_contract() -> None:
    """Each enum of answers and arguments has a class with the same names and numbers."""
    names = {"PathStepKind": "StepKind"}
    files = (values_pb2.DESCRIPTOR, transfers_pb2.DESCRIPTOR, paths_pb2.DESCRIPTOR)
    found = {name: kind for file in files for name, kind in file.enum_types_by_name.items()}
    del found["RecordTransfersMode"]  # record_transfers takes a bool
    for name, kind in found.items():
        members = getattr(exported, names.get(name, name)).__members__
        wanted = {value.name: value.number for value in kind.values if value.number}
        assert [f"{wanted_name}" for wanted_name in wanted] == [
            f"{prefix(name)}_{member}" for member in members
        ], name
        assert list(wanted.values()) == [int(member) for member in members.values()], name


def prefix(name: str) -> str:
    """Return the beginning of the names of an enum's values in the contract."""
    return "".join(f"_{letter}" if letter.isupper() else letter for letter in name).lstrip("_").upper()


def test_the_client_exports_every_reason() -> None:
    """Its reasons are those of the contract, which are those of the ledger and of the services, in their order."""
    for ours, contract, code in (
        (RefusalReason, refusals_pb2.RefusalReason, Reason),
        (FailureReason, refusals_pb2.FailureReason, Failure),
    ):
        names = [reason.name for reason in ours]
        assert names == [reason.value for reason in ours]
        assert names == [name.split("_REASON_")[1] for name in contract.keys()[1:]]
        assert names == [reason.name for reason in code]
        assert [ours.numbered(number) for number in contract.values()[1:]] == list(ours)
        for number in (0, 9999):  # not set, and newer
            with pytest.raises(ValueError, match=r"\d|UNSPECIFIED"):
                ours.numbered(number)
