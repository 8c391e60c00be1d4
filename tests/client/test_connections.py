"""How a client reaches its server: TLS, channels of the caller, metadata, timeouts, and which failures it retries."""

import itertools
import string
import time
from pathlib import Path

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from pathbook.client import (
    AsyncClient,
    Client,
    FailureReason,
    RefusalReason,
    RefusedError,
    UnreachableError,
)
from pathbook.client.errors import client_error
from pathbook.client.retries import RetryPolicy
from pathbook.services.translate.status_details import DOMAIN
from pathbook.services.translate.statuses import DETAILS_TRAILER, RETRY_DELAYS_S, Failure, failed
from tests.client.event_loop import in_event_loop
from tests.client.relay import Certificate, certified, relayed, within
from tests.services.masks import BOOK, begin


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A self-signed certificate of the server."""
    return certified(tmp_path_factory.mktemp("certificate"))


def test_a_client_with_credentials_speaks_tls(client: Client, certificate: Certificate) -> None:
    """It trusts the certificate it was given, writes and reads, and sends the token of its call credentials."""
    begin(client)
    trusted = grpc.ssl_channel_credentials(certificate.chain)
    both = grpc.composite_channel_credentials(trusted, grpc.access_token_call_credentials("secret"))
    with (
        relayed(client.target, certificate) as relay,
        Client(relay.target, book=BOOK, credentials=both) as safe,
    ):
        assert safe.get_book().name == BOOK
        safe.position = client.position
        assert [party.party for party in safe.list_parties()] == ["acme", "ann", "bob", "corner"]
        assert set(relay.seen("authorization")) == {"Bearer secret"}


def test_a_client_calls_no_server_that_it_does_not_trust(
    client: Client, certificate: Certificate, tmp_path: Path
) -> None:
    """Another certificate than the trusted one, or no TLS at all, is a server that does not answer."""
    other = grpc.ssl_channel_credentials(certified(tmp_path).chain)
    with relayed(client.target, certificate) as relay:
        for credentials in (other, None):
            with (
                Client(relay.target, book=BOOK, credentials=credentials, retry_seconds=0) as wrong,
                pytest.raises(UnreachableError),
            ):
                wrong.get_book()
        assert relay.calls == []


@in_event_loop
async def test_the_twin_speaks_tls_too(client: Client, certificate: Certificate) -> None:
    """The asyncio client takes the same credentials, metadata and options."""
    begin(client)
    trusted = grpc.ssl_channel_credentials(certificate.chain)
    with relayed(client.target, certificate) as relay:
        token = [("authorization", "Bearer secret")]
        async with AsyncClient(relay.target, book=BOOK, credentials=trusted, metadata=token) as safe:
            assert (await safe.get_book()).name == BOOK
            safe.position = client.position
            assert len([party async for party in safe.list_parties()]) == 4
            await safe.with_options(metadata=()).get_head()
        assert relay.seen("authorization") == ["Bearer secret", "Bearer secret", None]


def test_a_channel_of_the_caller_is_used_and_not_closed(client: Client) -> None:
    """A client on a channel needs no target, and leaves the channel open for others."""
    begin(client)
    with grpc.insecure_channel(client.target) as channel:
        for _ in range(2):
            with Client(book=BOOK, channel=channel) as other:
                assert other.get_book().name == BOOK


def test_a_client_needs_one_way_to_its_server() -> None:
    """Neither target nor channel, and a channel with credentials, are errors of the caller."""
    with pytest.raises(ValueError, match="needs a target, HOST:PORT, or a channel"):
        Client(book=BOOK)
    with (
        grpc.insecure_channel("127.0.0.1:1") as channel,
        pytest.raises(ValueError, match="a channel or credentials, not both"),
    ):
        Client(book=BOOK, channel=channel, credentials=grpc.ssl_channel_credentials())


def test_metadata_is_sent_with_every_call(client: Client) -> None:
    """Pairs, or what a function returns for each attempt, reach the server with calls and streams of each kind."""
    begin(client)
    numbers = itertools.count(1)
    with relayed(client.target) as relay:
        with Client(relay.target, book=BOOK, metadata=lambda: [("token", f"t{next(numbers)}")]) as renewing:
            renewing.get_book()
            list(renewing.read(limit=1))
            list(renewing.record_transfers([[]]))
            renewing.with_options(metadata=[("token", "own")]).get_head()
            renewing.get_head()
        assert relay.seen("token") == ["t1", "t2", "t3", "own", "t4"]


def test_a_call_ends_after_its_timeout(client: Client) -> None:
    """A server that does not answer in time is told by name, per client and per call."""
    begin(client)
    with relayed(client.target) as relay, Client(relay.target, book=BOOK) as patient:
        relay.hold.clear()
        began = time.monotonic()
        with pytest.raises(UnreachableError) as error:
            patient.with_options(timeout=0.2).get_book()
        assert error.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
        with Client(relay.target, book=BOOK, timeout=0.2) as hasty, pytest.raises(UnreachableError):
            hasty.get_book()
        assert time.monotonic() - began < 20, "the default timeout is 30 seconds"
        relay.hold.set()
        assert patient.get_book().name == BOOK


@in_event_loop
async def test_a_call_of_the_twin_ends_after_its_timeout(client: Client) -> None:
    """The same holds for a coroutine."""
    begin(client)
    with relayed(client.target) as relay:
        async with AsyncClient(relay.target, book=BOOK) as patient:
            relay.hold.clear()
            with pytest.raises(UnreachableError):
                await patient.with_options(timeout=0.2).get_book()
            relay.hold.set()
            assert (await patient.get_book()).name == BOOK


def test_a_view_with_other_options_shares_position_and_channel(client: Client) -> None:
    """A write through the view is in the next read of the client, and closing the view closes nothing."""
    begin(client)
    view = client.with_options(timeout=5)
    view.position = 3
    assert client.position == 3
    view.close()
    assert client.get_book().name == BOOK


def status_error(*details: ErrorInfo | RetryInfo, code: grpc.StatusCode) -> grpc.aio.AioRpcError:
    """Return the error of gRPC for a status with details."""
    status = Status(code=code.value[0], message="Why.")
    for detail in details:
        status.details.add().Pack(detail)
    trailer = grpc.aio.Metadata((DETAILS_TRAILER, status.SerializeToString()))
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailer, "Why.")


def test_reasons_are_members_that_equal_their_names(client: Client) -> None:
    """A refusal has a RefusalReason, a failed call a FailureReason, and both are texts."""
    begin(client)
    with pytest.raises(RefusedError) as refused:
        client.get_party("zoe")
    assert refused.value.reason is RefusalReason.PARTY_UNKNOWN
    assert refused.value.reason == "PARTY_UNKNOWN"
    assert (refused.value.may_retry, refused.value.retry_delay) == (False, None)
    with pytest.raises(RefusedError) as beyond:
        list(client.read(1_000))
    assert beyond.value.reason is FailureReason.POSITION_BEYOND_HEAD


def test_a_reason_of_a_newer_server_is_a_plain_text() -> None:
    """What this program does not know is passed on by name, with its delay."""
    info = ErrorInfo(reason="MOON_TOO_FULL", domain=DOMAIN, metadata={"phase": "4"})
    error = status_error(info, RetryInfo(retry_delay=Duration(seconds=2)), code=grpc.StatusCode.ABORTED)
    refused = client_error(error, "t")
    assert isinstance(refused, RefusedError)
    assert type(refused.reason) is str
    assert (refused.reason, refused.metadata, refused.retry_delay) == ("MOON_TOO_FULL", {"phase": "4"}, 2.0)


@pytest.mark.parametrize("failure", Failure)
def test_a_client_retries_the_failures_that_the_contract_says_to_retry(failure: Failure) -> None:
    """It waits as long as RetryInfo says. An unavailable server without a RetryInfo needs a person."""
    facts = {name: 1 for _, name, _, _ in string.Formatter().parse(failure.value[1]) if name}
    sent = failed(failure, **facts)
    error = grpc.aio.AioRpcError(
        sent.code, grpc.aio.Metadata(), grpc.aio.Metadata(*sent.trailer()), sent.message
    )
    told = client_error(error, "t")
    assert isinstance(told, RefusedError)
    assert told.reason is FailureReason[failure.name]
    assert told.retry_delay == RETRY_DELAYS_S.get(failure)
    policy = RetryPolicy("t", 60)
    if told.may_retry and told.code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED):
        assert policy.pause(error) == told.retry_delay
    else:
        with pytest.raises(RefusedError):
            policy.pause(error)


def test_there_is_no_retry_after_the_time_for_retries() -> None:
    """A server that asks for a longer pause than the client has time for is not called again."""
    sent = failed(Failure.VIEWS_NOT_WHOLE, book="b", position=1, through=2)
    error = grpc.aio.AioRpcError(
        sent.code, grpc.aio.Metadata(), grpc.aio.Metadata(*sent.trailer()), sent.message
    )
    asked = RETRY_DELAYS_S[Failure.VIEWS_NOT_WHOLE]
    assert RetryPolicy("t", asked + 10).pause(error) == asked
    with pytest.raises(RefusedError):
        RetryPolicy("t", asked - 0.01).pause(error)


def test_a_stream_that_is_left_ends_at_the_server(client: Client) -> None:
    """Leaving the loop over a subscription cancels it."""
    begin(client)
    with relayed(client.target) as relay, Client(relay.target, book=BOOK) as other:
        for _ in other.subscribe():
            break
        assert within(10, lambda: relay.ended.acquire(blocking=False))
