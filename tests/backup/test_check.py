"""`pathbook check` says of books what is well, what is not, and what to do; and it changes nothing."""

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from pathbook.cli.main import VERBS
from pathbook.ledger.proofs.checkpoint import Checkpoint
from pathbook.ledger.proofs.signed_note import sign_note
from pathbook.ledger.store.database.engine import open_engine
from pathbook.ledger.store.database.places import views_file, views_schema
from pathbook.ledger.store.log.checkpoints import Checkpoints
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.tree.log_tree import LogTree
from pathbook.services.log_key import LogKey, read_log_key
from pathbook.services.storage import EVENTS_FILE
from tests.backup.places import Place, copied, signed, sold
from tests.postgres import driver_url
from tests.services.masks import BEGUN

Findings = list[dict[str, str]]


def findings(place: Place, code: int) -> Findings:
    """Check books, expect an exit code, and return what was found."""
    ran = place.pathbook("check", "--output", "json")
    assert ran.code == code, ran
    found = json.loads(ran.out)
    assert (found["faults"] > 0) == (code == 1)
    listed: Findings = found["findings"]
    return listed


def of(found: Findings, subject: str) -> list[dict[str, str]]:
    """Return the findings on a subject that are not ok."""
    return [each for each in found if each["subject"] == subject and each["state"] != "ok"]


def execute(
    place: Place, *statements: str, file: str = "events.sqlite", schema: str = "pathbook_events"
) -> None:
    """Change a database behind the back of Pathbook."""
    if not place.database:
        with contextlib.closing(sqlite3.connect(place.data / file)) as opened, opened:
            for statement in statements:
                opened.execute(statement)
        return
    with psycopg.connect(driver_url(place.database), options=f"-c search_path={schema}") as connection:
        for statement in statements:
            connection.execute(statement.encode())


def snapshot(directory: Path) -> dict[str, tuple[bytes, int, int]]:
    """Return the files of a directory with their bytes, times and modes."""
    return {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode)
        for path in directory.iterdir()
    }


def private(place: Place) -> None:
    """Give the directory and its files the modes they should have."""
    place.data.chmod(0o700)
    for path in place.data.iterdir():
        path.chmod(0o600)


def test_books_that_are_well_are_told_so_and_left_alone(books: Place) -> None:
    """All is ok with exit code 0, while a server runs and when none does, and no file is made or touched."""
    private(books)
    before = snapshot(books.data)
    found = findings(books, 0)
    assert {each["state"] for each in found} == {"ok"}
    assert snapshot(books.data) == before
    (book,) = [each for each in found if each["subject"] == "book masks"]
    assert book["found"].startswith(f"{BEGUN} events, no gap, incarnation ")
    assert any(each["found"] == f"at position {BEGUN}, the head" for each in found)
    subjects = {each["subject"] for each in found}
    assert ("PostgreSQL" in subjects and "rights" in subjects) == bool(books.database)
    with books.served() as client:
        sold(client, 0, 3)
        assert {each["state"] for each in findings(books, 0)} <= {"ok", "noted"}
        sold(client, 4, 5)


def test_events_that_are_missing_or_broken_are_named(books: Place) -> None:
    """A gap and bytes that are no event are faults of their positions, with what to do."""
    execute(books, "DELETE FROM event WHERE position IN (3, 4)")
    bad = "'\\x0102'::bytea" if books.database else "x'0102'"
    execute(books, f"UPDATE event SET state = {bad} WHERE position = 6")
    faults = of(findings(books, 1), "book masks")
    assert [fault["state"] for fault in faults] == ["fault", "fault"]
    assert faults[0]["found"] == "positions 3 to 4 are missing"
    assert faults[1]["found"].startswith("position 6: the event at position 6 is malformed")
    assert all("pathbook restore FROM" in fault["to_do"] for fault in faults)
    table = books.pathbook("check")
    assert table.code == 1
    assert all(
        line.startswith("events ") for line in table.err.splitlines()
    )  # the progress on a busy machine
    assert "fault" in table.out
    assert "\nWhat to do:\n" in table.out
    assert "LOG_DAMAGED" in books.pathbook("backup", str(books.data.parent / "b"), "--without-keys").err
    assert not (books.data.parent / "b").exists()


