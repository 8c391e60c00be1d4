"""JSON Web Tokens (RFC 7519) of the issuer of a server: whom its signatures, and the claims they cover, make known.

Only signatures with public keys are taken, so a token can neither choose its own key nor have none. A server that has
an issuer loads this module, because its libraries take a seventh of the time of a start.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.request import HTTPRedirectHandler, build_opener

import jwt
import structlog

from pathbook.ledger.values import is_identifier
from pathbook.services.access.callers import OF_A_PARTY, Caller, KnownBy, Role
from pathbook.services.access.issuer import Issuer
from pathbook.services.clock import MICROSECONDS, now
from pathbook.services.translate.statuses import Failure, failed

ALGORITHMS: Final = ("RS256", "PS256", "ES256", "ES384", "EdDSA")
"""The algorithms that are taken. None of them has a shared secret."""

KEYS_AGE_S: Final = 600.0
"""How long fetched keys are used before they are fetched again."""

KEYS_KEPT_S: Final = 86_400.0
"""How long keys count whose issuer cannot be asked again."""

KEYS_PAUSE_S: Final = 10.0
"""How long after a fetch a key that is not among them is not looked for again."""

FETCH_TIMEOUT_S: Final = 5.0

KEYS_MAX_BYTES: Final = 1 << 20

CLOCK_LEEWAY_S: Final = 30
"""By how much the clocks of the issuer and the server may differ."""

VERIFIED_MAX: Final = 10_000
"""How many verified tokens are remembered, so that a call does not verify a signature again."""

ENABLED_ROLES: Final = {role.value: role for role in Role if role is not Role.PUBLIC}

_LOG: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class WebTokens:
    """Verifies the tokens of an issuer. It belongs to the event loop."""

    def __init__(
        self,
        issuer: Issuer,
        fetch: Callable[[str], bytes] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Use an issuer. ``fetch`` returns the key set of a URL or file, by default from there."""
        self._issuer, self._fetch, self._monotonic = issuer, fetch or fetched, monotonic
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = self._read_at = -KEYS_AGE_S
        self._fetching = asyncio.Lock()
        self._verified: dict[bytes, Caller] = {}

    async def caller(self, text: str, count: Callable[[], None]) -> Caller:
        """Return whom a token makes known.

        Args:
            text: the token.
            count: is called before a token is verified that was not verified before. It may raise.

        Raises:
            CallFailedError: the token is not one of the issuer for this server, or has expired, or the keys of the
                issuer cannot be had.
        """
        digest = hashlib.sha256(text.encode("utf-8", "replace")).digest()
        known = self._verified.get(digest)
        is_fresh = self._monotonic() - self._fetched_at < KEYS_AGE_S  # else its key may no longer be there
        if known is not None and known.expires_at > now() and is_fresh:
            return known
        count()
        try:
            header = jwt.get_unverified_header(text)
            claims = self._verify(text, await self._key(header))
        except jwt.ExpiredSignatureError:
            raise failed(Failure.TOKEN_EXPIRED, token=f"of {self._issuer.issuer}") from None
        except jwt.PyJWTError as error:
            _LOG.info("a web token was refused", problem=str(error))
            raise failed(Failure.TOKEN_UNKNOWN) from None
        made = self._caller(claims)
        if len(self._verified) >= VERIFIED_MAX:
            self._verified.clear()
        self._verified[digest] = made
        return made

    def _verify(self, text: str, key: jwt.PyJWK) -> Mapping[str, object]:
        issuer = self._issuer
        found: dict[str, object] = jwt.decode(
            text,
            key,
            algorithms=[name for name in ALGORITHMS if name == key.algorithm_name],
            audience=issuer.audience,
            issuer=issuer.issuer,
            leeway=CLOCK_LEEWAY_S,
            options={"require": ["exp", "iss", "aud"]},
        )
        return found

    def _caller(self, claims: Mapping[str, object]) -> Caller:
        issuer = self._issuer
        role = ENABLED_ROLES.get(str(claims.get(issuer.role_claim, "")))
        party = str(claims.get(issuer.party_claim, "")) if role in OF_A_PARTY else ""
        book = str(claims.get(issuer.book_claim, "")) if issuer.book_claim else issuer.book
        names = [name for name in (party, book) if name]
        is_whole = (party and book) or (role not in OF_A_PARTY and (book or not issuer.book_claim))
        if role is None or not is_whole or not all(map(is_identifier, names)):
            _LOG.info("a web token was refused", problem="its claims name no role, party or book")
            raise failed(Failure.TOKEN_UNKNOWN)
        expires_at = (int(float(str(claims["exp"]))) + CLOCK_LEEWAY_S) * MICROSECONDS
        return Caller(role, KnownBy.WEB_TOKEN, book, party, expires_at=expires_at)

    async def _key(self, header: Mapping[str, object]) -> jwt.PyJWK:
        """Return the key that a token names. Raises PyJWTError if there is none, CallFailedError if all are away."""
        name, algorithm = header.get("kid"), header.get("alg")
        if algorithm not in ALGORITHMS:
            raise jwt.InvalidAlgorithmError(f"algorithm {algorithm} is not taken")
        if not isinstance(name, str):
            raise jwt.InvalidKeyError("it names no key")
        async with self._fetching:
            age = self._monotonic() - self._fetched_at
            if age >= KEYS_AGE_S or (name not in self._keys and age >= KEYS_PAUSE_S):
                await self._read_keys()
        if name not in self._keys:
            raise jwt.InvalidKeyError("it names an unknown key")
        return self._keys[name]

    async def _read_keys(self) -> None:
        self._fetched_at = self._monotonic()
        try:
            data = await asyncio.to_thread(self._fetch, self._issuer.keys)
            found = jwt.PyJWKSet.from_json(data.decode("utf-8"))
        except (OSError, URLError, ValueError, jwt.PyJWTError) as error:
            _LOG.warning("the keys of the issuer cannot be had", keys=self._issuer.keys, cause=str(error))
            if not self._keys or self._monotonic() - self._read_at >= KEYS_KEPT_S:
                raise failed(Failure.ISSUER_AWAY) from None
            return
        self._read_at = self._fetched_at
        self._verified.clear()
        self._keys = {key.key_id: key for key in found.keys if key.key_id}


class _NoRedirects(HTTPRedirectHandler):
    """Follows no redirect: it could lead to a URL without https."""

    def redirect_request(self, *_arguments: object) -> None:
        """Return no request, so that the answer with the redirect is an error."""


def fetched(keys: str) -> bytes:
    """Return the key set at a URL or in a file. Raises OSError or ValueError."""
    if not keys.startswith("https://"):
        return Path(keys).read_bytes()
    with build_opener(_NoRedirects).open(keys, timeout=FETCH_TIMEOUT_S) as answer:
        data: bytes = answer.read(KEYS_MAX_BYTES + 1)
    if len(data) > KEYS_MAX_BYTES:
        raise ValueError(f"{keys} has more than {KEYS_MAX_BYTES} bytes")
    return data
