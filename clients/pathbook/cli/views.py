"""The verbs of the views: keep them up to date, and rebuild them from the events."""

import click

from pathbook.cli import printing
from pathbook.cli.settings import Output, Settings, takes_options
from pathbook.cli.verb_group import VerbGroup


@click.group("views", cls=VerbGroup)
def command() -> None:
    """Follow or rebuild the views of all books.

    Every answer about a book is read from its views. They are derived from its events.
    """


@command.command()
@takes_options("data", "database", "output", "allow_event_loss")
@click.pass_obj
def follow(settings: Settings) -> None:
    """Keep the views of all books in --data DIR up to date.

    It also lets offers lapse at their deadlines. It runs until SIGINT or SIGTERM stops it, beside servers that were
    started with 'pathbook serve --no-follow'. Its log goes to stderr.
    """
    from pathbook.cli import local

    local.follow(settings.books())


@command.command()
@takes_options("data", "database", "output", "allow_event_loss")
@click.option("--accept-lost-events", is_flag=True,
              help="Go on with a log that has lost its newest events. The views forget them.")  # fmt: skip
@click.pass_obj
def rebuild(settings: Settings, *, accept_lost_events: bool) -> None:
    """Rebuild the views of all books in --data DIR.

    The old views are dropped. Servers may keep running. After an interruption, the command or a server continues
    the rebuild.
    """
    from pathbook.cli import local
    from pathbook.cli.progress import Progress

    books = settings.books()
    with Progress() as progress:
        place, events = local.rebuild(books, progress.of("events"), accept_lost_events=accept_lost_events)
    if settings.output is Output.TABLE:
        printing.echo(f"The views in {place} are rebuilt from {events} events.")
        return
    printing.echo(printing.as_json({"data": books.data, "events": str(events)}, settings.output))
