"""The server inside this process, for ``--data DIR``: the one module here that knows the server's own.

It takes what the extra `server` installs: without it, importing this module raises click.UsageError.
"""

import contextlib
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pathbook.cli.settings import Books
from pathbook.ledger.gc_tuning import collect_rarely
from pathbook.ledger.serials import BookKey, print_book_key

try:
    from pathbook.services.clock import now
    from pathbook.services.run.follower_process import carry
    from pathbook.services.run.in_thread import running
    from pathbook.services.run.logs import configure_log
    from pathbook.services.run.serve import serve as serve_until_told
    from pathbook.services.run.settings import Settings
    from pathbook.services.run.signals import stopping
    from pathbook.services.storage import EVENTS_FILE, KEY_FILE, VIEWS_FILE, Storage, has_books
except ModuleNotFoundError as error:
    # Every verb that opens books imports this module when it runs, so all of them say it here.
    missing = (error.name or "pathbook").partition(".")[0]
    if missing == "pathbook":
        raise  # a mistake of ours
    raise click.UsageError(
        f"This needs the server, and {missing} is not installed: pip install 'pathbook[server]'."
    ) from error

if TYPE_CHECKING:  # loaded where something is measured
    from pathbook.services.measuring import Measuring

ANY_PORT: Final = "127.0.0.1:0"
"""A free port, for callers on this machine only."""

SQLITE_HEADER: Final = b"SQLite format 3\0"
"""What every SQLite database begins with (https://www.sqlite.org/fileformat2.html, section 1.3)."""

AROUND_THE_CAUSE: Final = re.compile(
    r"^\(\w+\.\w+\) (connection (failed|is bad): (?=connection))?|\n.*", re.DOTALL
)
"""What SQLAlchemy and psycopg say around the sentence on what is wrong with a database."""

REMEDIES: Final = (
    (r"password|pg_hba|role .* does not exist", "Check its user and password: in the URL, PGPASSWORD or ~/.pgpass."),
    (r"database .* does not exist", "Check its name, or make it: createdb NAME."),
    (r"permission denied", "Let the user of the URL make schemas there: GRANT CREATE ON DATABASE NAME TO USER."),
    (r"connection|resolve|timeout", "Check its host and port, and whether PostgreSQL runs there."),
)  # fmt: skip
"""What to do about a PostgreSQL that cannot be opened, by what it says; the first that fits."""


class UnusableBooksError(OSError):
    """Books cannot be opened; the message says why, and what to do."""


@contextlib.contextmanager
def serving(books: Books) -> Iterator[str]:
    """Serve books while the caller does something else; yield HOST:PORT.

    Raises:
        UnusableBooksError: see there.
        OSError: the directory cannot be read or written.
        click.UsageError: the URL of the database is malformed.
    """
    settings = _settings(books, listen=ANY_PORT)
    collect_rarely()
    with contextlib.ExitStack() as stack:
        with _opening(settings):
            port = stack.enter_context(running(settings, logging.WARNING))
        yield f"127.0.0.1:{port}"


def serve(
    books: Books, listen: str, *, workers: int, follows: bool, ready: Callable[[str, str], None]
) -> None:
    """Serve until this process is told to stop (SIGINT, SIGTERM), then drain. Raises as ``serving``.

    ``ready`` is called with where the books are, and HOST:PORT. The address may be malformed, or taken, too.
    """
    settings = _settings(books, listen=listen, workers=workers, follows=follows)
    with _opening(settings):
        serve_until_told(settings, lambda address: ready(settings.place, address))


def follow(books: Books) -> None:
    """Carry the views of all books until this process is told to stop. Raises as ``rebuild``."""
    require_books(books)
    settings = _settings(books)
    configure_log(logging.INFO)
    with _opening(settings), stopping() as told:
        carry(settings, told=told)


def rebuild(books: Books, progress: Callable[[int, int], None]) -> tuple[str, int]:
    """Drop the views of all books and make them again; return where they are, and from how many events.

    ``progress`` is told how many are done, and of how many. Servers that have the views open may go on: they
    and this process carry them together.

    Raises:
        UnusableBooksError: there are no books, or they cannot be opened.
        click.UsageError: the URL of the database is malformed.
    """
    require_books(books)
    settings = _settings(books)
    collect_rarely()
    with _opening(settings):
        directory = Storage(settings.data, now, database=settings.database, allow_event_loss=True)
    events = 0

    def tell(done: int, of: int) -> None:
        nonlocal events
        events = of
        progress(done, of)

    with contextlib.closing(directory):
        directory.follower.rebuild(tell)
    return settings.place, events


def measuring(data: str, database: str) -> "Measuring":
    """Return what a bench measures inside the store of a directory, or of a database (else ""). ``close`` it."""
    from pathbook.services.measuring import Measuring

    return Measuring(Path(data), database)


def database_of_its_own(url: str) -> contextlib.AbstractContextManager[str]:
    """Make a database on a PostgreSQL server, give its URL, and drop it at the end.

    Raises:
        OSError: none could be made there; the message says what to do.
        ValueError: the URL is not PostgreSQL's.
    """
    from pathbook.services import measuring

    return measuring.database_of_its_own(url)


def require_books(books: Books) -> None:
    """Raise UnusableBooksError where there are no books: reading a place that is misspelt shall not make them.

    Raises: as ``rebuild``.
    """
    settings = _settings(books)
    with _opening(settings):
        found = has_books(settings.data, settings.database)
    if not found:
        raise UnusableBooksError(
            f"There are no books in {settings.place}. Check the name; a book begins with its first brand."
        )


def write_key(data: Path, secret: bytes) -> None:
    """Give a directory that has no books yet the key of its codes (32 bytes)."""
    (data / KEY_FILE).write_text(print_book_key(BookKey(secret)), "ascii")


def _settings(books: Books, listen: str = ANY_PORT, *, workers: int = 1, follows: bool = True) -> Settings:
    try:
        return Settings(
            data=Path(books.data),
            database=books.database,
            listen=listen,
            follows=follows,
            workers=workers,
            allow_event_loss=books.allow_event_loss,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error


@contextlib.contextmanager
def _opening(settings: Settings) -> Iterator[None]:
    """Say in words whatever keeps books from being opened: their format, their key, their database."""
    try:
        yield
    except OSError:
        raise  # these say it themselves
    except Exception as error:
        what = _what_to_do(settings.data) or str(error)
        if settings.database:
            said = AROUND_THE_CAUSE.sub("", str(error)).rstrip(".")
            what = " ".join(f"{said}. {_remedy(said)}".split())
        raise UnusableBooksError(f"{settings.place} cannot be opened: {what}") from error


def _remedy(said: str) -> str:
    """Say what to do about a PostgreSQL that cannot be opened; an empty text where nobody knows."""
    return next((remedy for pattern, remedy in REMEDIES if re.search(pattern, said)), "")


def _what_to_do(data: Path) -> str:
    """Say what to do about views that are no database; an empty text where that is not what is wrong."""
    if not _is_database(data / EVENTS_FILE) or _is_database(data / VIEWS_FILE):
        return ""
    return f"{VIEWS_FILE} is no database. Delete {VIEWS_FILE}; it is made anew from the events."


def _is_database(path: Path) -> bool:
    """Return whether a file begins as a database does, or will be made as one: it is missing or empty."""
    try:
        with path.open("rb") as file:
            return file.read(len(SQLITE_HEADER)) in (b"", SQLITE_HEADER)
    except FileNotFoundError:
        return True
