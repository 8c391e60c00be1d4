"""Restores a backup into a new directory or an empty database, as another incarnation of each of its books."""

import contextlib
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from pathbook.keys.files import flush_entry
from pathbook.ledger.serials import print_key_ring
from pathbook.ledger.store.database.damage import SCHEMAS
from pathbook.ledger.store.database.engine import Transaction, open_engine, reading, writing
from pathbook.ledger.store.database.places import SCHEMA_PREFIX
from pathbook.ledger.store.log.audit import tables_of_log
from pathbook.ledger.store.log.dumped import (
    DamagedDumpError,
    connection_words,
    connections_of_pathbook,
    holds_nothing,
    restore_dump,
    take_statistics,
)
from pathbook.ledger.store.log.incarnation import ID_BYTES, begin_incarnations
from pathbook.ledger.store.log.stream import persistence_errors
from pathbook.ledger.store.views.fingerprint import whole_version
from pathbook.services import log_key
from pathbook.services.backup import directory
from pathbook.services.backup.errors import BackupError, Reason, damaged
from pathbook.services.backup.manifest import (
    DUMP_FILE,
    KEYS_FILE,
    LOG_KEY_FILE,
    BookEntry,
    Manifest,
    check_files,
    entry_of,
    parts_of,
    read_manifest,
)
from pathbook.services.backup.postgres_programs import find_program, printed
from pathbook.services.backup.reading_back import Progress, read_books, replay
from pathbook.services.backup.secret import decrypt_keys, decrypt_log_key, require_beginning
from pathbook.services.data_files import files_of_views
from pathbook.services.key_file import KEY_FILE, read_keys, secrets_of
from pathbook.services.storage import EVENTS_FILE, VIEWS_FILE

IN_ORDER: Final = (EVENTS_FILE, KEY_FILE, VIEWS_FILE)
"""The order in which files get their names. Books without their keys are not opened, and views are rebuilt."""


class KeySource(msgspec.Struct, frozen=True):
    """Where the keys come from: a passphrase for those in the backup, a file, or nowhere if both are None."""

    passphrase: str | None = None
    file: Path | None = None


class Restored(msgspec.Struct, frozen=True):
    """What was restored.

    Attributes:
        manifest: of the backup.
        incarnations: the new incarnation of each book.
        has_keys: whether the keys were restored.
        other_views: the books whose views differ from those that were replayed when the backup was made.
    """

    manifest: Manifest
    incarnations: dict[str, str]
    has_keys: bool
    other_views: list[str]


def restore(origin: Path, data: Path, database: str, *, keys: KeySource, progress: Progress) -> Restored:
    """Restore a backup. It overwrites nothing.

    Args:
        origin: the directory of the backup. It is only read.
        data: the directory of the books and their keys. It must have neither.
        database: the URL of a PostgreSQL without books, "" for books in files.
        keys: where the keys come from.
        progress: is told what is done.

    Raises:
        BackupError: as its reason says. Nothing was restored.
        pathbook.services.key_file.UnusableKeyError: the file of ``keys`` cannot be used.
        eventsourcing.persistence.PersistenceError: a database fails.
        OSError: a file cannot be read or written, or the disk is full.
    """
    origin, data = origin.resolve(), data.resolve()
    manifest = read_manifest(origin)
    _require_place(origin, data, database, manifest)
    check_files(origin, manifest)
    placed = _keys(origin, data, manifest, keys)
    ids = {entry.name: secrets.token_hex(ID_BYTES) for entry in manifest.books}
    restored = _restore_database if database else _restore_files
    views = restored(origin, data, database, manifest, placed, ids, progress)
    return Restored(manifest, ids, bool(placed), _differing(manifest, views))


def needs_passphrase(origin: Path) -> bool:
    """Tell whether a backup holds encrypted keys. Raises as ``restore``."""
    return read_manifest(origin).keys == "encrypted"


