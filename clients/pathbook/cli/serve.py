"""The verbs that run a server on books, and what carries their views."""

from typing import Final

import click

from pathbook.cli.settings import Settings, book_options

DEFAULT_LISTEN: Final = "127.0.0.1:50551"
"""Only this machine may call, unless told otherwise; what the server itself takes by default."""


@click.command("serve")
@book_options
@click.option("--listen", default=DEFAULT_LISTEN, show_default=True, metavar="HOST:PORT", envvar="PATHBOOK_LISTEN",
              help="Port 0: any; else PATHBOOK_LISTEN.")  # fmt: skip
@click.option("--workers", default=1, show_default=True, metavar="N",
              help="Server processes that share the port; another one then carries the views.")  # fmt: skip
@click.option("--no-follow", is_flag=True, help="Leave the views to another process: 'pathbook follow'.")
@click.pass_obj
def serve(settings: Settings, *, listen: str, workers: int, no_follow: bool) -> None:
    """Run a server on the books in --data DIR.

    It runs until it is told to stop; its log goes to stderr. A PostgreSQL that may lose what it has acknowledged is
    served with --allow-event-loss.
    """
    from pathbook.cli import local

    books = settings.books()

    def ready(place: str, address: str) -> None:
        click.echo(f"Serving {place} on {address}")

    local.serve(books, listen, workers=workers, follows=not no_follow, ready=ready)


@click.command("follow")
@book_options
@click.pass_obj
def follow(settings: Settings) -> None:
    """Carry the views of all books in --data DIR.

    It runs until it is told to stop, beside servers that leave it the views ('pathbook serve --no-follow').
    Its log goes to stderr.
    """
    from pathbook.cli import local

    local.follow(settings.books())
