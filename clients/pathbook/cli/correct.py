"""The verbs that correct: an event that was an error, a product, a batch, the kind of a party."""

import datetime

import click

from pathbook.cli import arguments, connection, signing
from pathbook.cli.arguments import Price
from pathbook.cli.settings import Settings
from pathbook.cli.signing import write_options
from pathbook.cli.verb_group import VerbGroup


@click.group("correct", cls=VerbGroup)
def command() -> None:
    """Correct what was recorded by mistake.

    Nothing is erased: `correction list` shows what was corrected, and `path --corrections` every step. Other mistakes
    have verbs of their own: `reverse` a transfer, `return` a sale, `withdraw` an offer.
    """


@command.command()
@write_options
@click.argument("position", type=arguments.NUMBER)
@click.option(
    "--by",
    "party",
    required=True,
    metavar="PARTY",
    help="Who acted: a party, or 'consumer:' and a pseudonym.",
)
@click.option("--note", default="", metavar="TEXT", help="The reason.")
@arguments.takes_request_id
@click.pass_obj
def event(settings: Settings, *, position: int, party: str, note: str, request_id: str) -> None:
    """Declare that the event at POSITION was an error.

    It works for a write-off, a confirmation, a delivery, and a request to reverse a transfer, until something was
    built upon it. All is again as it was before.
    """
    from pathbook.cli import output

    with connection.writing(settings) as client:
        leaf = signing.answered_leaf(settings, client, position)
        answer = client.declare_error(
            position, party=party, note=note, answered_leaf=leaf, request_id=request_id
        )
    output.show(settings.output, answer, lambda: output.recorded(answer.receipt))


@command.command()
@write_options
@click.argument("gtin")
@click.option("--brand", required=True, metavar="PARTY", help="The brand that makes it.")
@click.option("--name", default="", metavar="TEXT", help="The right name of the product.")
@click.option(
    "--price", type=arguments.PRICE, metavar="PRICE", help="The right suggested price. Batches keep theirs."
)
@arguments.takes_request_id
@click.pass_obj
def product(
    settings: Settings, *, gtin: str, brand: str, name: str, price: Price | None, request_id: str
) -> None:
    """Correct the product GTIN. What is not named stays."""
    from pathbook.cli import output

    with connection.writing(settings) as client:
        answer = client.correct_product(
            gtin, brand=brand, name=name, suggested_price=price, request_id=request_id
        )
    output.show(settings.output, answer, lambda: output.recorded(answer.receipt))


@command.command()
@write_options
@click.argument("batch", type=arguments.NUMBER)
@click.option("--brand", required=True, metavar="PARTY", help="The brand that makes it.")
@click.option("--made-on", type=arguments.DATE, metavar="DATE", help="The right day on which it was made.")
@click.option("--expires-on", type=arguments.DATE, metavar="DATE", help="Its right last day of use.")
@click.option("--never-expires", is_flag=True, help="It has no last day of use.")
@click.option("--price", type=arguments.PRICE, metavar="PRICE", help="The right suggested price.")
@arguments.takes_request_id
@click.pass_obj
def batch(
    settings: Settings,
    *,
    batch: int,
    brand: str,
    made_on: datetime.date | None,
    expires_on: datetime.date | None,
    never_expires: bool,
    price: Price | None,
    request_id: str,
) -> None:
    """Correct BATCH, by its number. What is not named stays.

    Its lot and its size are on the labels, and cannot be corrected.
    """
    if never_expires and expires_on is not None:
        raise click.UsageError("Give either --expires-on or --never-expires.")
    from pathbook.cli import output

    with connection.writing(settings) as client:
        answer = client.correct_batch(
            batch,
            brand=brand,
            made_on=made_on,
            expires_on=expires_on,
            never_expires=never_expires,
            suggested_price=price,
            request_id=request_id,
        )
    output.show(settings.output, answer, lambda: output.recorded(answer.receipt))


@command.command()
@write_options
@click.argument("party")
@click.option("--kind", type=click.Choice(["agent", "shop"]), required=True, help="What the party is.")
@arguments.takes_request_id
@click.pass_obj
def party(settings: Settings, *, party: str, kind: str, request_id: str) -> None:
    """Correct the kind of PARTY, as the operator. A brand stays a brand."""
    from pathbook.cli import output
    from pathbook.v1.values_pb2 import PartyKind

    with connection.writing(settings) as client:
        answer = client.correct_party(
            party, PartyKind.Value(f"PARTY_KIND_{kind.upper()}"), request_id=request_id
        )
    output.show(settings.output, answer, lambda: output.recorded(answer.receipt))
