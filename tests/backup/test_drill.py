"""The drill of a backup tells which keys in use it gives back, before the day on which they are needed."""

from pathlib import Path

import pytest

from tests.backup.places import PASSPHRASE, Place


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)  # the keys are files, whatever holds the books
def test_a_drill_finds_the_key_that_a_backup_lacks(books: Place, to: Path, tmp_path: Path) -> None:
    """All keys are found in a fresh backup, and a key that was made later is not. Nothing is written."""
    books.back_up(to, passphrase=PASSPHRASE)
    secret = tmp_path / "secret"
    secret.write_text(f"{PASSPHRASE}\n")
    drill = ("key", "drill", str(to), "--passphrase-file", str(secret))
    ran = books.pathbook("--output", "json", *drill)
    assert ran.code == 0, ran
    keys = ran.json()["keys"]
    assert isinstance(keys, list)
    assert [(key["file"], key["in_backup"]) for key in keys] == [("codes.key", True), ("log.key", True)]

    assert books.pathbook("key", "rotate").code == 0
    before = sorted((path, path.stat().st_mtime_ns) for path in books.data.iterdir())
    ran = books.pathbook(*drill)
    assert ran.code == 1
    assert "NO" in ran.out.splitlines()[2]
    assert f"lacks 1 of the keys in {books.data}. Make a new backup now." in ran.out
    assert sorted((path, path.stat().st_mtime_ns) for path in books.data.iterdir()) == before

    secret.write_text("another\n")
    ran = books.pathbook(*drill)
    assert (ran.code, ran.err.partition(": ")[2].partition(":")[0]) == (4, "KEYS_LOCKED")
