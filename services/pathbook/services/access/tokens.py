"""API tokens: the text `id.secret` that a caller sends, and what is kept of it.

A secret has 256 random bits, so a single SHA-256 of it cannot be inverted, and needs no salt.
"""

import hashlib
import hmac
import re
import secrets
from typing import Final, NamedTuple

from pathbook.ledger.store.log.api_tokens import ApiToken
from pathbook.services.access.callers import Caller, KnownBy, Role

SECRET_BYTES: Final = 32
"""How many random bytes a secret has."""

ID_BYTES: Final = 8
"""How many random bytes an id has. It is no secret: it stands in lists and logs."""

_TEXT: Final = re.compile(rf"(pb-[0-9a-f]{{{2 * ID_BYTES}}})\.([A-Za-z0-9_-]{{43}})")
"""An id, a dot, and the secret in base64url without padding. The prefix lets scanners of secrets find tokens."""


class NewToken(NamedTuple):
    """What is shown once: the id of a token, the whole text, and the hash that is kept of its secret."""

    token: str
    text: str
    secret_hash: bytes


class PresentedToken(NamedTuple):
    """A token as a caller sends it."""

    token: str
    secret: str


def new_token() -> NewToken:
    """Return a new token."""
    token, secret = f"pb-{secrets.token_hex(ID_BYTES)}", secrets.token_urlsafe(SECRET_BYTES)
    return NewToken(token, f"{token}.{secret}", hash_of(secret))


def parse_token(text: str) -> PresentedToken | None:
    """Return the parts of a token, or None if a text is no token."""
    found = _TEXT.fullmatch(text)
    return None if found is None else PresentedToken(found[1], found[2])


def hash_of(secret: str) -> bytes:
    """Return what is kept of a secret, 32 bytes."""
    return hashlib.sha256(secret.encode("ascii")).digest()


def is_secret_of(kept: ApiToken, secret: str) -> bool:
    """Return whether a secret is that of a token, in a time that does not tell how much of it is right.

    A token with a certificate has no secret.
    """
    return hmac.compare_digest(kept.secret_hash, hash_of(secret))


def caller_of(kept: ApiToken) -> Caller:
    """Return the caller that a token stands for."""
    known_by = KnownBy.CERTIFICATE if kept.certificate else KnownBy.TOKEN
    return Caller(Role(kept.role), known_by, kept.book, kept.party, kept.token)
