"""Which book, where it is, and how to print answers: the options of every verb, before it or after it."""

import enum
import os
from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar

import click

DEFAULT_BOOK: Final = "book"
"""The book that is used when none is named. Most directories hold one."""

Command = TypeVar("Command", bound=Callable[..., object])


class Output(enum.Enum):
    """How answers are printed."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


class Books(NamedTuple):
    """Books that this process opens.

    Attributes:
        data: the directory of the key of their codes. It holds the books too, unless a database is named.
        database: the URL of the PostgreSQL that holds the books, "" for none. It may hold a password.
        allow_event_loss: whether the database may acknowledge events that it may lose.
    """

    data: str
    database: str = ""
    allow_event_loss: bool = False


class Settings:
    """The values of the options. An option overrides the environment, and the environment the default."""

    def __init__(self) -> None:
        """Start from the environment."""
        self.server = ""
        self.data = ""
        self.database: str | None = None
        self.allow_event_loss = False
        self.book = os.environ.get("PATHBOOK_BOOK") or DEFAULT_BOOK
        self.output = Output.TABLE

    def place(self) -> str | Books:
        """Return the server to call, or the books to open. An option overrides both environment variables.

        Raises:
            click.UsageError: neither or both are given.
        """
        server, data = self.server, self.data
        if server and self.database:
            raise click.UsageError(
                "--database needs --data DIR. It cannot be combined with --server, which has its own books."
            )
        if server and data:
            raise click.UsageError("--server and --data are both given. Give one of them.")
        if not server and not data:
            server, data = os.environ.get("PATHBOOK_SERVER", ""), os.environ.get("PATHBOOK_DATA", "")
            if server and data:
                raise click.UsageError(
                    "The environment sets both PATHBOOK_SERVER and PATHBOOK_DATA. Unset one of them,"
                    " or give --server or --data, which override the environment."
                )
        if not server and not data:
            raise click.UsageError(
                "No books are named. Name a server with --server HOST:PORT (or PATHBOOK_SERVER),"
                " or a directory of books with --data DIR (or PATHBOOK_DATA)."
            )
        return server or self._books(data)

    def books(self) -> Books:
        """Return the books to open, for a verb that calls no server.

        Raises:
            click.UsageError: none are named.
        """
        data = self.data or os.environ.get("PATHBOOK_DATA", "")
        if self.server or not data:
            raise click.UsageError(
                "This verb opens a directory of books. Name it with --data DIR (or PATHBOOK_DATA),"
                " without --server."
            )
        return self._books(data)

    def database_url(self) -> str:
        """Return the URL of the PostgreSQL that holds the books, "" for books in files."""
        return os.environ.get("PATHBOOK_DATABASE", "") if self.database is None else self.database

    def _books(self, data: str) -> Books:
        return Books(data, self.database_url(), self.allow_event_loss)


def book_options(command: Command) -> Command:
    """Add --server, --data, --database, --book and --output to a command."""
    outputs = click.Choice([output.value for output in Output])
    directory = click.Path(file_okay=False, readable=False)
    for name, metavar, kind, sentence in (
        ("--output", None, outputs, "The format of the answer: a table for people, JSON for scripts."),
        ("--book", "NAME", None, f"The name of the book. Default: PATHBOOK_BOOK, else '{DEFAULT_BOOK}'."),
        (
            "--database",
            "URL",
            None,
            "The PostgreSQL that holds the books of --data. Default: PATHBOOK_DATABASE.",
        ),
        (
            "--data",
            "DIR",
            directory,
            "A directory of books. The command opens it without a server. Default: PATHBOOK_DATA.",
        ),
        ("--server", "HOST:PORT", None, "The server to call. Default: PATHBOOK_SERVER."),
    ):
        option = click.option(
            name, metavar=metavar, type=kind, help=sentence, expose_value=False, callback=_keep
        )
        command = option(command)
    return click.option(
        "--allow-event-loss",
        is_flag=True,
        hidden=True,  # every verb that writes takes it, but only the help of `serve` explains it
        expose_value=False,
        callback=_keep_allowed,
    )(command)


def _keep(context: click.Context, option: click.Parameter, value: str | None) -> None:
    """Store the value of an option. Click calls this for the options after the verb last, so those win."""
    settings = context.ensure_object(Settings)
    if value is not None and option.name == "output":
        settings.output = Output(value)
    elif value is not None:
        assert option.name in ("server", "data", "database", "book"), option.name
        setattr(settings, option.name, value)


def _keep_allowed(context: click.Context, _option: click.Parameter, value: object) -> None:
    """Store that events may be lost, if the option is given before the verb or after it."""
    settings = context.ensure_object(Settings)
    settings.allow_event_loss = settings.allow_event_loss or bool(value)
