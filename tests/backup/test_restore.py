"""A restore takes only whole backups, overwrites nothing, and is there whole or not at all."""

import contextlib
import json
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from pathbook.client import Client
from pathbook.ledger.proofs.cosignature import cosign
from pathbook.ledger.proofs.signed_note import parse_note
from pathbook.ledger.store.database.engine import open_engine
from pathbook.ledger.store.database.places import UNVERSIONED, views_file
from pathbook.ledger.store.log.checkpoints import Checkpoints
from pathbook.ledger.store.log.clock_looks import ClockLooks, Look
from pathbook.services.clock import MachineClock
from pathbook.services.data_files import OPERATOR_TOKEN_FILE
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from pathbook.services.signing import SigningError
from pathbook.services.storage import EVENTS_FILE, Storage
from pathbook.v1.tokens_pb2 import TOKEN_ROLE_PARTY
from pathbook.witness.key_file import WitnessKey
from tests.backup.places import PASSPHRASE, Place, begun, left_over, signed, sold
from tests.examples import examples
from tests.postgres import driver_url
from tests.services.masks import BEGUN, BOOK


def copy_of(backup: Path, name: str) -> Path:
    """Return a copy of a backup, for a test that damages it."""
    return Path(shutil.copytree(backup, backup.with_name(name)))


def is_empty(place: Place) -> bool:
    """Tell whether a place holds nothing of Pathbook."""
    if place.data.exists() and left_over(place.data):
        return False
    if not place.database:
        return True
    sql = b"SELECT count(*) FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname LIKE 'pathbook%'"
    with psycopg.connect(driver_url(place.database)) as connection:
        row = connection.execute(sql).fetchone()
    return row == (0,)


def flip(path: Path, at: int) -> None:
    """Flip one bit of a file."""
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 1 << (at % 8)
    path.write_bytes(data)


def edit(path: Path, change: Callable[[dict[str, object]], None]) -> None:
    """Change a manifest as with an editor."""
    found = json.loads(path.read_text())
    change(found)
    path.write_text(json.dumps(found, indent=2) + "\n")


def test_a_backup_that_was_changed_is_refused_and_named(books: Place, empty: Place, to: Path) -> None:
    """A flipped bit in any file, a missing and a strange file, and an edited manifest restore nothing."""
    with books.served() as client:
        sold(client, 0, 30)
    books.back_up(to, passphrase=PASSPHRASE)
    passphrase = to.parent / "passphrase"
    passphrase.write_text(PASSPHRASE + "\n")
    chance = random.Random(5)
    names = sorted(path.name for path in to.iterdir())
    assert len(names) == 4
    damaged: list[tuple[str, Path]] = []
    for name in names:
        for number in range(4):
            copy = copy_of(to, f"flipped-{name}-{number}")
            flip(copy / name, chance.randrange(1 << 30))
            damaged.append((name, copy))
        copy = copy_of(to, f"missing-{name}")
        (copy / name).unlink()
        damaged.append((name, copy))
    copy = copy_of(to, "strange")
    (copy / "events.sqlite-wal").write_bytes(b"x")
    damaged.append(("events.sqlite-wal", copy))
    for number, change in enumerate(
        (
            lambda found: found["books"][0].update(head=BEGUN),
            lambda found: found["books"].clear(),
            lambda found: found["files"][0].update(name="../../codes.key"),
            lambda found: found["files"].pop(),
            lambda found: found.update(checksum="0" * 64),
            lambda found: found.update(keys="left out"),
        )
    ):
        copy = copy_of(to, f"edited-{number}")
        edit(copy / "manifest.json", change)
        damaged.append(("manifest.json", copy))
    for name, copy in damaged:
        ran = empty.pathbook("restore", str(copy), "--passphrase-file", str(passphrase), "--output", "json")
        error = json.loads(ran.err)["error"]
        assert (ran.code, ran.out) == (4, ""), (copy.name, ran)
        assert error["reason"] in ("BACKUP_DAMAGED", "BACKUP_NEWER", "NOT_A_BACKUP"), (copy.name, error)
        assert name in error["message"] or error["reason"] == "BACKUP_NEWER", (copy.name, error)
        assert is_empty(empty)
    assert empty.pathbook("restore", str(to), "--passphrase-file", str(passphrase)).code == 0


