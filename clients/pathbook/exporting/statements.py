"""The SQL texts that come with the project: the tables of what is newest, and reports. Each runs unchanged on DuckDB,
PostgreSQL and Apache Spark, so they keep to what the three have in common.
"""

import importlib.resources
from typing import Final

NEWEST_TABLES: Final = ("batch", "party", "offer")
"""The tables with one row for each thing as it is now. They are views over the tables that end in ``_history``."""

REPORTS: Final = ("price_ladder", "stuck_stock")
"""The reports."""

_TEXTS: Final = importlib.resources.files(__package__) / "sql"


def newest_table(name: str) -> str:
    """Return the query of one of the NEWEST_TABLES."""
    return (_TEXTS / "tables" / f"{name}.sql").read_text("utf-8")


def report(name: str) -> str:
    """Return the query of one of the REPORTS."""
    return (_TEXTS / "reports" / f"{name}.sql").read_text("utf-8")
