"""Events as a newer program would write them: of a kind, or with a member of an enum, that this program lacks."""

from typing import Final

from pathbook.v1 import events_pb2

FIELD: Final = 98
"""The number of the field of a kind that no program has."""

TOPIC: Final = "UnitsBlessed.v1"
"""The topic of the kind that no program has."""


def of_unknown_kind(data: bytes) -> bytes:
    """Return an event with the times and the request of another, but of a kind that no program has."""
    event = events_pb2.Event.FromString(data)
    kind = event.WhichOneof("kind")
    assert kind is not None, event
    content: bytes = getattr(event, kind).SerializeToString()[:100]
    event.ClearField(kind)
    tag = FIELD << 3 | 2
    return event.SerializeToString() + bytes([tag & 0x7F | 0x80, tag >> 7, len(content)]) + content


def of_unknown_state(data: bytes) -> bytes:
    """Return a write-off with a state that no program has, recorded as another event was."""
    event = events_pb2.Event.FromString(data)
    event.units_written_off.party = "acme"
    event.units_written_off.ranges.add(batch=1, last=1)
    event.units_written_off.state = 99  # type: ignore[assignment]  # a newer program has such a state
    return event.SerializeToString()
