"""The cipher of the directory of people: a key for each person, wrapped by a key that the file of the codes leads to.

The file lies apart from the database, is in no backup without a passphrase, and never loses its first key. So a
database alone, or a dump of it, opens nothing.
"""

import hashlib
import hmac
import secrets
import unicodedata
from typing import Final

from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
)
from nacl.exceptions import CryptoError

from pathbook.services.code_keys import CodeKeys

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 24
"""The length of a nonce of XChaCha20-Poly1305: random ones never meet."""

_LABEL: Final = b"pathbook people v1 "


class FileCipher:
    """Wraps keys with one that is derived from the first key of the codes. Threads may share it."""

    def __init__(self, keys: CodeKeys) -> None:
        """Use the keys of a server. The file is read when something is sealed or opened."""
        self._keys = keys

    def new_key(self, whose: bytes) -> bytes:
        """Return a new key, wrapped."""
        return _seal(self._derived(b"wrap"), secrets.token_bytes(KEY_BYTES), b"key\0" + whose)

    def seal(self, wrapped: bytes, whose: bytes, place: bytes, data: bytes) -> bytes:
        """Return data sealed with a wrapped key. Raises ValueError if another file wrapped it."""
        key = self._unwrapped(wrapped, whose)
        if key is None:
            raise ValueError("the key of a person was wrapped by another file of keys")
        return _seal(key, data, place + b"\0" + whose)

    def open(self, wrapped: bytes, whose: bytes, place: bytes, sealed: bytes) -> bytes | None:
        """Return what was sealed, or None if it was not sealed so."""
        key = self._unwrapped(wrapped, whose)
        return None if key is None else _open(key, sealed, place + b"\0" + whose)

    def opens(self, wrapped: bytes, whose: bytes) -> bool:
        """Tell whether the file wrapped a key."""
        return self._unwrapped(wrapped, whose) is not None

    def handle(self, book: str, handle: str) -> bytes:
        """Return the keyed hash of a public handle, without blanks around it, and with its letters composed (NFC)."""
        text = f"{book}\0{unicodedata.normalize('NFC', handle.strip())}".encode()
        return hmac.digest(self._derived(b"handle"), text, hashlib.sha256)

    def _unwrapped(self, wrapped: bytes, whose: bytes) -> bytes | None:
        return _open(self._derived(b"wrap"), wrapped, b"key\0" + whose)

    def _derived(self, purpose: bytes) -> bytes:
        first = next(iter(self._keys.ring().by_fingerprint.values()))
        return hmac.digest(first.secret, _LABEL + purpose, hashlib.sha256)


def _seal(key: bytes, data: bytes, bound_to: bytes) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + crypto_aead_xchacha20poly1305_ietf_encrypt(data, bound_to, nonce, key)


def _open(key: bytes, sealed: bytes, bound_to: bytes) -> bytes | None:
    try:
        return crypto_aead_xchacha20poly1305_ietf_decrypt(
            sealed[NONCE_BYTES:], bound_to, sealed[:NONCE_BYTES], key
        )
    except (CryptoError, ValueError):
        return None
