"""The directory of people, beside the log and never in it: what is known of a person, sealed with a key of its own.

Who erases a person erases its key, its details, its handles and the texts of its notes. No event changes, and no proof.
What a person is publicly known by, its handles, are kept as keyed hashes, so that only who knows a handle finds it.
"""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Engine

from pathbook.ledger.proofs.stated import acting
from pathbook.ledger.store.database.engine import TEXT, reading, writing
from pathbook.ledger.store.database.late_tables import make_table
from pathbook.ledger.store.log.event_hashes import read_event
from pathbook.ledger.store.log.notes import NOTE
from pathbook.ledger.store.log.person_keys import PERSON, PersonCipher, key_for_writing, key_of, whose
from pathbook.ledger.store.log.stream import Stream, persistence_errors

PERSON_HANDLE: Final = sa.Table(
    "person_handle",
    sa.MetaData(),
    sa.Column("book", TEXT, primary_key=True),
    sa.Column("handle", sa.LargeBinary, primary_key=True),
    sa.Column("party", TEXT, primary_key=True),
)
"""The keyed hashes of public handles, and whose they are, as the parties themselves say."""

_FILLER: Final = sa.Table(
    "person_filler", sa.MetaData(), sa.Column("zeros", sa.LargeBinary, nullable=False), sqlite_with_rowid=True
)
"""Zeros that go through the write-ahead log of SQLite after an erasure. The table is there only meanwhile."""

RESTART_ATTEMPTS: Final = 100
RESTART_INTERVAL_S: Final = 0.05
"""How often it is tried to begin the write-ahead log again, and how long after: until the reads of now have ended."""

NOTES_AT_ONCE: Final = 500
"""How many notes of earlier programs, which are not sealed, are looked at in one statement."""

HANDLE_PARTIES_MAX: Final = 20
"""How many parties with the same handle are looked at. One has it in truth, and the others claim it."""

_PLACE: Final = b"details"
_OF_PERSON: Final = sa.and_(
    PERSON.c.book == sa.bindparam("of_book"), PERSON.c.party == sa.bindparam("of_party")
)


class Erased(NamedTuple):
    """What was erased of a person: whether it had a key, and how many handles and notes."""

    key: bool
    handles: int
    notes: int


