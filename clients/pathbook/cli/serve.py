"""The verb that runs a server on a directory of books."""

import os
from typing import Final

import click

from pathbook.cli.settings import Settings, book_options

DEFAULT_LISTEN: Final = "127.0.0.1:50551"
"""Only this machine may call, unless told otherwise; what the server itself takes by default."""


@click.command("serve")
@book_options
@click.option("--listen", default=DEFAULT_LISTEN, show_default=True, metavar="HOST:PORT", help="Port 0: any.")
@click.pass_obj
def command(settings: Settings, *, listen: str) -> None:
    """Run a server on the books in --data DIR.

    It runs until it is told to stop; its log goes to stderr.
    """
    data = settings.data or os.environ.get("PATHBOOK_DATA", "")
    if settings.server or not data:
        raise click.UsageError("Which books? Name their directory with --data DIR (or PATHBOOK_DATA).")
    from pathbook.cli import local

    try:
        local.serve(data, listen, lambda address: click.echo(f"Serving {data} on {address}"))
    except ValueError as error:
        raise click.UsageError(str(error)) from error
