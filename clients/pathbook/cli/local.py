"""The server inside this process, for ``--data DIR``: the one module here that knows the server's own."""

import contextlib
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from ledger.serials import BookKey, print_book_key
from services import measuring as inside
from services.background import running
from services.directory import EVENTS_FILE, KEY_FILE, VIEWS_FILE, Directory
from services.server import now
from services.settings import Settings

ANY_PORT: Final = "127.0.0.1:0"
"""A free port, for callers on this machine only."""

SQLITE_HEADER: Final = b"SQLite format 3\0"
"""What every SQLite database begins with (https://www.sqlite.org/fileformat2.html, section 1.3)."""


class UnusableError(OSError):
    """A directory of books cannot be opened; the message says why, and what to do."""


@contextlib.contextmanager
def serving(data: str, listen: str = ANY_PORT, level: int = logging.WARNING) -> Iterator[str]:
    """Serve a directory of books while the caller does something else; yield HOST:PORT.

    Raises:
        UnusableError: see there.
        OSError: the directory cannot be read or written, or the address not listened on.
        ValueError: ``listen`` is not HOST:PORT.
    """
    with contextlib.ExitStack() as stack:
        with _opening(data):
            port = stack.enter_context(running(_settings(data, listen), level))
        yield f"{listen.rpartition(':')[0]}:{port}"


def serve(data: str, listen: str, ready: Callable[[str], None]) -> None:
    """Serve until this process is told to stop (SIGINT, SIGTERM), then drain. Raises as ``serving``."""
    told = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: told.set()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        with serving(data, listen, logging.INFO) as address:
            ready(address)
            told.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def rebuild(data: str, progress: Callable[[int, int], None]) -> int:
    """Drop the views of a directory of books and make them again; return from how many events.

    ``progress`` is told how many are done, and of how many. Servers that have the views open may go on: they
    and this process carry them together.

    Raises:
        UnusableError: there are no books, or they cannot be opened.
    """
    require_books(data)
    with _opening(data):
        directory = Directory(Path(data), now)
    events = 0

    def tell(done: int, of: int) -> None:
        nonlocal events
        events = of
        progress(done, of)

    with contextlib.closing(directory):
        directory.follower.rebuild(tell)
    return events


def measuring(data: str, database: str) -> inside.Measuring:
    """Return what a bench measures inside the store of a directory, or of a database (else ""). ``close`` it."""
    return inside.Measuring(Path(data), database)


def database_of_its_own(url: str) -> contextlib.AbstractContextManager[str]:
    """Make a database on a PostgreSQL server, give its URL, and drop it at the end.

    Raises:
        OSError: none could be made there; the message says what to do.
        ValueError: the URL is not PostgreSQL's.
    """
    return inside.database_of_its_own(url)


def require_books(data: str) -> None:
    """Raise UnusableError for a directory without books: reading a misspelt one shall not make it."""
    if not (Path(data) / EVENTS_FILE).exists():
        raise UnusableError(
            f"There are no books in {data}. Check the name; a book begins with its first brand."
        )


def write_key(data: Path, secret: bytes) -> None:
    """Give a directory that has no books yet the key of its codes (32 bytes)."""
    (data / KEY_FILE).write_text(print_book_key(BookKey(secret)), "ascii")


def _settings(data: str, listen: str) -> Settings:
    try:
        return Settings(data=Path(data), listen=listen)
    except ValidationError as error:
        raise ValueError(error.errors()[0]["msg"]) from error


@contextlib.contextmanager
def _opening(data: str) -> Iterator[None]:
    """Say in words whatever keeps books from being opened: their format, their key, their database."""
    try:
        yield
    except (OSError, ValueError):
        raise  # these say it themselves
    except Exception as error:
        raise UnusableError(f"{data} cannot be opened: {_what_to_do(Path(data)) or error}") from error


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
