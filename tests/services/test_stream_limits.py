"""Limits on streams and connections: how many, how long, how slow. Clients of ours go on without a notice."""

import asyncio
import contextlib
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, cast

import grpc
import pytest
from grpc import StatusCode

from pathbook.bench.load import Load
from pathbook.client import AsyncClient, Client, UnreachableError, select
from pathbook.services import streams
from pathbook.services.run import limits
from pathbook.v1 import events_pb2
from pathbook.v1.transfers_pb2 import RecordTransferRequest
from pathbook.v1.values_pb2 import PARTY_KIND_AGENT, Price
from tests.books import PATIENCE
from tests.services.masks import BEGUN, BOOK, begin, opened, refused
from tests.services.process import served

SUBSCRIBE = "/pathbook.v1.EventService/Subscribe"

EVENTS = 8_000
"""How many events are more than gRPC holds for a reader that takes nothing."""

OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.http2.lookahead_bytes", 16_384),
    ("grpc.http2.bdp_probe", 0),
)
"""The options of a connection of its own, on which gRPC takes little before its user does."""


def subscriptions(target: str) -> grpc.Channel:
    """Open a connection of its own."""
    return grpc.insecure_channel(target, options=OPTIONS)


class Subscription(Protocol):
    """A stream without the retries of a client."""

    def __iter__(self) -> Iterator[events_pb2.SubscribeResponse]:
        """Return itself."""

    def __next__(self) -> events_pb2.SubscribeResponse:
        """Return the next batch."""

    def cancel(self) -> bool:
        """End the stream."""


def subscribe(channel: grpc.Channel) -> Subscription:
    """Subscribe to the book from its beginning."""
    method = channel.unary_stream(
        SUBSCRIBE, events_pb2.SubscribeRequest.SerializeToString, events_pb2.SubscribeResponse.FromString
    )
    return cast("Subscription", method(events_pb2.SubscribeRequest(book=BOOK), timeout=PATIENCE))


def write(client: Client, count: int) -> None:
    """Record so many transfers of one box each."""
    requests = (
        RecordTransferRequest(
            request_id=f"box {number}",
            giver="acme",
            receiver="ann",
            units=select(ranges=[(1, number, number)]),
            unit_price=Price(amount_minor=1, currency_code="CNY"),
        )
        for number in range(count)
    )
    assert (
        sum(map(len, client.record_transfers(iter(lambda: list(itertools.islice(requests, 500)), []))))
        == count
    )


