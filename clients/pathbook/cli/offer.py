"""The verbs of an offer: offer, accept, decline, withdraw."""

import datetime
from typing import TYPE_CHECKING

import click

from pathbook.cli import arguments, connection, signing
from pathbook.cli.arguments import Price, Range, Request
from pathbook.cli.settings import Settings
from pathbook.cli.signing import write_options
from pathbook.cli.verb_group import Verb

if TYPE_CHECKING:
    from pathbook.v1.transfers_pb2 import DiscrepancyClaim
    from pathbook.v1.values_pb2 import DiscrepancyKind, Selection

_MISSING = "COUNT|BATCH:FIRST-LAST|CODE"


@click.command("offer", cls=Verb)
@write_options
@click.option(
    "--giver", required=True, metavar="PARTY", help="The party that owns the units and offers them."
)
@click.option("--receiver", required=True, metavar="PARTY", help="The party that the offer is made to.")
@arguments.takes_units
@click.option("--price", type=arguments.PRICE, required=True, metavar="PRICE", help=arguments.PRICE_HELP)
@click.option("--later", is_flag=True, help="The goods stay where they are: cloud stock.")
@click.option(
    "--deadline", type=arguments.MOMENT, metavar="TIME", help="When the offer lapses. Default: never."
)
@click.option(
    "--extra-allowed",
    type=click.IntRange(min=0),
    default=0,
    metavar="COUNT",
    help="How many units beyond these the receiver may find in the delivery, and accept. Default: none.",
)
@arguments.takes_reference
@arguments.takes_request
@click.pass_obj
def offer(  # noqa: PLR0913 - an argument for each option
    settings: Settings,
    *,
    giver: str,
    receiver: str,
    units: "Selection",
    price: Price,
    later: bool,
    deadline: datetime.datetime | None,
    extra_allowed: int,
    reference: str,
    request: Request,
) -> None:
    """Offer units at a price.

    The units are reserved until the offer is answered, or lapses at its deadline.
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
            reference=reference,
            extra_allowed=extra_allowed,
            **request,
        )
    output.show(settings.output, answer, lambda: output.recorded(answer.receipt, answer.ranges))


@click.command("accept", cls=Verb)
@write_options
@click.argument("transfer", type=arguments.NUMBER)
@click.option("--receiver", required=True, metavar="PARTY", help="The party that the offer was made to.")
@click.option("--short", multiple=True, metavar=_MISSING, help="Units that did not arrive.")
@click.option("--damaged", multiple=True, metavar=_MISSING, help="Units that arrived damaged.")
@click.option("--wrong-item", multiple=True, metavar=_MISSING, help="Units that arrived as another product.")
@click.option(
    "--extra",
    multiple=True,
    metavar="BATCH:FIRST-LAST|CODE",
    help="Units of the giver that were not offered, but arrived, and are accepted too.",
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
    extra: tuple[str, ...],
    request: Request,
) -> None:
    """Accept the offer TRANSFER.

    TRANSFER is the position of the offer. Units that are short, damaged or wrong are not accepted. A COUNT takes
    the last units of the offer. Extra units are accepted at the price of the offer, as many as it allows.
    """
    from pathbook.cli import output
    from pathbook.v1 import values_pb2

    claims = [
        _claim(kind, text)
        for kind, texts in (
            (values_pb2.DISCREPANCY_KIND_SHORT, short),
            (values_pb2.DISCREPANCY_KIND_DAMAGED, damaged),
            (values_pb2.DISCREPANCY_KIND_WRONG_ITEM, wrong_item),
        )
        for text in texts
    ]
    named = [_units_or_code(text) for text in extra]
    with connection.writing(settings) as client:
        leaf = signing.answered_leaf(settings, client, transfer)
        answer = client.accept_transfer(
            transfer,
            receiver=receiver,
            discrepancies=claims,
            extra=[units for units in named if not isinstance(units, str)],
            extra_codes=[code for code in named if isinstance(code, str)],
            answered_leaf=leaf,
            **request,
        )
    output.show(settings.output, answer, lambda: output.recorded(answer.receipt, answer.ranges))


@click.command("decline", cls=Verb)
@write_options
@click.argument("transfer", type=arguments.NUMBER)
@click.option("--receiver", required=True, metavar="PARTY", help="The party that the offer was made to.")
@click.option("--note", default="", metavar="TEXT", help="The reason.")
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
    """Decline the offer TRANSFER.

    TRANSFER is the position of the offer.
    """
    from pathbook.cli import output

    with connection.writing(settings) as client:
        leaf = signing.answered_leaf(settings, client, transfer)
        answer = client.decline_transfer(
            transfer, receiver=receiver, note=note, answered_leaf=leaf, **request
        )
    output.show(settings.output, answer, lambda: output.recorded(answer.receipt))


@click.command("withdraw", cls=Verb)
@write_options
@click.argument("transfer", type=arguments.NUMBER)
@click.option("--giver", required=True, metavar="PARTY", help="The party that made the offer.")
@arguments.takes_request
@click.pass_obj
def withdraw(settings: Settings, *, transfer: int, giver: str, request: Request) -> None:
    """Withdraw the offer TRANSFER.

    TRANSFER is the position of the offer.
    """
    from pathbook.cli import output

    with connection.writing(settings) as client:
        leaf = signing.answered_leaf(settings, client, transfer)
        answer = client.withdraw_transfer(transfer, giver=giver, answered_leaf=leaf, **request)
    output.show(settings.output, answer, lambda: output.recorded(answer.receipt))


def _claim(kind: "DiscrepancyKind.ValueType", text: str) -> "DiscrepancyClaim":
    """Parse one discrepancy: a count, a range of units, or the code of one unit."""
    from pathbook.v1.transfers_pb2 import DiscrepancyClaim
    from pathbook.v1.values_pb2 import UnitRange

    if text.isascii() and text.isdigit() and len(text) <= arguments.MAX_DIGITS:
        return DiscrepancyClaim(kind=kind, count=int(text))
    named = _units_or_code(text)
    if isinstance(named, str):
        return DiscrepancyClaim(kind=kind, codes=[named])
    batch, first, last = named
    return DiscrepancyClaim(kind=kind, ranges=[UnitRange(batch=batch, first=first, last=last)])


def _units_or_code(text: str) -> Range | str:
    """Parse a range of units. Any text that is not written like one is the code of one unit."""
    return text if "/" in text or ":" not in text else arguments.UNITS.convert(text, None, None)
