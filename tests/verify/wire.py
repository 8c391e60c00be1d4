"""Other bytes of a protobuf message that some programs would read as the same message, or as another one."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor

VARINT: Final = 0
BYTES: Final = 2
GROUP: Final = 3
FIXED: Final = 5
UNKNOWN: Final = 100
"""The number of a field that no message of ours has."""

Part = tuple[int, bytes, bytes]
"""A field of a message: its number, its tag, and the rest of its bytes."""


def varint(number: int) -> bytes:
    """Return a number as protobuf writes it: seven bits a byte, the lowest first."""
    low, high = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(high) if high else bytes([low])


def tag(number: int, wire_type: int) -> bytes:
    """Return what a field begins with."""
    return varint(number << 3 | wire_type)


def field(number: int, content: bytes) -> bytes:
    """Return a field of a message that holds bytes, a text or another message."""
    return tag(number, BYTES) + varint(len(content)) + content


def longer(data: bytes) -> bytes:
    """Return the varint with which data begins, and the rest, with a byte more than it needs."""
    end = next(place for place, byte in enumerate(data) if byte < 0x80)
    return data[:end] + bytes([data[end] | 0x80, 0]) + data[end + 1 :]


def fields(data: bytes) -> list[Part]:
    """Return the fields of a message."""
    found, place = list[Part](), 0
    while place < len(data):
        start = place
        key, place = _read(data, place)
        middle = place
        length, place = _read(data, place)
        place += length if key & 7 == BYTES else 0
        found.append((key >> 3, data[start:middle], data[middle:place]))
    return found


def _read(data: bytes, place: int) -> tuple[int, int]:
    end = next(at for at in range(place, len(data)) if data[at] < 0x80) + 1
    return sum((byte & 0x7F) << 7 * shift for shift, byte in enumerate(data[place:end])), end


def bends(data: bytes, kind: Descriptor) -> Iterator[bytes]:
    """Yield other bytes of a message of a kind, each bent in one place, in it or in a message inside.

    No signer and no book writes any of them.
    """
    parts, known = fields(data), kind.fields_by_number
    yield data + field(UNKNOWN, b"?")
    yield data + tag(UNKNOWN, VARINT) + b"\x01"
    yield data + tag(UNKNOWN, GROUP) + tag(UNKNOWN, GROUP + 1)
    yield data + b"\x07"  # no wire type
    yield data + b"\x0a\x7f"  # longer than the message
    if len(parts) > 1:
        yield _joined(parts[1:] + parts[:1])
    for place in _firsts(parts, known):
        before, (number, begins, rest), after = parts[:place], parts[place], parts[place + 1 :]
        yield _joined([*before, (number, longer(begins), rest), *after])
        yield _joined([*before, (number, begins, longer(rest)), *after])
        yield _joined([*before, (number, begins, rest), (number, tag(number, FIXED), bytes(4)), *after])
        if not known[number].is_repeated:
            yield _joined([*before, (number, begins, rest), *parts[place:]])
    yield from _written_out(parts, known)
    yield from _of_two_kinds(parts, kind)
    for place, (number, begins, rest) in enumerate(parts):
        inner = known[number].message_type
        if inner is not None:
            _, start = _read(rest, 0)
            for bent in bends(rest[start:], inner):
                message = (number, begins, varint(len(bent)) + bent)
                yield _joined([*parts[:place], message, *parts[place + 1 :]])


def _firsts(parts: Sequence[Part], known: Mapping[int, FieldDescriptor]) -> list[int]:
    """Return the places of the first number, of the first text or bytes, and of the first message."""
    firsts: dict[object, int] = {}
    for place, (number, _, _) in enumerate(parts):
        firsts.setdefault((_is_number(known[number]), known[number].message_type is None), place)
    return list(firsts.values())


def _written_out(parts: Sequence[Part], known: Mapping[int, FieldDescriptor]) -> Iterator[bytes]:
    """Yield a message with a number that is 0, which is left out else."""
    there = {number for number, _, _ in parts}
    for number, described in known.items():
        if number not in there and _is_number(described) and not described.has_presence:
            before = [part for part in parts if part[0] < number]
            yield _joined([*before, (number, tag(number, VARINT), b"\x00"), *parts[len(before) :]])
            return


def _of_two_kinds(parts: Sequence[Part], kind: Descriptor) -> Iterator[bytes]:
    """Yield a message with two members of a oneof, once with the other one before, and once with it after."""
    for oneof in kind.oneofs:
        numbers = [described.number for described in oneof.fields]
        if len(numbers) > 1:
            place = next(place for place, (number, _, _) in enumerate(parts) if number in numbers)
            other = next(number for number in numbers if number != parts[place][0])
            for at in (place, place + 1):
                yield _joined([*parts[:at], (other, field(other, b""), b""), *parts[at:]])


def _joined(parts: Sequence[Part]) -> bytes:
    return b"".join(begins + rest for _, begins, rest in parts)


def _is_number(described: FieldDescriptor) -> bool:
    is_text = described.cpp_type == FieldDescriptor.CPPTYPE_STRING
    return not is_text and described.message_type is None and not described.is_repeated
