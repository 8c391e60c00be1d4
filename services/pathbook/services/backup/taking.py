"""Takes a backup while servers run: copy, read back, replay, and only then a name."""

import contextlib
import datetime
import importlib.metadata
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from pathbook.ledger.store.database.copying import copy_database
from pathbook.ledger.store.database.damage import SCHEMAS
from pathbook.ledger.store.database.engine import (
    Database,
    open_engine,
    open_read_only,
    reading,
)
from pathbook.ledger.store.database.format import UnknownFormatError, format_of
from pathbook.ledger.store.log.audit import heads
from pathbook.ledger.store.log.dumped import DamagedDumpError, connection_words, load_dump
from pathbook.ledger.store.log.event_hashes import create_hashes
from pathbook.ledger.store.log.stream import FORMAT as LOG_FORMAT
from pathbook.ledger.store.log.stream import persistence_errors
from pathbook.ledger.store.views.fingerprint import whole_version
from pathbook.services import log_key as log_key_file
from pathbook.services.backup import directory
from pathbook.services.backup.errors import BackupError, Reason
from pathbook.services.backup.manifest import (
    DUMP_FILE,
    FORMAT,
    KEYS_FILE,
    LOG_KEY_FILE,
    MANIFEST_FILE,
    BookEntry,
    Manifest,
    entry_of,
    manifest_bytes,
)
from pathbook.services.backup.postgres_programs import dump, find_program, printed
from pathbook.services.backup.reading_back import Progress, read_back, replay
from pathbook.services.backup.secret import encrypt_keys, encrypt_log_key, require_beginning
from pathbook.services.clock import now
from pathbook.services.key_file import KEY_FILE, read_keys, secrets_of
from pathbook.services.replaying import scratch_views
from pathbook.services.storage import EVENTS_FILE


def take(
    data: Path, database: str, to: Path, *, passphrase: str | None, replays: bool, progress: Progress
) -> Manifest:
    """Back up the books of a directory, or of a database if one is named, into a new directory ``to``.

    It holds every event that was acknowledged before the call. Servers may run.

    Args:
        data: the directory of the books and their keys.
        database: the URL of a PostgreSQL, "" for books in files.
        to: a directory that is missing or empty. It appears when the backup is whole.
        passphrase: encrypts the keys; None leaves them out.
        replays: whether to replay the events into views, which takes most of the time.
        progress: is told what is done.

    Raises:
        BackupError: as its reason says. Nothing is left.
        pathbook.services.key_file.UnusableKeyError: the keys cannot be used.
        pathbook.services.signing.SigningError: the key of the logs cannot be used.
        pathbook.ledger.store.database.format.UnknownFormatError: another version of Pathbook wrote the books.
        eventsourcing.persistence.PersistenceError: a database fails.
        OSError: a file cannot be read or written, or the disk is full.
    """
    to = to.resolve()
    _require_target(data.resolve(), to)
    taken_at = datetime.datetime.fromtimestamp(now() // 1_000_000, datetime.UTC).isoformat()
    source = open_engine(database or data / EVENTS_FILE, purpose="events")
    with contextlib.ExitStack() as stack:
        stack.callback(source.dispose)
        with persistence_errors(), reading(source) as connection:
            if (found_format := format_of(connection)) != LOG_FORMAT:
                place = source.url.render_as_string() if database else str(data)
                raise UnknownFormatError(place, found_format, LOG_FORMAT)
            acknowledged = heads(connection)
        with persistence_errors():
            create_hashes(
                source
            )  # a log of an earlier program has no table of hashes, and a copy is only read
        made = stack.enter_context(directory.appearing(to, "partial"))
        # On the same disk, so that there is room for a copy, and gone before the backup gets its name.
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=made, prefix="scratch-")))
        if database:
            _dump(source, made / DUMP_FILE, progress)
            opened = _dumped(source, made / DUMP_FILE, scratch, progress)
        else:
            directory.write_private(made / EVENTS_FILE, b"")
            copy_database(data / EVENTS_FILE, made / EVENTS_FILE, progress("pages copied"))
            opened = _copied(made / EVENTS_FILE)
        with opened as (log, tables):
            found = read_back(log, progress)
            _require_all(found.books, acknowledged)
            books = found.books
            if replays:
                with scratch_views(scratch) as views:
                    books = replay(log, views, books, progress)
        # After the copy: a key is in the file before the first batch that is made with it.
        if passphrase is not None:
            apart = secrets_of(data)
            ring = read_keys(apart / KEY_FILE)
            require_beginning(ring, found.code_keys, str(apart / KEY_FILE))
            directory.write_private(made / KEYS_FILE, encrypt_keys(ring, passphrase))
            if (log_key := apart / log_key_file.LOG_KEY_FILE).exists():
                encrypted = encrypt_log_key(log_key_file.read_log_key(log_key), passphrase)
                directory.write_private(made / LOG_KEY_FILE, encrypted)
        manifest = Manifest(
            format=FORMAT,
            program=importlib.metadata.version("pathbook"),
            taken_at=taken_at,
            database="postgresql" if database else "sqlite",
            views_version=whole_version(),
            keys="left out" if passphrase is None else "encrypted",
            code_keys=found.code_keys,
            files=[entry_of(path) for path in sorted(made.iterdir()) if path.is_file()],
            tables=tables or found.tables,
            books=books,
        )
        data_of_manifest = manifest_bytes(manifest)
        directory.write_private(made / MANIFEST_FILE, data_of_manifest)
    return msgspec.json.decode(data_of_manifest, type=Manifest)


