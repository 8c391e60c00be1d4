"""Which book, where it is, and how to print answers: the options of every verb, before it or after it."""

import enum
import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple, TypeVar, cast

import click
from click.core import ParameterSource

from pathbook.cli import zones
from pathbook.cli.places import ZONE, parse_address

DEFAULT_BOOK: Final = "book"
"""The book that is used when none is named. Most directories hold one."""

MAY_BE_EMPTY: Final = ("--note", "--region")
"""The options for which an empty text says the same as no text."""

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
        self.given: set[str] = set()
        """The names of the options on the command line, as in OPTIONS."""
        self.sign_with: Path | None = None
        """The key file of a verb that signs (`pathbook.cli.signing`) ..."""
        self.passphrase_file: Path | None = None
        """... and the file with its passphrase. None: a terminal asks."""
        self.token_file: str | None = None
        """The file with the API token for a server ..."""
        self.ca: str | None = None
        """... the file of the certificates that the server is trusted by ..."""
        self.cert: str | None = None
        """... the certificate by which the server knows the caller ..."""
        self.cert_key: str | None = None
        """... and the key of that. An option overrides its variable: `pathbook.cli.credentials`."""
        self._zone: zones.Zone | None = None

    @property
    def zone(self) -> zones.Zone:
        """The zone of dates and times: that of --zone, else that of TZ or of this machine."""
        if self._zone is None:
            self._zone = zones.local()
        return self._zone

    @zone.setter
    def zone(self, zone: zones.Zone) -> None:
        self._zone = zone

    def place(self) -> str | Books:
        """Return the server to call, or the books to open. An option overrides both environment variables.

        Raises:
            click.UsageError: neither or both are given.
        """
        server, data = self.server, self.data
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
        if server and self.database:
            raise click.UsageError(
                "--database needs --data DIR. It cannot be combined with a server, which has its own books."
            )
        if server and self.allow_event_loss:
            raise click.UsageError(
                "--allow-event-loss concerns the database of --data DIR. A server decides that when it starts."
            )
        if server and not self.server:
            server = parse_address(server, name="PATHBOOK_SERVER")
        require_text(self.book, "PATHBOOK_BOOK")
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
        database = self.database_url()
        require_text(data, "The name of the directory of books")
        if self.allow_event_loss and not database:
            raise click.UsageError(
                "--allow-event-loss concerns a PostgreSQL. Books in files lose no events. Leave it out."
            )
        return Books(data, database, self.allow_event_loss)


OPTIONS: Final = ("server", "data", "database", "book", "zone", "output", "allow_event_loss")
"""The options that every verb reads, before it or after it. A verb that has no use for one refuses it by name."""


CALLING: Final = {
    "token_file": "The file with the API token for a server. Default: PATHBOOK_TOKEN.",
    "ca": "The certificates to trust a server by, which uses TLS. Default: PATHBOOK_CA.",
    "cert": "The certificate that says who calls a server. Default: PATHBOOK_CERT.",
    "cert_key": "The key of --cert. Default: PATHBOOK_CERT_KEY.",
}
"""The options of every verb that may call a server: the file that each names. The help of `pathbook` shows them."""


def takes_options(*used: str, shows_calling: bool = False) -> Callable[[Command], Command]:
    """Return a decorator that adds the options to a command, and refuses those that it does not use.

    The help shows only those that are used, and those in CALLING only with ``shows_calling``. The decorator also
    refuses text that is not UTF-8.
    """
    unknown = set(used) - set(OPTIONS)
    assert not unknown, unknown

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def checked(*args: object, **values: object) -> object:
            context = click.get_current_context()
            _refuse_unused(context, used)
            _refuse_odd_text(context)
            return command(*args, **values)

        checked.uses_options = used  # type: ignore[attr-defined] # the tests ask which options a verb uses
        added = _add_options(checked, used)
        return cast("Command", _add_calling(added, hidden=not shows_calling) if "server" in used else added)

    return decorate


book_options = takes_options(*OPTIONS)
"""Add all options to a command that asks a book."""


def current_zone() -> zones.Zone:
    """Return the zone in which the running command shows days and times."""
    context = click.get_current_context(silent=True)
    settings = None if context is None else context.find_object(Settings)
    return zones.local() if settings is None else settings.zone


