"""Turns of bulk writers of one SQLite file, so that the write-ahead log can begin again between two of them."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

TURN_TIMEOUT_S: Final = 1.0
"""How long a writer waits for its turn before it goes on without. A process that was stopped may have the turn."""

LOOK_INTERVAL_S: Final = 0.001
"""How often it looks whether the turn is free."""

_DIRECTORY: Final = "pathbook_turns_in"


def share_turns(engine: Engine, directory: Path) -> None:
    """Let all transactions that an engine writes take turns with those of other engines on files in a directory.

    SQLite copies its write-ahead log to the file after a commit, when other writers may already write. The log begins
    again only if a writer begins when all of it is copied. So two writers that never pause let it grow without end:
    to 5.7 GB in 15 seconds, and searching it slows all readers. A turn ends after the log is copied.
    """
    engine.update_execution_options(**{_DIRECTORY: directory})


@contextlib.contextmanager
def taking_turns(engine: Engine) -> Iterator[None]:
    """Run a transaction in a turn, if its engine shares turns.

    No safety depends on it, because SQLite has a lock of its own. So a directory that cannot be opened is passed over.
    """
    directory = engine.get_execution_options().get(_DIRECTORY)
    with contextlib.ExitStack() as stack:
        if directory is not None:
            with contextlib.suppress(OSError):
                opened = os.open(directory, os.O_RDONLY)
                stack.callback(os.close, opened)  # which ends the turn
                _wait(opened)
        yield


def _wait(directory: int) -> None:
    until = time.monotonic() + TURN_TIMEOUT_S
    while time.monotonic() < until:
        try:
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOOK_INTERVAL_S)
        else:
            return
