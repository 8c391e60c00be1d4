"""The files of an open SQLite database: made for their owner only, and compared with the files at their paths.

An open file stays usable after it was removed or replaced. What is written to it then is lost when the last process
closes it. So every transaction that writes compares the files at the paths with those that are open.
"""

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy import Engine
from sqlalchemy.engine.interfaces import DBAPIConnection

OWNER_ONLY: Final = 0o600
"""The mode of a new file: only its owner may read and write it. SQLite gives the files beside it the same mode."""

WAL_SUFFIX: Final = "-wal"
"""What SQLite appends to the name of a database's file for the name of its write-ahead log."""

_SHM_SUFFIX: Final = "-shm"  # of the index of the write-ahead log
_WAL_MAGIC: Final = b"\x37\x7f\x06"  # of a write-ahead log (https://www.sqlite.org/walformat.html)
_WAL_HEADER_BYTES: Final = 32
_FILES: Final = "pathbook_files"
_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class FileChangedError(Exception):
    """A file of a database that is open here was removed, replaced or cut.

    Nothing more is written to this database by this process, and it opens no further connection to it.

    Attributes:
        file: the name of the file, without its directory.
        problem: what happened to it.
        is_log: whether it is a file of the log, not of the views.
    """

    def __init__(self, path: Path, problem: str, *, is_log: bool) -> None:
        remedy = (
            "Stop all processes that use it with SIGTERM, because SQLite may still save what SIGKILL would lose."
            " Put back the file that was open, or restore a backup, and start again."
            if is_log
            else "Start again. The views are rebuilt from the events."
        )
        super().__init__(f"{path} {problem}, while it was open. {remedy}")
        self.file, self.problem, self.is_log = path.name, problem, is_log


class _File:
    """One file as it was when it was last seen: which file it is, and its size in bytes."""

    def __init__(self, path: Path) -> None:
        found = path.stat()
        self.path, self._identity, self._size = path, (found.st_dev, found.st_ino), found.st_size

    def problem(self) -> str:
        """Return what happened to the file, an empty text for nothing."""
        seen = self._size  # before the look: other threads look too, and the file grows
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return "was removed or moved away"
        except OSError as error:
            return f"cannot be found any more ({error.strerror})"
        if (found.st_dev, found.st_ino) != self._identity:
            return "was replaced by another file"
        if found.st_size < seen:
            return f"was cut from {seen} to {found.st_size} bytes"
        self._size = max(found.st_size, self._size)
        return ""


class OpenFiles:
    """The main file and the write-ahead log of one database. Threads and engines may share it."""

    def __init__(self, path: Path, *, is_log: bool) -> None:
        """Keep the path. The files are compared from `watch` on."""
        self.path, self._is_log = path, is_log
        self._files: list[_File] = []
        self._anchor: DBAPIConnection | None = None
        self._listeners: list[Callable[[], None]] = []
        self._lock = threading.Lock()
        self._lost: tuple[Path, str] | None = None

    @property
    def error(self) -> FileChangedError | None:
        """What was found, or None. It stays until the process ends, whatever happens to the files."""
        # a new one for each caller, because an exception is changed when it is raised
        return None if self._lost is None else FileChangedError(*self._lost, is_log=self._is_log)

    def make(self) -> None:
        """Make an empty main file for its owner only, unless there is one, or there was one.

        Raises:
            OSError: the file cannot be made.
        """
        # never opened if it exists: to close it would release the locks that SQLite has on it in this process
        if not self._files:
            with contextlib.suppress(FileExistsError):
                self.path.touch(OWNER_ONLY, exist_ok=False)

    def watch(self, engine: Engine) -> None:
        """Compare the files from now on, until `close`.

        A connection stays open. So SQLite does not remove the write-ahead log, whichever processes end.
        """
        pooled = engine.raw_connection()
        anchor = pooled.dbapi_connection
        assert anchor is not None
        pooled.detach()
        cursor = anchor.cursor()
        cursor.execute("SELECT count(*) FROM sqlite_master")  # this opens the write-ahead log
        cursor.fetchall()
        cursor.close()
        self._anchor = anchor
        # without its index, other processes would make another one, and overwrite pages of the write-ahead log
        self._files = [_File(self.path), _File(_wal_of(self.path)), _File(_shm_of(self.path))]

    def on_change(self, listener: Callable[[], None]) -> None:
        """Register a listener. It is called once, when a file was found to be removed, replaced or cut."""
        self._listeners.append(listener)

    def require_unchanged(self) -> None:
        """Compare the files. This takes a few microseconds.

        Raises:
            FileChangedError: one of them was removed, replaced or cut, now or earlier.
        """
        if self._lost is None:
            for file in self._files:
                if problem := file.problem():
                    self._found(file.path, problem)
        if (error := self.error) is not None:
            raise error

    def look(self) -> FileChangedError | None:
        """Compare the files, and return what was found, now or earlier."""
        with contextlib.suppress(FileChangedError):
            self.require_unchanged()
        return self.error

    def close(self) -> None:
        """Compare the files no longer, and let SQLite tidy up when the last connection closes."""
        if self._anchor is not None:
            self._anchor.close()
            self._anchor, self._files = None, []

    def _found(self, path: Path, problem: str) -> None:
        with self._lock:
            if self._lost is not None:
                return
            self._lost = path, problem
        _LOG.error("a file changed while it was open: nothing more is written to it", problem=str(self.error))
        for listener in self._listeners:
            listener()


def files_of(engine: Engine) -> OpenFiles | None:
    """Return the files of an SQLite database, None for another database or one in memory."""
    found = engine.get_execution_options().get(_FILES)
    assert found is None or isinstance(found, OpenFiles)
    return found


def keep_files(engine: Engine, files: OpenFiles) -> None:
    """Let an engine know the files of its database."""
    engine.update_execution_options(**{_FILES: files})


def require_unchanged(engine: Engine) -> None:
    """Compare the files of a database, if it has files that are watched.

    Raises:
        FileChangedError: one of them was removed, replaced or cut.
    """
    if (files := files_of(engine)) is not None:
        files.require_unchanged()


def look_at(engine: Engine) -> FileChangedError | None:
    """Return what happened to the files of a database, None for nothing or for a database without files."""
    files = files_of(engine)
    return None if files is None else files.look()


def has_write_ahead_log(path: Path) -> bool:
    """Tell whether there is a write-ahead log with at least one page beside the main file of a database."""
    # SQLite has no locks on this file, so it may be opened and closed here
    try:
        with _wal_of(path).open("rb") as file:
            return file.read(len(_WAL_MAGIC)) == _WAL_MAGIC and file.seek(0, 2) > _WAL_HEADER_BYTES
    except OSError:
        return False


def _wal_of(path: Path) -> Path:
    return path.with_name(path.name + WAL_SUFFIX)


def _shm_of(path: Path) -> Path:
    return path.with_name(path.name + _SHM_SUFFIX)
