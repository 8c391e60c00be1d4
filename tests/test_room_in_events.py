"""The contract has room: numbers are reserved where more will be said of an event as a whole, and of a step."""

from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import DescriptorProto

from pathbook.v1 import events_pb2, paths_pb2


def reserved(message: Descriptor) -> set[int]:
    """Return the numbers that a message reserves."""
    written = DescriptorProto()
    message.CopyToProto(written)
    return {number for each in written.reserved_range for number in range(each.start, each.end)}


def test_events_and_steps_have_room() -> None:
    """An event has one number below its kinds, which takes one byte, and a step has ten."""
    assert reserved(events_pb2.Event.DESCRIPTOR) == {9}
    assert reserved(paths_pb2.PathStep.DESCRIPTOR) == set(range(90, 100))
