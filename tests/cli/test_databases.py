"""Books in a PostgreSQL: verbs use them like others, and explain why they cannot be opened."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pathbook.ledger.store.database.places import views_schema
from tests.cli.conftest import Ran, pathbook
from tests.postgres import driver_url, drop_database, new_database

ROLE = "visitor"
"""A user who may connect to the databases of the tests, and may not create anything there."""


@pytest.fixture
def database() -> Iterator[str]:
    """The URL of an empty database."""
    url = new_database()
    yield url
    drop_database(url)


@pytest.fixture
def begun(database: str, tmp_path: Path) -> str:
    """The URL of a database with a book. The key is in the directory of the test."""
    ran = pathbook(
        "--data", str(tmp_path), "--database", database, "party", "register", "acme", "--kind", "brand"
    )
    assert ran.code == 0, ran
    return database


def execute(url: str, *statements: str) -> list[tuple[object, ...]]:
    """Execute statements on a database, and return the rows of the last."""
    with psycopg.connect(driver_url(url), autocommit=True) as connection:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def schemas(url: str) -> set[object]:
    """Return the names of our schemas in a database."""
    return {
        name for (name,) in execute(url, "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pathbook%'")
    }


def refused(ran: Ran, *parts: str) -> None:
    """Expect that books are not opened. One sentence has all of these parts, and no password."""
    assert (ran.code, ran.out) == (4, "")
    assert ran.err.count("\n") == 1
    assert "secret" not in ran.err
    for part in parts:
        assert part in ran.err


def test_verbs_find_their_books_in_a_database(
    begun: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An option or the environment names the database. It holds events and views, and the directory only keys."""
    monkeypatch.setenv("PATHBOOK_DATABASE", begun)
    ran = pathbook("party", "show", "acme", "--data", str(tmp_path), "--output", "json")
    assert (ran.code, ran.json()["party"]) == (0, "acme")
    ran = pathbook("views", "rebuild", "--data", str(tmp_path))
    assert "are rebuilt from 2 events" in ran.out
    assert {file.name for file in tmp_path.iterdir()} == {"codes.key", "log.key", "log.checkpoint"}
    assert schemas(begun) == {"pathbook_events", views_schema()}
    ran = pathbook("party", "show", "acme", "--data", str(tmp_path), "--database", "")
    assert "codes.key is there" in ran.err
    assert "name it with --database" in ran.err


def test_reading_an_empty_database_creates_nothing_in_it(database: str, tmp_path: Path) -> None:
    """A database without books is named, and is not changed."""
    for verb in (["path", "1:0"], ["views", "rebuild"], ["views", "follow"]):
        ran = pathbook("--data", str(tmp_path / "data"), "--database", database, *verb)
        refused(ran, "There are no books in postgresql://")
    assert schemas(database) == set()
    assert not (tmp_path / "data").exists()


def test_a_database_that_cannot_be_opened_is_named_with_what_to_do(database: str, tmp_path: Path) -> None:
    """Every verb exits 4 with a sentence if a database cannot be reached, is missing, or is not permitted."""
    execute(database, f"DROP ROLE IF EXISTS {ROLE}", f"CREATE ROLE {ROLE} LOGIN")
    nowhere = "postgresql+psycopg://postgres:secret@127.0.0.1:1/books"
    for url, remedy in (
        (nowhere, "Check its host and port"),
        (database.replace("?", "_else?"), "createdb NAME"),
        (database.replace("postgres@", "stranger:secret@"), "Check the user and password"),
    ):
        for verb in (
            ["path", "1:0"],
            ["serve", "--listen", "127.0.0.1:0"],
            ["views", "follow"],
            ["views", "rebuild"],
        ):
            refused(pathbook("--data", str(tmp_path), "--database", url, *verb), "cannot be opened", remedy)
    theirs = database.replace("postgres@", f"{ROLE}@")
    refused(pathbook("--data", str(tmp_path), "--database", theirs, "serve"), "GRANT CREATE ON DATABASE")


def test_a_database_that_may_lose_events_needs_an_option(begun: str, tmp_path: Path) -> None:
    """A database that acknowledges events before it writes them is refused. The message names the option for it."""
    name = begun.partition("?")[0].rpartition("/")[2]
    execute(begun, f"ALTER DATABASE {name} SET synchronous_commit = off")
    verb = ["--data", str(tmp_path), "--database", begun, "party", "register", "ann", "--kind", "agent"]
    refused(pathbook(*verb), "synchronous_commit=off", "--allow-event-loss")
    assert pathbook("--allow-event-loss", *verb).code == 0
    assert pathbook("views", "rebuild", *verb[:4]).code == 0  # nothing is acknowledged


def test_a_newer_format_and_another_key_are_refused(begun: str, tmp_path: Path) -> None:
    """Books of a newer Pathbook, or of another key, are not opened, and nothing is changed."""
    verb = ["--database", begun, "party", "show", "acme"]
    refused(pathbook("--data", str(tmp_path / "other"), *verb), "codes.key is missing")
    with_key = tmp_path / "wrong"
    assert pathbook("party", "register", "acme", "--kind", "brand", "--data", str(with_key)).code == 0
    refused(pathbook("--data", str(with_key), *verb), "is the key of other books")
    execute(begun, "COMMENT ON SCHEMA pathbook_events IS 'Pathbook, format 99'")
    refused(pathbook("--data", str(tmp_path), *verb), "is in format 99")
