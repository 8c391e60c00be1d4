"""Which book, where it is, and how to answer: the options every verb takes, before it or after it."""

import enum
import os
from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar

import click

DEFAULT_BOOK: Final = "book"
"""The book asked for where none is named: most directories hold one."""

Command = TypeVar("Command", bound=Callable[..., object])


class Output(enum.Enum):
    """How answers are printed."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


class Books(NamedTuple):
    """Where books are that are opened in this process.

    Attributes:
        data: the directory that holds the key of their codes, and them, where no database is named.
        database: the URL of the PostgreSQL that they are in, "" for none. It may hold a password.
        allow_event_loss: whether that may acknowledge events that it may lose.
    """

    data: str
    database: str = ""
    allow_event_loss: bool = False


class Settings:
    """What the options said. An option goes before the environment, that before the default."""

    def __init__(self) -> None:
        """Begin as the environment says."""
        self.server = ""
        self.data = ""
        self.database: str | None = None
        self.allow_event_loss = False
        self.book = os.environ.get("PATHBOOK_BOOK") or DEFAULT_BOOK
        self.output = Output.TABLE

    def place(self) -> str | Books:
        """Return the server to ask, or the books to open; an option typed goes before either environment variable.

        Raises:
            click.UsageError: neither or both are given.
        """
        server, data = self.server, self.data
        both = "Both --server and --data are given: choose one."
        if server and self.database:
            raise click.UsageError("--database goes with --data DIR: a --server knows where its books are.")
        if not server and not data:
            server, data = os.environ.get("PATHBOOK_SERVER", ""), os.environ.get("PATHBOOK_DATA", "")
            both = (
                "The environment sets both PATHBOOK_SERVER and PATHBOOK_DATA:"
                " unset one, or choose with an option, which goes before the environment."
            )
        if bool(server) is bool(data):
            wrong = both if server else "Where are the books?"
            raise click.UsageError(
                f"{wrong} Name a server with --server HOST:PORT (or PATHBOOK_SERVER),"
                " or a directory of books with --data DIR (or PATHBOOK_DATA)."
            )
        return server or self._books(data)

    def books(self) -> Books:
        """Return the books to open, for a verb that asks no server.

        Raises:
            click.UsageError: none are named.
        """
        data = self.data or os.environ.get("PATHBOOK_DATA", "")
        if self.server or not data:
            raise click.UsageError("Which books? Name their directory with --data DIR (or PATHBOOK_DATA).")
        return self._books(data)

    def store(self) -> str:
        """Return the URL of the PostgreSQL that holds books, "" where they lie in files."""
        return os.environ.get("PATHBOOK_DATABASE", "") if self.database is None else self.database

    def _books(self, data: str) -> Books:
        return Books(data, self.store(), self.allow_event_loss)


def book_options(command: Command) -> Command:
    """Let a command take --server, --data, --database, --book and --output."""
    outputs = click.Choice([output.value for output in Output])
    for name, metavar, kind, sentence in (
        ("--output", None, outputs, "How to answer."),
        ("--book", "NAME", None, f"Which book; else PATHBOOK_BOOK, else '{DEFAULT_BOOK}'."),
        ("--database", "URL", None, "PostgreSQL that holds the books of --data; else PATHBOOK_DATABASE."),
        ("--data", "DIR", None, "Books opened by a server inside this process; else PATHBOOK_DATA."),
        ("--server", "HOST:PORT", None, "The server to ask; else PATHBOOK_SERVER."),
    ):
        option = click.option(
            name, metavar=metavar, type=kind, help=sentence, expose_value=False, callback=_keep
        )
        command = option(command)
    return click.option(
        "--allow-event-loss",
        is_flag=True,
        hidden=True,  # one verb's help tells of it; it is taken by all that write
        expose_value=False,
        callback=_keep_allowed,
    )(command)


def _keep(context: click.Context, option: click.Parameter, value: str | None) -> None:
    """Note what an option said; the one nearer to the verb is read later, and stands."""
    settings = context.ensure_object(Settings)
    if value is not None and option.name == "output":
        settings.output = Output(value)
    elif value is not None:
        assert option.name in ("server", "data", "database", "book"), option.name
        setattr(settings, option.name, value)


def _keep_allowed(context: click.Context, _option: click.Parameter, value: object) -> None:
    """Note that events may be lost, if that was said before the verb or after it."""
    settings = context.ensure_object(Settings)
    settings.allow_event_loss = settings.allow_event_loss or bool(value)
