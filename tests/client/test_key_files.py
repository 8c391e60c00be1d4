"""The file of a party's key: only its passphrase opens it, and what was cut or changed in it is noticed."""

import stat
import time
from pathlib import Path
from typing import Final

import pytest

from pathbook.client import PartyKey, read_key_file, read_public_part, write_key_file
from pathbook.client.party_keys import MAX_BYTES, MAX_MEMORY_KIB, MAX_PASSES, WrongPassphraseError
from pathbook.ledger.proofs.ed25519 import is_signed
from pathbook.ledger.proofs.text import MalformedTextError, print_base64

SECRET: Final = "correct horse battery staple ü"
KEY: Final = PartyKey("acme.example/masks", "ann", bytes(range(32)), b"\7" * 32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A key file."""
    made = tmp_path / "ann.key"
    write_key_file(made, KEY, SECRET)
    return made


def test_a_key_file_gives_back_the_key_that_was_written(path: Path) -> None:
    """What signs afterwards is the same key, for the same party of the same book."""
    found = read_key_file(path, SECRET)
    assert (found.origin, found.party, found.key, found.recovery_key) == (
        KEY.origin,
        KEY.party,
        KEY.key,
        KEY.recovery_key,
    )
    assert is_signed(KEY.key, found.sign(b"message"), b"message")
    assert read_public_part(path) == (KEY.origin, KEY.party, KEY.key, KEY.recovery_key)


def test_a_key_file_is_its_owners_and_shows_no_secret(path: Path) -> None:
    """Only its owner may read the file, and neither it nor the key as text has the seed."""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    for secret in (bytes(range(32)).hex(), print_base64(bytes(range(32)))):
        assert secret not in path.read_text() + repr(KEY) + str(vars(KEY))
    assert KEY.key.hex() in repr(KEY)


def test_a_key_file_is_never_overwritten(path: Path) -> None:
    """A second key does not take the place of the first."""
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        write_key_file(path, PartyKey("other", "ann"), SECRET)
    assert path.read_bytes() == before
    assert len(list(path.parent.iterdir())) == 1


def test_two_files_of_a_key_share_nothing_that_is_sealed(path: Path, tmp_path: Path) -> None:
    """The salt and the nonce are new for each file."""
    write_key_file(tmp_path / "again", KEY, SECRET)
    one, other = (each.read_text().splitlines() for each in (path, tmp_path / "again"))
    assert [here == there for here, there in zip(one, other, strict=True)] == [True] * 5 + [False] * 2


@pytest.mark.parametrize("passphrase", ["", "correct horse battery staple", SECRET + " ", SECRET.upper()])
def test_another_passphrase_does_not_open_a_file(path: Path, passphrase: str) -> None:
    """The refusal does not tell whether the passphrase or the file is wrong, because nothing tells it."""
    with pytest.raises(WrongPassphraseError, match="does not open it, or it was changed"):
        read_key_file(path, passphrase)


def test_a_file_needs_a_passphrase_and_values_of_one_line(tmp_path: Path) -> None:
    """An empty passphrase protects nothing, and a line break would put lines into the file."""
    for key, passphrase in (
        (KEY, ""),
        (PartyKey("a\nparty b", "c"), SECRET),
        (PartyKey("a", "c\r"), SECRET),
        (PartyKey("a\x0b", "c"), SECRET),
    ):
        with pytest.raises(ValueError, match=r"is empty|has a line break"):
            write_key_file(tmp_path / "x", key, passphrase)
    assert list(tmp_path.iterdir()) == []


def test_a_cut_file_is_no_key(path: Path) -> None:
    """A file that lost its end, or a line, is refused as damaged, before a passphrase is tried."""
    text = path.read_text()
    for end in (0, 10, text.index("party"), text.index("argon2id"), len(text) - 20, len(text) - 1):
        path.write_text(text[:end])
        with pytest.raises(MalformedTextError):
            read_key_file(path, SECRET)
    lines = text.splitlines(keepends=True)
    for number in range(len(lines)):
        path.write_text("".join(lines[:number] + lines[number + 1 :]))
        with pytest.raises(MalformedTextError):
            read_public_part(path)
    path.write_text(text + text)
    with pytest.raises(MalformedTextError, match="more than one"):
        read_public_part(path)
    path.write_bytes(b"\xff" * (MAX_BYTES + 10))
    with pytest.raises(MalformedTextError, match="no key of a party"):
        read_public_part(path)


@pytest.mark.parametrize(
    ("line", "other"),
    [
        (1, "origin evil.example/masks"),
        (2, "party acme"),
        (3, f"key {print_base64(PartyKey('o', 'p', bytes(32)).key)}"),
        (4, "recovery "),
        (4, f"recovery {print_base64(bytes(32))}"),
    ],
)
def test_a_line_in_clear_that_was_changed_is_noticed(path: Path, line: int, other: str) -> None:
    """A thief of the file cannot have it sign for another book or party, or give it another recovery key."""
    lines = path.read_text().splitlines()
    lines[line] = other
    path.write_text("\n".join([*lines, ""]))
    with pytest.raises(WrongPassphraseError, match="do not belong together"):
        read_key_file(path, SECRET)


@pytest.mark.parametrize(
    "asked",
    [
        f"argon2id {MAX_PASSES + 1} 65536",
        f"argon2id 3 {MAX_MEMORY_KIB + 1}",
        "argon2id 3 999999999999999999",
        "argon2id 0 65536",
        "argon2id 3 7",
        "argon2id -3 65536",
        "scrypt 3 65536",
    ],
)
def test_a_file_that_asks_for_too_much_work_is_refused_before_it(path: Path, asked: str) -> None:
    """A file from elsewhere cannot have this program take all memory, or a weak function."""
    lines = path.read_text().splitlines()
    lines[5] = f"{asked} {lines[5].split()[-1]}"
    path.write_text("\n".join([*lines, ""]))
    began = time.process_time()
    with pytest.raises(MalformedTextError):
        read_key_file(path, SECRET)
    assert time.process_time() - began < 0.05
