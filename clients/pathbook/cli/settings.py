"""Which book, where it is, and how to answer: the options every verb takes, before it or after it."""

import enum
import os
from collections.abc import Callable
from typing import Final, TypeVar

import click

DEFAULT_BOOK: Final = "book"
"""The book asked for where none is named: most directories hold one."""

Command = TypeVar("Command", bound=Callable[..., object])


class Output(enum.Enum):
    """How answers are printed."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


class Settings:
    """What the options said. An option goes before the environment, that before the default."""

    def __init__(self) -> None:
        """Begin as the environment says."""
        self.server = ""
        self.data = ""
        self.book = os.environ.get("PATHBOOK_BOOK") or DEFAULT_BOOK
        self.output = Output.TABLE

    def place(self) -> tuple[str, str]:
        """Return (server, data), one of them empty; an option typed goes before either environment variable.

        Raises:
            click.UsageError: neither or both are given.
        """
        server, data = self.server, self.data
        both = "Both --server and --data are given: choose one."
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
        return server, data


def book_options(command: Command) -> Command:
    """Let a command take --server, --data, --book and --output."""
    outputs = click.Choice([output.value for output in Output])
    for name, metavar, kind, sentence in (
        ("--output", None, outputs, "How to answer."),
        ("--book", "NAME", None, f"Which book; else PATHBOOK_BOOK, else '{DEFAULT_BOOK}'."),
        ("--data", "DIR", None, "Books opened by a server inside this process; else PATHBOOK_DATA."),
        ("--server", "HOST:PORT", None, "The server to ask; else PATHBOOK_SERVER."),
    ):
        option = click.option(
            name, metavar=metavar, type=kind, help=sentence, expose_value=False, callback=_keep
        )
        command = option(command)
    return command


def _keep(context: click.Context, option: click.Parameter, value: str | None) -> None:
    """Note what an option said; the one nearer to the verb is read later, and stands."""
    settings = context.ensure_object(Settings)
    if value is not None and option.name == "output":
        settings.output = Output(value)
    elif value is not None:
        assert option.name in ("server", "data", "book"), option.name
        setattr(settings, option.name, value)