def test_views_of_another_log_and_views_behind_are_told_apart(books: Place) -> None:
    """Views that know more than the log are a fault, views that lag are noted, and views that differ are a fault."""
    execute(books, f"DELETE FROM event WHERE position = {BEGUN}")
    (fault,) = of(findings(books, 1), "views of masks")
    assert fault["found"] == f"they have {BEGUN} events, and the log has {BEGUN - 1}"
    views = {"file": views_file(), "schema": views_schema()}
    execute(books, f"UPDATE tracking SET notification_id = {BEGUN - 2}", **views)
    (noted,) = of(findings(books, 0), "views of masks")
    assert (noted["state"], noted["found"]) == ("noted", "1 events behind the log")
    execute(books, "DELETE FROM request", **views)
    (fault,) = of(findings(books, 1), "views of masks")
    assert fault["found"] == f"their last event, at position {BEGUN - 2}, is not the log's"


def damages() -> Iterator[tuple[str, Callable[[Path], object], str, str]]:
    """Yield a name, a damage of a directory, and the subject and the words of the fault."""
    yield "readable key", lambda data: (data / "codes.key").chmod(0o644), "codes.key", "who can forge codes"
    yield "no key", lambda data: (data / "codes.key").unlink(), "codes.key", "is missing"
    yield "another key", lambda data: (data / "codes.key").write_text("00" * 32 + "\n"), "codes.key", "key"
    yield "no log", lambda data: (data / "events.sqlite").unlink(), "log", "events.sqlite is missing"
    yield "an empty log", lambda data: (data / "events.sqlite").write_bytes(b""), "log", "no table of events"
    yield (
        "no database",
        lambda data: (data / "events.sqlite").write_bytes(b"x" * 9999),
        "log format",
        "not a database",
    )
    yield "a broken table", lambda data: overwrite(data / views_file(), "table"), "views pages", "is damaged"
    yield "a broken index", lambda data: overwrite(data / views_file(), "index"), views_file(), "damaged"
    yield "a newer log", lambda data: execute(Place(data, ""), "PRAGMA user_version = 9"), "log", "format 9"


