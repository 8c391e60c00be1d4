"""Reads how far views, reports and checkpoints are behind the log."""

from pathbook.ledger.store.database.engine import Database
from pathbook.ledger.store.database.open_files import FileChangedError, look_at
from pathbook.ledger.store.log.checkpoints import Checkpoints
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.lag import Progress, read_progress


class ProgressReader:
    """Reads the progress of the books of one log. Threads may share it."""

    def __init__(self, stream: Stream, views: Database, checkpoints: Checkpoints) -> None:
        self._stream, self._views, self._checkpoints = stream, views, checkpoints

    def read(self, *, signs: bool) -> Progress:
        """Return the progress. With ``signs``, a book without a signed checkpoint counts as behind.

        Raises: as pathbook.ledger.store.views.lag.read_progress.
        """
        return read_progress(self._stream, self._views, self._checkpoints, signs=signs)

    def lost(self) -> FileChangedError | None:
        """Return what was found of files that were removed, replaced or cut."""
        return look_at(self._stream.engine) or look_at(self._views)
