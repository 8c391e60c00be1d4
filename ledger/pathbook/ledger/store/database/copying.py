"""Copies an SQLite database while other processes write it."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from pathbook.ledger.store.database.engine import SQLITE_BUSY_TIMEOUT_S

PAGES_PER_STEP = 2_000
"""How many pages one step copies, some 8 MB, before the progress is reported."""


def copy_database(source: Path, target: Path, progress: Callable[[int, int], None] = lambda *_: None) -> None:
    """Copy an SQLite file as it is at one moment. Writers go on, and what they commit later is not in the copy.

    A read transaction is held from the first page to the last. Without it, SQLite begins again after each commit of
    another process, and does not end while a book is being recorded.

    Args:
        source: the file. It must exist.
        target: an empty file, or none.
        progress: called with the number of pages done, and of all pages.

    Raises:
        OSError: the database cannot be read, or the disk is full.
    """
    try:
        _copy(source, target, progress)
    except sqlite3.Error as error:
        raise OSError(f"{source} cannot be copied to {target}: {error}.") from error


def _copy(source: Path, target: Path, progress: Callable[[int, int], None]) -> None:
    read = sqlite3.connect(
        f"{source.absolute().as_uri()}?mode=rw",
        uri=True,
        isolation_level=None,
        timeout=SQLITE_BUSY_TIMEOUT_S,
    )
    try:
        written = sqlite3.connect(target, isolation_level=None)
        try:
            read.execute("BEGIN")
            read.execute("SELECT count(*) FROM sqlite_master").fetchone()  # takes the snapshot
            read.backup(
                written,
                pages=PAGES_PER_STEP,
                progress=lambda _status, left, total: progress(total - left, total),
                sleep=0,
            )
        finally:
            written.close()
    finally:
        read.close()
