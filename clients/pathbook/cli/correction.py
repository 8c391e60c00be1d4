"""The verb that lists the corrections of an event, a product, a batch or a party."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from pathbook.cli import arguments, connection
from pathbook.cli.exits import Exit
from pathbook.cli.settings import Output, Settings, book_options
from pathbook.cli.verb_group import VerbGroup

if TYPE_CHECKING:
    from pathbook.cli.events import NewerEvents
    from pathbook.v1.corrections_pb2 import Correction
    from pathbook.v1.events_pb2 import Event


@click.group("correction", cls=VerbGroup)
def command() -> None:
    """List corrections."""


@command.command("list")
@book_options
@click.option("--event", "position", type=arguments.NUMBER, metavar="POSITION", help="Of the event there.")
@click.option("--product", "gtin", metavar="GTIN", help="Of a product.")
@click.option("--batch", type=arguments.NUMBER, metavar="N", help="Of the batch with this number.")
@click.option("--party", metavar="PARTY", help="Of a party.")
@click.pass_obj
def list_corrections(
    settings: Settings, *, position: int | None, gtin: str | None, batch: int | None, party: str | None
) -> Exit:
    """List the corrections of one subject, oldest first.

    Name the subject by one option. JSON has each correction as an event in the words of the contract.
    """
    if sum(subject is not None for subject in (position, gtin, batch, party)) != 1:
        raise click.UsageError("Name one subject: --event, --product, --batch or --party.")
    with connection.reading(settings) as client:
        found = client.corrections(position=position, gtin=gtin, batch=batch, party=party)
        return _print(settings.output, found)


def _print(form: Output, found: "Iterator[Correction]") -> Exit:
    """Print corrections, and return the exit code. One that is newer than this program has its own code."""
    from pathbook.cli import output
    from pathbook.cli.events import NewerEvents
    from pathbook.cli.output import Column
    from pathbook.v1.corrections_pb2 import Correction
    from pathbook.v1.events_pb2 import Event

    newer = NewerEvents(form)
    match form:
        case Output.TABLE:
            columns: list[Column[Correction]] = [
                Column("at", lambda each: str(each.position), right=True),
                Column("recorded", lambda each: output.moment(Event.FromString(each.event).recorded_at)),
                Column("correction", lambda each: _in_words(Event.FromString(each.event), each.note.text)),
            ]
            output.show_list(form, "corrections", found, columns)
        case Output.JSONL | Output.JSON:
            output.show_objects(form, "corrections", (_object(each, newer) for each in found))
    return newer.exit


def _object(each: "Correction", newer: "NewerEvents") -> dict[str, object]:
    """Return a correction as an event in the words of the contract, with its note if there is one."""
    from pathbook.cli import events, output

    found = events.as_object(each.position, each.event, newer)
    return {**found, "note": output.as_object(each.note)} if each.HasField("note") else found


def _in_words(event: "Event", note: str) -> str:
    """Return what a correction says, and who says it."""
    from pathbook.cli import output
    from pathbook.v1.values_pb2 import PartyKind

    match event.WhichOneof("kind"):
        case "error_declared":
            error = event.error_declared
            what = (error.WhichOneof("declared") or "unknown").replace("_", " ")
            why = f": {note}" if note else ""
            return f"{error.party} declares the event at {error.position} an error ({what}){why}"
        case "product_corrected":
            product = event.product_corrected
            return f"{product.brand}: name {product.name}, price {output.price(product.suggested_price)}"
        case "batch_corrected":
            batch = event.batch_corrected
            days = f"made {batch.made_on}, expires {batch.expires_on or 'never'}"
            return f"{batch.brand}: {days}, price {output.price(batch.suggested_price)}"
        case "party_corrected":
            return f"operator: kind {output.word(PartyKind.DESCRIPTOR, event.party_corrected.kind)}"
        case kind:
            return kind or "unknown"
