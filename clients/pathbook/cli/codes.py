"""The verb that prints the codes of units, for a label printer or a file."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import click

from pathbook.cli import arguments, connection, printing
from pathbook.cli.arguments import Range
from pathbook.cli.places import DOMAIN
from pathbook.cli.settings import Output, Settings, book_options
from pathbook.cli.verb_group import Verb

if TYPE_CHECKING:
    from pathbook.v1.batches_pb2 import ListCodesResponse

DEFAULT_DOMAIN: Final = "id.gs1.org"
"""The domain of a link: GS1's own resolver."""


@click.command("codes", cls=Verb)
@book_options
@click.argument("units", type=arguments.UNITS, metavar="BATCH:FIRST-LAST")
@click.option("--form", type=click.Choice(["serial", "link", "element"]), default="serial", show_default=True,
              help="The serial of 20 characters, the link that a phone opens, or the element string.")  # fmt: skip
@click.option(
    "--domain",
    type=DOMAIN,
    metavar="DOMAIN",
    help=f"The domain of --form link, perhaps with a path: example.com/id. Default: {DEFAULT_DOMAIN}.",
)
@click.pass_obj
def command(settings: Settings, *, units: Range, form: str, domain: str | None) -> None:
    """Print the codes of units, one a line.

    `pathbook codes 3:0-99` prints the codes of the first hundred units of batch 3.
    """
    if domain is not None and form != "link":
        raise click.UsageError("--domain is the domain of a link. Add --form link, or leave it out.")
    batch, first, last = units
    with connection.reading(settings) as client:
        answers = client.list_codes(batch, first, last)
        printed = (
            (number, _code(serial, answer, form, domain or DEFAULT_DOMAIN))
            for answer in answers
            for number, serial in enumerate(answer.serials, answer.first)
        )
        if settings.output is Output.TABLE:
            for _, code in printed:
                printing.echo(printing.printable(code))
            return
        from pathbook.cli import output

        lines: Iterator[dict[str, object]] = (
            {"batch": str(batch), "number": str(number), "code": code} for number, code in printed
        )
        output.show_objects(settings.output, "codes", lines)


def _code(serial: str, answer: "ListCodesResponse", form: str, domain: str) -> str:
    from pathbook.ledger.codes import digital_link, element_string

    match form:
        case "link":
            return digital_link(serial, answer.gtin, answer.lot, domain)
        case "element":
            return element_string(serial, answer.gtin, answer.lot)
        case _:
            return serial
