"""Collects the plans of the statements that a test runs."""

import sqlalchemy as sa
from sqlalchemy import Connection, Engine


def plans_of(views: Engine) -> list[str]:
    """Return a list to which a step is added for each step of the plan of each query that is run from now on."""
    plans: list[str] = []

    def explain(
        connection: Connection, _: object, statement: str, parameters: object, *_rest: object
    ) -> None:
        if not statement.startswith("EXPLAIN") and "FROM" in statement:
            plan = "EXPLAIN" if views.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
            rows = connection.exec_driver_sql(f"{plan} {statement}", parameters)  # type: ignore[arg-type]  # the driver's
            plans.extend(str(row[-1]) for row in rows)

    sa.event.listen(views, "before_cursor_execute", explain)
    return plans


def searches_in(plans: list[str]) -> list[str]:
    """Return the steps that look rows up by an index."""
    return [step for step in plans if step.strip().startswith(("SEARCH", "Index Cond"))]


def scans_in(plans: list[str]) -> list[str]:
    """Return the steps that read all runs of a table, or of a book."""
    words = ("SCAN run", "BLOOM", "Seq Scan on run", "Seq Scan on found", "Hash Cond", "Merge Cond")
    return [step for step in plans if any(word in step for word in words)]
