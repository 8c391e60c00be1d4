"""The manifest of a backup: which files and books it holds, as they were read back from it."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec

from pathbook.services.backup.errors import BackupError, Reason, damaged

FORMAT: Final = 1
"""The format of the manifest. A program refuses those that are newer than its own."""

MANIFEST_FILE: Final = "manifest.json"
"""The manifest. It is written last, from what was read back."""

DUMP_FILE: Final = "events.dump"
"""The log of a PostgreSQL, as pg_dump writes it in its custom format."""

KEYS_FILE: Final = "codes.key.age"
"""The keys of the codes, encrypted with a passphrase. `age -d` reads it, too."""

LOG_KEY_FILE: Final = "log.key.age"
"""The key of the logs, encrypted with the same passphrase. It is there if the books have one, and the keys of the codes
are. What was signed with it last is in no backup: an older one would let the key sign another history."""

MAX_MANIFEST_BYTES: Final = 64 * 1024 * 1024
"""The largest manifest that is read. A book takes some 300 bytes."""

_READ_BYTES: Final = 1024 * 1024

Kind = Literal["sqlite", "postgresql"]


class FileEntry(msgspec.Struct, frozen=True):
    """A file of the backup: its name, its size in bytes, and its SHA-256 in hexadecimal."""

    name: str
    bytes: int
    sha256: str


class BookEntry(msgspec.Struct, frozen=True):
    """A book in the backup.

    Attributes:
        name: its name.
        head: its last position.
        incarnation: its incarnation when the backup was taken.
        log_sha256: SHA-256 of the leaf hashes of its events, 32 bytes each, in the order of their positions. A leaf
            hash is SHA-256(0x00 | stored bytes).
        views_sha256: the fingerprint of the views and reports that were replayed from the copy, "" if they were not.
        replayed_to: the last position that was replayed. It is below the head if a newer program wrote an event.
    """

    name: str
    head: int
    incarnation: str
    log_sha256: str
    views_sha256: str = ""
    replayed_to: int = 0


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds.

    Attributes:
        format: FORMAT.
        program: the version of Pathbook that made it.
        taken_at: when it was begun, in UTC. It holds every event that was acknowledged before.
        database: the kind of database that the log was in.
        views_version: the versions of the views and reports whose fingerprints the books have.
        keys: "encrypted" in KEYS_FILE and LOG_KEY_FILE, or "left out".
        code_keys: the fingerprints of the keys in use, oldest first, in hexadecimal.
        files: all files but the manifest.
        tables: the tables of the log, with their numbers of rows.
        books: the books by name.
        checksum: SHA-256 of this file in hexadecimal, with an empty text in the place of the checksum.
    """

    format: int
    program: str
    taken_at: str
    database: Kind
    views_version: str
    keys: Literal["encrypted", "left out"]
    code_keys: list[str]
    files: list[FileEntry]
    tables: dict[str, int]
    books: list[BookEntry]
    checksum: str = ""


class _OfAnyFormat(msgspec.Struct):
    format: int


def entry_of(path: Path) -> FileEntry:
    """Read a whole file, and return its entry."""
    digest, size = hashlib.sha256(), 0
    for part in parts_of(path):
        digest.update(part)
        size += len(part)
    return FileEntry(path.name, size, digest.hexdigest())


def parts_of(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file in parts."""
    with path.open("rb") as file:
        while part := file.read(_READ_BYTES):
            yield part


def manifest_bytes(manifest: Manifest) -> bytes:
    """Return the bytes of a manifest, with its checksum."""
    blank = msgspec.structs.replace(manifest, checksum="")
    checksum = hashlib.sha256(_encode(blank)).hexdigest()
    return _encode(msgspec.structs.replace(manifest, checksum=checksum))


def _encode(manifest: Manifest) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def read_manifest(place: Path) -> Manifest:
    """Return the manifest of a backup.

    Raises:
        BackupError: there is none, it is of a newer format, or it is damaged.
        OSError: it cannot be read.
    """
    path = place / MANIFEST_FILE
    if not path.is_file():
        raise BackupError(Reason.NOT_A_BACKUP, place=place, what=f"it has no {MANIFEST_FILE}")
    if path.stat().st_size > MAX_MANIFEST_BYTES:
        raise damaged(place, f"{MANIFEST_FILE} has more than {MAX_MANIFEST_BYTES:,} bytes")
    data = path.read_bytes()
    try:
        found = msgspec.json.decode(data, type=_OfAnyFormat).format
        if found > FORMAT:
            raise BackupError(Reason.BACKUP_NEWER, place=place, what=found, known=FORMAT)
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise damaged(place, f"{MANIFEST_FILE} cannot be read ({error})") from error
    if manifest_bytes(manifest) != data:
        raise damaged(place, f"{MANIFEST_FILE} does not have its own checksum, so it was changed")
    return manifest


def check_files(place: Path, manifest: Manifest) -> None:
    """Compare the files of a backup with its manifest.

    Raises:
        BackupError: a file is missing, is not what it was, or does not belong there.
        OSError: a file cannot be read.
    """
    named = {entry.name for entry in manifest.files}
    found = {path.name for path in place.iterdir()} - {MANIFEST_FILE}
    for name in sorted(found - named):
        raise damaged(
            place, f"{name} is there, and the manifest does not know it. Remove it if you put it there"
        )
    for entry in manifest.files:
        path = place / entry.name
        if Path(entry.name).name != entry.name or not path.is_file():
            raise damaged(place, f"{entry.name} is missing")
        if entry_of(path) != entry:
            raise damaged(place, f"{entry.name} is not what it was when the backup was made")
