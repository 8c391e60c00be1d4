"""Answers as text: plain tables for people, the contract's JSON for scripts, the same on a terminal and in a file.

JSON is protobuf's JSON mapping (https://protobuf.dev/programming-guides/json) with the contract's field names:
64-bit numbers are strings, times RFC 3339, bytes base64. Only heads are hexadecimal, because people compare them. A
list is one object with the list in it as `json`, and one object a line as `jsonl`.
"""

import base64
import datetime
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

import click
from google.protobuf import json_format
from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from pathbook.cli import printing
from pathbook.cli.printing import echo, printable, width
from pathbook.cli.settings import Output, current_zone
from pathbook.ledger.money import print_number, print_price
from pathbook.ledger.values import Price
from pathbook.v1 import values_pb2

GAP = "  "
NOTHING = "-"

NOT_A_DATE = "not a date"
"""The cell for a day or a time that does not exist. Only a server that is not trusted sends one."""

MIN_WRAPPED = 12
"""The fewest columns that a text is wrapped to. A narrower terminal breaks the lines itself."""

M = TypeVar("M", bound=Message)


class MalformedAnswerError(Exception):
    """An answer of the server cannot be shown. The message says why."""


class Column(NamedTuple, Generic[M]):
    """A column of a table: its title, its cell for a message, and whether it is aligned on the right."""

    title: str
    cell: Callable[[M], str]
    right: bool = False


def show(output: Output, message: Message, text: Callable[[], str]) -> None:
    """Print one answer: as JSON, or as the text for people."""
    if output is Output.TABLE:
        echo(text())
    else:
        echo(as_json(message, output))


def show_list(output: Output, name: str, messages: Iterable[M], columns: Sequence[Column[M]]) -> None:
    """Print a list. ``name`` is its name in the contract."""
    match output:
        case Output.TABLE:
            rows = [[column.cell(message) for column in columns] for message in messages]
            titles = [column.title for column in columns]
            right = {number for number, column in enumerate(columns) if column.right}
            echo(table(titles, rows, right) if rows else f"no {name.replace('_', ' ')}")
        case Output.JSONL | Output.JSON:
            show_objects(output, name, map(as_object, messages))


def show_objects(output: Output, name: str, objects: Iterable[dict[str, object]]) -> None:
    """Print objects as JSON: each on a line as it comes, or all as one object with a list of that name."""
    if output is Output.JSONL:
        for each in objects:
            echo(printing.as_json(each, output))
    else:
        echo(printing.as_json({name: list(objects)}, output))


