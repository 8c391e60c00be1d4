"""A backup of books in use holds every event that was acknowledged before it, and nothing half."""

import contextlib
import json
import random
import subprocess
import threading
import time
from pathlib import Path

import pyrage
import pytest

from pathbook.ledger.store.database.engine import open_engine
from pathbook.ledger.store.views.fingerprint import whole_fingerprint
from pathbook.services.backup.manifest import read_manifest
from pathbook.services.storage import VIEWS_FILE
from tests.backup.places import PASSPHRASE, Place, left_over, sold
from tests.examples import examples
from tests.services.masks import BEGUN
from tests.services.process import served


def views_of(place: Place) -> str:
    """Return the fingerprint of the views of masks at a place."""
    views = open_engine(place.database or place.data / VIEWS_FILE, purpose="views")
    found = whole_fingerprint(views, "masks")
    views.dispose()
    return found


def test_a_backup_holds_what_was_acknowledged_while_a_writer_goes_on(
    books: Place, empty: Place, to: Path
) -> None:
    """Each backup under load holds what was acknowledged before it began, and is restored with equal views."""
    acknowledged = [BEGUN]
    stop = threading.Event()

    def record() -> None:
        number = 0
        with books.served() as client:
            while not stop.is_set():
                sold(client, number, number)
                number += 1
                acknowledged[0] = client.position

    writer = threading.Thread(target=record)
    writer.start()
    try:
        heads = []
        for number in range(3):
            time.sleep(0.3)
            before = acknowledged[0]
            (book,) = books.back_up(to.with_name(f"backup-{number}")).books
            assert before <= book.head == book.replayed_to
            heads.append(book.head)
        assert heads == sorted(set(heads)), "the writer did not go on"
        assert acknowledged[0] > heads[-1] - 3, "the writer did not go on during the last"
    finally:
        stop.set()
        writer.join()
    restored = empty.restore(to.with_name("backup-1"), file=books.data / "codes.key")
    assert restored.other_views == []
    assert views_of(empty) == restored.manifest.books[0].views_sha256
    with empty.served() as client:
        data = [event for batch in client.read() for event in batch.events]
    with books.served() as client:
        assert data == [event for batch in client.read(limit=heads[1]) for event in batch.events]


def test_a_backup_after_kill_9_holds_what_the_killed_server_acknowledged(tmp_path: Path, to: Path) -> None:
    """What lies in the -wal of a killed server is in the backup. A copy of the file alone lacks it."""
    from pathbook.client import Client  # noqa: PLC0415 - of a server in another process
    from tests.services.masks import begin  # noqa: PLC0415 - as above

    place = Place(tmp_path / "books", "")
    with served(place.data) as server, Client(server.target, book="masks") as client:
        begin(client)
        sold(client, 0, 49)
        head = client.position
        server.kill()
    assert (place.data / "events.sqlite-wal").stat().st_size > 0
    assert place.back_up(to).books[0].head == head == BEGUN + 50


def test_the_manifest_says_what_was_read_back(books: Place, to: Path) -> None:
    """The manifest names books, heads, hashes, files, the time and the keys; files are private."""
    with books.served() as client:
        sold(client, 0, 2)
        incarnation = client.get_head().incarnation
    books.back_up(to, passphrase=PASSPHRASE)
    manifest = read_manifest(to)
    name = "events.dump" if books.database else "events.sqlite"
    assert [entry.name for entry in manifest.files] == ["codes.key.age", name, "log.key.age"]
    assert (manifest.format, manifest.keys) == (1, "encrypted")
    assert manifest.database == ("postgresql" if books.database else "sqlite")
    (book,) = manifest.books
    assert (book.name, book.head, book.incarnation) == ("masks", BEGUN + 3, incarnation)
    beside = {name: manifest.tables.pop(name, 0) for name in ("clock_look", "event_hashes", "file_mark")}
    assert manifest.tables == {"code_key": 1, "event": BEGUN + 3, "note": 0, "person": 0, "person_handle": 0}
    assert 0 < beside["event_hashes"] <= BEGUN + 3
    assert to.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in to.iterdir()} == {0o600}
    assert (
        pyrage.passphrase.decrypt((to / "codes.key.age").read_bytes(), PASSPHRASE)
        == (books.data / "codes.key").read_bytes()
    )
    assert left_over(to.parent) == ["backup"]