def _add_options(command: Callable[..., object], used: Sequence[str]) -> Callable[..., object]:
    outputs = click.Choice([output.value for output in Output])
    directory = click.Path(file_okay=False, readable=False)
    for name, metavar, kind, sentence in (
        ("output", None, outputs, "The format of the answer: a table for people, JSON for scripts."),
        (
            "zone",
            "ZONE",
            ZONE,
            "The zone of dates and times: a name such as Asia/Shanghai, or +08:00. Default: TZ.",
        ),
        ("book", "NAME", None, f"The name of the book. Default: PATHBOOK_BOOK, else '{DEFAULT_BOOK}'."),
        (
            "database",
            "URL",
            None,
            "The PostgreSQL that holds the books of --data. Default: PATHBOOK_DATABASE.",
        ),
        (
            "data",
            "DIR",
            directory,
            "A directory of books. The command opens it without a server. Default: PATHBOOK_DATA.",
        ),
        ("server", "HOST:PORT", None, "The server to call. Default: PATHBOOK_SERVER."),
    ):
        command = click.option(
            f"--{name}",
            metavar=metavar,
            type=kind,
            help=sentence,
            hidden=name not in used,
            is_eager=name == "zone",  # dates are read in it
            expose_value=False,
            callback=_keep,
        )(command)
    return click.option(
        "--allow-event-loss",
        is_flag=True,
        hidden=True,  # every verb that writes takes it, but only the help of `serve` explains it
        expose_value=False,
        callback=_keep_allowed,
    )(command)


def _add_calling(command: Callable[..., object], *, hidden: bool) -> Callable[..., object]:
    for name, sentence in reversed(CALLING.items()):
        command = click.option(
            f"--{name.replace('_', '-')}",
            metavar="FILE",
            help=sentence,
            hidden=hidden,
            expose_value=False,
            callback=_keep,
        )(command)
    return command


def _refuse_unused(context: click.Context, used: Sequence[str]) -> None:
    """Raise click.UsageError for an option that was given and that the verb does not use."""
    known = (*used, *(CALLING if "server" in used else ()))
    for name in sorted(context.ensure_object(Settings).given - set(known), key=(*OPTIONS, *CALLING).index):
        flags = [_flag(each) for each in OPTIONS if each in used and each != "allow_event_loss"]
        uses = f" It uses {', '.join(flags)}." if flags else ""
        raise click.UsageError(
            f"Leave out {_flag(name)}: '{context.command_path}' does not use it.{uses}", context
        )


def _refuse_odd_text(context: click.Context) -> None:
    """Raise click.UsageError for an empty text, and for bytes that are not UTF-8. Names of files may be any bytes.

    An empty text is what an unset variable of a script gives. It must not mean the default, such as "any seller".
    """
    for option in context.command.params:
        value = context.params.get(option.name or "")
        if isinstance(option.type, click.Path):
            continue
        name = option.opts[0] if option.opts[0].startswith("-") else option.make_metavar(context)
        given = context.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE
        for text in value if isinstance(value, tuple) else (value,):
            if text == "" and given and name not in MAY_BE_EMPTY:
                raise click.UsageError(f"{name} is empty. Name something, or leave it out.", context)
            if isinstance(text, str):
                require_text(text, name)


def require_text(text: str, name: str) -> None:
    """Raise click.UsageError if a text has bytes that are not UTF-8, which Python keeps as lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise click.UsageError(
            f"{name} is not text in UTF-8: '{text}'. Set the terminal to UTF-8, or convert the text."
        ) from None


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _keep(context: click.Context, option: click.Parameter, value: str | None) -> None:
    """Store the value of an option. Click calls this for the options after the verb last, so those win."""
    if value is None:
        return
    settings = context.ensure_object(Settings)
    name = option.name or ""
    settings.given.add(name)
    if isinstance(value, zones.Zone):
        settings.zone = value
        return
    if not value and name != "database":  # an empty database means books in files
        raise click.BadParameter("It is empty. Leave the option out, or name something.", context, option)
    if name != "database":  # it may hold a password, and its grammar is ASCII
        require_text(value, f"--{name}")
    if name == "server":
        value = parse_address(value, context, option)
    if name == "output":
        settings.output = Output(value)
    else:
        setattr(settings, name, value)


def _keep_allowed(context: click.Context, _option: click.Parameter, value: object) -> None:
    """Store that events may be lost, if the option is given before the verb or after it."""
    settings = context.ensure_object(Settings)
    if value:
        settings.allow_event_loss = True
        settings.given.add("allow_event_loss")
