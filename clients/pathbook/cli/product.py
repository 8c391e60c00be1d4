"""The verbs of products: register, show, list."""

import click

from pathbook.cli import arguments, connection
from pathbook.cli.arguments import Price
from pathbook.cli.settings import Settings, book_options
from pathbook.cli.signing import write_options
from pathbook.cli.verb_group import VerbGroup


@click.group("product", cls=VerbGroup)
def command() -> None:
    """Register and show products."""


@command.command()
@write_options
@click.argument("gtin")
@click.option("--brand", required=True, metavar="PARTY", help="The brand that makes it.")
@click.option("--name", required=True, metavar="TEXT", help="The name of the product.")
@click.option(
    "--price", type=arguments.PRICE, required=True, metavar="PRICE", help="The suggested price of one unit."
)
@arguments.takes_request_id
@click.pass_obj
def register(settings: Settings, *, gtin: str, brand: str, name: str, price: Price, request_id: str) -> None:
    """Register the product GTIN."""
    from pathbook.cli import output

    with connection.writing(settings) as client:
        answer = client.register_product(
            gtin, brand=brand, name=name, suggested_price=price, request_id=request_id
        )
    output.show(
        settings.output, answer, lambda: output.recorded(answer.receipt, made=f", as product {answer.gtin}")
    )


@command.command()
@book_options
@click.argument("gtin")
@click.pass_obj
def show(settings: Settings, *, gtin: str) -> None:
    """Show the product GTIN."""
    from pathbook.cli import output

    with connection.reading(settings) as client:
        found = client.get_product(gtin)
    output.show(
        settings.output,
        found,
        lambda: output.fields(
            [
                ("product", found.gtin),
                ("name", found.name),
                ("brand", found.brand),
                ("suggested price", output.price(found.suggested_price)),
                ("registered", output.registered(found.position, found.corrected_position)),
            ]
        ),
    )


@command.command("list")
@book_options
@click.pass_obj
def list_products(settings: Settings) -> None:
    """List all products."""
    from pathbook.cli import output
    from pathbook.cli.output import Column
    from pathbook.v1.batches_pb2 import Product

    columns: list[Column[Product]] = [
        Column("product", lambda product: product.gtin),
        Column("name", lambda product: product.name),
        Column("brand", lambda product: product.brand),
        Column("suggested price", lambda product: output.price(product.suggested_price), right=True),
    ]
    with connection.reading(settings) as client:
        output.show_list(settings.output, "products", client.list_products(), columns)