def test_one_connection_cannot_take_all_streams(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream beyond the limit is refused by name, other connections go on, and a stream that ends gives its place."""
    monkeypatch.setattr(streams, "MAX_STREAMS_OF_A_CONNECTION", 2)
    begin(client)
    with subscriptions(client.target) as greedy, subscriptions(client.target) as modest:
        held = [subscribe(greedy) for _ in range(2)]
        for stream in held:
            assert next(stream).next_after_position == BEGUN
        with pytest.raises(grpc.RpcError) as error:
            next(subscribe(greedy))
        assert error.value.code() is StatusCode.RESOURCE_EXHAUSTED
        assert "already has 2 streams" in str(error.value.details())
        assert next(subscribe(modest)).next_after_position == BEGUN
        held[0].cancel()
        wait_for(lambda: next(subscribe(greedy)).next_after_position == BEGUN)


def test_many_calls_at_once_on_one_connection_are_answered(data: Path) -> None:
    """A caller with 400 calls in flight gets every answer, though gRPC counts calls that have just ended."""
    request = events_pb2.GetHeadRequest(book=BOOK).SerializeToString()
    with served(data) as server, contextlib.closing(Load()) as load:
        with Client(server.target, book=BOOK) as client:
            begin(client)
        answers = load.calls(
            server.target, "/pathbook.v1.EventService/GetHead", [request] * 2_000, 400
        ).answers
    assert {events_pb2.GetHeadResponse.FromString(answer).position for answer in answers} == {BEGUN}


def wait_for(attempt: Callable[[], bool]) -> None:
    """Repeat a call until it is not refused."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            assert attempt()
        except grpc.RpcError:
            assert time.monotonic() < until
            time.sleep(0.02)
        else:
            return


def test_a_full_server_says_when_to_retry(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server with too many streams refuses further ones as unavailable, and a client with retries gets in later."""
    monkeypatch.setattr(streams, "MAX_STREAMS", 1)
    begin(client)
    with subscriptions(client.target) as channel:
        held = subscribe(channel)
        assert next(held).next_after_position == BEGUN
        with refused("SERVER_FULL", StatusCode.UNAVAILABLE):
            next(client.read())
        threading.Timer(0.3, held.cancel).start()
        with Client(client.target, book=BOOK, retry_seconds=PATIENCE) as patient:
            assert next(patient.read()).next_after_position == BEGUN


def test_a_stream_whose_reader_takes_nothing_ends(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that takes nothing for too long finds, after what it was sent, a status that says where to go on."""
    begin(client, EVENTS)
    write(client, EVENTS)
    monkeypatch.setattr(streams, "SLOW_READER_TIMEOUT_S", 0.2)
    with subscriptions(client.target) as channel:
        stream = subscribe(channel)
        taken = [next(stream)]
        time.sleep(1.0)
        with pytest.raises(grpc.RpcError) as error:
            taken.extend(stream)
        assert error.value.code() is StatusCode.UNAVAILABLE
        assert "took nothing of this stream" in str(error.value.details())
        assert len(taken) >= 1
        assert taken[-1].next_after_position < BEGUN + EVENTS


def test_a_slow_reader_with_a_client_gets_every_event_once(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A client resumes a stream that was ended because its user took too long."""

    def user_takes_long(target: str) -> list[int]:
        with subscriptions(target) as channel, Client(channel=channel, book=BOOK) as slow:
            positions: list[int] = []
            for batch in slow.read():
                positions += range(batch.first_position, batch.next_after_position + 1)
                time.sleep(0.3)
            return positions

    async def twin_takes_long(target: str) -> list[int]:
        async with (
            grpc.aio.insecure_channel(target, options=OPTIONS) as channel,
            AsyncClient(channel=channel, book=BOOK) as slow,
        ):
            positions: list[int] = []
            async for batch in slow.read():
                positions += range(batch.first_position, batch.next_after_position + 1)
                await asyncio.sleep(0.3)
            return positions

    with opened(data, logging.INFO) as client:
        begin(client, EVENTS)
        write(client, EVENTS)
        monkeypatch.setattr(streams, "SLOW_READER_TIMEOUT_S", 0.1)
        everything = list(range(1, EVENTS + BEGUN + 1))
        assert user_takes_long(client.target) == everything
        assert asyncio.run(twin_takes_long(client.target)) == everything
    assert capsys.readouterr().err.count('"reason": "SLOW_READER"') >= 2


def test_clients_do_not_notice_the_age_of_connections(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While connections are closed again and again, all calls succeed, and each subscriber gets each event once."""
    monkeypatch.setattr(limits, "MAX_AGE_S", 0.2)
    monkeypatch.setattr(limits, "AGE_GRACE_S", 0.1)
    count = 100
    with opened(data) as writer, Client(writer.target, book=BOOK) as client:
        begin(client)
        last = BEGUN + count

        def follow() -> list[int]:
            with Client(writer.target, book=BOOK) as own:
                return _positions(own.subscribe(), last)

        async def follow_in_loop() -> list[int]:
            async with AsyncClient(writer.target, book=BOOK) as own:
                positions: list[int] = []
                async for batch in own.subscribe():
                    positions += range(batch.first_position, batch.first_position + len(batch.events))
                    if batch.next_after_position == last:
                        break
                return positions

        found: list[list[int]] = []
        followers = [
            threading.Thread(target=lambda: found.append(follow()), daemon=True),
            threading.Thread(target=lambda: found.append(asyncio.run(follow_in_loop())), daemon=True),
        ]
        for one in followers:
            one.start()
        for number in range(count):
            client.register_party(f"p-{number}", PARTY_KIND_AGENT)
            assert client.get_party(f"p-{number}").party == f"p-{number}"
            time.sleep(0.02)
        for one in followers:
            one.join(PATIENCE)
        assert found == [list(range(1, last + 1))] * 2


def _positions(batches: Iterator[events_pb2.SubscribeResponse], last: int) -> list[int]:
    positions: list[int] = []
    for batch in batches:
        positions += range(batch.first_position, batch.first_position + len(batch.events))
        if batch.next_after_position == last:
            break
    return positions


def test_an_idle_connection_is_closed_and_its_client_calls_again(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call after the connection was closed for idleness succeeds at once, without a retry of the client."""
    monkeypatch.setattr(limits, "IDLE_TIMEOUT_S", 0.1)
    with opened(data) as client:
        begin(client)
        for _ in range(3):
            time.sleep(0.5)
            assert client.get_head().position == BEGUN


def test_connections_beyond_the_limit_wait_for_a_place(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that finds too many connections is answered as soon as one is closed."""
    monkeypatch.setattr(limits, "MAX_CONNECTIONS", 1)
    with opened(data) as first:
        begin(first)
        with Client(first.target, book=BOOK, retry_seconds=0.5) as hasty, pytest.raises(UnreachableError):
            hasty.get_head()
        with Client(first.target, book=BOOK, retry_seconds=PATIENCE) as patient:
            threading.Timer(0.3, first.close).start()
            assert patient.get_head().position == BEGUN
