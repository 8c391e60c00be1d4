"""The verbs that read the events of a book, and follow new ones."""

import base64
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from pathbook.cli import arguments, connection, printing
from pathbook.cli.errors import print_error
from pathbook.cli.exits import Exit
from pathbook.cli.settings import Output, Settings, book_options
from pathbook.cli.verb_group import VerbGroup

if TYPE_CHECKING:
    from pathbook.v1.events_pb2 import Event


_incarnation = click.option(
    "--incarnation",
    default="",
    metavar="ID",
    help="The incarnation in which --after was read. If the book was restored since, the command is refused.",
)


@click.group("events", cls=VerbGroup)
def command() -> None:
    """Read or follow the events of a book.

    The events are the book. Every other answer is derived from them.
    """


@command.command()
@book_options
@click.option(
    "--after", type=arguments.COUNT, default=0, metavar="POSITION", help="Start after this position."
)
@click.option(
    "--limit", type=arguments.COUNT, default=0, metavar="N", help="The most events to print. 0 prints all."
)
@_incarnation
@click.pass_obj
def read(settings: Settings, *, after: int, limit: int, incarnation: str) -> Exit:
    """Print the events in order, up to the head of the book.

    JSON has the incarnation of the book with each event. Send it with --after to go on later: after a restore from
    a backup, the book may have other events at the same positions.

    Events that are newer than this program are printed with what is known of them. Then the exit code is 4.
    """
    with connection.looking(settings) as client:
        events = (
            (position, data, batch.incarnation)
            for batch in client.read(after, limit=limit, incarnation=incarnation)
            for position, data in enumerate(batch.events, batch.first_position)
        )
        return _print(settings.output, events)


@command.command()
@book_options
@click.option(
    "--after", type=arguments.COUNT, metavar="POSITION", help="Start after this position, not at the head."
)
@_incarnation
@click.pass_obj
def follow(settings: Settings, *, after: int | None, incarnation: str) -> None:
    """Print new events as they are recorded.

    It runs until it is interrupted. Both JSON formats print one event a line.
    """
    line_by_line = Output.JSONL if settings.output is Output.JSON else settings.output
    with connection.looking(settings) as client:
        if after is None:
            head = client.get_head()
            after, incarnation = head.position, head.incarnation
        events = (
            (position, data, batch.incarnation)
            for batch in client.subscribe(after, incarnation=incarnation)
            for position, data in enumerate(batch.events, batch.first_position)
        )
        _print(line_by_line, events)


def show_one(form: Output, position: int, data: bytes) -> Exit:
    """Print one event, and return the exit code as `events read` does."""
    newer = NewerEvents(form)
    if form is Output.TABLE:
        printing.echo(line(position, data, newer))
    else:
        printing.echo(printing.as_json(as_object(position, data, newer), form))
    return newer.exit


def _print(form: Output, events: Iterable[tuple[int, bytes, str]]) -> Exit:
    """Print events as they come, and return the exit code. One that is newer than this program has its own code."""
    from pathbook.cli import output

    newer = NewerEvents(form)
    match form:
        case Output.TABLE:
            for position, data, _ in events:
                printing.echo(line(position, data, newer))
        case Output.JSONL | Output.JSON:
            objects = (
                {**as_object(position, data, newer), "incarnation": incarnation}
                for position, data, incarnation in events
            )
            output.show_objects(form, "events", objects)
    return newer.exit


class NewerEvents:
    """Finds events that are newer than this program. The first of them is reported on stderr."""

    def __init__(self, form: Output) -> None:
        self._form = form
        self.exit = Exit.DONE

    def find(self, position: int, event: "Event") -> str:
        """Return what this program does not know in an event, or an empty text if it knows all that counts."""
        from pathbook.ledger.codec import newer_event

        error = newer_event(position, event)
        if error is None:
            return ""
        if self.exit is Exit.DONE:
            self.exit = Exit.COULD_NOT_CHECK
            metadata = {"position": str(error.position), "field": str(error.field)}
            print_error(self._form, "EVENT_NEWER", f"{str(error)[0].upper()}{str(error)[1:]}.", metadata)
        return error.what


def as_object(position: int, data: bytes, newer: NewerEvents) -> dict[str, object]:
    """Return an event in the words of the contract, with its stored bytes. Only those bytes are hashed."""
    from pathbook.cli import output
    from pathbook.v1.events_pb2 import Event

    event = Event.FromString(data)
    unknown = newer.find(position, event)
    return {
        "position": str(position),
        "event": output.as_object(event),
        **({"newer_than_this_program": unknown} if unknown else {}),
        "bytes": base64.b64encode(data).decode(),
    }


def line(position: int, data: bytes, newer: NewerEvents) -> str:
    """Return an event on one line: position, time of recording, kind, and the fields that are set."""
    from pathbook.cli import output
    from pathbook.v1.events_pb2 import Event

    event = Event.FromString(data)
    kind = event.WhichOneof("kind") or "unknown"
    fields = " ".join(_fields(output.as_object(event).get(kind)))
    if unknown := newer.find(position, event):
        fields = f"(newer than this program: {unknown}) {fields}".rstrip()
    return printing.printable(f"{position:>8}  {output.moment(event.recorded_at)}  {kind}  {fields}")


def _fields(content: object, name: str = "") -> Iterator[str]:
    """Yield `name=value` for the fields of a message, with prices and units as the command line writes them."""
    from pathbook.ledger.money import print_price
    from pathbook.ledger.values import Price

    match content:
        case {"amount_minor": str(amount), "currency_code": str(currency), "per_units": str(units)}:
            yield f"{name}={print_price(Price(int(amount), currency, int(units))).replace(' ', '')}"
        case {"batch": str(batch), "first": str(first), "last": str(last)}:
            yield f"{name}={batch}:{first}-{last}"
        case dict():
            for inner, value in content.items():
                if not str(inner).endswith("_tier"):
                    yield from _fields(value, str(inner))
        case list():
            for value in content:
                yield from _fields(value, name)
        case (
            ""
            | "0"
            | 0
            | None
            | "DELIVERY_WITH_TITLE"
            | "AUTHORIZATION_STATUS_UNSPECIFIED"
            | "AUTHORIZATION_STATUS_AUTHORIZED"
        ):
            pass  # usual values would hide the unusual ones
        case _:
            yield f"{name}={content}"