def overwrite(path: Path, kind: str) -> None:
    """Overwrite the first page of a table or an index. The last pages of a file may be free."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        ((page,),) = connection.execute("SELECT max(rootpage) FROM sqlite_schema WHERE type = ?", [kind])
        ((size,),) = connection.execute("PRAGMA page_size")
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)


def test_views_that_are_not_what_the_events_make_of_them_are_told(books: Place) -> None:
    """Views have no hashes of their own, so they are compared with a replay, unless that is left out."""
    private(books)
    execute(books, "UPDATE party SET kind = 3 WHERE party = 'ann'", file=views_file(), schema=views_schema())
    (told,) = of(findings(books, 1), "views of masks")
    assert (told["found"], told["to_do"]) == (
        "they are not what the events make of them",
        "pathbook views rebuild",
    )
    assert books.pathbook("check", "--no-replay").code == 0
    assert books.pathbook("views", "rebuild").code == 0
    assert of(findings(books, 0), "views of masks") == []


def test_a_clock_that_is_not_believed_is_a_fault(books: Place) -> None:
    """A check says why nothing is written, before a caller finds out."""
    private(books)
    execute(books, "UPDATE clock_look SET wall = wall - 864000000000")
    (told,) = of(findings(books, 1), "clock")
    assert "is not believed, so nothing is written" in told["found"]
    assert "pathbook clock confirm" in told["to_do"]


@pytest.mark.parametrize(
    ("damage", "subject", "words"), [(*each[1:],) for each in damages()], ids=[each[0] for each in damages()]
)
def test_a_damaged_directory_is_a_fault_with_what_to_do(
    tmp_path: Path,
    origin: Callable[[str], Place],
    damage: Callable[[Path], object],
    subject: str,
    words: str,
) -> None:
    """Each damage is named, exits 1, and is not made worse."""
    with copied(origin("sqlite"), tmp_path / "books") as place:
        private(place)
        damage(place.data)
    before = snapshot(place.data)
    found = findings(place, 1)
    faults = [each for each in found if each["state"] == "fault"]
    assert any(each["subject"] == subject and words in each["found"] for each in faults), faults
    assert all(each["to_do"] for each in faults)
    assert snapshot(place.data) == before


def test_no_books_are_no_finding(tmp_path: Path) -> None:
    """A misspelt directory exits 4 and is not created; a server is refused by name."""
    ran = Place(tmp_path / "boook", "").pathbook("check")
    assert (ran.code, ran.out) == (4, "")
    assert "There are no books in" in ran.err
    assert not (tmp_path / "boook").exists()
    assert "check" in VERBS
    assert Place(tmp_path, "").pathbook("check", "--server", "h:1").code == 2


def test_a_user_without_rights_is_told_which(books: Place) -> None:
    """On PostgreSQL the rights that the user lacks are named by table."""
    if not books.database:
        pytest.skip("files have modes instead")
    execute(
        books,
        "DROP ROLE IF EXISTS clerk",
        "CREATE ROLE clerk LOGIN",
        f"GRANT USAGE ON SCHEMA pathbook_events, {views_schema()} TO clerk",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA pathbook_events, {views_schema()} TO clerk",
    )
    (fault,) = of(findings(Place(books.data, books.database.replace("postgres@", "clerk@")), 1), "rights")
    assert "INSERT on event" in fault["found"]
    execute(books, "DROP OWNED BY clerk", "DROP ROLE clerk")


def test_events_are_compared_with_all_checkpoints_that_were_signed_of_them(books: Place) -> None:
    """The signed trees are those of the events, until an event, a checkpoint or the key is another one."""
    signed(books)
    private(books)
    (found,) = [each for each in findings(books, 0) if each["subject"] == "checkpoints of masks"]
    assert found["state"] == "ok"
    assert found["found"].startswith("1, of up to ")
    key = (books.data / "log.key").read_bytes()
    (books.data / "log.key").write_text(LogKey(bytes(32)).printed(), "utf-8")
    (found,) = of(findings(books, 1), "checkpoints of masks")
    assert "with another key than log.key" in found["found"]
    (books.data / "log.key").write_bytes(key)
    execute(books, "UPDATE checkpoint SET note = 'x'")
    (found,) = of(findings(books, 1), "checkpoints of masks")
    assert "is malformed" in found["found"]


def test_what_the_signer_remembers_must_be_readable(books: Place) -> None:
    """A file of the last checkpoint that cannot be read is a fault. One that is missing is noted."""
    signed(books)
    private(books)
    last = books.data / "log.checkpoint"
    text = last.read_text("utf-8")
    for damaged in (text[:-20], text.replace("\n\n", "\n"), "x", text + "\n" + text):
        last.write_text(damaged, "utf-8")
        (found,) = of(findings(books, 1), "log.checkpoint")
        assert found["state"] == "fault"
        assert "cannot be used" in found["found"]
        assert "published or witnessed" in found["to_do"]
    last.unlink()
    (found,) = [each for each in findings(books, 0) if each["subject"] == "log.checkpoint"]
    assert found["state"] == "noted"
    last.write_text(text, "utf-8")
    assert not [each for each in findings(books, 0) if each["subject"] == "log.checkpoint"]


def test_a_checkpoint_that_ends_in_no_seal_is_a_fault(books: Place) -> None:
    """A thief of the key can sign any tree. That this server did not do it is told."""
    signed(books)
    private(books)
    key = read_log_key(books.data / "log.key")
    log = open_engine(books.database or books.data / EVENTS_FILE, purpose="events")
    stream = Stream(log)
    root = LogTree(stream).root("masks", 3)
    note = sign_note(str(Checkpoint("pathbook/masks", 3, root)), key.verifier("pathbook/masks"), key.sign)
    Checkpoints(log).keep("masks", 3, str(note))
    stream.close()
    log.dispose()
    (found,) = of(findings(books, 1), "checkpoints of masks")
    assert "the last of the 3 events that were signed is no seal" in found["found"]


@pytest.mark.parametrize("place_of_note", ["database", "file"])
def test_a_log_that_was_changed_with_its_hashes_is_told_by_what_was_signed(
    books: Place, place_of_note: str
) -> None:
    """An event was changed with its kept hash. The tree is not the signed one, by the database or by the file."""
    signed(books)
    private(books)
    if place_of_note == "file":
        execute(books, "DELETE FROM checkpoint")
    else:
        (books.data / "log.checkpoint").write_text("", "utf-8")
    assert of(findings(books, 0), "checkpoints of masks") == []
    execute(books, "UPDATE event SET state = (SELECT state FROM event WHERE position = 3) WHERE position = 2")
    execute(books, "DELETE FROM event_hashes")
    (found,) = of(findings(books, 1), "checkpoints of masks")
    assert "are not those that were signed" in found["found"]
    fsck = books.pathbook("audit", "fsck", "--output", "json")
    assert (fsck.code, found in json.loads(fsck.out)["findings"]) == (1, True)
    execute(books, "DELETE FROM event WHERE position > 5")
    (found,) = of(findings(books, 1), "checkpoints of masks")
    assert "events were signed, and the log has 5" in found["found"]
