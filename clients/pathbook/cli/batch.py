"""The verbs of batches: commission, show, list, recall, lift."""

import datetime

import click

from pathbook.cli import arguments, connection, signing
from pathbook.cli.arguments import Price, Range, Request
from pathbook.cli.settings import Settings, book_options
from pathbook.cli.signing import write_options
from pathbook.cli.verb_group import VerbGroup


@click.group("batch", cls=VerbGroup)
def command() -> None:
    """Commission, show and recall batches."""


@command.command()
@write_options
@click.argument("gtin")
@click.option("--brand", required=True, metavar="PARTY", help="The brand that makes it.")
@click.option("--lot", required=True, metavar="LOT", help="The lot number on the label, GS1 AI (10).")
@click.option("--size", type=arguments.NUMBER, required=True, metavar="N", help="The number of units.")
@click.option("--made-on", type=arguments.DATE, required=True, metavar="DATE", help="The day it was made.")
@click.option("--expires-on", type=arguments.DATE, metavar="DATE", help="Its last day of use. Default: none.")
@click.option(
    "--price", type=arguments.PRICE, metavar="PRICE", help="The suggested price. Default: the product's."
)
@arguments.takes_request_id
@click.pass_obj
def commission(  # noqa: PLR0913 - an argument for each option
    settings: Settings,
    *,
    gtin: str,
    brand: str,
    lot: str,
    size: int,
    made_on: datetime.date,
    expires_on: datetime.date | None,
    price: Price | None,
    request_id: str,
) -> None:
    """Commission a batch of the product GTIN.

    It is one event, whatever the size.
    """
    from pathbook.cli import output

    with connection.writing(settings) as client:
        answer = client.commission_batch(
            gtin,
            brand=brand,
            lot=lot,
            size=size,
            made_on=made_on,
            expires_on=expires_on,
            suggested_price=price,
            request_id=request_id,
        )
    output.show(
        settings.output, answer, lambda: output.recorded(answer.receipt, made=f", as batch {answer.batch}")
    )


@command.command()
@book_options
@click.argument("batch", type=arguments.NUMBER, required=False)
@click.option("--gtin", default="", metavar="GTIN", help="Its product, with --lot, instead of the number.")
@click.option("--lot", default="", metavar="LOT", help="Its lot, with --gtin, instead of the number.")
@click.pass_obj
def show(settings: Settings, *, batch: int | None, gtin: str, lot: str) -> None:
    """Show a batch and its recalls.

    BATCH is its number. --gtin and --lot name it as well.
    """
    if (batch is None) is not bool(gtin and lot):
        raise click.UsageError("No batch is named. Give either its number, or --gtin and --lot.")
    from pathbook.cli import output

    with connection.reading(settings) as client:
        found = client.get_batch(batch or 0, gtin=gtin, lot=lot)

    def text() -> str:
        about = output.fields(
            [
                ("batch", str(found.batch)),
                ("product", found.gtin),
                ("brand", found.brand),
                ("lot", found.lot),
                ("units", f"0-{found.size - 1}, {found.size} in all"),
                ("made on", found.made_on),
                ("expires on", found.expires_on or "never"),
                ("suggested price", output.price(found.suggested_price)),
                ("commissioned", output.registered(found.position, found.corrected_position)),
                ("code key", found.code_key),
                ("head", f"{found.head.hex()} at position {found.head_position}"),
            ]
        )
        rows = [
            [
                str(recall.position),
                output.moment(recall.occurred_at),
                output.moment(recall.lifted_at),
                output.ranges(recall.ranges),
                recall.note.text,
                f"at {recall.lifted_position}" if recall.lifted_position else "in force",
            ]
            for recall in found.recalls
        ]
        recalls = (
            output.table(["recall", "since", "until", "units", "note", "lifted"], rows, {0}) if rows else ""
        )
        return f"{about}\n\n{recalls}".rstrip()

    output.show(settings.output, found, text)


@command.command("list")
@book_options
@click.option("--gtin", default="", metavar="GTIN", help="Only the batches of this product.")
@click.pass_obj
def list_batches(settings: Settings, *, gtin: str) -> None:
    """List all batches, or those of a product."""
    from pathbook.cli import output
    from pathbook.cli.output import Column
    from pathbook.v1.batches_pb2 import Batch

    columns: list[Column[Batch]] = [
        Column("batch", lambda batch: str(batch.batch), right=True),
        Column("product", lambda batch: batch.gtin),
        Column("lot", lambda batch: batch.lot),
        Column("size", lambda batch: str(batch.size), right=True),
        Column("made on", lambda batch: batch.made_on),
        Column("expires on", lambda batch: batch.expires_on),
        Column("suggested price", lambda batch: output.price(batch.suggested_price), right=True),
    ]
    with connection.reading(settings) as client:
        output.show_list(settings.output, "batches", client.list_batches(gtin=gtin), columns)


@command.command()
@write_options
@click.argument("batch", type=arguments.NUMBER)
@click.option("--brand", required=True, metavar="PARTY", help="The brand of the batch.")
@click.option("--units", "ranges", type=arguments.UNITS, metavar="BATCH:FIRST-LAST", multiple=True,
              help="Only these units. The option may be repeated.")  # fmt: skip
@click.option("--note", default="", metavar="TEXT", help="The reason.")
@arguments.takes_request
@click.pass_obj
def recall(
    settings: Settings,
    *,
    batch: int,
    brand: str,
    ranges: tuple[Range, ...],
    note: str,
    request: Request,
) -> None:
    """Recall BATCH, or some of its units."""
    from pathbook.cli import output

    with connection.writing(settings) as client:
        answer = client.recall_units(batch, brand=brand, ranges=ranges, note=note, **request)
    output.show(settings.output, answer, lambda: output.recorded(answer.receipt))


@command.command()
@write_options
@click.argument("recall", type=arguments.NUMBER, metavar="POSITION")
@click.option("--brand", required=True, metavar="PARTY", help="The brand that recalled the units.")
@arguments.takes_request
@click.pass_obj
def lift(settings: Settings, *, recall: int, brand: str, request: Request) -> None:
    """Lift the recall at POSITION.

    `batch show` lists the recalls of a batch.
    """
    from pathbook.cli import output

    with connection.writing(settings) as client:
        leaf = signing.answered_leaf(settings, client, recall)
        answer = client.lift_recall(recall, brand=brand, answered_leaf=leaf, **request)
    output.show(settings.output, answer, lambda: output.recorded(answer.receipt))