def test_a_backup_without_replay_says_so(books: Place, to: Path) -> None:
    """Without a replay every event is still decoded and hashed, and the output says what was left out."""
    ran = books.pathbook("backup", str(to), "--without-keys", "--no-replay")
    assert ran.code == 0, ran
    assert "They were not replayed, as you chose." in ran.out
    assert "The keys of the codes are NOT in it" in ran.out
    (book,) = read_manifest(to).books
    assert (book.head, book.views_sha256, book.replayed_to) == (BEGUN, "", 0)


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (["{elsewhere}/b"], 2, "--passphrase-file FILE to encrypt them into the backup, or --without-keys"),
        (["{elsewhere}/b", "--without-keys", "--passphrase-file", "{passphrase}"], 2, "Give one of them"),
        (["{elsewhere}/b", "--passphrase-file", "{blank}"], 2, "is empty"),
        (["{elsewhere}/b", "--without-keys", "--server", "127.0.0.1:1"], 2, "Leave out --server"),
        (["{data}/b", "--without-keys"], 4, "would be lost with it"),
        (["{data}", "--without-keys"], 4, "would be lost with it"),
        (["{blank}", "--without-keys"], 4, "is a file"),
        (["{elsewhere}", "--without-keys"], 4, "is not empty"),
        (["{elsewhere}/no/such", "--without-keys"], 4, "does not exist"),
    ],
)
def test_a_target_that_cannot_be_one_is_refused_by_name(
    tmp_path: Path, arguments: list[str], code: int, part: str
) -> None:
    """Nothing is made in a place that is taken, or that would be lost with the books."""
    from tests.backup.places import begun  # noqa: PLC0415 - on one kind of database only

    place = Place(tmp_path / "books", "")
    begun(place)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    names = {
        "elsewhere": elsewhere,
        "data": place.data,
        "blank": elsewhere / "blank",
        "passphrase": elsewhere / "p",
    }
    (elsewhere / "blank").write_text("\n")
    (elsewhere / "p").write_text(PASSPHRASE)
    ran = place.pathbook("backup", *[argument.format(**names) for argument in arguments])
    assert (ran.code, ran.out) == (code, "")
    assert part in ran.err
    assert sorted(path.name for path in elsewhere.iterdir()) == ["blank", "p"]


def test_a_killed_backup_never_looks_like_one(books: Place, to: Path) -> None:
    """After kill -9 at any moment there is no backup, or a whole one."""
    with books.served() as client:
        sold(client, 0, 20)
    chance, whole = random.Random(11), 0
    for number in range(examples(4, 12)):
        target = to.with_name(f"backup-{number}")
        with books.start("backup", str(target), "--without-keys") as process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(chance.uniform(0.0, 1.5))
            process.kill()
        if target.exists():
            whole += 1
            assert read_manifest(target).books, "it appeared before it was whole"
    assert all(name.startswith("backup-") for name in left_over(to.parent))
    assert books.pathbook("backup", str(to), "--without-keys").code == 0


def test_a_full_disk_leaves_no_backup(tmp_path: Path, to: Path) -> None:
    """A backup that finds no room fails by name, and leaves nothing."""
    from tests.backup.places import begun  # noqa: PLC0415 - on one kind of database only

    place = Place(tmp_path / "books", "")
    begun(place)
    limit = 'ulimit -f 16; exec "$@"'
    from tests.services.process import COMMAND  # noqa: PLC0415 - as above

    ran = subprocess.run(
        [
            "/bin/bash",
            "-c",
            limit,
            "sh",
            *COMMAND,
            "--data",
            place.data,
            "backup",
            to,
            "--without-keys",
            "--output",
            "json",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 4, ran
    assert json.loads(ran.stderr)["error"]["reason"] == "DISK_FULL"
    assert left_over(to.parent) == []
    assert list(to.parent.iterdir()) == []
