"""The verb that publishes the log of a book as files for a static web server."""

from pathlib import Path

import click

from pathbook.cli import connection, printing
from pathbook.cli.errors import NamedError
from pathbook.cli.settings import Output, Settings, takes_options
from pathbook.cli.verb_group import Verb


@click.command("publish", cls=Verb)
@takes_options("server", "data", "database", "book", "output", "allow_event_loss")
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The directory of the files.",
)
@click.option("--entries", is_flag=True, help="Publish the events, too. They hold prices and parties.")
@click.pass_obj
def command(settings: Settings, *, to: Path, entries: bool) -> None:
    """Publish the newest checkpoint of a book, and its tree.

    Any static web server can serve the directory, and other programs can read it (c2sp.org/tlog-tiles). Run the
    command again to bring it up to date: it reads only what is new. A reader sees the old checkpoint or the new one,
    and always all that it needs.
    """
    from pathbook.cli.progress import Progress
    from pathbook.publishing.files import PublishError
    from pathbook.publishing.publisher import publish

    with connection.looking(settings) as client, Progress() as progress:
        try:
            found = publish(client, to, entries=entries, progress=progress.of("events published"))
        except PublishError as error:
            raise NamedError(error.reason, str(error)) from None
    if settings.output is Output.TABLE:
        news = f"{found.size - found.before} more than before" if found.before else "the first ones there"
        line = f"{to} has the log of {found.origin} up to event {found.size}: {news}."
        printing.echo(printing.printable(line))
        return
    from msgspec import to_builtins

    printing.echo(printing.as_json({"to": str(to), **to_builtins(found)}, settings.output))
