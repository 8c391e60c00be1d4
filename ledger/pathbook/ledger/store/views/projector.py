"""Writes the changes of a group of events to the views, with the position that they then have, in one transaction."""

from collections.abc import Callable, Iterable
from typing import TypeAlias

from sqlalchemy import Connection, Engine

from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.store.database.bulk_write import Row, Statement
from pathbook.ledger.store.database.engine import writing
from pathbook.ledger.store.database.notify import notify
from pathbook.ledger.store.log.stream import persistence_errors
from pathbook.ledger.store.views.completeness import in_order
from pathbook.ledger.store.views.rebuild_worker import FoldCache, Folded, FoldedGroup, fold
from pathbook.ledger.store.views.tracking import SQLAlchemyTrackingRecorder
from pathbook.ledger.store.views.writer import STATEMENTS, writes

_Writes: TypeAlias = Iterable[tuple[Statement, list[Row]]]


class Projector:
    """Writes groups of events to the views. One thread at a time uses it."""

    def __init__(self, engine: Engine, recorder: SQLAlchemyTrackingRecorder) -> None:
        """Write with an engine for bulk writes."""
        self._engine, self._recorder = engine, recorder
        self.cache = FoldCache()

    def project(self, book: str, after: int, events: list[RecordedEvent]) -> bool:
        """Write the changes of the events after a position, at least one event.

        Return false if the views are not at that position, because another follower was first. Nothing is written then.
        """
        done: list[Folded] = []

        def statements(connection: Connection) -> _Writes:
            folded = fold(self.cache, connection, book, after, events)
            done.append(folded)
            return writes(folded.changes)

        written = self._write(book, after, events[-1].position, statements)
        if written:
            self.cache.give_back(book, *done)
        return written

    def write_group(self, book: str, group: FoldedGroup) -> bool:
        """Write a group that a worker folded. Return false as ``project`` does."""
        return self._write(
            book,
            group.after,
            group.last,
            lambda _connection: [(STATEMENTS[index], rows) for index, rows in group.writes],
        )

    def _write(self, book: str, after: int, last: int, statements: Callable[[Connection], _Writes]) -> bool:
        with persistence_errors(), in_order(), writing(self._engine, turn=book) as connection:
            tracked = self._recorder.max_tracking_id_on(connection, book) or 0
            if tracked != after:
                return False
            for statement, rows in statements(connection):
                statement.execute(connection, book, rows)
            self._recorder.move_on(connection, book, last)
            notify(connection, book)
        return True
