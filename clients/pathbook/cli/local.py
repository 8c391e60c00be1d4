"""The server inside this process, for ``--data DIR``. No other module here may import the server.

The extra `server` installs what it needs. Without it, importing this module raises click.UsageError.
"""

import contextlib
import dataclasses
import logging
import re
import secrets
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import click

from pathbook.cli.errors import UnusableBooksError
from pathbook.cli.settings import Books
from pathbook.ledger.codec import NewerEventError
from pathbook.ledger.gc_tuning import collect_rarely
from pathbook.ledger.proofs.policy import Policy
from pathbook.ledger.serials import BookKey

try:
    from pathbook.services import clock_check
    from pathbook.services.access.issuer import read_issuer
    from pathbook.services.clock import MachineClock, now
    from pathbook.services.data_files import copy_books, warn_of_readable_files
    from pathbook.services.key_file import secrets_of
    from pathbook.services.log_key import LOG_KEY_FILE, LogKey, make_log_key
    from pathbook.services.rates import DEFAULT_LIMITS, ClassLimits
    from pathbook.services.run.certificates import CertificateFiles
    from pathbook.services.run.follower_process import update_views
    from pathbook.services.run.in_thread import running
    from pathbook.services.run.logs import configure_log
    from pathbook.services.run.serve import serve as serve_until_told
    from pathbook.services.run.settings import Settings
    from pathbook.services.run.signals import stopping
    from pathbook.services.storage import (
        DAMAGE,
        begin_with_key,
        damage_reason,
        rebuild_views,
        require_found_log,
    )
    from pathbook.services.witness_calls import addresses
except ModuleNotFoundError as error:
    # every verb that opens books imports this module when it runs
    missing = (error.name or "pathbook").partition(".")[0]
    if missing == "pathbook":
        raise  # a bug
    raise click.UsageError(
        f"This verb needs the server, and {missing} is not installed. Run: pip install 'pathbook[server]'."
    ) from error

if TYPE_CHECKING:  # imported when the bench runs
    from pathbook.services.measuring import Measuring

ClockState: TypeAlias = clock_check.ClockState
"""What a verb of the clock gets."""

TOKEN_BYTES: Final = 32
"""How many random bytes the token of a server inside this process has."""

ANY_PORT: Final = "127.0.0.1:0"
"""A free port, for callers on this machine only."""

AROUND_THE_CAUSE: Final = re.compile(
    r"^\(\w+\.\w+\) (connection (failed|is bad): (?=connection))?|\n.*", re.DOTALL
)
"""The text that SQLAlchemy and psycopg put around the sentence that names the problem of a database."""

REMEDIES: Final = (
    (r"password|pg_hba|role .* does not exist", "Check the user and password in the URL, PGPASSWORD or ~/.pgpass."),
    (r"database .* does not exist", "Check its name, or create it: createdb NAME."),
    (r"permission denied", "Allow the user of the URL to create schemas: GRANT CREATE ON DATABASE NAME TO USER."),
    (r"connection|resolve|timeout", "Check its host and port, and that PostgreSQL runs there."),
)  # fmt: skip
"""What to do about a PostgreSQL that cannot be opened, by a pattern of its message. The first match counts."""


class Served(NamedTuple):
    """A server inside this process: HOST:PORT, and the only token that it takes."""

    target: str
    token: str


@contextlib.contextmanager
def serving(books: Books) -> Iterator[Served]:
    """Serve books to this process only, while it does something else.

    The port is one of this machine, which its other users reach as well. So every call has a token, which is made here.

    Raises: as ``serving_openly``.
    """
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with _serving(dataclasses.replace(_settings(books), own_token=token)) as target:
        yield Served(target, token)


@contextlib.contextmanager
def serving_openly(books: Books, *, seals: bool = False) -> Iterator[str]:
    """Serve books to every caller on this machine, and seal them if asked to. Yield HOST:PORT.

    Raises:
        UnusableBooksError: the books cannot be opened.
        OSError: the directory cannot be read or written.
        click.UsageError: the URL of the database is malformed.
    """
    with _serving(_settings(books, seals=seals)) as target:
        yield target


@contextlib.contextmanager
def _serving(settings: Settings) -> Iterator[str]:
    collect_rarely()
    with contextlib.ExitStack() as stack:
        with opening(settings):
            port = stack.enter_context(running(settings, logging.WARNING))
        yield f"127.0.0.1:{port}"