def _require_place(origin: Path, data: Path, database: str, manifest: Manifest) -> None:
    """Refuse a place that has books or keys, or that is of another kind than the backup."""
    if (manifest.database == "postgresql") != bool(database):
        what, do = (
            ("The backup is of books in a PostgreSQL.", "Name an empty database with --database URL.")
            if manifest.database == "postgresql"
            else ("The backup is of books in files.", "Leave out --database.")
        )
        raise BackupError(Reason.OTHER_DATABASE, what=what, do=do)
    if data.is_relative_to(origin):
        what = f"{data} is inside the backup."
        raise BackupError(Reason.TARGET_NOT_EMPTY, what=what, do="Name a new directory.")
    if data.exists() and not data.is_dir():
        raise BackupError(Reason.TARGET_NOT_EMPTY, what=f"{data} is a file.", do="Name a new directory.")
    if not data.parent.is_dir():
        what = f"The directory {data.parent} does not exist."
        raise BackupError(Reason.TARGET_NOT_EMPTY, what=what, do="Make it first.")
    places = {data, secrets_of(data)} if data.exists() else ()
    held = sorted(path.name for place in places for path in place.iterdir())
    of_books = (*IN_ORDER, *files_of_views(data))
    for name in held:
        if name.startswith(of_books):
            raise BackupError(
                Reason.TARGET_NOT_EMPTY,
                what=f"{data} holds {name}.",
                do="Restore never overwrites. Name a new directory, or move the old one away.",
            )


def _keys(origin: Path, data: Path, manifest: Manifest, keys: KeySource) -> dict[str, bytes]:
    """Return the files of the keys by their names, none if they are not restored.

    A key of the logs that lies in ``data`` stays, beside what it signed last: a newer copy than that of the backup.
    """
    placed: dict[str, bytes] = {}
    if keys.file is not None:
        ring, where = read_keys(keys.file), str(keys.file)
    elif keys.passphrase is None:
        return {}
    elif manifest.keys == "left out":
        what = f"The backup {origin} holds no keys."
        raise BackupError(Reason.KEYS_DIFFER, what=what, do="Give a copy of codes.key with --key FILE.")
    else:
        ring, where = decrypt_keys(origin / KEYS_FILE, keys.passphrase), KEYS_FILE
        saved = any(entry.name == LOG_KEY_FILE for entry in manifest.files)
        if saved and not (secrets_of(data) / log_key.LOG_KEY_FILE).exists():
            found = decrypt_log_key(origin / LOG_KEY_FILE, keys.passphrase)
            placed[log_key.LOG_KEY_FILE] = found.printed().encode("ascii")
    require_beginning(ring, manifest.code_keys, where)
    return {KEY_FILE: print_key_ring(ring).encode("ascii"), **placed}


def _restore_files(
    origin: Path,
    data: Path,
    _database: str,
    manifest: Manifest,
    keys: dict[str, bytes],
    ids: dict[str, str],
    progress: Progress,
) -> list[BookEntry]:
    apart = secrets_of(data)
    with contextlib.ExitStack() as stack:
        if apart != data:  # it may be another disk
            stack.enter_context(_keys_placed(apart, keys))
        made = stack.enter_context(_filling(data))
        copied = made / EVENTS_FILE
        _copy(origin, EVENTS_FILE, manifest, copied)
        log = open_engine(copied, purpose="events")
        views = open_engine(made / VIEWS_FILE, purpose="views")
        try:
            with persistence_errors():
                with reading(log) as connection:
                    _require_same(origin, connection, manifest, progress)
                with writing(log) as connection:
                    begin_incarnations(connection, ids, {entry.name: entry.head for entry in manifest.books})
            replayed = replay(log, views, manifest.books, progress)
        finally:
            views.dispose()
            log.dispose()
        for name, written in keys.items() if apart == data else ():
            directory.write_private(made / name, written)
    return replayed


