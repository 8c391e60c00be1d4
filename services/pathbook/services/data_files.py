"""The files of a data directory: which other users can read, and a copy of them to try something on."""

import contextlib
import shutil
from pathlib import Path
from typing import Final

import structlog

from pathbook.ledger.store.database.copying import copy_database
from pathbook.ledger.store.database.places import version_of_file
from pathbook.services.key_file import KEY_FILE, secrets_of
from pathbook.services.log_key import LAST_CHECKPOINT_FILE, LOG_KEY_FILE
from pathbook.services.storage import EVENTS_FILE, VIEWS_FILE

OPERATOR_TOKEN_FILE: Final = "operator.token"  # noqa: S105 - the name of a file
"""The token of the operator that the first server makes (`pathbook.services.access.first_token`)."""

READABLE_BY_OTHERS: Final = 0o044
"""The bits of a file's mode that let its group, or all users of the machine, read it."""

ENTERED_BY_OTHERS: Final = 0o011
"""The bits of a directory's mode that let its group, or all users, reach the files in it."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


def warn_of_readable_files(path: Path) -> None:
    """Log a warning for each file of a directory that other users of this machine can read."""
    try:
        if not path.stat().st_mode & ENTERED_BY_OTHERS:
            return
    except OSError:
        return
    apart = secrets_of(path)
    for file, risk in (
        (apart / KEY_FILE, "A reader of the key can forge codes."),
        (apart / LOG_KEY_FILE, "A reader of the key can sign another history."),
        (apart / OPERATOR_TOKEN_FILE, "A reader of the token can do everything."),
        *((path / name, "It holds all prices and parties.") for name in (EVENTS_FILE, *files_of_views(path))),
    ):
        with contextlib.suppress(OSError):
            if file.stat().st_mode & READABLE_BY_OTHERS:
                _LOG.warning(
                    "other users can read a file of the books",
                    file=file.name,
                    risk=risk,
                    command=f"chmod 600 {file}",
                )


def copy_books(path: Path, to: Path) -> None:
    """Copy the books and the keys of codes of a directory into an empty one, while servers may write to them.

    The key of the log stays behind, because what is recorded in the copy must never be signed, and so does the token of
    the operator. The views are copied
    before the log, so they are never ahead of it.

    Raises:
        OSError: something cannot be read or written.
    """
    others = (EVENTS_FILE, *files_of_views(path), LOG_KEY_FILE, LAST_CHECKPOINT_FILE, OPERATOR_TOKEN_FILE)
    places = dict.fromkeys((path, secrets_of(path)))
    for file in sorted(file for place in places for file in place.iterdir()):
        if file.is_file() and not file.name.startswith(others):
            shutil.copy2(file, to)
    for name in (VIEWS_FILE, EVENTS_FILE):
        if (path / name).exists():
            copy_database(path / name, to / name)


def files_of_views(path: Path) -> list[str]:
    """Return the names of the files of views in a directory, one for each version that is there."""
    if not path.is_dir():
        return []
    return sorted(file.name for file in path.iterdir() if version_of_file(file.name) is not None)