@contextlib.contextmanager
def copied(books: Books) -> Iterator[Books]:
    """Yield a copy of the books in a directory, which is removed at the end. No books have an empty copy.

    Raises:
        UnusableBooksError: they cannot be copied.
    """
    with tempfile.TemporaryDirectory(prefix="pathbook-") as directory:
        try:
            if Path(books.data).exists():
                copy_books(Path(books.data), Path(directory))
        except OSError as error:
            raise UnusableBooksError(f"{books.data} cannot be copied: {error}") from error
        yield Books(directory)


def serve(  # noqa: PLR0913 - an argument for each choice of an operator
    books: Books,
    listen: str,
    *,
    operations_listen: str,
    workers: int,
    apart: bool,
    follows: bool,
    seals: bool,
    limits: Path | None,
    trusted_proxies: tuple[str, ...],
    demands_tokens: bool,
    certificate: tuple[Path, Path, Path | None] | None,
    insecure_network: bool,
    issuer: Path | None,
    witnesses: Policy | None,
    ready: Callable[[str, str], None],
) -> None:
    """Serve until SIGINT or SIGTERM, then drain. A second signal ends the process at once.

    ``certificate`` has the files of a certificate and its key, and those that callers' are trusted by. Without one, the
    server listens beyond this machine only with ``insecure_network``. ``issuer`` is the file that describes an issuer
    of web tokens. ``limits`` is a file of what callers may do in a time. Whom ``trusted_proxies`` name
    as their caller counts as such. The ``witnesses`` of a policy may cosign the
    checkpoints, and are asked if they have a URL. ``ready`` is called with the place of the books, and HOST:PORT.

    Raises:
        click.UsageError: the address is malformed or unsafe, a file is unusable, or a witness cannot be asked.
        OSError: the address is in use.
        Exception: as ``serving``.
    """
    settings = dataclasses.replace(
        _settings(
            books,
            listen=listen,
            operations_listen=operations_listen,
            workers=workers,
            apart=apart,
            follows=follows,
            seals=seals,
        ),
        limits=DEFAULT_LIMITS if limits is None else _limits(limits),
        trusted_proxies=trusted_proxies,
        demands_tokens=demands_tokens,
        certificate=None if certificate is None else CertificateFiles(*certificate),
    )
    if issuer is not None:
        try:
            settings = dataclasses.replace(settings, issuer=read_issuer(issuer))
        except ValueError as error:
            raise click.UsageError(f"--issuer: {error}") from None
    if settings.certificate is not None:
        try:
            settings.certificate.require_pair()
        except ValueError as error:
            raise click.UsageError(f"--cert: {error}") from None
    elif not settings.is_loopback and not insecure_network:
        raise click.UsageError(
            f"Other machines reach {listen}, and without TLS the network reads all prices and tokens."
            " Give --cert and --cert-key, or --insecure-network if the network is your own."
        )
    if witnesses is not None:
        try:
            cosigners = tuple(witnesses.witnesses.values())
            settings = dataclasses.replace(settings, witnesses=addresses(witnesses), cosigners=cosigners)
        except ValueError as error:
            raise click.UsageError(f"--witnesses: {error}") from None
    with opening(settings):
        serve_until_told(settings, lambda address: ready(settings.place, address))


def _limits(file: Path) -> dict[str, ClassLimits]:
    from pathbook.services.rate_limits import read_limits

    try:
        return read_limits(file)
    except ValueError as error:
        raise click.UsageError(f"--limits: {file}: {error}") from None


def follow(
    books: Books,
    *,
    operations_listen: str = "",
    seals: bool,
    projects: bool = True,
    builds_reports: bool = True,
) -> None:
    """Keep the views of all books up to date until SIGINT or SIGTERM, and their reports, and seal if asked to.

    Raises:
        OSError: the address for operators is in use.
        Exception: as ``rebuild``.
    """
    require_books(books)
    settings = _settings(books, operations_listen=operations_listen, seals=seals)
    configure_log(logging.INFO)
    warn_of_readable_files(settings.data)
    with opening(settings), stopping(drain_seconds=0) as stop:
        update_views(settings, stop, projects=projects, builds_reports=builds_reports)