class People:
    """The people of all books of a log. Threads may share it. Methods raise PersistenceError of eventsourcing."""

    def __init__(self, stream: Stream, cipher: PersonCipher) -> None:
        """Use the database of a log, whose notes are sealed from now on. ``cipher`` seals what else is of a person."""
        self._stream, self._engine, self.cipher = stream, stream.engine, cipher
        with persistence_errors():
            for table in (PERSON, PERSON_HANDLE):
                make_table(self._engine, table)
        stream.seal_notes(cipher)

    def describe(self, book: str, party: str, details: bytes, handles: Iterable[str]) -> None:
        """Keep details and handles of a person, in the place of those before."""
        hashes = sorted({self.cipher.handle(book, handle) for handle in handles})
        with persistence_errors(), writing(self._engine) as connection:
            key = key_for_writing(connection, self.cipher, book, party)
            sealed = self.cipher.seal(key, whose(book, party), _PLACE, details)
            of_person = {"of_book": book, "of_party": party}
            connection.execute(PERSON.update().where(_OF_PERSON).values(details=sealed), of_person)
            connection.execute(PERSON_HANDLE.delete().where(_is_of(book, party)))
            if hashes:
                rows = [{"book": book, "handle": found, "party": party} for found in hashes]
                connection.execute(PERSON_HANDLE.insert(), rows)

    def details(self, book: str, party: str) -> bytes | None:
        """Return the details of a person, or None if there are none, or they were erased."""
        with persistence_errors(), reading(self._engine) as connection:
            key = key_of(connection.execute, book, party)
            kept = connection.execute(
                sa.select(PERSON.c.details).where(_OF_PERSON), {"of_book": book, "of_party": party}
            ).scalar_one_or_none()
        return self.cipher.open(key, whose(book, party), _PLACE, kept) if key and kept else None

    def parties_with(self, book: str, handle: str) -> list[str]:
        """Return the parties that say of themselves that they have a public handle, in order."""
        found = (
            sa.select(PERSON_HANDLE.c.party)
            .where(PERSON_HANDLE.c.book == book, PERSON_HANDLE.c.handle == self.cipher.handle(book, handle))
            .order_by(PERSON_HANDLE.c.party)
            .limit(HANDLE_PARTIES_MAX)
        )
        with persistence_errors(), reading(self._engine) as connection:
            return list(connection.execute(found).scalars())

    def erase(self, book: str, party: str) -> Erased:
        """Erase a person: its key, and all that was sealed with it."""
        with persistence_errors():
            unsealed = self._unsealed_notes(book, party)
            with writing(self._engine) as connection:
                sealed = NOTE.c.salt == b"", _begins_with(NOTE.c.text, f"{party} ")
                notes = connection.execute(NOTE.delete().where(NOTE.c.book == book, *sealed)).rowcount
                for position in unsealed:
                    at = NOTE.c.position == position
                    notes += connection.execute(NOTE.delete().where(NOTE.c.book == book, at)).rowcount
                handles = connection.execute(PERSON_HANDLE.delete().where(_is_of(book, party))).rowcount
                of_person = {"of_book": book, "of_party": party}
                keys = connection.execute(PERSON.delete().where(_OF_PERSON), of_person).rowcount
            _clean(self._engine)
        return Erased(bool(keys), handles, notes)

    def _unsealed_notes(self, book: str, party: str) -> list[int]:
        """Return the positions of the notes of a person that an earlier program wrote as they are."""
        found: list[int] = []
        after = 0
        while True:
            query = (
                sa.select(NOTE.c.position)
                .where(NOTE.c.book == book, NOTE.c.salt != b"", NOTE.c.position > after)
                .order_by(NOTE.c.position)
                .limit(NOTES_AT_ONCE)
            )
            with reading(self._engine) as connection:
                positions = list(connection.execute(query).scalars())
            entries = self._stream.at(book, positions) if positions else ()
            found += [item.position for item in entries if acting(read_event(book, item).event) == party]
            if len(positions) < NOTES_AT_ONCE:
                return found
            after = positions[-1]


def _begins_with(column: sa.Column[str], prefix: str) -> sa.ColumnElement[bool]:
    """Return the condition that a text begins so, in the same case. LIKE of SQLite does not look at the case."""
    return sa.func.substr(column, 1, len(prefix)) == prefix


def _is_of(book: str, party: str) -> sa.ColumnElement[bool]:
    return sa.and_(PERSON_HANDLE.c.book == book, PERSON_HANDLE.c.party == party)


def _clean(engine: Engine) -> None:
    """Overwrite what was deleted, where the database keeps it. PostgreSQL writes over its write-ahead log by itself."""
    if engine.dialect.name == "sqlite":
        _write_over_log(engine)
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in (PERSON, PERSON_HANDLE, NOTE):
            connection.exec_driver_sql(
                f"VACUUM (FULL) {table.name}"
            )  # a plain one leaves the bytes of dead rows


def _write_over_log(engine: Engine) -> None:
    """Write over the whole write-ahead log of SQLite, which keeps old pages behind its end.

    It begins again once no reader needs it. Then zeros as long as the file go through it, and are deleted.
    """
    file = Path(f"{engine.url.database}-wal")
    for _ in range(RESTART_ATTEMPTS):
        with engine.connect() as connection:
            driver = connection.connection.cursor()
            (busy, _pages, _copied) = driver.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
            driver.close()
        if not busy:
            break
        time.sleep(RESTART_INTERVAL_S)
    length = file.stat().st_size if file.exists() else 0
    with writing(engine) as connection:
        _FILLER.create(connection, checkfirst=True)  # it is there if a program was killed here
        connection.execute(_FILLER.insert(), {"zeros": b"\0" * length})
    with writing(engine) as connection:
        _FILLER.drop(connection)
