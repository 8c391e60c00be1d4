"""The contract has room for signatures: numbers are reserved where statements and proofs will stand."""

from collections.abc import Iterator

import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import DescriptorProto

from pathbook.v1 import batches_pb2, events_pb2, parties_pb2, paths_pb2, registrations_pb2, transfers_pb2

SERVICES = (batches_pb2, events_pb2, parties_pb2, paths_pb2, registrations_pb2, transfers_pb2)


def reserved(message: Descriptor) -> set[int]:
    """Return the numbers that a message reserves."""
    written = DescriptorProto()
    message.CopyToProto(written)
    return {number for each in written.reserved_range for number in range(each.start, each.end)}


def write_requests() -> Iterator[Descriptor]:
    """Yield the requests of all calls that write. They have a request id, or hold requests that have one."""
    for file in SERVICES:
        for service in file.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                request = method.input_type
                if method.name.startswith(("Get", "List")):
                    continue  # a read, which nothing rests on
                if "request_id" in request.fields_by_name or "entries" in request.fields_by_name:
                    yield request


@pytest.mark.parametrize("message", [*write_requests()], ids=lambda message: message.name)
def test_every_write_request_has_room_for_a_statement(message: Descriptor) -> None:
    """The numbers 90 to 99 are free in each of them."""
    assert reserved(message) == set(range(90, 100))


def test_events_and_steps_have_room_for_attestations() -> None:
    """An event has five numbers below its kinds, which take one byte each, and a step has ten."""
    assert reserved(events_pb2.Event.DESCRIPTOR) == set(range(5, 10))
    assert reserved(paths_pb2.PathStep.DESCRIPTOR) == set(range(90, 100))
