"""The verbs of books: open, show, list."""

from typing import TYPE_CHECKING

import click

from pathbook.cli import arguments, connection
from pathbook.cli.settings import Settings, takes_options
from pathbook.cli.verb_group import VerbGroup

if TYPE_CHECKING:
    from pathbook.v1.books_pb2 import Book


@click.group("book", cls=VerbGroup)
def command() -> None:
    """Open, show and list books.

    Only `book open` begins a book, except that a command on books in files or in a database, without a server, opens
    the first book itself.
    """


@command.command("open")
@takes_options("server", "data", "database", "zone", "output", "allow_event_loss")
@click.argument("name")
@click.option(
    "--origin",
    default="",
    metavar="TEXT",
    help="The name of the book in checkpoints, a URL without its scheme. Default: pathbook/NAME.",
)
@click.option(
    "--max-tier",
    type=arguments.TIER,
    default=0,
    metavar="N",
    help="The deepest tier that an authorization may give. Default: 100.",
)
@click.option(
    "--signed",
    is_flag=True,
    help="Parties must sign what they ask, with --sign-with. The operator and consumers need not.",
)
@arguments.takes_request_id
@click.pass_obj
def open_book(
    settings: Settings, *, name: str, origin: str, max_tier: int, signed: bool, request_id: str
) -> None:
    """Open the book NAME, as its operator."""
    from pathbook.cli import output

    with connection.connected(settings, name) as client:
        answer = client.open_book(origin=origin, max_tier=max_tier, signed=signed, request_id=request_id)
    output.show(settings.output, answer, lambda: output.recorded(answer.receipt))


@command.command()
@takes_options("server", "data", "database", "zone", "output", "allow_event_loss")
@click.argument("name")
@click.pass_obj
def show(settings: Settings, *, name: str) -> None:
    """Show the book NAME."""
    from pathbook.cli import output

    with connection.looking(settings, name) as client:
        found = client.get_book()

    def text() -> str:
        return output.fields(
            [
                ("book", found.name),
                ("origin", found.origin),
                ("deepest tier", _deepest_tier(found)),
                ("parties sign", "always" if found.policy.signed else "if they want to"),
                ("key of codes", found.code_key.hex()),
                ("opened", output.moment(found.opened_at)),
                ("last position", str(found.position)),
                ("incarnation", found.incarnation),
            ]
        )

    output.show(settings.output, found, text)


@command.command("list")
@takes_options("server", "data", "database", "zone", "output", "allow_event_loss")
@click.pass_obj
def list_books(settings: Settings) -> None:
    """List all books."""
    from pathbook.cli import output
    from pathbook.cli.output import Column

    columns: list[Column[Book]] = [
        Column("book", lambda book: book.name),
        Column("origin", lambda book: book.origin),
        Column("deepest tier", _deepest_tier, right=True),
        Column("opened", lambda book: output.moment(book.opened_at)),
        Column("last position", lambda book: str(book.position), right=True),
    ]
    with connection.looking(settings) as client:
        output.show_list(settings.output, "books", client.list_books(), columns)


def _deepest_tier(book: "Book") -> str:
    """Return the deepest tier that the book allows: its own limit, or the general one."""
    from pathbook.ledger.values import MAX_TIER

    return str(book.policy.max_tier or MAX_TIER)
