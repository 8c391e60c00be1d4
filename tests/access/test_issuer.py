"""JSON Web Tokens of an issuer: whom they make known, and every way in which one is refused."""

import asyncio
import base64
import datetime
import hmac
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import grpc
import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pathbook.client import Client, RefusedError
from pathbook.services.access.callers import Caller, KnownBy, Role
from pathbook.services.access.issuer import Issuer, read_issuer
from pathbook.services.access.web_tokens import KEYS_AGE_S, KEYS_KEPT_S, WebTokens
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from pathbook.services.translate.statuses import CallFailedError, Failure, failed
from tests.cli.conftest import pathbook
from tests.services.masks import BOOK, begin, refused

ISSUER: Final = Issuer("https://login.acme.example/", "pathbook", "keys.json", book=BOOK)
KEY: Final = ec.generate_private_key(ec.SECP256R1())
RSA: Final = rsa.generate_private_key(65_537, 2_048)


def key_set() -> bytes:
    """Return the key set of the issuer, with two keys."""
    one = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key())) | {"kid": "one", "alg": "ES256"}
    two = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(RSA.public_key())) | {"kid": "two", "alg": "RS256"}
    return json.dumps({"keys": [one, two]}).encode()


def claims(**other: object) -> dict[str, object]:
    """Return the claims of a good token, or other ones."""
    ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=5)
    good = {
        "iss": ISSUER.issuer,
        "aud": "pathbook",
        "exp": ends,
        "pathbook_role": "party",
        "pathbook_party": "ann",
    }
    return {name: value for name, value in (good | other).items() if value is not None}


def token(key: object = KEY, algorithm: str = "ES256", kid: str | None = "one", **other: object) -> str:
    """Return a token that a key signs."""
    headers = {} if kid is None else {"kid": kid}
    return jwt.encode(claims(**other), key, algorithm, headers)  # type: ignore[arg-type] # some keys are wrong


def caller(text: str, tokens: WebTokens | None = None) -> Caller:
    """Return whom a token makes known."""
    return asyncio.run((tokens or WebTokens(ISSUER, lambda _: key_set())).caller(text, uncounted))


def uncounted() -> None:
    """Count nothing."""


def _written(header: dict[str, str], sign: Callable[[bytes], bytes]) -> str:
    """Return a token that no library would write."""
    parts = [json.dumps(part).encode() for part in (header | {"kid": "one"}, claims(exp=2**40))]
    text = b".".join(map(_base64, parts))
    return b".".join([text, _base64(sign(text))]).decode()


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def unsigned() -> str:
    """Return a token with the algorithm "none"."""
    return _written({"alg": "none"}, lambda _: b"")


def shared_secret() -> str:
    """Return a token whose HMAC has the public key as its secret: the confusion of two algorithms."""
    secret = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return _written({"alg": "HS256"}, lambda text: hmac.digest(secret, text, "sha256"))


def test_a_token_makes_its_role_and_party_known() -> None:
    """Each key of the set signs, and an auditor has no party."""
    found = caller(token())
    assert (found.role, found.party, found.book, found.known_by) == (
        Role.PARTY,
        "ann",
        BOOK,
        KnownBy.WEB_TOKEN,
    )
    assert caller(token(RSA, "RS256", "two", aud=["other", "pathbook"])).party == "ann"
    auditor = caller(token(pathbook_role="auditor"))
    assert (auditor.role, auditor.party) == (Role.AUDITOR, "")


@pytest.mark.parametrize(
    "make",
    [
        unsigned,
        shared_secret,
        lambda: token(ec.generate_private_key(ec.SECP256R1())),
        lambda: token(kid="three"),
        lambda: token(kid=None),
        lambda: token(RSA, "RS256", "one"),
        lambda: token(RSA, "RS512", "two"),
        lambda: token(aud="shop"),
        lambda: token(aud=None),
        lambda: token(iss="https://login.evil.example/"),
        lambda: token(exp=None),
        lambda: token(nbf=2**40),
        lambda: token(pathbook_role="public"),
        lambda: token(pathbook_role=None),
        lambda: token(pathbook_party=None),
        lambda: token(pathbook_party="a/b"),
        lambda: token()[:-4] + "AAAA",
        lambda: "a.b.c",
    ],
)
def test_a_token_that_is_not_of_the_issuer_is_refused(make: Callable[[], str]) -> None:
    """No algorithm, another one, another key, audience, issuer or time: all are the same refusal."""
    with pytest.raises(CallFailedError) as error:
        caller(make())
    assert error.value.reason == "TOKEN_UNKNOWN"


def test_an_expired_token_is_named() -> None:
    """It is refused half a minute after its end, since clocks differ."""
    past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=1)
    with pytest.raises(CallFailedError) as error:
        caller(token(exp=past))
    assert error.value.reason == "TOKEN_EXPIRED"
    assert caller(token(exp=past + datetime.timedelta(seconds=45))).party == "ann"