def test_a_backup_of_a_newer_format_is_refused_by_name(books: Place, empty: Place, to: Path) -> None:
    """The format is read before all else, and the message names both."""
    books.back_up(to)
    edit(to / "manifest.json", lambda found: found.update(format=2, novel=[1]))
    ran = empty.pathbook("restore", str(to), "--without-keys")
    assert (ran.code, ran.out) == (4, "")
    assert "BACKUP_NEWER" in ran.err
    assert "has format 2, and this Pathbook reads formats up to 1" in ran.err


def test_the_keys_are_restored_with_their_passphrase_only(books: Place, empty: Place, to: Path) -> None:
    """A wrong passphrase and keys of other books are refused, and without keys the output says what is missing."""
    books.back_up(to, passphrase=PASSPHRASE)
    wrong, other = to.parent / "wrong", to.parent / "other"
    wrong.write_text("wrong")
    begun(Place(other, ""))
    for arguments, code, part in (
        (["--passphrase-file", str(wrong)], 4, "KEYS_LOCKED: The passphrase does not open the keys"),
        (["--key", str(other / "codes.key")], 4, "KEYS_DIFFER: "),
        (["--key", str(wrong)], 4, "CODE_KEYS_UNUSABLE: "),
        ([], 2, "Give --passphrase-file FILE"),
        (["--without-keys", "--key", str(wrong)], 2, "Give one of"),
    ):
        ran = empty.pathbook("restore", str(to), *arguments)
        assert (ran.code, ran.out) == (code, ""), ran
        assert part in ran.err
        assert is_empty(empty)
    ran = empty.pathbook("restore", str(to), "--without-keys")
    assert ran.code == 0, ran
    assert f"No keys were restored. Put codes.key into {empty.data}" in ran.out
    ran = empty.pathbook("stock", "ann", "--book", "masks")
    assert ran.code == 4
    assert "codes.key is missing" in ran.err
    empty.data.mkdir(exist_ok=True)
    shutil.copy(books.data / "codes.key", empty.data)
    assert empty.pathbook("stock", "acme", "--book", "masks").code == 0


def test_the_key_of_the_logs_is_restored_but_not_what_it_signed_last(
    books: Place, empty: Place, to: Path
) -> None:
    """A new directory gets the key and signs nothing before it knows what was signed. A key that is there stays."""
    signed(books)
    books.back_up(to, passphrase=PASSPHRASE)
    assert {"log.key.age", "codes.key.age"} <= {path.name for path in to.iterdir()}
    assert b"pathbook-log-key" not in (to / "log.key.age").read_bytes()
    empty.restore(to, PASSPHRASE)
    assert (empty.data / "log.key").read_bytes() == (books.data / "log.key").read_bytes()
    assert (empty.data / "log.key").stat().st_mode & 0o777 == 0o600
    assert not (empty.data / "log.checkpoint").exists()
    storage = Storage(empty.data, MachineClock(), database=empty.database, projects=False, lapses=False)
    with contextlib.closing(storage), pytest.raises(SigningError, match=r"log\.checkpoint"):
        storage.signer.sign_checkpoint("masks", storage.stream.head("masks"))


