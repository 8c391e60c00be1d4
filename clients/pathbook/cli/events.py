"""The verbs that read the stream of a book, and follow it as it grows."""

import base64
import json
from collections.abc import Iterable, Iterator

import click

from pathbook.cli import arguments, connection
from pathbook.cli.settings import Output, Settings, book_options


@click.group("events")
def command() -> None:
    """Read or follow the events of a book.

    In order; everything else follows from them.
    """


@command.command()
@book_options
@click.option("--after", type=arguments.NUMBER, default=0, metavar="POSITION", help="Begin behind this one.")
@click.option("--limit", type=arguments.NUMBER, default=0, metavar="N", help="At most so many; 0 for all.")
@click.pass_obj
def read(settings: Settings, *, after: int, limit: int) -> None:
    """Print the events up to the head of the book."""
    with connection.writing(settings) as client:
        events = (
            (position, data)
            for batch in client.read(after, limit=limit)
            for position, data in enumerate(batch.events, batch.first_position)
        )
        _print(settings.output, events)


@command.command()
@book_options
@click.option(
    "--after", type=arguments.NUMBER, metavar="POSITION", help="Begin behind this one, not at the head."
)
@click.pass_obj
def follow(settings: Settings, *, after: int | None) -> None:
    """Print new events as they come, until interrupted; `--output json` prints one a line, too."""
    as_they_come = Output.JSONL if settings.output is Output.JSON else settings.output
    with connection.writing(settings) as client:
        start = client.get_head().position if after is None else after
        events = (
            (position, data)
            for batch in client.subscribe(start)
            for position, data in enumerate(batch.events, batch.first_position)
        )
        _print(as_they_come, events)


def _print(output_: Output, events: Iterable[tuple[int, bytes]]) -> None:
    match output_:
        case Output.TABLE:
            for position, data in events:
                click.echo(_line(position, data))
        case Output.JSONL:
            for position, data in events:
                click.echo(json.dumps(_object(position, data), ensure_ascii=False))
        case Output.JSON:
            found = [_object(position, data) for position, data in events]
            click.echo(json.dumps({"events": found}, indent=2, ensure_ascii=False))


def _object(position: int, data: bytes) -> dict[str, object]:
    """Return an event in the contract's words, and the bytes it is stored as, which alone are hashed."""
    from pathbook.cli import output
    from pathbook.v1.events_pb2 import Event

    return {
        "position": str(position),
        "event": output.as_object(Event.FromString(data)),
        "bytes": base64.b64encode(data).decode(),
    }


def _line(position: int, data: bytes) -> str:
    """Return an event on one line: position, when it was recorded, what happened, and its words that are set."""
    from pathbook.cli import output
    from pathbook.v1.events_pb2 import Event

    event = Event.FromString(data)
    kind = event.WhichOneof("kind") or "unknown"
    words = " ".join(_words(output.as_object(event).get(kind)))
    return output.printable(f"{position:>8}  {output.moment(event.recorded_at)}  {kind}  {words}")


def _words(said: object, name: str = "") -> Iterator[str]:
    """Yield `name=value` for what a message says, with money and units as the command line writes them."""
    from pathbook.ledger.money import print_money

    match said:
        case {"amount_minor": str(amount), "currency_code": str(currency)}:
            yield f"{name}={print_money(int(amount), currency).replace(' ', '')}"
        case {"batch": str(batch), "first": str(first), "last": str(last)}:
            yield f"{name}={batch}:{first}-{last}"
        case dict():
            for inner, value in said.items():
                if not str(inner).endswith("_tier"):
                    yield from _words(value, str(inner))
        case list():
            for value in said:
                yield from _words(value, name)
        case (
            ""
            | "0"
            | 0
            | None
            | "DELIVERY_WITH_TITLE"
            | "AUTHORIZATION_STATUS_UNSPECIFIED"
            | "AUTHORIZATION_STATUS_AUTHORIZED"
        ):
            pass  # what is as usual would only hide what is not
        case _:
            yield f"{name}={said}"