def test_keys_are_fetched_seldom() -> None:
    """An unknown key is looked for once in ten seconds. Keys are fetched again after ten minutes, or kept."""
    fetches: list[str] = []
    seconds = 0.0

    def fetch(keys: str) -> bytes:
        fetches.append(keys)
        if len(fetches) > 2:
            raise OSError("away")
        return key_set()

    async def ask() -> None:
        nonlocal seconds
        tokens = WebTokens(ISSUER, fetch, lambda: seconds)
        for step, wanted in ((0.0, 1), (5.0, 1), (6.0, 2), (700.0, 3)):
            seconds += step
            with pytest.raises(CallFailedError):
                await tokens.caller(token(kid="three", jti=str(step)), uncounted)
            assert len(fetches) == wanted
            assert (await tokens.caller(token(jti=str(step)), uncounted)).party == "ann"

    asyncio.run(ask())
    with pytest.raises(CallFailedError) as error:
        caller(token(), WebTokens(ISSUER, fetch))
    assert error.value.reason == "ISSUER_AWAY"


def test_a_token_ends_with_its_key() -> None:
    """A token that was taken before is refused once its issuer has removed its key, or was away for a day."""
    left = json.dumps({"keys": json.loads(key_set())["keys"][1:]}).encode()
    seconds, sets = 0.0, [key_set(), left]

    def fetch(_keys: str) -> bytes:
        if not sets:
            raise OSError("away")
        return sets.pop(0)

    tokens = WebTokens(ISSUER, fetch, lambda: seconds)

    async def ask() -> None:
        nonlocal seconds
        leaked = token(exp=2**40)
        assert (await tokens.caller(leaked, uncounted)).party == "ann"
        seconds = KEYS_AGE_S
        with pytest.raises(CallFailedError) as error:
            await tokens.caller(leaked, uncounted)
        assert error.value.reason == "TOKEN_UNKNOWN"
        other = token(RSA, "RS256", "two")
        assert (await tokens.caller(other, uncounted)).party == "ann"
        seconds += KEYS_KEPT_S  # the issuer is away from now on
        with pytest.raises(CallFailedError) as error:
            await tokens.caller(other, uncounted)
        assert error.value.reason == "ISSUER_AWAY"

    asyncio.run(ask())


def test_a_token_of_a_party_is_for_one_book() -> None:
    """An issuer that names no book makes no party known, because a party of that name may be in any book."""
    anywhere = WebTokens(msgspec.structs.replace(ISSUER, book=""), lambda _: key_set())
    with pytest.raises(CallFailedError):
        caller(token(), anywhere)
    assert caller(token(pathbook_role="auditor"), anywhere).role is Role.AUDITOR


def test_a_server_takes_tokens_of_its_issuer(tmp_path: Path) -> None:
    """They count beside its own tokens, as far as their role goes, and a stream ends with its token."""
    (tmp_path / "keys.json").write_bytes(key_set())
    (tmp_path / "issuer.toml").write_text(
        f'issuer = "{ISSUER.issuer}"\naudience = "pathbook"\nkeys = "keys.json"\nbook = "{BOOK}"\n'
    )
    issuer = read_issuer(tmp_path / "issuer.toml")
    data = tmp_path / "books"
    with running(Settings(data=data, listen="127.0.0.1:0", demands_tokens=True, issuer=issuer)) as port:

        def client(text: str) -> Client:
            return Client(f"127.0.0.1:{port}", book=BOOK, token=text, retry_seconds=0)

        with client((data / "operator.token").read_text().strip()) as operator:
            begin(operator)
        with client(token()) as ann:
            ann.position = operator.position
            assert list(ann.list_stock("ann")) == []
            with refused("PARTY_UNKNOWN", grpc.StatusCode.NOT_FOUND):
                list(ann.list_stock("bob"))
        ends = time.time() - 29
        with (
            client(token(pathbook_role="auditor", exp=ends)) as auditor,
            pytest.raises(RefusedError) as error,
        ):
            for _ in auditor.subscribe(0):
                pass
        assert error.value.reason == "TOKEN_EXPIRED"


def test_a_file_that_describes_no_issuer_is_a_usage_error(tmp_path: Path) -> None:
    """The sentence names the file, and what is wrong with it."""
    file = tmp_path / "issuer.toml"
    for text, problem in (
        ("issuer = 1", "does not describe an issuer"),
        ('issuer = "i"\naudience = "a"', "does not describe an issuer"),
        ('issuer = "i"\naudience = "a"\nkeys = "k"\nx = 1', "does not describe an issuer"),
        ('issuer = "i"\naudience = "a"\nkeys = "http://k"', "a file or a URL with https"),
    ):
        file.write_text(text)
        ran = pathbook("serve", "--data", str(tmp_path / "books"), "--issuer", str(file))
        assert (ran.code, problem in ran.err, str(file) in ran.err) == (2, True, True), ran


def test_a_token_that_is_not_known_yet_is_counted_before_it_is_verified() -> None:
    """Who sends false tokens reaches its limit, and then costs no signature and no look at the keys."""
    looks: list[str] = []

    def fetch(keys: str) -> bytes:
        looks.append(keys)
        return key_set()

    counts: list[int] = []

    def count() -> None:
        counts.append(len(looks))
        if len(counts) > 2:
            raise failed(Failure.CALLS_LIMITED, limit="2 per 1 minute")

    async def ask() -> list[str]:
        tokens, found = WebTokens(ISSUER, fetch), list[str]()
        good = token()
        for text in (good, good, "a.b.c", token(aud="other"), good):
            try:
                found.append((await tokens.caller(text, count)).party)
            except CallFailedError as error:
                found.append(error.reason)
        return found

    assert asyncio.run(ask()) == ["ann", "ann", "TOKEN_UNKNOWN", "CALLS_LIMITED", "ann"]
    assert counts == [0, 1, 1]
