"""The verb of the access log: who that sees everything read prices."""

from itertools import islice
from typing import TYPE_CHECKING

import click

from pathbook.cli import connection
from pathbook.cli.settings import Settings, book_options
from pathbook.cli.verb_group import VerbGroup

if TYPE_CHECKING:
    from pathbook.v1.access_log_pb2 import Access


@click.group("access-log", cls=VerbGroup)
def command() -> None:
    """Show who read prices."""


@command.command("list")
@book_options
@click.option(
    "--limit", type=click.IntRange(1), metavar="N", help="Show at most so many lines. Default: all of them."
)
@click.pass_obj
def list_accesses(settings: Settings, *, limit: int | None) -> None:
    """List which prices auditors and operators read.

    The newest lines come first. A read is in the list within some seconds, and for at most 400 days.
    """
    from pathbook.cli import output
    from pathbook.cli.output import Column

    columns: list[Column[Access]] = [
        Column("at", lambda line: output.moment(line.at)),
        Column("role", lambda line: line.role),
        Column("caller", lambda line: line.caller),
        Column("asked", lambda line: line.method.partition(".")[2]),
        Column("of", lambda line: line.subject),
        Column("times", lambda line: str(line.count), right=True),
    ]
    with connection.looking(settings) as client:
        output.show_list(settings.output, "accesses", islice(client.list_accesses(), limit), columns)
