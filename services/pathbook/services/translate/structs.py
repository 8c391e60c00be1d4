"""Messages for structs of the ledger whose fields have the same names, such as the answers of reports."""

import datetime
import enum
from collections.abc import Iterable
from typing import Final, TypeVar

import msgspec
from google.protobuf.message import Message

from pathbook.ledger.values import Price
from pathbook.services.translate.values import price

MAX_INT64: Final = 2**63 - 1
"""The highest number that an int64 field holds. What is higher stays unset."""

Made = TypeVar("Made", bound=Message)


def fill(message: Made, found: msgspec.Struct) -> Made:
    """Set each field of a message to the field of a struct with its name, and return the message.

    None stays unset. Dates are YYYY-MM-DD. Every field of the struct has a field of the message.
    """
    for name in found.__struct_fields__:
        _set(message, name, getattr(found, name))
    return message


def _set(message: Message, name: str, value: object) -> None:
    match value:
        case None:
            pass
        case Price():
            getattr(message, name).CopyFrom(price(value))
        case msgspec.Struct():
            fill(getattr(message, name), value)
        case dict():
            _fill_map(getattr(message, name), value)
        case list() | tuple():
            _fill_list(getattr(message, name), value)
        case datetime.date():
            setattr(message, name, value.isoformat())
        case enum.Enum():
            setattr(message, name, value.value)
        case int() if value > MAX_INT64:
            pass
        case _:
            setattr(message, name, value)


def _fill_map(target: object, found: dict[object, object]) -> None:
    assert hasattr(target, "__getitem__")
    for key, value in found.items():
        if isinstance(value, msgspec.Struct):
            fill(target[key], value)
        elif not (isinstance(value, int) and value > MAX_INT64):
            assert hasattr(target, "__setitem__")
            target[key] = value


def _fill_list(target: object, found: Iterable[object]) -> None:
    assert hasattr(target, "append")
    for value in found:
        if isinstance(value, msgspec.Struct):
            assert hasattr(target, "add")
            fill(target.add(), value)
        else:
            target.append(value)
