"""The verb that prints the codes of units, for a label printer or a file."""

import click

from pathbook.cli import arguments, connection
from pathbook.cli.arguments import Range
from pathbook.cli.settings import Output, Settings, book_options


@click.command("codes")
@book_options
@click.argument("units", type=arguments.UNITS, metavar="BATCH:FIRST-LAST")
@click.option("--form", type=click.Choice(["serial", "link", "element"]), default="serial", show_default=True,
              help="The serial of 20 characters, the link that a phone opens, or the element string.")  # fmt: skip
@click.option(
    "--domain", default="id.gs1.org", show_default=True, metavar="DOMAIN", help="The domain of --form link."
)
@click.pass_obj
def command(settings: Settings, *, units: Range, form: str, domain: str) -> None:
    """Print the codes of units, one a line.

    `pathbook codes 3:0-99` prints the codes of the first hundred units of batch 3.
    """
    import json

    from pathbook.ledger.codes import digital_link, element_string

    batch, first, last = units
    printed: list[dict[str, object]] = []
    with connection.reading(settings) as client:
        for answer in client.list_codes(batch, first, last):
            for number, serial in enumerate(answer.serials, answer.first):
                match form:
                    case "link":
                        code = digital_link(serial, answer.gtin, answer.lot, domain)
                    case "element":
                        code = element_string(serial, answer.gtin, answer.lot)
                    case _:
                        code = serial
                line: dict[str, object] = {"batch": str(batch), "number": str(number), "code": code}
                match settings.output:
                    case Output.TABLE:
                        click.echo(code)
                    case Output.JSONL:
                        click.echo(json.dumps(line))
                    case Output.JSON:
                        printed.append(line)
    if settings.output is Output.JSON:
        click.echo(json.dumps({"codes": printed}, indent=2))
