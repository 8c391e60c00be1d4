"""The verbs of API tokens: make, list and revoke them."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pathbook.cli import connection
from pathbook.cli.settings import Settings, takes_options
from pathbook.cli.verb_group import VerbGroup

if TYPE_CHECKING:
    from pathbook.v1.tokens_pb2 import Token

ROLES: Final = ("party", "brand", "auditor", "operator")

_PREFIX: Final = "TOKEN_ROLE_"

_EVERY_BOOK = click.option(
    "--every-book", is_flag=True, help="For every book of the server, not only --book."
)


@click.group("tokens", cls=VerbGroup)
def command() -> None:
    """Make, list and revoke the API tokens of callers.

    With --data, who may read the directory is the operator, and needs no token.
    """


@command.command("new")
@takes_options("server", "data", "database", "book", "zone", "output", "allow_event_loss")
@click.option("--role", type=click.Choice(ROLES), required=True, help="What its bearer is to the book.")
@click.option("--party", default="", metavar="PARTY", help="The party of a role 'party' or 'brand'.")
@click.option("--days", type=click.IntRange(1, 3650), default=90, show_default=True, metavar="N",
              help="For how many days it counts.")  # fmt: skip
@click.option("--label", default="", metavar="TEXT", help="What it is for, at most 100 characters.")
@click.option("--to", "file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Write it to this new file, which only you may read, and not to stdout.")  # fmt: skip
@click.option("--certificate", default="", metavar="NAME",
              help="For callers with this SPIFFE id or subject in their certificate, without a secret.")  # fmt: skip
@_EVERY_BOOK
@click.pass_obj
def new(
    settings: Settings,
    *,
    role: str,
    party: str,
    days: int,
    label: str,
    file: Path | None,
    certificate: str,
    every_book: bool,
) -> None:
    """Make a token and show it once. Only a hash of it is kept."""
    from pathbook.cli import output
    from pathbook.v1 import tokens_pb2

    if file is not None and certificate:
        raise click.UsageError("A token with a certificate has no secret to write. Leave out --to.")
    if file is not None and file.exists():
        raise click.UsageError(f"{file} exists. Name a new file for the token.")
    with connection.connected(settings) as client:
        number = tokens_pb2.TokenRole.Value(f"{_PREFIX}{role.upper()}")
        answer = client.create_token(
            number, party, days=days, label=label, every_book=every_book, certificate=certificate
        )
    if file is not None:
        from pathbook.keys.files import make_file

        make_file(file, f"{answer.text}\n")
        answer.text = ""
    place = certificate or answer.text if file is None else f"in {file}"
    rows = [("id", answer.token.token), ("token", place), ("expires", output.moment(answer.token.expires_at))]
    output.show(settings.output, answer, lambda: output.fields(rows))


@command.command("list")
@takes_options("server", "data", "database", "book", "zone", "output", "allow_event_loss")
@_EVERY_BOOK
@click.pass_obj
def list_tokens(settings: Settings, *, every_book: bool) -> None:
    """List the tokens of the book, without their secrets. With --every-book: all tokens of the server."""
    from pathbook.cli import output
    from pathbook.cli.output import Column

    def ended(token: "Token") -> str:
        return output.moment(token.revoked_at) if token.HasField("revoked_at") else ""

    columns: list[Column[Token]] = [
        Column("id", lambda token: token.token),
        Column("role", _role),
        Column("book", lambda token: token.book or "every book"),
        Column("party", lambda token: token.party),
        Column("certificate", lambda token: token.certificate),
        Column("label", lambda token: token.label),
        Column("made", lambda token: output.moment(token.made_at)),
        Column(
            "expires",
            lambda token: output.moment(token.expires_at) if token.HasField("expires_at") else "never",
        ),
        Column("revoked", ended),
    ]
    with connection.looking(settings) as client:
        output.show_list(settings.output, "tokens", client.list_tokens(every_book=every_book), columns)


@command.command("revoke")
@takes_options("server", "data", "database", "zone", "output", "allow_event_loss")
@click.argument("token")
@click.pass_obj
def revoke(settings: Settings, *, token: str) -> None:
    """Revoke the token with the id TOKEN. Within two seconds it counts no more, and its open streams end."""
    from pathbook.cli import output

    with connection.looking(settings) as client:
        found = client.revoke_token(token)
    output.show(settings.output, found, lambda: f"Token {found.token} is revoked.")


def _role(token: "Token") -> str:
    from pathbook.v1 import tokens_pb2

    return tokens_pb2.TokenRole.Name(token.role).removeprefix(_PREFIX).lower()
