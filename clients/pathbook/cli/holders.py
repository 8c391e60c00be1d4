"""The verb that shows who owns and who has the units of a batch."""

from itertools import islice

import click

from pathbook.cli import arguments, connection
from pathbook.cli.arguments import Range
from pathbook.cli.settings import Settings, book_options
from pathbook.cli.verb_group import Verb


@click.command("holders", cls=Verb)
@book_options
@click.argument("batch", type=arguments.NUMBER, required=False)
@click.option("--gtin", default="", metavar="GTIN", help="The product of a lot, instead of BATCH.")
@click.option("--lot", default="", metavar="LOT", help="The lot of --gtin.")
@click.option(
    "--units",
    "ranges",
    type=arguments.UNITS,
    metavar="BATCH:FIRST-LAST",
    multiple=True,
    help="Only these units of the batch. BATCH:N is one unit. The option may be repeated. Default: all units.",
)
@arguments.takes_limit
@click.pass_obj
def command(
    settings: Settings,
    *,
    batch: int | None,
    gtin: str,
    lot: str,
    ranges: tuple[Range, ...],
    limit: int | None,
) -> None:
    """Show who owns and who has the units of BATCH.

    The units are in order. One line has consecutive units with the same owner, custodian and state.
    """
    if batch == 0 or (batch is None) is not bool(gtin and lot) or bool(gtin) is not bool(lot):
        raise click.UsageError("No batch is named. Give either the number of a batch, or --gtin and --lot.")
    from pathbook.cli import output
    from pathbook.cli.output import Column
    from pathbook.v1.paths_pb2 import Holder
    from pathbook.v1.values_pb2 import UnitState

    columns: list[Column[Holder]] = [
        Column("which", lambda held: output.ranges([held.range])),
        Column("units", lambda held: str(held.units), right=True),
        Column("owner", lambda held: held.owner),
        Column("custodian", lambda held: held.custodian),
        Column("state", lambda held: output.word(UnitState.DESCRIPTOR, held.state)),
    ]
    of = (gtin, lot) if batch is None else batch
    with connection.reading(settings) as client:
        found = client.list_holders(of, ranges=ranges, page_size=arguments.page_size(limit))
        output.show_list(settings.output, "holders", islice(found, limit), columns)
