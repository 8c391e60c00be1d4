"""The verb that runs a server on books."""

from pathlib import Path
from typing import Final

import click

from pathbook.cli import arguments, printing
from pathbook.cli.places import ADDRESS
from pathbook.cli.policy_file import read_policy
from pathbook.cli.settings import Output, Settings, takes_options
from pathbook.cli.verb_group import Verb

DEFAULT_LISTEN: Final = "127.0.0.1:50551"
"""The address of a server. Only this machine can call it."""


@click.command("serve", cls=Verb)
@takes_options("data", "database", "output", "allow_event_loss")
@click.option(
    "--listen",
    type=ADDRESS,
    default=DEFAULT_LISTEN,
    show_default=True,
    metavar="HOST:PORT",
    envvar="PATHBOOK_LISTEN",
    show_envvar=True,
    help="The address to listen on. Port 0 takes a free port.",
)
@click.option("--workers", type=arguments.COUNT, default=1, show_default=True, metavar="N",
              help="The number of server processes on the port. With 2 or more, one more process keeps the views up"
              " to date.")  # fmt: skip
@click.option("--no-follow", is_flag=True, help="Leave the views to 'pathbook views follow'.")
@click.option("--no-seal", is_flag=True, help="Record no seals of the books, and sign no checkpoints.")
@click.option("--witnesses", "policy", type=arguments.EXISTING_FILE, metavar="FILE",
              help="Ask the witnesses of this C2SP tlog-policy to cosign checkpoints. Each needs a URL.")  # fmt: skip
@click.pass_obj
def command(
    settings: Settings, *, listen: str, workers: int, no_follow: bool, no_seal: bool, policy: Path | None
) -> None:
    """Run a server on the books in --data DIR.

    It seals each book soon after a change, which adds an event to the book, and signs a checkpoint of it.

    The server runs until SIGINT or SIGTERM stops it. Its log goes to stderr.

    --allow-event-loss lets it use a PostgreSQL that may lose acknowledged events.
    """
    if no_seal and no_follow:
        raise click.UsageError(
            "With --no-follow the server seals nothing. Give --no-seal to 'pathbook views follow'."
        )
    from pathbook.cli import local

    books = settings.books()
    witnesses = None if policy is None else read_policy(policy)

    def ready(place: str, address: str) -> None:
        if settings.output is Output.TABLE:
            printing.echo(printing.printable(f"Serving {place} on {address}"))
        else:
            printing.echo(printing.as_json({"place": place, "address": address}, Output.JSONL))

    follows, seals = not no_follow, not no_seal
    local.serve(
        books, listen, workers=workers, follows=follows, seals=seals, witnesses=witnesses, ready=ready
    )
