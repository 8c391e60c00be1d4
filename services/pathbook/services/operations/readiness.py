"""Whether a server may be sent calls: it looks at the databases again and again, on a thread of its own."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import structlog

from pathbook.ledger.book.tail import TAIL_MAX_EVENTS
from pathbook.ledger.store.database.engine import open_engine
from pathbook.ledger.store.database.open_files import FileChangedError
from pathbook.ledger.store.log.checkpoints import Checkpoints
from pathbook.ledger.store.log.stream import Stream, is_of_database
from pathbook.ledger.store.views.lag import VIEWS_NAME, Progress
from pathbook.services.progress import ProgressReader
from pathbook.services.storage import EVENTS_FILE, VIEWS_FILE

LOOK_INTERVAL_S: Final = 1.0
"""How often it looks at the databases."""

LOOK_SHARE: Final = 0.05
"""The share of the time that looking may take. A log of very many books is looked at less often."""

SILENCE_TIMEOUT_S: Final = 10.0
"""After how long without an answer a database counts as away. A connection may take 5 seconds to be refused."""

LAG_MAX_EVENTS: Final = TAIL_MAX_EVENTS
"""How far the views of a book may be behind in a server that is ready. Beyond that, writes pause."""

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class Readiness:
    """Looks at the books of a server until `close`. Threads may share it."""

    def __init__(
        self,
        reader: ProgressReader,
        *,
        signs: bool,
        lost: Callable[[], FileChangedError | None] | None = None,
    ) -> None:
        """Prepare. ``signs`` is as in `ProgressReader.read`, and ``lost`` tells of files that were lost."""
        self._reader, self._signs, self._lost = reader, signs, lost or reader.lost
        self._closing = threading.Event()
        self._looked = threading.Event()
        self._progress: Progress | None = None
        self._was_built = False
        self._problem = "the books were not looked at yet"
        self._looked_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="readiness", daemon=True)

    def start(self) -> None:
        """Look at the books in a separate thread. Return when they were looked at once, or after a while."""
        self._thread.start()
        self._looked.wait(LOOK_INTERVAL_S)

    def close(self) -> None:
        """Stop looking. A look at a database that does not answer is left to its thread."""
        self._closing.set()
        self._thread.join(LOOK_INTERVAL_S)

    @property
    def is_silent(self) -> bool:
        """Whether the databases have not answered for too long."""
        return time.monotonic() - self._looked_at > SILENCE_TIMEOUT_S + self._pause_s

    @property
    def progress(self) -> Progress | None:
        """What the databases held when they were last looked at; None if they cannot be read now."""
        return None if self.is_silent else self._progress

    @property
    def problem(self) -> str:
        """Why the server should get no calls now, as a clause; "" if it may get them."""
        if self.is_silent:
            return f"the database has not answered for {time.monotonic() - self._looked_at:.0f} s"
        return self._problem

    _pause_s = LOOK_INTERVAL_S

    def _run(self) -> None:
        while True:
            began = time.monotonic()
            self._progress, self._problem = self._look()
            self._looked_at = time.monotonic()
            self._pause_s = max(LOOK_INTERVAL_S, (self._looked_at - began) / LOOK_SHARE)
            self._looked.set()
            if self._closing.wait(self._pause_s):
                return

    def _look(self) -> tuple[Progress | None, str]:
        """Return the progress, if it can be read, and the problem, if there is one."""
        try:
            if (lost := self._lost()) is not None:
                return None, f"{lost.file} {lost.problem}"
            progress = self._reader.read(signs=self._signs)
        except Exception as error:  # noqa: BLE001 - the thread must survive, and what is told is that nothing can be read
            if is_of_database(error):
                return None, "the database cannot be read"
            _LOG.exception("cannot look at the books")
            return None, "the books cannot be read"
        self._was_built = self._was_built or not progress.to_build
        if not self._was_built:  # later, a new book is built in a moment, and a large one is behind
            return progress, f"the views are being built: {progress.to_build} events are left"
        if (behind := progress.lags[VIEWS_NAME].events) > LAG_MAX_EVENTS:
            return progress, f"the views of a book are {behind} events behind"
        return progress, ""


@contextlib.contextmanager
def watched(path: Path, database: str, *, signs: bool) -> Iterator[Readiness]:
    """Look at the books of a directory, or of its database (else ""), in a process that serves none of them.

    Raises:
        eventsourcing.persistence.PersistenceError: a database cannot be reached.
    """
    events = open_engine(database or path / EVENTS_FILE, purpose="events")
    views = open_engine(database or path / VIEWS_FILE, purpose="views")
    try:
        with contextlib.closing(Stream(events)) as stream:
            readiness = Readiness(ProgressReader(stream, views, Checkpoints(events)), signs=signs)
            readiness.start()
            with contextlib.closing(readiness):
                yield readiness
    finally:
        views.dispose()
        events.dispose()
