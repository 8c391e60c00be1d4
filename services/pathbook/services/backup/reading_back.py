"""Reads a copied log back: each event is decoded, hashed and replayed, and what was found becomes the manifest."""

from collections.abc import Callable

import msgspec

from pathbook.ledger.store.database.engine import Database, Transaction, reading
from pathbook.ledger.store.log.audit import BookAudit, audit, heads, tables_of_log
from pathbook.ledger.store.log.code_key import CodeKeysInUse
from pathbook.ledger.store.log.stream import persistence_errors
from pathbook.ledger.store.views.fingerprint import whole_fingerprint
from pathbook.services.backup.errors import BackupError, Reason
from pathbook.services.backup.manifest import BookEntry
from pathbook.services.replaying import replay_events

Progress = Callable[[str], Callable[[int, int | None], None]]
"""Returns, for the name of a piece of work, a function that takes how much is done, and how much there is, or None."""


class ReadBack(msgspec.Struct, frozen=True):
    """What was read back from a log: its tables with their rows, the keys in use, and its books."""

    tables: dict[str, int]
    code_keys: list[str]
    books: list[BookEntry]


def read_back(log: Database, progress: Progress) -> ReadBack:
    """Read every event of a log. Nothing is replayed yet.

    Raises:
        BackupError: an event is missing, or cannot be read.
        eventsourcing.persistence.PersistenceError: the log is no database, or is damaged.
    """
    with persistence_errors(), reading(log) as connection:
        tables, books = tables_of_log(connection), read_books(connection, progress)
    names = [name.hex() for name in CodeKeysInUse(log).known()]
    return ReadBack(tables, names, books)


def read_books(connection: Transaction, progress: Progress) -> list[BookEntry]:
    """Read every event of a log, in the caller's transaction. Raises as read_back."""
    found = heads(connection)
    report, total, before = progress("events read back"), sum(found.values()), 0
    books = []
    for book, head in found.items():
        audited = audit(connection, book, head, lambda at, _, before=before: report(before + at, total))  # type: ignore[misc]  # a default binds the number of this turn
        if audited.faults:
            raise BackupError(Reason.LOG_DAMAGED, what=fault(audited))
        books.append(BookEntry(book, audited.head, audited.incarnation, audited.log_sha256))
        before += head
    return books


def fault(audited: BookAudit) -> str:
    """Return the first fault of a book, as a part of a sentence."""
    if audited.gaps:
        first, last = audited.gaps[0]
        return f"book '{audited.book}' lacks positions {first} to {last}"
    position, problem = audited.broken[0]
    return f"position {position} of book '{audited.book}': {problem}"


def replay(log: Database, views: Database, books: list[BookEntry], progress: Progress) -> list[BookEntry]:
    """Replay all events of a log into empty views, and return the books with the fingerprints of their views.

    An event that is newer than this program ends the replay of its book.

    Raises:
        eventsourcing.persistence.PersistenceError: a database fails, or the disk is full.
    """
    reached = replay_events(log, views, progress("events replayed"))
    return [
        msgspec.structs.replace(
            entry,
            replayed_to=reached.get(entry.name, 0),
            views_sha256=whole_fingerprint(views, entry.name),
        )
        for entry in books
    ]
