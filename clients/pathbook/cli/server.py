"""The verb that asks a server which version it is."""

import click

from pathbook.cli import connection
from pathbook.cli.settings import Settings, book_options
from pathbook.cli.verb_group import VerbGroup


@click.group("server", cls=VerbGroup)
def command() -> None:
    """Ask a server what it is."""


@command.command()
@book_options
@click.pass_obj
def version(settings: Settings) -> None:
    """Show the version of the server.

    `pathbook --version` shows that of this command.
    """
    from pathbook.cli import output

    with connection.looking(settings) as client:
        found = client.get_version()

    def text() -> str:
        return output.fields(
            [
                ("version", found.version),
                ("contract", found.proto_package),
                ("format of the log", str(found.log_format)),
                ("version of the views", found.views_version),
                ("Python", found.python_version),
                ("gRPC", found.grpc_version),
            ]
        )

    output.show(settings.output, found, text)
