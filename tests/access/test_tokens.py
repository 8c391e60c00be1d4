"""API tokens: made, shown once, kept as hashes beside the books, revoked and expired, on both kinds of database."""

import asyncio
import contextlib
import itertools
import stat
import threading
from pathlib import Path
from typing import Final

import grpc
import pytest
from msgspec.structs import replace

from pathbook.client import Client, RefusedError
from pathbook.ledger.store.log.api_tokens import ApiToken, ApiTokens
from pathbook.services.access.callers import PUBLIC, Caller, KnownBy, Role
from pathbook.services.access.known_tokens import KnownTokens
from pathbook.services.access.tokens import hash_of, new_token, parse_token
from pathbook.services.clock import now
from pathbook.services.data_files import OPERATOR_TOKEN_FILE
from pathbook.services.gateway import Gateway
from pathbook.services.storage import Storage
from pathbook.services.translate.statuses import CallFailedError, Failure, failed
from pathbook.v1 import tokens_pb2
from tests.access.story import BOOK, guarded
from tests.books import engine
from tests.services.masks import begin, refused

SOON_S: Final = 5.0
"""How long a test waits for what happens within two seconds, on a busy machine."""


def client(target: str, token: str) -> Client:
    """Return a client that is not patient."""
    return Client(target, book=BOOK, token=token, retry_seconds=0)


def unauthenticated(reason: str) -> contextlib.AbstractContextManager[None]:
    """Expect a call to be refused because of its token."""
    return refused(reason, grpc.StatusCode.UNAUTHENTICATED)


def test_the_first_server_makes_a_token_of_the_operator(tmp_path: Path) -> None:
    """Only its owner may read the file. The second start makes none, and the log names the file only."""
    with guarded(tmp_path) as (target, token):
        file = tmp_path / "books" / OPERATOR_TOKEN_FILE
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        with client(target, token) as operator:
            begin(operator)
            assert [found.label for found in operator.list_tokens(every_book=True)] == ["first token"]
    file.unlink()
    with pytest.raises(FileNotFoundError), guarded(tmp_path):
        pass


def test_tokens_are_shared_and_revoked_in_mid_stream(place: Path) -> None:
    """A token made at one server counts at another one, and once revoked, it ends there with its open streams."""
    with guarded(place) as (one, token), guarded(place) as (two, _), client(one, token) as operator:
        begin(operator)
        made = operator.create_token(tokens_pb2.TOKEN_ROLE_AUDITOR, label="of the tax office")
        ended: list[RefusedError] = []

        def listen() -> None:
            try:
                with client(two, made.text) as auditor:
                    for _ in auditor.subscribe(0):
                        subscribed.set()
            except RefusedError as error:
                ended.append(error)

        subscribed = threading.Event()
        listener = threading.Thread(target=listen)
        listener.start()
        assert subscribed.wait(SOON_S)
        assert operator.revoke_token(made.token.token).HasField("revoked_at")
        listener.join(SOON_S)
        assert [error.reason for error in ended] == ["TOKEN_REVOKED"]
        with client(two, made.text) as auditor, unauthenticated("TOKEN_REVOKED"):
            auditor.get_head()
        again = operator.revoke_token(made.token.token)
        assert [again] == [found for found in operator.list_tokens() if found.label]
    kept = b"".join(file.read_bytes() for file in (place / "books").glob("events.sqlite*"))
    assert made.text.partition(".")[2].encode() not in kept


def test_what_is_no_token_in_force_is_refused(tmp_path: Path) -> None:
    """A token that is unknown, wrong, malformed or expired is refused, also where the public would be answered."""
    with guarded(tmp_path) as (target, token), client(target, token) as operator:
        begin(operator)
        name, _, secret = token.partition(".")
        for wrong in (new_token().text, f"{name}.{secret[::-1]}", name, "x", f"{token} x"):
            with client(target, wrong) as stranger, unauthenticated("TOKEN_UNKNOWN"):
                stranger.get_head()
        with client(target, "") as stranger:
            assert stranger.get_head().position
            with unauthenticated("CALLER_UNKNOWN"):
                next(stranger.list_parties())
        tokens = ApiTokens(engine(tmp_path / "books", "events"))
        short = new_token()
        ends = now() + 1_500_000
        tokens.add(ApiToken(short.token, short.secret_hash, "auditor", BOOK, "", "", "", now(), ends))
        with client(target, short.text) as auditor, pytest.raises(RefusedError) as error:
            for _ in auditor.subscribe(0):
                pass
        assert error.value.reason == "TOKEN_EXPIRED"
        assert now() >= ends
        with client(target, short.text) as auditor, unauthenticated("TOKEN_EXPIRED"):
            auditor.get_head()


