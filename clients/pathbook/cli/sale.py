"""The verbs at the end of a path: sell, confirm, return, write off."""

from typing import TYPE_CHECKING

import click

from pathbook.cli import arguments, connection
from pathbook.cli.arguments import Price, Request
from pathbook.cli.settings import Settings, book_options
from pathbook.cli.signing import write_options
from pathbook.cli.verb_group import Verb

if TYPE_CHECKING:
    from pathbook.v1.values_pb2 import Selection


@click.command("sell", cls=Verb)
@write_options
@click.option(
    "--seller", required=True, metavar="PARTY", help="The party that owns the units and sells them."
)
@click.option("--consumer", required=True, metavar="PSEUDONYM", help="The buyer's pseudonym, never a name.")
@arguments.takes_units
@click.option("--price", type=arguments.PRICE, required=True, metavar="PRICE", help=arguments.PRICE_HELP)
@click.option("--later", is_flag=True, help="The goods stay where they are until they are delivered.")
@arguments.takes_reference
@arguments.takes_request
@click.pass_obj
def sell(
    settings: Settings,
    *,
    seller: str,
    consumer: str,
    units: "Selection",
    price: Price,
    later: bool,
    reference: str,
    request: Request,
) -> None:
    """Sell units to a consumer."""
    from pathbook.cli import output

    with connection.writing(settings) as client:
        answer = client.sell_units(
            seller=seller,
            consumer=consumer,
            units=units,
            unit_price=price,
            delivery=arguments.delivery(later=later),
            reference=reference,
            **request,
        )
    output.show(settings.output, answer, lambda: output.recorded(answer.receipt, answer.ranges))


@click.command("confirm", cls=Verb)
@book_options
@click.option("--consumer", required=True, metavar="PSEUDONYM", help="The buyer's pseudonym.")
@arguments.takes_units
@click.option(
    "--paid",
    type=arguments.PRICE,
    required=True,
    metavar="PRICE",
    help="The price that was paid for one unit.",
)
@arguments.takes_request
@click.pass_obj
def confirm(
    settings: Settings,
    *,
    consumer: str,
    units: "Selection",
    paid: Price,
    request: Request,
) -> None:
    """Confirm a purchase, as the consumer.

    The consumer confirms that the units were bought, and the price that was paid for each.
    """
    from pathbook.cli import output

    with connection.writing(settings) as client:
        answer = client.confirm_purchase(
            consumer=consumer,
            units=units,
            price_paid=paid,
            **request,
        )
    output.show(settings.output, answer, lambda: output.recorded(answer.receipt, answer.ranges))


@click.command("return", cls=Verb)
@write_options
@click.option(
    "--owner", required=True, metavar="OWNER", help="The owner: a party, or 'consumer:' and a pseudonym."
)
@arguments.takes_units
@click.option("--note", default="", metavar="TEXT", help="The reason.")
@arguments.takes_request
@click.pass_obj
def return_units(
    settings: Settings,
    *,
    owner: str,
    units: "Selection",
    note: str,
    request: Request,
) -> None:
    """Return units to the party they came from.

    They are returned at the price that was paid.
    """
    from pathbook.cli import output

    with connection.writing(settings) as client:
        answer = client.return_units(owner=owner, units=units, note=note, **request)
    output.show(settings.output, answer, lambda: output.recorded(answer.receipt, answer.ranges))


@click.command("write-off", cls=Verb)
@write_options
@click.option("--party", required=True, metavar="PARTY", help="The party that has the units.")
@arguments.takes_units
@click.option(
    "--state",
    type=click.Choice(["lost", "damaged", "destroyed", "defaced"]),
    required=True,
    help="What happened to the units. A defaced unit has no readable code.",
)
@click.option("--note", default="", metavar="TEXT", help="The reason.")
@arguments.takes_request
@click.pass_obj
def write_off(
    settings: Settings,
    *,
    party: str,
    units: "Selection",
    state: str,
    note: str,
    request: Request,
) -> None:
    """Write off units.

    The party that has the units declares that they are lost, damaged, destroyed or defaced.
    """
    from pathbook.cli import output
    from pathbook.v1.values_pb2 import UnitState

    with connection.writing(settings) as client:
        answer = client.write_off_units(
            party=party,
            units=units,
            state=UnitState.Value(f"UNIT_STATE_{state.upper()}"),
            note=note,
            **request,
        )
    output.show(settings.output, answer, lambda: output.recorded(answer.receipt, answer.ranges))