def _restore_database(
    origin: Path,
    data: Path,
    database: str,
    manifest: Manifest,
    keys: dict[str, bytes],
    ids: dict[str, str],
    progress: Progress,
) -> list[BookEntry]:
    log, views = open_engine(database, purpose="events"), open_engine(database, purpose="views")
    try:
        place = log.url.render_as_string()
        if not holds_nothing(log):
            what = f"{SCHEMAS['events']} or a schema {SCHEMA_PREFIX}... in {place} holds tables."
            do = "Restore never overwrites. Name an empty database, or rename these schemas."
            raise BackupError(Reason.TARGET_NOT_EMPTY, what=what, do=do)
        if others := connections_of_pathbook(log):
            raise BackupError(Reason.DATABASE_IN_USE, what=f"{others} connections", place=place)
        _, _, version = connection_words(log)
        program = find_program("pg_restore", version)
        report = progress("rows restored")

        def finish(connection: Transaction) -> None:
            _require_same(origin, connection, manifest, progress)
            begin_incarnations(connection, ids, {entry.name: entry.head for entry in manifest.books})
            take_statistics(connection)
            stack.enter_context(
                _keys_placed(secrets_of(data), keys)
            )  # before the commit, and taken back if it fails

        with contextlib.ExitStack() as stack:
            try:
                with printed(program, origin / DUMP_FILE) as lines:
                    restore_dump(log, lines, finish, lambda rows: report(rows, None))
            except DamagedDumpError as error:
                raise damaged(origin, f"{DUMP_FILE}: {error}") from error
        return replay(log, views, manifest.books, progress)
    finally:
        views.dispose()
        log.dispose()


def _copy(origin: Path, name: str, manifest: Manifest, target: Path) -> None:
    """Copy a file of a backup, and compare the copy with the manifest."""
    directory.write_private(target, b"")
    with target.open("wb") as file:
        for part in parts_of(origin / name):
            file.write(part)
    (wanted,) = [entry for entry in manifest.files if entry.name == name]
    if entry_of(target) != wanted:
        raise damaged(origin, f"{name} could not be copied without a change")


def _require_same(origin: Path, connection: Transaction, manifest: Manifest, progress: Progress) -> None:
    """Compare what was restored with what was read back when the backup was made."""
    tables = tables_of_log(connection)
    if tables != manifest.tables:
        raise damaged(origin, f"its tables have {tables} rows, not {manifest.tables}")
    found = {entry.name: entry for entry in read_books(connection, progress)}
    for entry in manifest.books:
        wanted = msgspec.structs.replace(entry, views_sha256="", replayed_to=0)
        if found.pop(entry.name, None) != wanted:
            raise damaged(origin, f"the events of book '{entry.name}' are not those that the manifest names")
    for book in found:
        raise damaged(origin, f"the manifest does not know book '{book}'")


def _differing(manifest: Manifest, replayed: list[BookEntry]) -> list[str]:
    if manifest.views_version != whole_version():
        return []
    before = {entry.name: entry.views_sha256 for entry in manifest.books if entry.views_sha256}
    return [
        entry.name for entry in replayed if before.get(entry.name, entry.views_sha256) != entry.views_sha256
    ]


@contextlib.contextmanager
def _filling(data: Path) -> Iterator[Path]:
    """Yield a temporary directory whose files appear in ``data`` at the end of the block, or are removed."""
    if not data.exists():
        with directory.appearing(data, "restoring") as made:
            yield made
        return
    with tempfile.TemporaryDirectory(dir=data, prefix=".restoring-") as name:  # data may be a mounted disk
        made = Path(name)
        yield made
        directory.flush(made)
        for file in (*IN_ORDER, log_key.LOG_KEY_FILE):
            if (made / file).exists():
                (made / file).rename(data / file)
        flush_entry(data)


@contextlib.contextmanager
def _keys_placed(data: Path, keys: dict[str, bytes]) -> Iterator[None]:
    """Write the keys to the directory, and take them back if the block raises."""
    if not keys:
        yield
        return
    new = not data.exists()
    data.mkdir(mode=directory.PRIVATE_DIRECTORY, exist_ok=True)
    for name, written in keys.items():
        directory.write_private(data / name, written)
    flush_entry(data)
    try:
        yield
    except BaseException:
        for name in keys:
            (data / name).unlink(missing_ok=True)
        if new:
            with contextlib.suppress(OSError):
                data.rmdir()
        raise
