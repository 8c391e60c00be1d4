"""The verbs of an offer: made, accepted wholly or in part, declined, withdrawn."""

import datetime
from typing import TYPE_CHECKING

import click

from pathbook.cli import arguments, connection
from pathbook.cli.arguments import Price, Request
from pathbook.cli.settings import Settings, book_options

if TYPE_CHECKING:
    from pathbook.v1.transfers_pb2 import DiscrepancyClaim
    from pathbook.v1.values_pb2 import DiscrepancyKind, Selection

_MISSING = "COUNT|BATCH:FIRST-LAST|CODE"


@click.command("offer")
@book_options
@click.option("--giver", required=True, metavar="PARTY", help="Who owns the units and offers them.")
@click.option("--receiver", required=True, metavar="PARTY", help="To whom.")
@arguments.takes_units
@click.option("--price", type=arguments.MONEY, required=True, metavar="MONEY", help="For one unit.")
@click.option("--later", is_flag=True, help="The goods stay where they lie: cloud stock.")
@click.option(
    "--deadline", type=arguments.MOMENT, metavar="TIME", help="When the offer lapses; never, if not said."
)
@arguments.takes_request
@click.pass_obj
def offer(
    settings: Settings,
    *,
    giver: str,
    receiver: str,
    units: "Selection",
    price: Price,
    later: bool,
    deadline: datetime.datetime | None,
    request: Request,
) -> None:
    """Offer units at a price.

    They are reserved until the offer is answered, or lapses at its deadline.
    """
    from pathbook.cli import output

    with connection.writing(settings) as client:
        answer = client.offer_transfer(
            giver=giver,
            receiver=receiver,
            units=units,
            unit_price=price,
            delivery=arguments.delivery(later=later),
            deadline=deadline,
            **request,
        )
    output.show(settings.output, answer, lambda: output.recorded(answer.receipt, answer.ranges))


@click.command("accept")
@book_options
@click.argument("transfer", type=arguments.NUMBER)
@click.option("--receiver", required=True, metavar="PARTY", help="Who accepts.")
@click.option("--short", multiple=True, metavar=_MISSING, help="Units that were not in the delivery.")
@click.option("--damaged", multiple=True, metavar=_MISSING, help="Units that arrived damaged.")
@click.option(
    "--wrong-item", multiple=True, metavar=_MISSING, help="Units in whose place something else came."
)
@arguments.takes_request
@click.pass_obj
def accept(
    settings: Settings,
    *,
    transfer: int,
    receiver: str,
    short: tuple[str, ...],
    damaged: tuple[str, ...],
    wrong_item: tuple[str, ...],
    request: Request,
) -> None:
    """Accept the offer TRANSFER.

    Wholly, or less what is missing: so many of the last units offered, or those named.
    """
    from pathbook.cli import output
    from pathbook.v1 import values_pb2

    claims = [
        _claim(kind, said)
        for kind, several in (
            (values_pb2.DISCREPANCY_KIND_SHORT, short),
            (values_pb2.DISCREPANCY_KIND_DAMAGED, damaged),
            (values_pb2.DISCREPANCY_KIND_WRONG_ITEM, wrong_item),
        )
        for said in several
    ]
    with connection.writing(settings) as client:
        answer = client.accept_transfer(transfer, receiver=receiver, discrepancies=claims, **request)
    output.show(settings.output, answer, lambda: output.recorded(answer.receipt, answer.ranges))


@click.command("decline")
@book_options
@click.argument("transfer", type=arguments.NUMBER)
@click.option("--receiver", required=True, metavar="PARTY", help="Who declines.")
@click.option("--note", default="", help="Why, in words.")
@arguments.takes_request
@click.pass_obj
def decline(
    settings: Settings,
    *,
    transfer: int,
    receiver: str,
    note: str,
    request: Request,
) -> None:
    """Decline the offer TRANSFER."""
    from pathbook.cli import output

    with connection.writing(settings) as client:
        answer = client.decline_transfer(transfer, receiver=receiver, note=note, **request)
    output.show(settings.output, answer, lambda: output.recorded(answer.receipt))


@click.command("withdraw")
@book_options
@click.argument("transfer", type=arguments.NUMBER)
@click.option("--giver", required=True, metavar="PARTY", help="Who offered.")
@arguments.takes_request
@click.pass_obj
def withdraw(settings: Settings, *, transfer: int, giver: str, request: Request) -> None:
    """Withdraw the offer TRANSFER of one's own."""
    from pathbook.cli import output

    with connection.writing(settings) as client:
        answer = client.withdraw_transfer(transfer, giver=giver, **request)
    output.show(settings.output, answer, lambda: output.recorded(answer.receipt))


def _claim(kind: "DiscrepancyKind.ValueType", said: str) -> "DiscrepancyClaim":
    """Read one discrepancy: how many, which units, or the code of one."""
    from pathbook.v1.transfers_pb2 import DiscrepancyClaim
    from pathbook.v1.values_pb2 import UnitRange

    if said.isascii() and said.isdigit() and len(said) <= arguments.MAX_DIGITS:
        return DiscrepancyClaim(kind=kind, count=int(said))
    if "/" in said or ":" not in said:
        return DiscrepancyClaim(kind=kind, codes=[said])
    batch, first, last = arguments.UNITS.convert(said, None, None)
    return DiscrepancyClaim(kind=kind, ranges=[UnitRange(batch=batch, first=first, last=last)])
