"""What a backup encrypts is read by another program of age, and only with its passphrase."""

import random

import pyrage
import pytest

from pathbook.services.backup import age

TEXT = b"0123456789abcdef" * 4 + b"\n"


@pytest.mark.parametrize("text", [b"", TEXT, TEXT * 1000, bytes(64 * 1024)])
def test_another_program_reads_it(text: bytes) -> None:
    """The Rust implementation of age decrypts what is encrypted here, and the other way round."""
    data = age.encrypt(text, "pässword 面膜")
    assert age.decrypt(data, "pässword 面膜") == text == pyrage.passphrase.decrypt(data, "pässword 面膜")
    assert data != age.encrypt(text, "pässword 面膜")


def test_what_another_program_encrypted_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of the Rust implementation is read here, whatever work it chose for a guess."""
    monkeypatch.setattr(age, "WORK_LOG2_MAX", 22)
    assert age.decrypt(pyrage.passphrase.encrypt(TEXT, "p"), "p") == TEXT


def test_another_passphrase_is_told_from_damage() -> None:
    """A wrong passphrase has an error of its own, and a changed byte is never read."""
    data = age.encrypt(TEXT, "right")
    for wrong in ("wrong", "", "right "):
        with pytest.raises(age.WrongPassphraseError):
            age.decrypt(data, wrong)
    chance = random.Random(1)
    for at in [*range(120), *(chance.randrange(len(data)) for _ in range(200)), len(data) - 1]:
        changed = bytearray(data)
        changed[at] ^= 1 << chance.randrange(8)
        with pytest.raises((age.WrongPassphraseError, ValueError)):
            age.decrypt(bytes(changed), "right")
    for cut in (0, 10, 150, len(data) - 1):
        with pytest.raises(ValueError, match=r"age|changed"):
            age.decrypt(data[:cut], "right")


def test_too_much_work_is_refused() -> None:
    """A file that would take minutes and all memory is not tried."""
    data = age.encrypt(TEXT, "p").replace(b" 10\n", b" 21\n", 1)
    with pytest.raises(ValueError, match="too much work"):
        age.decrypt(data, "p")
