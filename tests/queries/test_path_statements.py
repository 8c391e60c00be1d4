"""How many statements a path takes."""

from collections.abc import Callable

import pytest

from pathbook.ledger.queries import Queries
from pathbook.ledger.queries.answers import Path
from pathbook.ledger.store.database.fast_read import Reader
from pathbook.ledger.values import Unit


def test_a_path_takes_one_statement_where_the_log_is_in_the_database_of_the_views(
    query_story: Callable[[str], Queries], monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL is asked once for a history and its events. SQLite has a file for each, and is asked twice."""
    queries = query_story("""
        record 1:0-9 acme > ann at 15000
        record 1:0-4 ann > ben at 18000
    """)
    unit, asked = Unit(1, 3), list[object]()
    found = queries.path("book", unit)
    ask = Reader.ask

    def counted(reader: Reader, *args: object) -> object:
        asked.append(args)
        return ask(reader, *args)  # type: ignore[arg-type]  # it gets what the reader gets

    monkeypatch.setattr(Reader, "ask", counted)
    assert queries.path("book", unit) == found
    assert isinstance(found, Path)
    is_postgresql = queries._views._engine.dialect.name == "postgresql"
    assert (len(found.steps), len(asked)) == (3, 1 if is_postgresql else 2)
