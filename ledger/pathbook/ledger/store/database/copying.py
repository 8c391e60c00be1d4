"""Copying an SQLite database while others read and write it."""

import contextlib
import sqlite3
from pathlib import Path


def copy_database(source: Path, target: Path) -> None:
    """Copy a database to a new file, as it is at one moment. The source is only read.

    Raises:
        OSError: the source is missing, or is no database. The message names it.
    """
    try:
        with (
            contextlib.closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as read,
            contextlib.closing(sqlite3.connect(target)) as write,
        ):
            read.backup(write)
    except sqlite3.Error as error:
        raise OSError(f"{source} cannot be copied: {error}.") from error
