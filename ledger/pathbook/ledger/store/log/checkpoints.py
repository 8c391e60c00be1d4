"""The signed checkpoints of the books, and their cosignatures. Each is kept for ever: what was signed once can be shown
to have been signed.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.schema import CreateTable

from pathbook.ledger.proofs.cosignature import VerifyMlDsa, cosigned_at
from pathbook.ledger.proofs.signed_note import NoteSignature, SignedNote, VerifierKey, parse_note
from pathbook.ledger.store.database.bulk_write import insert_missing_statement
from pathbook.ledger.store.database.engine import TEXT, create_schema, reading, writing
from pathbook.ledger.store.database.fast_read import ReaderPool
from pathbook.ledger.store.log.stream import persistence_errors

CHECKPOINT = sa.Table(
    "checkpoint",
    sa.MetaData(),
    sa.Column("book", TEXT, primary_key=True),
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("note", TEXT, nullable=False),
    sqlite_with_rowid=False,
)

COSIGNATURE = sa.Table(
    "cosignature",
    sa.MetaData(),
    sa.Column("book", TEXT, primary_key=True),
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("witness", TEXT, primary_key=True),  # name and id of its key
    sa.Column("line", TEXT, nullable=False),
    sqlite_with_rowid=False,
)

COSIGNATURES_MAX: Final = 100
"""The most cosignatures of a checkpoint that are returned, so that a note has no more lines than readers allow."""

_INSERT_COSIGNATURE = insert_missing_statement(COSIGNATURE)
_LINES = (
    sa.select(COSIGNATURE.c.line)
    .where(
        COSIGNATURE.c.book == sa.bindparam("book"),
        COSIGNATURE.c.size == sa.bindparam("size", type_=sa.BigInteger),
    )
    .order_by(COSIGNATURE.c.witness)
    .limit(sa.literal_column(str(COSIGNATURES_MAX), sa.Integer()))
)

_INSERT = insert_missing_statement(CHECKPOINT)
_OF_BOOK = CHECKPOINT.c.book == sa.bindparam("book")
_KEPT = sa.select(CHECKPOINT.c.size, CHECKPOINT.c.note)
_AT = _KEPT.where(_OF_BOOK, CHECKPOINT.c.size == sa.bindparam("size", type_=sa.BigInteger))
_NEWEST = _KEPT.where(_OF_BOOK).order_by(CHECKPOINT.c.size.desc()).limit(sa.literal_column("1", sa.Integer()))
_OF_LOG = (
    sa.select(CHECKPOINT.c.size, CHECKPOINT.c.note)
    .where(CHECKPOINT.c.book == sa.bindparam("book"))
    .order_by(CHECKPOINT.c.size)
)
_ANY = sa.select(CHECKPOINT.c.book).limit(sa.literal_column("1", sa.Integer()))


class KeptCheckpoint(NamedTuple):
    """A checkpoint as it is kept.

    Attributes:
        size: of its tree.
        signed: the text of the signed note, as the log signed it.
        cosignatures: the lines of the witnesses, in the order of their names.
    """

    size: int
    signed: str
    cosignatures: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """The text of the signed note with all its cosignatures."""
        return self.signed + "".join(f"{line}\n" for line in self.cosignatures)


def checkpoints_of(connection: sa.Connection, book: str) -> list[KeptCheckpoint]:
    """Return all checkpoints of a book without their cosignatures, in the caller's transaction, the smallest first."""
    if not sa.inspect(connection).has_table(CHECKPOINT.name):
        return []
    return [KeptCheckpoint(size, note) for size, note in connection.execute(_OF_LOG, {"book": book})]


def any_checkpoint(connection: sa.Connection) -> bool:
    """Tell whether a checkpoint of any book was signed, in the caller's transaction."""
    return sa.inspect(connection).has_table(CHECKPOINT.name) and bool(connection.execute(_ANY).all())


class Checkpoints:
    """The checkpoints of all books of a log. Threads may share it. Each method raises PersistenceError of eventsourcing
    if the database fails.
    """

    def __init__(self, engine: Engine) -> None:
        """Use the database of the log. Nothing is read or written yet."""
        self._engine, self._pool = engine, ReaderPool(engine)
        self._made: set[str] = set()

    def at(self, book: str, size: int) -> KeptCheckpoint | None:
        """Return the checkpoint of a size, or None if none was signed."""
        return self._first(_AT, {"book": book, "size": size})

    def newest(self, book: str) -> KeptCheckpoint | None:
        """Return the checkpoint of the largest tree, or None if none was signed."""
        return self._first(_NEWEST, {"book": book})

    def any(self) -> bool:
        """Tell whether a checkpoint of any book was signed."""
        with persistence_errors():
            return self._has(CHECKPOINT) and bool(self._pool.ask(_ANY, {}))

    def keep(self, book: str, size: int, note: str) -> KeptCheckpoint:
        """Keep a checkpoint, unless there is one of that size. Return the one that is kept."""
        with persistence_errors():
            self._make(CHECKPOINT)
            self._make(COSIGNATURE)  # so that no proof has to look whether it is there
            with writing(self._engine, turn=None) as connection:
                _INSERT.execute(connection, book, [(size, note)])
        kept = self.at(book, size)
        assert kept is not None, (book, size)
        return kept

    def add_cosignatures(
        self,
        book: str,
        size: int,
        witness: VerifierKey,
        lines: Iterable[NoteSignature],
        verify_ml_dsa: VerifyMlDsa | None = None,
    ) -> bool:
        """Keep the cosignature of a witness that the operator trusts, if it is valid and the first one of that witness.

        Lines of other keys are ignored. Return false if no line is valid: then nothing is kept.
        """
        kept = self.at(book, size)
        assert kept is not None, (book, size)
        text = parse_note(kept.signed.encode()).text
        for line in lines:
            if cosigned_at(SignedNote(text, (line,)), witness, verify_ml_dsa) is not None:
                with persistence_errors():
                    self._make(COSIGNATURE)
                    with writing(self._engine, turn=None) as connection:
                        row = (size, f"{witness.name}+{witness.id.hex()}", str(line))
                        _INSERT_COSIGNATURE.execute(connection, book, [row])
                return True
        return False

    def _first(self, lookup: "sa.Select[int, str]", parameters: dict[str, object]) -> KeptCheckpoint | None:
        with persistence_errors():
            rows = self._pool.ask(lookup, parameters) if self._has(CHECKPOINT) else []
            if not rows:
                return None
            size, signed = rows[0]
            found = {"book": parameters["book"], "size": size}
            lines = self._pool.ask(_LINES, found) if self._has(COSIGNATURE) else []
        return KeptCheckpoint(size, signed, tuple(line for (line,) in lines))

    def _make(self, table: sa.Table) -> None:
        if not self._has(table):
            with writing(self._engine) as connection:
                create_schema(connection)
                connection.execute(CreateTable(table, if_not_exists=True))

    def _has(self, table: sa.Table) -> bool:
        if table.name not in self._made:
            with reading(self._engine) as connection:
                if not sa.inspect(connection).has_table(table.name):
                    return False
            self._made.add(table.name)
        return True
