"""Care for the books of a directory or database, without a server: back up, restore, check, change keys.

With `pathbook.cli.local` it is the only module here that imports the server's. It needs the extra `server`, too.
"""

import contextlib
import errno
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pathbook.cli import local
from pathbook.cli.errors import NamedError, UnusableBooksError
from pathbook.cli.settings import Books
from pathbook.ledger.gc_tuning import collect_rarely
from pathbook.ledger.serials import KeyRing
from pathbook.services.backup import restoring
from pathbook.services.backup.drill import DrilledKey
from pathbook.services.backup.drill import drill as drill_keys
from pathbook.services.backup.errors import BackupError, is_expected
from pathbook.services.backup.manifest import Manifest
from pathbook.services.backup.restoring import Restored
from pathbook.services.backup.taking import take
from pathbook.services.checking.books import looked_at
from pathbook.services.checking.check import check as check_books
from pathbook.services.checking.findings import Finding
from pathbook.services.checking.place import Place
from pathbook.services.data_files import files_of_views
from pathbook.services.key_file import (
    KeyFileFullError,
    UnusableKeyError,
    add_key,
    keys_of,
    read_keys,
)
from pathbook.services.run.logs import configure_log
from pathbook.services.run.settings import Settings as ServerSettings
from pathbook.services.signing import SigningError
from pathbook.services.storage import EVENTS_FILE, require_found_log

__all__ = [
    "DrilledKey",
    "Finding",
    "Manifest",
    "Restored",
    "back_up",
    "check",
    "code_keys",
    "drill",
    "keys_of",
    "needs_passphrase",
    "restore",
    "views",
]

if TYPE_CHECKING:
    from pathbook.cli.progress import Progress

FULL: Final = re.compile(r"disk is full|No space left on device|disk I/O error|File too large")
"""What databases and their programs say if there is no room."""


def back_up(
    books: Books, to: Path, *, passphrase: str | None, replays: bool, progress: "Progress"
) -> Manifest:
    """Back up books, and return the manifest. A passphrase of None leaves the keys out.

    Raises:
        NamedError: there is no backup. The message says why, and what to do.
        UnusableBooksError: there are no books, or they cannot be opened.
        OSError: a file cannot be read or written.
        click.UsageError: the URL of the database is malformed.
    """
    with _named("The backup could not be made", books):
        local.require_books(books)
        return take(
            Path(books.data),
            books.database,
            to,
            passphrase=passphrase,
            replays=replays,
            progress=progress.of,
        )


def needs_passphrase(origin: Path) -> bool:
    """Tell whether a backup holds encrypted keys. Raises as ``restore``."""
    with _named("The backup cannot be read", Books("")):
        return restoring.needs_passphrase(origin)


def restore(
    books: Books, origin: Path, *, passphrase: str | None, key: Path | None, progress: "Progress"
) -> Restored:
    """Restore a backup, and return what was restored. Without a passphrase and a file, no keys are restored.

    Raises: as ``back_up``.
    """
    local.check_place(books)
    with _named("The backup could not be restored", books):
        restored = restoring.restore(
            origin,
            Path(books.data),
            books.database,
            keys=restoring.KeySource(passphrase, key),
            progress=progress.of,
        )
    # a backup is older than the clock, and a restore is the operator's act, like a confirmation
    local.confirm_clock(books, accept_ahead=False)
    return restored


def drill(origin: Path, data: Path, passphrase: str) -> list[DrilledKey]:
    """Return the keys in use in a directory, each with whether a backup has it. Raises NamedError and OSError."""
    with _named("The keys of the backup could not be tried", Books(str(data))):
        return drill_keys(origin, data, passphrase)


def check(books: Books, *, replays: bool, progress: "Progress", only_log: bool = False) -> list[Finding]:
    """Check books, or only their log, and return what was found. Nothing is created.

    Raises: as ``back_up``.
    """
    data = Path(books.data)
    local.check_place(books)
    left = not books.database and (keys_of(data).exists() or bool(files_of_views(data)))
    if not left:  # what is left of lost books is a finding
        local.require_books(books, accept_lost_events=True)  # that they are lost is a finding, too
    with _named("The books could not be checked", books, level=logging.CRITICAL):  # damage is a finding
        return list(check_books(data, books.database, progress.of, replays=replays, only_log=only_log))


def views(books: Books) -> list[dict[str, object]]:
    """Return how far the views and reports of books are. Nothing is changed. Raises as ``back_up``."""
    local.require_books(books)
    with _named("The views could not be read", books), Place(Path(books.data), books.database) as place:
        found = looked_at(place)
    return [
        {
            "views": at.name,
            "version": at.version,
            "book": at.book,
            "position": str(at.position),
            "head": str(at.head),
            "state": at.state,
        }
        for at in found
    ]


@contextlib.contextmanager
def _named(sentence: str, books: Books, level: int = logging.ERROR) -> Iterator[None]:
    """Configure the process for long work, and turn every expected error into a sentence."""
    configure_log(level)
    collect_rarely()
    try:
        yield
    except BackupError as error:
        raise NamedError(error.reason, str(error)) from error
    except UnusableKeyError as error:
        raise NamedError("CODE_KEYS_UNUSABLE", str(error)) from error
    except SigningError as error:
        raise NamedError("LOG_KEY_UNUSABLE", str(error)) from error
    except Exception as error:
        if _is_full(error):
            what = f"{sentence}: the disk is full, or a file may not be that large. Nothing was changed. Make room."
            raise NamedError("DISK_FULL", what) from error
        if isinstance(error, OSError):
            raise  # its message names the file
        if not (is_expected(error) or isinstance(error, ValueError)):
            raise
        raise NamedError("DATABASE_FAILED", f"{sentence}: {local.cause_of(books, error)}") from error


def _is_full(error: Exception) -> bool:
    """Tell whether a disk, a quota or a limit of the process leaves no room."""
    number = error.errno if isinstance(error, OSError) else None
    return number in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG} or FULL.search(str(error)) is not None


def code_keys(data: Path, *, rotate: bool = False) -> KeyRing:
    """Return the keys of the codes in a directory. With ``rotate``, add a new one first.

    Raises:
        UnusableBooksError: the file of the keys is missing, damaged or full.
        OSError: the file cannot be read or written.
    """
    if rotate and ((data / EVENTS_FILE).exists() or files_of_views(data)):
        with local.opening(ServerSettings(data=data, listen=local.ANY_PORT)):
            require_found_log(data, "")  # no key is added to what is left of lost books
    try:
        return add_key(keys_of(data)) if rotate else read_keys(keys_of(data))
    except (UnusableKeyError, KeyFileFullError) as error:
        raise UnusableBooksError(str(error)) from error
