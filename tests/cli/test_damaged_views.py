"""Damaged views are told by name, and `pathbook views rebuild` rebuilds them from the events."""

import contextlib
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from grpc import StatusCode

from pathbook.client import Client, RefusedError
from pathbook.ledger.store.database.places import views_file, views_schema
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from tests.books import DATABASE_FILE, engine
from tests.cli.conftest import TODAY, Ran, pathbook
from tests.services.masks import BOOK, begin
from tests.services.process import served

VIEWS, SCHEMA = views_file(), views_schema()
PAGE = 4096


def zero_header(file: Path) -> None:
    """Write over the first page."""
    file.write_bytes(b"this is no database, and long enough to be taken for one" * 200)


def cut(file: Path) -> None:
    """Leave the first half of the file."""
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2 // PAGE * PAGE])


def spoil_pages(file: Path) -> None:
    """Write over the pages behind the first two."""
    data = file.read_bytes()
    file.write_bytes(data[: 2 * PAGE] + b"\xa5" * (len(data) - 2 * PAGE))


def empty(file: Path) -> None:
    """Leave nothing."""
    file.write_bytes(b"")


def make_directory(file: Path) -> None:
    """Put a directory in its place."""
    file.unlink()
    (file / "something").mkdir(parents=True)


def executed(*statements: str) -> Callable[[Path], None]:
    """Return a damage that a program does which thinks that it knows the views."""

    def damage(file: Path) -> None:
        with contextlib.closing(sqlite3.connect(file)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    return damage


def lose_index_rows(file: Path) -> None:
    """Empty an index and leave its table as it is."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        name, root = connection.execute(
            "SELECT name, rootpage FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL LIMIT 1"
        ).fetchone()
        assert name
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(file.read_bytes())
    begin = (root - 1) * PAGE
    data[begin : begin + 12] = b"\x0a\0\0\0\0" + PAGE.to_bytes(2) + b"\0" * 5
    file.write_bytes(data)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "header": zero_header,
    "truncated": cut,
    "pages": spoil_pages,
    "zero bytes": empty,
    "directory": make_directory,
    "no table": executed("DROP TABLE stock"),
    "no index rows": lose_index_rows,
    "odd version": executed("UPDATE views_version SET version = '0\x80x'"),
    "no tracking": executed("DROP TABLE tracking"),
    "no positions": executed("DELETE FROM tracking"),
}


@pytest.fixture
def books(demo: Path, closed_demo: Path, tmp_path: Path) -> Path:
    """A directory with a copy of the demo's book."""
    return Path(shutil.copytree(closed_demo, tmp_path / "books"))


def stock(books: Path) -> Ran:
    """Ask the views."""
    return pathbook("stock", "agent-5", "--today", TODAY, "--data", str(books))


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_views_are_rebuilt(books: Path, damage: Callable[[Path], None]) -> None:
    """Whatever happened to the file, the answers after the rebuild are those before the damage."""
    before = stock(books)
    assert before.code == 0
    damage(books / VIEWS)
    rebuilt = pathbook("views", "rebuild", "--data", str(books))
    assert rebuilt.code == 0, rebuilt.err
    assert "rebuilt from" in rebuilt.out
    assert stock(books)[:2] == before[:2]


@pytest.mark.parametrize("name", ["header", "truncated", "pages", "directory", "no table", "odd version"])
def test_other_verbs_say_that_the_views_are_damaged(books: Path, name: str) -> None:
    """They exit with 4, name the views and the verb that rebuilds them, and change nothing."""
    DAMAGES[name](books / VIEWS)
    left = (books / VIEWS).is_dir() or (books / VIEWS).read_bytes()
    ran = stock(books)
    assert ran.code == 4
    assert "pathbook: VIEWS_DAMAGED: " in ran.err
    assert "`pathbook views rebuild` rebuilds it from the events" in ran.err
    assert "Traceback" not in ran.err
    assert left == ((books / VIEWS).is_dir() or (books / VIEWS).read_bytes())


def test_a_damaged_log_is_not_rebuilt_from(books: Path) -> None:
    """The log is named, with what to do, and the views are left as they are."""
    zero_header(books / "events.sqlite")
    before = (books / VIEWS).read_bytes()
    for verb in (["views", "rebuild"], ["stock", "agent-5"], ["book", "list"]):
        ran = pathbook(*verb, "--data", str(books))
        assert ran.code == 4
        assert "pathbook: LOG_DAMAGED: " in ran.err
        assert "events.sqlite is damaged" in ran.err
        assert "`pathbook restore`" in ran.err
    assert (books / VIEWS).read_bytes() == before


def test_damaged_views_that_know_more_than_the_log_are_kept(books: Path) -> None:
    """As far as they can be read, they may be the last copy, so they are not dropped."""
    with contextlib.closing(sqlite3.connect(books / "events.sqlite")) as connection:
        connection.execute("DELETE FROM event WHERE position > 20")
        connection.execute("DELETE FROM event_hashes WHERE last_position > 20")
        connection.commit()
    executed("DROP TABLE run")(books / VIEWS)
    before = (books / VIEWS).read_bytes()
    ran = pathbook("views", "rebuild", "--data", str(books))
    assert ran.code == 4
    assert "and the log events.sqlite has only 20. Nothing was changed." in ran.err
    assert (books / VIEWS).read_bytes() == before


def test_damaged_views_are_not_taken_from_a_server(books: Path) -> None:
    """The rebuild refuses by name while a server has the file open, and works once that has stopped."""
    with served(books) as server:
        address = server.target
        assert pathbook("stock", "agent-5", "--server", address).code == 0
        executed("DROP TABLE run")(books / VIEWS)
        ran = pathbook("views", "rebuild", "--data", str(books))
        assert ran.code == 4
        assert "Stop the servers" in ran.err
        with Client(address, book="book", retry_seconds=0) as client:
            (codes,) = client.list_codes(1, 90, 90)
            with pytest.raises(RefusedError) as error:
                client.get_path(codes.serials[0])
        assert (error.value.reason, error.value.code) == ("VIEWS_DAMAGED", StatusCode.DATA_LOSS)
    assert pathbook("views", "rebuild", "--data", str(books)).code == 0


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    "statement",
    [
        f"DROP TABLE {SCHEMA}.run",
        f"DROP TABLE {SCHEMA}.tracking",
        f"UPDATE {SCHEMA}.views_version SET version = 'x'",
        f"DROP SCHEMA {SCHEMA} CASCADE",
        f"ALTER TABLE {SCHEMA}.stock DROP COLUMN owned",
    ],
)
def test_damaged_views_in_postgresql_are_rebuilt(place: Path, statement: str) -> None:
    """The schema is dropped and created again, while a server of the same books goes on, and answers again."""
    database = (place / DATABASE_FILE).read_text("utf-8")
    books = ["--data", str(place), "--database", database]
    ask = ["stock", "acme", "--today", TODAY]
    with running(Settings(data=place, database=database, listen="127.0.0.1:0")) as port:
        server = ["--server", f"127.0.0.1:{port}", "--book", BOOK]
        with Client(server[1], book=BOOK) as client:
            begin(client)
        before = pathbook(*ask, *server)
        assert before.code == 0
        views = engine(place, "views")
        with views.begin() as connection:
            connection.exec_driver_sql(statement)
        views.dispose()
        rebuilt = pathbook("views", "rebuild", *books)
        assert rebuilt.code == 0, rebuilt.err
        assert pathbook(*ask, *server)[:2] == before[:2]
    assert pathbook(*ask, *books, "--book", BOOK)[:2] == before[:2]
