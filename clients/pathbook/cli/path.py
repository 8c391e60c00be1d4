"""The verb that shows the path of a unit, now or as of a position, without checking it."""

import click

from pathbook.cli import arguments, connection
from pathbook.cli.settings import Output, Settings, book_options
from pathbook.cli.verb_group import Verb


@click.command("path", cls=Verb)
@book_options
@click.argument("unit", metavar="CODE|BATCH:NUMBER")
@click.option(
    "--as-of",
    type=arguments.COUNT,
    default=0,
    metavar="POSITION",
    help="Show the path as of this position. Default: now.",
)
@click.option(
    "--corrections",
    is_flag=True,
    help="Show all steps: also offers, errors, what was reversed, and reports of receivers.",
)
@click.pass_obj
def command(settings: Settings, *, unit: str, as_of: int, corrections: bool) -> None:
    """Show every hand that a unit passed through.

    The table compares each price with the suggested price. The lines below it name the owner and the custodian.
    Nothing is checked: `pathbook verify` does that.
    """
    from pathbook.cli import output, path_table

    by_number = arguments.parse_unit(unit)
    with connection.reading(settings) as client:
        path = client.get_path(
            by_number or unit,
            as_of_position=as_of,
            corrections=corrections,
            events=settings.output is not Output.TABLE,  # no table shows them
        )
    output.show(settings.output, path, lambda: path_table.draw(path, corrections=corrections))