def test_checkpoints_and_their_cosignatures_are_restored(books: Place, empty: Place, to: Path) -> None:
    """What was signed of the log, and by whom it was cosigned, is in the log itself, so a backup has it."""
    signed(books)
    witness = WitnessKey("w.example/1", bytes(32))
    with opened_log(books) as checkpoints:
        kept = checkpoints.newest("masks")
        assert kept is not None
        line = cosign(parse_note(kept.note.encode()), witness.verifier, 5, witness.sign)
        assert checkpoints.add_cosignatures("masks", kept.size, witness.verifier, [line])
        kept = checkpoints.newest("masks")
        assert kept is not None
        assert kept.cosignatures == (str(line),)
    books.back_up(to, passphrase=PASSPHRASE)
    empty.restore(to, PASSPHRASE)
    with opened_log(empty) as checkpoints:
        assert checkpoints.newest("masks") == kept


@contextlib.contextmanager
def opened_log(place: Place) -> Iterator[Checkpoints]:
    """Yield the checkpoints of the log of a place."""
    engine = open_engine(place.database or place.data / EVENTS_FILE, purpose="events")
    try:
        yield Checkpoints(engine)
    finally:
        engine.dispose()


def test_a_key_of_the_logs_that_is_there_stays(books: Place, empty: Place, to: Path) -> None:
    """A restore beside the key and what it signed last, as after a lost disk of the books, changes neither."""
    signed(books)
    books.back_up(to, passphrase=PASSPHRASE)
    empty.data.mkdir()
    names = ("log.key", "log.checkpoint")
    for name in names:
        (empty.data / name).write_text(name)
    empty.restore(to, PASSPHRASE)
    assert tuple((empty.data / name).read_text() for name in names) == names


def test_a_backup_without_keys_takes_them_from_a_file(books: Place, empty: Place, to: Path) -> None:
    """The file must begin with the keys that the books use. A passphrase has nothing to open."""
    books.back_up(to)
    passphrase = to.parent / "passphrase"
    passphrase.write_text(PASSPHRASE)
    ran = empty.pathbook("restore", str(to), "--passphrase-file", str(passphrase))
    assert (ran.code, ran.out) == (4, "")
    assert "holds no keys" in ran.err
    ran = empty.pathbook("restore", str(to), "--key", str(books.data / "codes.key"))
    assert ran.code == 0, ran
    assert (empty.data / "codes.key").read_bytes() == (books.data / "codes.key").read_bytes()
    assert (empty.data / "codes.key").stat().st_mode & 0o777 == 0o600
    assert (
        empty.pathbook("codes", "1:0-9", "--book", "masks").out
        == books.pathbook("codes", "1:0-9", "--book", "masks").out
    )


def test_nothing_is_overwritten(books: Place, empty: Place, to: Path) -> None:
    """Books, keys or views at the place are named, and stay as they were."""
    books.back_up(to)
    ran = books.pathbook("restore", str(to), "--without-keys")
    assert (ran.code, ran.out) == (4, "")
    assert "TARGET_NOT_EMPTY" in ran.err
    assert books.pathbook("stock", "acme", "--book", "masks").code == 0
    for name in ("codes.key", views_file(), views_file(UNVERSIONED), "events.sqlite-wal"):
        empty.data.mkdir(exist_ok=True)
        (empty.data / name).write_text("x")
        ran = empty.pathbook("restore", str(to), "--without-keys")
        assert (ran.code, ran.out) == (4, "")
        assert f"holds {name}" in ran.err
        assert left_over(empty.data) == [name]
        (empty.data / name).unlink()
    (empty.data / "lost+found").mkdir()
    assert empty.pathbook("restore", str(to), "--without-keys").code == 0
    assert "lost+found" in left_over(empty.data)


def test_a_restore_of_another_kind_or_place_is_refused(books: Place, to: Path, tmp_path: Path) -> None:
    """Files are not restored to a database, nor into the backup itself, nor from what is no backup."""
    books.back_up(to)
    other = Place(tmp_path / "other", "" if books.database else "postgresql://h/books")
    assert "OTHER_DATABASE" in other.pathbook("restore", str(to), "--without-keys").err
    same = Place(to / "inside", books.database)
    assert "is inside the backup" in same.pathbook("restore", str(to), "--without-keys").err
    assert "NOT_A_BACKUP" in books.pathbook("restore", str(books.data), "--without-keys").err
    assert "NOT_A_BACKUP" in books.pathbook("restore", str(tmp_path / "nowhere"), "--without-keys").err