def rebuild(
    books: Books, progress: Callable[[int, int], None], *, accept_lost_events: bool = False, only: str = ""
) -> tuple[str, int]:
    """Rebuild the views of all books, or only a report. Return their place, and from how many events.

    ``progress`` is called with the number of events done, and the total. Servers that have the views open may keep
    running. They take part in the rebuild. Damaged views in a file are replaced only if nothing else has them open.
    With ``accept_lost_events``, the log may have lost events.

    Raises:
        UnusableBooksError: there are no books, they cannot be opened, or an event is damaged.
        click.UsageError: the URL of the database is malformed.
    """
    require_books(books, accept_lost_events=accept_lost_events)
    settings = _settings(books)
    configure_log(logging.WARNING)
    warn_of_readable_files(settings.data)
    collect_rarely()
    events = 0

    def report(done: int, total: int) -> None:
        nonlocal events
        events = total
        progress(done, total)

    with opening(settings):
        rebuild_views(
            settings.data, settings.database, now, report, accept_lost_events=accept_lost_events, only=only
        )
    return settings.place, events


def measuring(data: str, database: str) -> "Measuring":
    """Return the measurements of a bench inside a store: a directory, or a database if one is named. ``close`` it."""
    from pathbook.services.measuring import Measuring

    return Measuring(Path(data), database)


def database_of_its_own(url: str) -> contextlib.AbstractContextManager[str]:
    """Create a database on a PostgreSQL server, yield its URL, and drop it at the end.

    Raises:
        OSError: none could be created there. The message says what to do.
        ValueError: the URL is not PostgreSQL's.
    """
    from pathbook.services import measuring

    return measuring.database_of_its_own(url)


def require_books(books: Books, *, accept_lost_events: bool = False) -> None:
    """Raise UnusableBooksError if there are no books. A read of a misspelt place must not create them.

    Raises: as ``rebuild``.
    """
    settings = _settings(books)
    with opening(settings):
        found = require_found_log(settings.data, settings.database, accept_lost_events=accept_lost_events)
    if not found:
        raise UnusableBooksError(
            f"There are no books in {settings.place}. Check the name. `pathbook book open NAME` opens one there."
        )


def check_place(books: Books) -> str:
    """Return the place of books for printing. Raises click.UsageError if the URL of the database is malformed."""
    return _settings(books).place


def cause_of(books: Books, error: Exception) -> str:
    """Return why books could not be read or written, as a sentence, and what to do if that is known."""
    cause = AROUND_THE_CAUSE.sub("", str(error)).rstrip(".")
    return " ".join(f"{cause}. {_remedy(cause) if books.database else ''}".split())


def write_keys(data: Path, secret: bytes) -> None:
    """Begin a directory that has no books yet with a key of the codes and of the log, which 32 bytes make."""
    begin_with_key(data, BookKey(secret))
    make_log_key(secrets_of(data) / LOG_KEY_FILE, LogKey(secret))


def clock_state(books: Books) -> ClockState:
    """Return whether the clock of this machine is believed for books, and why. Raises as ``rebuild``."""
    require_books(books)
    settings = _settings(books)
    with opening(settings):
        return clock_check.clock_state(settings.data, settings.database, MachineClock())


def confirm_clock(books: Books, *, accept_ahead: bool) -> ClockState:
    """Have all servers of books believe the clock of this machine. Return the state before. Raises as ``rebuild``.

    With ``accept_ahead``, books whose last event lies ahead of the clock go on with the time of that event.
    """
    require_books(books)
    settings = _settings(books)
    with opening(settings):
        return clock_check.confirm_clock(
            settings.data, settings.database, MachineClock(), accept_ahead=accept_ahead
        )


def _settings(
    books: Books,
    listen: str = ANY_PORT,
    *,
    operations_listen: str = "",
    workers: int = 1,
    apart: bool = False,
    follows: bool = True,
    seals: bool = False,
) -> Settings:
    try:
        return Settings(
            data=Path(books.data),
            database=books.database,
            listen=listen,
            operations_listen=operations_listen,
            follows=follows,
            apart=apart,
            seals=seals,
            workers=workers,
            allow_event_loss=books.allow_event_loss,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error


@contextlib.contextmanager
def opening(settings: Settings) -> Iterator[None]:
    """Turn every error that keeps books from being opened, or rebuilt, into a sentence."""
    try:
        yield
    except (OSError, NewerEventError):
        raise  # its message names the file, or the event
    except DAMAGE as error:
        told = f"{settings.place} cannot be opened: {error}"
        raise UnusableBooksError(told, damage_reason(error)) from error
    except Exception as error:
        reason = str(error)
        if settings.database:
            reason = cause_of(Books(str(settings.data), settings.database), error)
        raise UnusableBooksError(f"{settings.place} cannot be opened: {reason}") from error


def _remedy(cause: str) -> str:
    """Return what to do about a PostgreSQL that cannot be opened, an empty text for an unknown cause."""
    return next((remedy for pattern, remedy in REMEDIES if re.search(pattern, cause)), "")
