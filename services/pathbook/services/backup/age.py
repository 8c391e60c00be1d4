"""Encrypts a short text with a passphrase, in the format of age (https://age-encryption.org/v1).

`age -d` reads it, so that a passphrase suffices without Pathbook. The work of guessing is fixed here. A library that
measures the machine for it chose between a sixteenth of that work and four times as much on a busy one, and then took
its own file for one with too much work.
"""

import base64
import hashlib
import hmac
import re
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

WORK_LOG2: Final = 18
"""The work of one guess, as in the program age: a second or so, and 256 MiB of memory."""

WORK_LOG2_MAX: Final = 20
"""The most work that is done to read a file: some four seconds, and 1 GiB."""

TEXT_BYTES_MAX: Final = 64 * 1024
"""The longest text. A longer one would need a second chunk."""

_VERSION: Final = "age-encryption.org/v1"
_HEADER: Final = re.compile(
    rb"(?P<mac_of>age-encryption\.org/v1\n-> scrypt (?P<salt>[\w+/]{22}) (?P<work>[1-9]\d?)\n(?P<key>[\w+/]{43})\n---)"
    rb" (?P<mac>[\w+/]{43})\n"
)
_ONLY_CHUNK: Final = bytes(11) + b"\x01"
_FILE_KEY_BYTES: Final = 16
_SALT_BYTES: Final = 16


class WrongPassphraseError(Exception):
    """The passphrase is another one."""


def encrypt(text: bytes, passphrase: str) -> bytes:
    """Return a text of at most TEXT_BYTES_MAX, encrypted. Each call returns other bytes."""
    assert len(text) <= TEXT_BYTES_MAX, len(text)
    file_key, salt, nonce = (secrets.token_bytes(_FILE_KEY_BYTES) for _ in range(3))
    wrapped = ChaCha20Poly1305(_wrap_key(passphrase, salt, WORK_LOG2)).encrypt(bytes(12), file_key, None)
    header = f"{_VERSION}\n-> scrypt {_base64(salt)} {WORK_LOG2}\n{_base64(wrapped)}\n---".encode("ascii")
    mac = _base64(_header_mac(file_key, header)).encode("ascii")
    payload = ChaCha20Poly1305(_derive(file_key, nonce, b"payload")).encrypt(_ONLY_CHUNK, text, None)
    return header + b" " + mac + b"\n" + nonce + payload


def decrypt(data: bytes, passphrase: str) -> bytes:
    """Return the text that was encrypted.

    Raises:
        WrongPassphraseError: the passphrase is another one.
        ValueError: the data is no such file, or was changed.
    """
    header = _HEADER.match(data)
    if header is None or int(header["work"]) > WORK_LOG2_MAX:
        raise ValueError("it is not encrypted with a passphrase in the format of age, or needs too much work")
    key = _wrap_key(passphrase, _bytes(header["salt"]), int(header["work"]))
    try:
        file_key = ChaCha20Poly1305(key).decrypt(bytes(12), _bytes(header["key"]), None)
    except InvalidTag as error:
        raise WrongPassphraseError from error
    if not hmac.compare_digest(_header_mac(file_key, header["mac_of"]), _bytes(header["mac"])):
        raise ValueError("its header was changed")
    nonce, payload = data[header.end() :][:_SALT_BYTES], data[header.end() :][_SALT_BYTES:]
    try:
        return ChaCha20Poly1305(_derive(file_key, nonce, b"payload")).decrypt(_ONLY_CHUNK, payload, None)
    except InvalidTag as error:
        raise ValueError("its content was changed") from error


def _wrap_key(passphrase: str, salt: bytes, work: int) -> bytes:
    labelled = b"age-encryption.org/v1/scrypt" + salt
    memory = 128 * 8 * (1 << work) + (1 << 20)
    return hashlib.scrypt(passphrase.encode(), salt=labelled, n=1 << work, r=8, p=1, maxmem=memory, dklen=32)


def _header_mac(file_key: bytes, header: bytes) -> bytes:
    return hmac.digest(_derive(file_key, b"", b"header"), header, "sha256")


def _derive(key: bytes, salt: bytes, purpose: bytes) -> bytes:
    """Return 32 bytes by HKDF with SHA-256 (RFC 5869)."""
    return hmac.digest(hmac.digest(salt, key, "sha256"), purpose + b"\x01", "sha256")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii").rstrip("=")


def _bytes(text: bytes) -> bytes:
    data = base64.b64decode(text + b"=" * (-len(text) % 4))
    if (
        _base64(data).encode("ascii") != text
    ):  # the last digit has bits that count for nothing, and must be zero
        raise ValueError("its header was changed")
    return data
