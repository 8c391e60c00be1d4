"""Books whose log is lost, wholly or in part: each way to open them is refused, and nothing is changed."""

import json
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from pathbook.ledger.store.database.places import views_file, views_schema
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from tests.cli.conftest import Ran, pathbook
from tests.cli.test_databases import execute
from tests.postgres import drop_database, new_database

LOG, VIEWS, KEY = "events.sqlite", views_file(), "codes.key"
WAYS = (
    ["party", "show", "acme"],
    ["party", "register", "zoe", "--kind", "agent"],
    ["book", "open", "other"],
    ["events", "read"],
    ["views", "rebuild"],
    ["views", "follow"],
    ["serve", "--listen", "127.0.0.1:0"],
    ["serve", "--listen", "127.0.0.1:0", "--no-follow"],
    ["serve", "--listen", "127.0.0.1:0", "--workers", "2"],
)
"""The ways to open books."""

KNOWN = f"{views_schema()} knows 2 events of book 'book'"
"""What is said of the views of a PostgreSQL with two events."""


@pytest.fixture
def books(tmp_path: Path) -> Path:
    """A directory with three events, all of which are in the views."""
    data = tmp_path / "data"
    for party, kind in (("acme", "brand"), ("ann", "agent")):
        assert pathbook("party", "register", party, "--kind", kind, "--data", str(data)).code == 0
    assert pathbook("party", "list", "--data", str(data)).code == 0
    return data


def contents(data: Path) -> dict[str, bytes]:
    """Return all files of a directory."""
    return {path.name: path.read_bytes() for path in data.iterdir()}


def refused(ran: Ran, *parts: str) -> None:
    """Expect that books are not opened. One sentence has all of these parts."""
    assert (ran.code, ran.out) == (4, ""), ran
    assert "Traceback" not in ran.err
    for part in (*parts, "Nothing was changed"):
        assert part in ran.err


def without_tables(data: Path) -> None:
    """Replace the log by a database without tables."""
    (data / LOG).unlink()
    with sqlite3.connect(data / LOG) as log:
        log.execute("PRAGMA user_version = 0")
        log.execute("VACUUM")
    log.close()


def of_fewer_events(data: Path) -> None:
    """Take the last event out of the log."""
    with sqlite3.connect(data / LOG) as log:
        log.execute("DELETE FROM event WHERE position = 3")
    log.close()


def of_another_book(data: Path) -> None:
    """Replace the log by that of another book of three events and more."""
    other = data.with_name("other")
    for party in ("b1", "b2", "b3", "b4"):
        assert pathbook("party", "register", party, "--kind", "agent", "--data", str(other)).code == 0
    shutil.copy(other / LOG, data / LOG)


@pytest.mark.parametrize(
    ("lose", "has"),
    [
        (lambda data: (data / LOG).unlink(), "has none (it is missing or empty)"),
        (lambda data: os.truncate(data / LOG, 0), "has none (it is missing or empty)"),
        (without_tables, "has none (it is missing or empty)"),
        (of_fewer_events, "has only 2"),
        (of_another_book, "has another event at position 3"),
    ],
)
def test_a_log_that_lost_events_is_not_opened(books: Path, lose: Callable[[Path], object], has: str) -> None:
    """Whatever opens the books says what the views know and what the log has, and leaves every byte as it was."""
    lose(books)
    before = contents(books)
    for way in WAYS:
        refused(
            pathbook(*way, "--data", str(books)),
            f"{VIEWS} knows 3 events of book 'book', and the log {LOG} {has}",
        )
        assert contents(books) == before, way


def test_lost_events_can_be_accepted(books: Path) -> None:
    """One verb goes on with a shorter log: the views forget the rest, and the next write takes its position.

    A reader that knows the lost event is told that this is another history.
    """
    last = pathbook("events", "read", "--output", "jsonl", "--data", str(books)).out.splitlines()[-1]
    known = json.loads(last)["incarnation"]
    of_fewer_events(books)
    ran = pathbook("views", "rebuild", "--accept-lost-events", "--data", str(books))
    assert (ran.code, ran.out) == (0, f"The views in {books} are rebuilt from 2 events.\n"), ran
    read = ("events", "read", "--incarnation", known, "--data", str(books), "--after")
    ran = pathbook(*read, "3")
    assert (ran.code, "ANOTHER_HISTORY" in ran.err, "Drop everything after 2" in ran.err) == (1, True, True)
    assert pathbook(*read, "2").code == 0
    assert pathbook("party", "show", "ann", "--data", str(books)).code == 1
    ran = pathbook("party", "register", "zoe", "--kind", "agent", "--data", str(books))
    assert "Recorded at position 3" in ran.out
    (books / LOG).unlink()
    ran = pathbook("views", "rebuild", "--accept-lost-events", "--data", str(books))
    refused(ran, f"If they are lost for good, move {VIEWS} away")
    assert not (books / LOG).exists()