def test_a_token_is_for_what_it_was_made_for(tmp_path: Path) -> None:
    """A party must be registered, a brand must be one, an auditor has none, and days have a limit."""
    with guarded(tmp_path) as (target, token), client(target, token) as operator:
        begin(operator)
        operator.position = operator.get_head().position
        with refused("PARTY_UNKNOWN", grpc.StatusCode.NOT_FOUND):
            operator.create_token(tokens_pb2.TOKEN_ROLE_PARTY, "ghost")
        with refused("NOT_A_BRAND", grpc.StatusCode.PERMISSION_DENIED):
            operator.create_token(tokens_pb2.TOKEN_ROLE_BRAND, "ann")
        with refused("VALUE_MISSING"):
            operator.create_token(tokens_pb2.TOKEN_ROLE_PARTY)
        with refused("VALUE_MISSING"):
            operator.create_token(tokens_pb2.TOKEN_ROLE_UNSPECIFIED)
        with refused("TOKEN_OF_NO_PARTY"):
            operator.create_token(tokens_pb2.TOKEN_ROLE_AUDITOR, "ann")
        with refused("TOKEN_TOO_LONG"):
            operator.create_token(tokens_pb2.TOKEN_ROLE_AUDITOR, days=4_000)
        made = operator.create_token(tokens_pb2.TOKEN_ROLE_OPERATOR, days=1)
        with client(target, made.text) as of_book:
            assert next(of_book.list_tokens()).token == made.token.token
            with refused("ROLE_NOT_ALLOWED", grpc.StatusCode.PERMISSION_DENIED):
                of_book.create_token(tokens_pb2.TOKEN_ROLE_OPERATOR, every_book=True)
            with refused("TOKEN_MISSING", grpc.StatusCode.NOT_FOUND):
                of_book.revoke_token(token.partition(".")[0])


def test_the_text_of_a_token_has_two_parts() -> None:
    """Its hash is that of its secret, and no two tokens are the same."""
    made, other = new_token(), new_token()
    presented = parse_token(made.text)
    assert presented is not None
    assert (presented.token, hash_of(presented.secret)) == (made.token, made.secret_hash)
    assert made.text != other.text


def test_an_unknown_token_is_counted_before_it_is_looked_up(tmp_path: Path) -> None:
    """The database is asked for no token of a caller that has reached its limit. A known one costs no look."""
    made, others = new_token(), [new_token().text for _ in range(4)]

    async def ask(gateway: Gateway, kept: ApiTokens) -> list[str]:
        known, found = KnownTokens(kept, gateway), list[str]()
        counts = 0

        def count() -> None:
            nonlocal counts
            counts += 1
            if counts > 2:
                raise failed(Failure.CALLS_LIMITED, limit="2 per 1 minute")

        for text in (made.text, made.text, others[0], others[1], made.text, "no token"):
            try:
                found.append((await known.caller(text, count)).role.value)
            except CallFailedError as error:
                found.append(error.reason)
        assert counts == 3
        return found

    with (
        contextlib.closing(Storage(tmp_path / "books", now)) as storage,
        contextlib.closing(Gateway(storage)) as gateway,
    ):
        storage.tokens.add(ApiToken(made.token, made.secret_hash, "auditor", BOOK, "", "", "", now(), 0))
        answers = asyncio.run(ask(gateway, storage.tokens))
    assert answers == ["auditor", "auditor", "TOKEN_UNKNOWN", "CALLS_LIMITED", "auditor", "TOKEN_UNKNOWN"]


def test_each_token_of_a_certificate_counts_for_its_book() -> None:
    """The newest of a book comes first, then one for every book. To other books the caller is the public."""
    mine = Caller(Role.PARTY, KnownBy.CERTIFICATE, "one", "ann", "pb-1")
    newer = Caller(Role.BRAND, KnownBy.CERTIFICATE, "two", "ben", "pb-2")
    older = Caller(Role.PARTY, KnownBy.CERTIFICATE, "two", "cat", "pb-3")
    every = Caller(Role.AUDITOR, KnownBy.CERTIFICATE, "", "", "pb-4")
    for first, *others in itertools.permutations((mine, newer, every)):
        caller = replace(first, others=(*others, older))
        assert [caller.within(book) for book in ("one", "two", "three")] == [mine, newer, every]
    caller = replace(mine, others=(newer, older))
    assert [caller.within(book) for book in ("one", "two", "three")] == [mine, newer, PUBLIC]
