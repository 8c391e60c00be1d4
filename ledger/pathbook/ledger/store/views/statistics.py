"""When PostgreSQL refreshes its statistics of the views: each time that the number of projected events has doubled."""

from typing import Final

from sqlalchemy import Engine, Table

from pathbook.ledger.store.database.engine import writing
from pathbook.ledger.store.database.planner_stats import refresh_statistics
from pathbook.ledger.store.log.stream import persistence_errors

FIRST_STATISTICS_EVENTS: Final = 500
"""After how many events PostgreSQL is first asked to refresh its statistics of the views. By itself it does
so a minute later, and until then it plans as if the tables were empty."""


class GrowthStatistics:
    """Counts the projected events. SQLite has statistics that never change, so nothing is refreshed there."""

    def __init__(self, engine: Engine, tables: list[Table], projected: int) -> None:
        """Begin with events whose statistics exist, or are made by PostgreSQL itself within a minute."""
        self._engine, self._tables, self._projected = engine, tables, projected
        self._due_at = max(FIRST_STATISTICS_EVENTS, 2 * projected)

    def count(self, projected: int) -> None:
        """Count further events, and have PostgreSQL refresh its statistics if their number has doubled."""
        self._projected += projected
        if self._engine.dialect.name == "postgresql" and self._projected >= self._due_at:
            with persistence_errors(), writing(self._engine, turn=None) as connection:
                refresh_statistics(self._tables, connection)
            self._due_at = 2 * self._projected