def as_object(message: Message) -> dict[str, object]:
    """Return a message in the JSON of the contract, with zeros and empty lists.

    A price for 0 units is one for 1, and heads are hexadecimal.

    Raises:
        MalformedAnswerError: the message has no JSON form. Only a server that is not trusted sends such times.
    """
    try:
        found: dict[str, object] = json_format.MessageToDict(
            message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
    except (ValueError, json_format.Error) as error:
        raise MalformedAnswerError(f"The server's answer has no JSON form: {error}") from error
    _state_units(found)
    _show_heads(found)
    return found


def _state_units(content: object) -> None:
    """Put 1 in the place of each 0 that stands for it, so that scripts may divide by the number of units."""
    if isinstance(content, dict):
        if "amount_minor" in content and content.get("per_units") == "0":
            content["per_units"] = "1"
        for value in content.values():
            _state_units(value)
    elif isinstance(content, list):
        for value in content:
            _state_units(value)


def _show_heads(found: object) -> None:
    """Write the heads within an object in hexadecimal instead of base64."""
    if isinstance(found, list):
        for item in found:
            _show_heads(item)
    elif isinstance(found, dict):
        for name, value in found.items():
            if name == "head" and isinstance(value, str):
                found[name] = base64.b64decode(value).hex()
            else:
                _show_heads(value)


def is_printable(message: Message) -> bool:
    """Tell whether a message from a server that is not trusted has a JSON form: its times must exist."""
    try:
        as_object(message)
    except MalformedAnswerError:
        return False
    return True


def as_json(message: Message, output: Output) -> str:
    """Return a message as JSON: on one line for `jsonl`, else indented."""
    return printing.as_json(as_object(message), output)


def table(titles: Sequence[str], rows: Sequence[Sequence[str]], right: set[int] | None = None) -> str:
    """Return rows as lines of columns. Only a terminal shows the titles in bold.

    On a terminal that is too narrow for the columns, each row is a block of lines, one for each title.
    """
    shown = [[printable(cell) or NOTHING for cell in row] for row in rows]
    widths = [max(map(width, column)) for column in zip(titles, *shown, strict=True)]
    wide = printing.columns()
    if wide is not None and rows and sum(widths) + len(GAP) * (len(widths) - 1) > wide:
        return "\n\n".join(fields(zip(titles, row, strict=True)) for row in rows)
    lines = [
        GAP.join(
            " " * (wide - width(cell)) + cell
            if number in (right or ())
            else cell + " " * (wide - width(cell))
            for number, (cell, wide) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in [titles, *shown]
    ]
    return "\n".join([click.style(lines[0], bold=True), *lines[1:]])


def fields(pairs: Iterable[tuple[str, str]]) -> str:
    """Return names and values, one pair a line, with the values aligned. A terminal's width wraps long values."""
    shown = [(name, printable(value) or NOTHING) for name, value in pairs]
    wide = max(width(name) for name, _ in shown)
    return "\n".join(
        f"{name}{' ' * (wide - width(name))}{GAP}{wrapped(value, wide + len(GAP))}" for name, value in shown
    )


def wrapped(text: str, indent: int, most: int | None = None) -> str:
    """Return a text in lines that fit the terminal beside an indent. The lines after the first begin with it.

    A file gets one line, unless ``most`` names a width.
    """
    columns = printing.columns()
    free = most if columns is None else min(most or columns, columns - indent)
    if free is None or width(text) <= free:
        return text
    lines = _folded(text, max(free, MIN_WRAPPED))
    return f"\n{' ' * indent}".join(lines)


def _folded(text: str, columns: int) -> list[str]:
    """Return a text in lines of so many columns at most, broken at blanks where there are some."""
    if text.isascii():
        return textwrap.wrap(text, columns)
    lines, line = [], ""
    for word_ in text.split(" "):
        if line and width(f"{line} {word_}") > columns:
            lines.append(line)
            line = word_
        else:
            line = f"{line} {word_}" if line else word_
        while width(line) > columns:
            end = next(end for end in range(len(line), 0, -1) if end == 1 or width(line[:end]) <= columns)
            lines.append(line[:end])
            line = line[end:]
    return [*lines, line]


def word(kind: EnumDescriptor, number: int) -> str:
    """Return the name of an enum's value, `in stock` for UNIT_STATE_IN_STOCK; an empty text for unspecified."""
    if number not in kind.values_by_number:
        return f"unknown ({number})"
    if not number:
        return ""
    prefix = kind.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return kind.values_by_number[number].name.removeprefix(prefix).lower().replace("_", " ")


def price(stated: values_pb2.Price) -> str:
    """Return a price as decimal text with its currency, an empty text for none."""
    return print_price(price_of(stated)) if stated.currency_code else ""


def bare_price(stated: values_pb2.Price) -> str:
    """Return a price as decimal text without its currency, an empty text for none."""
    return print_number(price_of(stated)) if stated.currency_code else ""


def price_of(stated: values_pb2.Price) -> Price:
    """Return the price in a message. An answer of a server that is not trusted may be for 0 units, which means 1."""
    return Price(stated.amount_minor, stated.currency_code, stated.per_units or 1)


def moment(time: Timestamp) -> str:
    """Return a time to the second with its offset, `2026-05-01 09:30:00+08:00`; an empty text for none."""
    return _in_zone(time, lambda here: here.replace(microsecond=0).isoformat(" ").replace("+00:00", "Z"))


def day(time: Timestamp) -> str:
    """Return the date of a time in the zone that is shown, an empty text for none. ``days_of`` says which zone."""
    return _in_zone(time, lambda here: here.date().isoformat())


def days_of(title: str) -> str:
    """Return the title of a column of days, with their zone: `date (UTC)`."""
    return f"{title} ({current_zone().name})"


def ranges(parts: Iterable[values_pb2.UnitRange]) -> str:
    """Return ranges as they are typed: `1:0-9 2:5`."""
    return " ".join(
        f"{part.batch}:{part.first}" + (f"-{part.last}" if part.last != part.first else "") for part in parts
    )


def recorded(receipt: values_pb2.Receipt, units: Iterable[values_pb2.UnitRange] = (), made: str = "") -> str:
    """Return the sentence that answers a write: its position, its units, and what it created."""
    again = "Recorded before, with the same request id," if receipt.duplicate else "Recorded"
    named = ranges(units)
    return printable(f"{again} at position {receipt.position}{f': units {named}' if named else ''}{made}.")


def registered(position: int, corrected: int) -> str:
    """Return where something was registered, and where it was corrected last, unless that is 0."""
    return f"at position {position}" + (f", corrected at position {corrected}" if corrected else "")


def _in_zone(time: Timestamp, form: Callable[[datetime.datetime], str]) -> str:
    if not time.seconds and not time.nanos:
        return ""
    try:
        return form(current_zone().at(time.ToDatetime(datetime.UTC)))
    except (ValueError, OverflowError):
        return NOT_A_DATE
