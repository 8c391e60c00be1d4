"""The directory and its files: who may read them, and what a killed process left."""

import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pathbook.services.checking.findings import Finding, Progress, fault, noted, ok
from pathbook.services.checking.place import Place, wal_bytes
from pathbook.services.data_files import OPERATOR_TOKEN_FILE, files_of_views
from pathbook.services.key_file import KEY_FILE, secrets_of
from pathbook.services.storage import EVENTS_FILE

DIRECTORY_MODE: Final = 0o700
FILE_MODE: Final = 0o600


def modes(place: Place, _progress: Progress) -> Iterator[Finding]:
    """Look at the modes and owners of the directory and its files."""
    if not place.data.is_dir():
        yield noted(
            str(place.data), "there is no such directory", "Put codes.key there before a server starts."
        )
        return
    yield _mode(place.data, DIRECTORY_MODE)
    apart = secrets_of(place.data)
    if apart != place.data:
        yield _mode(apart, DIRECTORY_MODE)
    files = [place.data / name for name in (EVENTS_FILE, *files_of_views(place.data))]
    for file in (*files, apart / KEY_FILE, apart / OPERATOR_TOKEN_FILE):
        if file.exists():
            yield _mode(file, FILE_MODE)


def write_ahead_logs(place: Place, _progress: Progress) -> Iterator[Finding]:
    """Look for write-ahead logs. While there is one, the file beside it is not the whole book."""
    if place.database:
        return
    for name in (EVENTS_FILE, *files_of_views(place.data)):
        if size := wal_bytes(place.data / name):
            yield ok(
                f"{name}-wal",
                f"{size:,} bytes: a process has the file open, or was killed. It is a part of the file: copy books with"
                " `pathbook backup` only",
            )


def _mode(path: Path, wanted: int) -> Finding:
    found = path.stat()
    mode = stat.S_IMODE(found.st_mode)
    owner = _owner(found.st_uid)
    said = f"mode {mode:04o}, of {owner}"
    more = mode & ~wanted
    if not more:
        if found.st_uid != os.geteuid() and os.geteuid() != 0:
            return noted(path.name, said, f"Run servers and commands as {owner}.")
        return ok(path.name, said)
    others = " and ".join(
        name for bits, name in ((stat.S_IRWXG, "its group"), (stat.S_IRWXO, "all users")) if mode & bits
    )
    to_do = f"chmod {wanted:04o} {path}"
    if path.name == KEY_FILE:
        return fault(
            path.name, f"{said}: open to {others}, who can forge codes", f"{to_do}; then: pathbook key rotate"
        )
    return noted(path.name, f"{said}: open to {others}", to_do)


def _owner(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