def test_a_log_without_its_write_ahead_log_is_not_opened(books: Path, tmp_path: Path) -> None:
    """The main file of books in use, copied alone, is refused by every way in, until its loss is accepted."""
    copy = tmp_path / "copy"
    copy.mkdir()
    with running(Settings(data=books, listen="127.0.0.1:0")) as port:
        target = f"127.0.0.1:{port}"
        assert pathbook("party", "register", "zoe", "--kind", "agent", "--server", target).code == 0
        shutil.copy(books / LOG, copy)
        shutil.copy(books / KEY, copy)
    before = contents(copy)
    for way in WAYS:
        refused(
            pathbook(*way, "--data", str(copy)),
            f"{LOG}-wal is missing or empty",
            "Put events.sqlite-wal back",
        )
        assert contents(copy) == before, way
    ran = pathbook("views", "rebuild", "--accept-lost-events", "--data", str(copy))
    assert (ran.code, ran.out) == (0, f"The views in {copy} are rebuilt from 3 events.\n"), ran
    assert pathbook("party", "show", "ann", "--data", str(copy)).code == 0


def test_a_key_without_its_log_is_not_taken_for_a_new_book(books: Path) -> None:
    """If all but the key was lost, a new book would print codes that are on other units already. So it is refused."""
    for name in (LOG, VIEWS):
        (books / name).unlink()
    before = contents(books)
    for way in WAYS:
        refused(
            pathbook(*way, "--data", str(books)), "codes.key is there, and the log events.sqlite is missing"
        )
        assert contents(books) == before, way
    assert pathbook("key", "list", "--data", str(books)).code == 0
    (books / KEY).unlink()
    assert pathbook("party", "register", "acme", "--kind", "brand", "--data", str(books)).code == 0


def test_a_directory_that_was_copied_while_no_process_used_it_opens(books: Path, tmp_path: Path) -> None:
    """A copy of the whole directory is the same books, and so is one reached by a symbolic link."""
    shutil.copytree(books, tmp_path / "copy")
    (tmp_path / "link").symlink_to(tmp_path / "copy")
    for name in ("copy", "link"):
        assert pathbook("party", "show", "ann", "--data", str(tmp_path / name)).code == 0
        ran = pathbook("party", "register", name, "--kind", "agent", "--data", str(tmp_path / name))
        assert ran.code == 0


def test_a_database_that_lost_its_log_is_not_opened(tmp_path: Path) -> None:
    """In PostgreSQL, too, a log that is gone, empty or shorter than the views is refused, and nothing is made."""
    url = new_database()
    place = ["--data", str(tmp_path / "data"), "--database", url]
    try:
        assert pathbook("party", "register", "acme", "--kind", "brand", *place).code == 0
        assert pathbook("party", "list", *place).code == 0
        for loss, has in (
            ("DELETE FROM pathbook_events.event WHERE position = 2", "has only 1"),
            ("TRUNCATE pathbook_events.event", "has none"),
            ("DROP SCHEMA pathbook_events CASCADE", "has none (it is missing or empty)"),
        ):
            execute(url, loss)
            for way in WAYS:
                refused(pathbook(*way, *place), f"{KNOWN}, and the log pathbook_events {has}")
        assert execute(url, f"SELECT notification_id FROM {views_schema()}.tracking") == [(2,)]
        assert execute(url, "SELECT to_regnamespace('pathbook_events')") == [(None,)]
    finally:
        drop_database(url)


@pytest.mark.parametrize("umask", [0o022, 0o000])
def test_the_files_of_books_are_for_their_owner_only(tmp_path: Path, umask: int) -> None:
    """Whatever the umask is, others can neither look into a new directory nor read the files in it."""
    before = os.umask(umask)
    try:
        for data, verb in (
            (tmp_path / "a" / "data", ["party", "register", "acme", "--kind", "brand"]),
            (tmp_path / "demo", ["demo"]),
        ):
            ran = pathbook(*verb, "--data", str(data))
            assert (ran.code, "chmod" in ran.err) == (0, False), ran
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in data.iterdir()}
            beside = {"box.tlog-proof": 0o600, "keys": 0o700} if verb == ["demo"] else {}
            assert modes == dict.fromkeys((LOG, VIEWS, KEY, "log.key", "log.checkpoint"), 0o600) | beside
            assert stat.S_IMODE(data.stat().st_mode) == 0o700
    finally:
        os.umask(before)


def test_files_that_others_can_read_are_named_with_what_to_do(books: Path) -> None:
    """Modes of the operator stay as they are. A file that others can read is named with the command that hides it."""
    for name in (KEY, LOG):
        (books / name).chmod(0o644)
    ran = pathbook("party", "list", "--data", str(books))
    assert (ran.code, ran.err) == (0, "")  # other users cannot enter the directory
    books.chmod(0o755)
    for verb in (["party", "list"], ["views", "rebuild"]):
        ran = pathbook(*verb, "--data", str(books))
        assert ran.code == 0
        assert f"chmod 600 {books / KEY}" in ran.err
        assert f"chmod 600 {books / LOG}" in ran.err
        assert str(books / VIEWS) not in ran.err
    assert stat.S_IMODE((books / KEY).stat().st_mode) == 0o644


def test_no_key_is_added_to_what_is_left_of_lost_books(books: Path) -> None:
    """A new key among the remains would be taken for a key of the next book."""
    (books / LOG).unlink()
    before = contents(books)
    refused(pathbook("key", "rotate", "--data", str(books)), "it is missing or empty")
    assert contents(books) == before
