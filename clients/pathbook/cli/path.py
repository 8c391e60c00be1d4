"""The verb that shows a unit's path as it stands, or stood, without checking it."""

import re

import click

from pathbook.cli import arguments, connection
from pathbook.cli.settings import Settings, book_options

_UNIT = re.compile(r"([0-9]{1,9}):([0-9]{1,10})")


@click.command("path")
@book_options
@click.argument("unit", metavar="CODE|BATCH:NUMBER")
@click.option(
    "--as-of",
    type=arguments.NUMBER,
    default=0,
    metavar="POSITION",
    help="As it was then; now, if not said.",
)
@click.option("--corrections", is_flag=True, help="Show offers, and what was reversed, too.")
@click.pass_obj
def command(settings: Settings, *, unit: str, as_of: int, corrections: bool) -> None:
    """Show every hand a unit passed through.

    What each paid beside the suggested price, who owns it now, and who has it. Nothing is checked: see verify.
    """
    from pathbook.cli import output, path_table

    by_number = _UNIT.fullmatch(unit)
    with connection.reading(settings) as client:
        path = client.get_path(
            (int(by_number[1]), int(by_number[2])) if by_number else unit,
            as_of_position=as_of,
            corrections=corrections,
        )
    output.show(settings.output, path, lambda: path_table.draw(path, corrections=corrections))
