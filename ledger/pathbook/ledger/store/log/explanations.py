"""What is said about findings, beside the log and never in it: who explained one, when, and who took it back.

Rows are only added. They are kept when reports are rebuilt, because a finding has the same id then, and they are in
every backup of the log. A text is sealed with the key of its author, as notes are, so that erasing a person erases it.
"""

from collections.abc import Callable, Collection
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from pathbook.ledger.refusals import Refusal
from pathbook.ledger.reports.explaining import ExplainedBy, Explanation
from pathbook.ledger.store.database.engine import TEXT, reading, writing
from pathbook.ledger.store.database.late_tables import has_table, make_table
from pathbook.ledger.store.log.person_keys import PersonCipher, key_for_writing, key_of, whose
from pathbook.ledger.store.log.stream import Stream, persistence_errors

FINDINGS_AT_ONCE: Final = 500
"""The explanations of how many findings one statement looks up."""

EXPLANATION: Final = sa.Table(
    "explanation",
    sa.MetaData(),
    sa.Column("book", TEXT, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("finding", TEXT, nullable=False),
    sa.Column("step", sa.BigInteger, nullable=False),
    sa.Column("withdrawn", sa.Boolean, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("role", TEXT, nullable=False),
    sa.Column("party", TEXT, nullable=False),
    sa.Column("caller", TEXT, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("units", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("book", "finding", "step"),
    sqlite_with_rowid=False,
)
_LATER: Final = EXPLANATION.alias("later")
_IN_FORCE: Final = sa.and_(
    sa.not_(EXPLANATION.c.withdrawn),
    ~sa.exists().where(
        _LATER.c.book == EXPLANATION.c.book,
        _LATER.c.finding == EXPLANATION.c.finding,
        _LATER.c.step == EXPLANATION.c.step + 1,
    ),
)
_LAST: Final = sa.select(sa.func.coalesce(sa.func.max(EXPLANATION.c.number), 0))


class Explanations:
    """What is said about the findings of all books. Threads may share it.

    Methods raise PersistenceError of eventsourcing.
    """

    def __init__(self, stream: Stream, cipher: PersonCipher) -> None:
        """Use the database of a log. Nothing is read or written yet."""
        self._engine, self._cipher = stream.engine, cipher

    def add(
        self,
        book: str,
        finding: str,
        decide: Callable[[Explanation | None], Explanation | Refusal],
    ) -> Explanation | Refusal:
        """Write the step of a finding that is decided on its last step, and return it, or the refusal.

        If the last step itself is decided, nothing is written. No other step comes between.
        """
        with persistence_errors():
            make_table(self._engine, EXPLANATION)
            with writing(self._engine) as connection:
                last = self._last(connection, book, finding)
                decided = decide(last)
                if isinstance(decided, Refusal) or decided == last:
                    return decided
                number = connection.execute(_LAST.where(EXPLANATION.c.book == book)).scalar_one() + 1
                written = msgspec.structs.replace(decided, number=number)
                connection.execute(EXPLANATION.insert(), self._row(connection, book, written))
        return written

    def in_force(self, book: str, findings: Collection[str]) -> dict[str, Explanation]:
        """Return the explanations of some findings that were not taken back, by the id of the finding."""
        found: dict[str, Explanation] = {}
        wanted = sorted(set(findings))
        with persistence_errors(), reading(self._engine) as connection:
            if not wanted or not has_table(connection, EXPLANATION):
                return found
            for begin in range(0, len(wanted), FINDINGS_AT_ONCE):
                some = EXPLANATION.c.finding.in_(wanted[begin : begin + FINDINGS_AT_ONCE])
                query = sa.select(EXPLANATION).where(EXPLANATION.c.book == book, some, _IN_FORCE)
                found |= {each.finding: each for each in self._read(connection, book, query)}
        return found

    def explained(self, book: str) -> set[str]:
        """Return the ids of all findings of a book that are explained."""
        query = sa.select(EXPLANATION.c.finding).where(EXPLANATION.c.book == book, _IN_FORCE)
        with persistence_errors(), reading(self._engine) as connection:
            return set(connection.execute(query).scalars()) if has_table(connection, EXPLANATION) else set()

    def page(self, book: str, finding: str, before: int, limit: int) -> list[Explanation]:
        """Return at most ``limit`` steps before a number (0: from the newest on), newest first.

        They are those of a finding, or of all findings of the book if it is "".
        """
        query = sa.select(EXPLANATION).where(EXPLANATION.c.book == book)
        if finding:
            query = query.where(EXPLANATION.c.finding == finding)
        if before:
            query = query.where(EXPLANATION.c.number < before)
        query = query.order_by(EXPLANATION.c.number.desc()).limit(limit)
        with persistence_errors(), reading(self._engine) as connection:
            return self._read(connection, book, query) if has_table(connection, EXPLANATION) else []

    def _last(self, connection: Connection, book: str, finding: str) -> Explanation | None:
        query = sa.select(EXPLANATION).where(EXPLANATION.c.book == book, EXPLANATION.c.finding == finding)
        found = self._read(connection, book, query.order_by(EXPLANATION.c.step.desc()).limit(1))
        return found[0] if found else None

    def _row(self, connection: Connection, book: str, step: Explanation) -> dict[str, object]:
        sealed = b""
        if step.text:
            key = key_for_writing(connection, self._cipher, book, step.party)
            place = _place(step.finding, step.step)
            sealed = self._cipher.seal(key, whose(book, step.party), place, step.text.encode("utf-8"))
        kept = msgspec.structs.asdict(step)
        del kept["text"]
        return kept | {"book": book, "sealed": sealed, "role": step.role.value}

    def _read(
        self, connection: Connection, book: str, query: sa.Select[*tuple[object, ...]]
    ) -> list[Explanation]:
        keys: dict[str, bytes | None] = {}
        found: list[Explanation] = []
        for row in connection.execute(query).mappings().all():
            party = str(row["party"])
            if party not in keys:
                keys[party] = key_of(connection.execute, book, party)
            step = Explanation(
                finding=row["finding"],
                withdrawn=row["withdrawn"],
                text=None,
                role=ExplainedBy(row["role"]),
                party=party,
                caller=row["caller"],
                at=row["at"],
                units=row["units"],
                number=row["number"],
                step=row["step"],
            )
            text = self._opened(book, step, keys[party], row["sealed"])
            found.append(msgspec.structs.replace(step, text=text))
        return found

    def _opened(self, book: str, step: Explanation, key: bytes | None, sealed: bytes) -> str | None:
        """Return the text of a step, or None if the key of its author was erased, or is another one now."""
        if not sealed:
            return ""
        if key is None:
            return None
        person = whose(book, step.party)
        if not self._cipher.opens(key, person):
            return None
        found = self._cipher.open(key, person, _place(step.finding, step.step), sealed)
        return None if found is None else found.decode("utf-8", "replace")


def _place(finding: str, step: int) -> bytes:
    return f"explanation {step} {finding}".encode()
