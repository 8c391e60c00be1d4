"""The verb that lists the offers that wait for a party, and those that it made."""

from itertools import islice

import click

from pathbook.cli import arguments, connection
from pathbook.cli.settings import Settings, book_options
from pathbook.cli.transfer import STATUSES
from pathbook.cli.verb_group import Verb


@click.command("offers", cls=Verb)
@book_options
@click.argument("party")
@click.option("--waiting", is_flag=True, help="Only offers made to PARTY.")
@click.option("--made", is_flag=True, help="Only offers that PARTY made.")
@click.option("--status", type=click.Choice(STATUSES), metavar="STATUS",
              help=f"Only offers with this status: {', '.join(STATUSES)}. Default: offered.")  # fmt: skip
@click.option("--all", "include_ended", is_flag=True, help="Offers that have ended, too.")
@arguments.takes_limit
@click.pass_obj
def command(
    settings: Settings,
    *,
    party: str,
    waiting: bool,
    made: bool,
    status: str | None,
    include_ended: bool,
    limit: int | None,
) -> None:
    """List the open offers of PARTY, oldest first.

    `accept`, `decline` and `withdraw` take the position in the first column.
    """
    if status and include_ended:
        raise click.UsageError("--status and --all are both given. Give one of them.")
    from pathbook.cli import output, transfer
    from pathbook.cli.output import Column
    from pathbook.v1.transfers_pb2 import (
        TRANSFER_SIDE_GIVER,
        TRANSFER_SIDE_RECEIVER,
        TRANSFER_SIDE_UNSPECIFIED,
        Transfer,
    )

    side = TRANSFER_SIDE_UNSPECIFIED
    if waiting is not made:
        side = TRANSFER_SIDE_RECEIVER if waiting else TRANSFER_SIDE_GIVER
    more: list[Column[Transfer]] = [
        Column("which", lambda offer: output.ranges(offer.ranges)),
        Column("deadline", lambda offer: output.moment(offer.deadline)),
        Column("reference", lambda offer: offer.reference),
    ]
    with connection.reading(settings) as client:
        found = client.list_offers(
            party,
            side=side,
            status=transfer.status_number(status),
            include_ended=include_ended,
            page_size=arguments.page_size(limit),
        )
        output.show_list(settings.output, "offers", islice(found, limit), [*transfer.columns(), *more])
