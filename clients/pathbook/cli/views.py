"""The verb that makes the views again from the events."""

import click

from pathbook.cli.settings import Output, Settings, book_options


@click.group("views")
def command() -> None:
    """Make the views again from the events.

    What is read are views; they can be made again at any time.
    """


@command.command()
@book_options
@click.pass_obj
def rebuild(settings: Settings) -> None:
    """Drop the views of all books in --data DIR and make them again.

    A server that has them open may go on; one that was interrupted is gone on with.
    """
    from pathbook.cli import local
    from pathbook.cli.progress import Progress

    books = settings.books()
    with Progress() as progress:
        place, events = local.rebuild(books, progress.of("events"))
    if settings.output is Output.TABLE:
        click.echo(f"The views in {place} are made again from {events} events.")
        return
    import json

    indent = 2 if settings.output is Output.JSON else None
    click.echo(json.dumps({"data": books.data, "events": str(events)}, indent=indent, ensure_ascii=False))
