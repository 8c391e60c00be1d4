"""What a backup holds beside plain events: notes, several books, and events of a newer program."""

from pathlib import Path

from pathbook.client import Client
from pathbook.ledger.store.database.engine import open_engine
from pathbook.ledger.store.log.stream import Stream
from pathbook.services.storage import EVENTS_FILE
from tests.backup.places import Place
from tests.newer import TOPIC, of_unknown_kind
from tests.services.masks import BEGUN, BOOK

NOTE = "tab\there, line\nbreak, back\\slash \\N \\. and 面膜"


def test_notes_and_all_books_are_restored(books: Place, empty: Place, to: Path) -> None:
    """The texts of notes come back to the letter, and so does every other book."""
    with books.served() as client:
        client.recall_units(1, brand="acme", note=NOTE)
        with Client(client.target, book="other") as other:
            other.open_book()
    manifest = books.back_up(to)
    assert [(book.name, book.head, book.replayed_to) for book in manifest.books] == [
        ("masks", BEGUN + 1, BEGUN + 1),
        ("other", 1, 1),
    ]
    assert manifest.tables["note"] == 1
    restored = empty.restore(to, file=books.data / "codes.key")
    assert restored.other_views == []
    assert sorted(restored.incarnations) == ["masks", "other"]
    assert len(set(restored.incarnations.values())) == 2
    with empty.served() as client:
        (recall,) = client.get_batch(1).recalls
        assert recall.note.text == NOTE
        assert {book.name: book.incarnation for book in client.list_books()} == restored.incarnations


def test_events_of_a_newer_program_are_backed_up_as_they_are(books: Place, empty: Place, to: Path) -> None:
    """Such events are copied and hashed, the replay ends before them, and the output says so."""
    log = open_engine(books.database or books.data / EVENTS_FILE, purpose="events")
    stream = Stream(log)
    (last,) = stream.unchecked_data_at(BOOK, [BEGUN])
    stream.append(BOOK, BEGUN, [(TOPIC, of_unknown_kind(last))] * 2)
    log.dispose()
    ran = books.pathbook("backup", str(to), "--without-keys")
    assert ran.code == 0, ran
    assert f"Book 'masks' is newer than this program beyond position {BEGUN}." in ran.out
    restored = empty.restore(to)
    (book,) = restored.manifest.books
    assert (book.head, book.replayed_to, restored.other_views) == (BEGUN + 2, BEGUN, [])
    checked = empty.pathbook("check")
    assert f"position {BEGUN + 1} is newer than this program" in checked.out


def test_a_log_of_another_format_is_named(books: Place, to: Path) -> None:
    """A log that this program does not read is no backup and no bug."""
    log = open_engine(books.database or books.data / EVENTS_FILE, purpose="events")
    with log.begin() as connection:
        connection.exec_driver_sql(
            "COMMENT ON SCHEMA pathbook_events IS 'Pathbook, format 3'"
            if books.database
            else "PRAGMA user_version = 3"
        )
    log.dispose()
    ran = books.pathbook("backup", str(to), "--without-keys")
    assert (ran.code, ran.out) == (4, "")
    assert "is in format 3, and this Pathbook reads format 2" in ran.err
    assert not to.exists()