def _require_target(data: Path, to: Path) -> None:
    """Refuse a place where a backup would overwrite something, or be lost with what it saves."""
    other = "Name a new directory, best on another disk."
    if to.is_relative_to(data):
        raise BackupError(
            Reason.TARGET_NOT_EMPTY, what=f"{to} is inside {data}, and would be lost with it.", do=other
        )
    if to.exists() and not to.is_dir():
        raise BackupError(Reason.TARGET_NOT_EMPTY, what=f"{to} is a file.", do=other)
    if to.exists() and not directory.is_empty(to):
        raise BackupError(Reason.TARGET_NOT_EMPTY, what=f"{to} is not empty.", do=other)
    if to.is_mount():
        raise BackupError(
            Reason.TARGET_NOT_EMPTY, what=f"{to} is a mounted disk.", do="Name a directory on it."
        )
    if not to.parent.is_dir():
        raise BackupError(
            Reason.TARGET_NOT_EMPTY, what=f"The directory {to.parent} does not exist.", do="Make it first."
        )


def _require_all(books: list[BookEntry], acknowledged: dict[str, int]) -> None:
    """Refuse a copy that lacks an event that was there before the copy began."""
    copied = {entry.name: entry.head for entry in books}
    for book, head in acknowledged.items():
        if copied.get(book, 0) < head:
            what = f"book '{book}' has {head} events, and {copied.get(book, 0)} in the copy"
            raise BackupError(Reason.LOG_DAMAGED, what=what)


def _dump(source: Database, target: Path, progress: Progress) -> None:
    words, password, version = connection_words(source)
    report = progress("bytes dumped")
    program = find_program("pg_dump", version)
    find_program("pg_restore", version)  # said before the work begins
    dump(program, words, password, SCHEMAS["events"], target, lambda size: report(size, None))


@contextlib.contextmanager
def _dumped(
    source: Database, dumped: Path, scratch: Path, progress: Progress
) -> Iterator[tuple[Database, dict[str, int]]]:
    """Yield the log in a dump, and its tables with their rows.

    It is read into a file, because a user of a database may mostly not create another one.
    """
    _, _, version = connection_words(source)
    program = find_program("pg_restore", version)
    report = progress("rows read back")
    path = scratch / EVENTS_FILE
    try:
        with printed(program, dumped, "--data-only") as lines:
            tables = load_dump(lines, path, lambda rows: report(rows, None))
    except DamagedDumpError as error:
        raise BackupError(Reason.LOG_DAMAGED, what=str(error)) from error
    with _copied(path) as (log, _):
        yield log, tables


@contextlib.contextmanager
def _copied(path: Path) -> Iterator[tuple[Database, dict[str, int]]]:
    """Yield the log in a file that no process writes."""
    log = open_read_only(path, immutable=True)
    try:
        yield log, {}
    finally:
        log.dispose()