def test_a_killed_restore_leaves_nothing_or_a_whole_book(
    books: Place, empty: Place, to: Path, tmp_path: Path
) -> None:
    """After kill -9 at any moment the books are whole, or there are none and a restore can run again."""
    with books.served() as client:
        sold(client, 0, 20)
        head = client.get_head().position
    books.back_up(to)
    chance = random.Random(3)
    for number in range(examples(4, 12)):
        target = empty if empty.database else Place(tmp_path / f"restored-{number}", "")
        with target.start("restore", str(to), "--key", str(books.data / "codes.key")) as process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(chance.uniform(0.0, 1.5))
            process.kill()
        if target.database or not target.data.exists():
            break_off_is_clean(target, head)
        else:
            with target.served() as client:
                assert client.get_head().position == head


def break_off_is_clean(place: Place, head: int) -> None:
    """Expect that a database has no log, or a whole one in another incarnation."""
    if not place.database:
        assert not place.data.exists()
        return
    with psycopg.connect(driver_url(place.database)) as connection:
        exists = connection.execute(b"SELECT to_regclass('pathbook_events.event') IS NOT NULL").fetchone()
        if exists == (True,):
            count = connection.execute(
                b"SELECT max(position), (SELECT count(*) FROM pathbook_events.incarnation) FROM pathbook_events.event"
            )
            assert count.fetchone() == (head, 1)


def test_a_database_in_use_is_not_restored_to(kind: str, books: Place, empty: Place, to: Path) -> None:
    """Connections of Pathbook to the database are counted and named before anything is done."""
    if kind == "sqlite":
        pytest.skip("SQLite does not know who has a directory open")
    books.back_up(to)
    with psycopg.connect(driver_url(empty.database), application_name="pathbook"):
        ran = empty.pathbook("restore", str(to), "--without-keys")
    assert (ran.code, ran.out) == (4, "")
    assert "DATABASE_IN_USE: 1 connections" in ran.err
    assert is_empty(empty)


def test_an_old_backup_is_written_after_its_restore(books: Place, empty: Place, to: Path) -> None:
    """A backup may be older than a clock may jump. A restore is the operator's act, so the clock is believed."""
    log = open_engine(books.database or books.data / EVENTS_FILE, purpose="events")
    looks = ClockLooks(log)
    looks.replace(Look("another boot", 1_700_000_000_000_000, 0, 0))
    log.dispose()
    books.back_up(to)
    key = str(books.data / "codes.key")
    restored = empty.pathbook("restore", str(to), "--key", key)
    assert restored.code == 0, restored
    assert "The clock of this machine is believed." in restored.out
    ran = empty.pathbook("party", "register", "zoe", "--kind", "agent", "--book", BOOK)
    assert (ran.code, ran.err) == (0, "")


def test_tokens_count_after_a_restore(books: Place, empty: Place, to: Path) -> None:
    """A backup has the hashes of tokens, and never a token: the file of the operator's stays behind."""
    with books.served() as client:
        made = client.create_token(TOKEN_ROLE_PARTY, "ann")
    (books.data / OPERATOR_TOKEN_FILE).write_text("a secret")
    books.back_up(to, passphrase=PASSPHRASE)
    assert not any(b"a secret" in file.read_bytes() for file in to.rglob("*") if file.is_file())
    empty.restore(to, PASSPHRASE)
    settings = Settings(data=empty.data, database=empty.database, listen="127.0.0.1:0", demands_tokens=True)
    with (
        running(settings) as port,
        Client(f"127.0.0.1:{port}", book=BOOK, token=made.text, retry_seconds=0) as ann,
    ):
        assert list(ann.list_stock("ann")) == []
    assert not (empty.data / OPERATOR_TOKEN_FILE).exists()
