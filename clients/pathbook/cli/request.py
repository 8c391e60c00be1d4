"""The verb that shows what was recorded under a request id."""

import click

from pathbook.cli import connection
from pathbook.cli.exits import Exit
from pathbook.cli.settings import Settings, book_options
from pathbook.cli.verb_group import VerbGroup


@click.group("request", cls=VerbGroup)
def command() -> None:
    """Show what a request recorded.

    A request id belongs to the party that acted.
    """


@command.command()
@book_options
@click.argument("request_id")
@click.option(
    "--party",
    default="",
    metavar="PARTY",
    help="The party that acted, or 'consumer:' and a pseudonym. Default: the operator, which registers parties.",
)
@click.pass_obj
def show(settings: Settings, *, request_id: str, party: str) -> Exit:
    """Show the event that was recorded under REQUEST_ID."""
    from pathbook.cli import events

    with connection.reading(settings) as client:
        found = client.get_event_by_request(request_id, party=party)
    return events.show_one(settings.output, found.receipt.position, found.event)
