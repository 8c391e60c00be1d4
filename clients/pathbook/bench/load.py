"""The load: it sends requests over gRPC that were serialized before, and keeps the answers as bytes for later."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from typing import Final, NamedTuple, TypeVar

import grpc

from pathbook.client.errors import UnreachableError, client_error
from pathbook.v1.events_pb2 import SubscribeResponse

CHANNEL_OPTIONS: Final = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),  # a connection for each channel, as different machines have
)

CONNECT_TIMEOUT_S: Final = 30.0
"""How long a listening server may take to accept a connection."""

LOAD_TIMEOUT_S: Final = 600.0
"""How long one load may take. Most loads take some seconds, or a minute on a slow disk."""

Result = TypeVar("Result")


class Guard(NamedTuple):
    """What a server demands of its callers: the certificate that they trust, in PEM, and metadata of each call."""

    certificate: bytes
    metadata: tuple[tuple[str, str], ...]


class LoadResult(NamedTuple):
    """The results of a load. The lists have an item for each request.

    Attributes:
        seconds: from the first request to the last answer.
        cpu_seconds: CPU seconds of this process in that time.
        sent: when each request was sent (time.perf_counter).
        waits: seconds until each answer.
        answers: the bytes of each answer.
    """

    seconds: float
    cpu_seconds: float
    sent: list[float]
    waits: list[float]
    answers: list[bytes]


class Received(NamedTuple):
    """What one subscriber received.

    Attributes:
        arrivals: for each batch, the time of its arrival (time.perf_counter) and its last position.
        events: the bytes of all events.
    """

    arrivals: list[tuple[float, int]]
    events: list[bytes]


class Busy(NamedTuple):
    """A caller that asks on one connection as fast as it is answered, until the load that it is beside has ended.

    Attributes:
        method: a method that streams its answers.
        requests: the requests, without an end. The method gets them one by one, each after an answer.
        streams: whether all requests go into one call. If not, each has a call of its own.
    """

    method: str
    requests: Iterator[bytes]
    streams: bool


class Stream(NamedTuple):
    """Requests that one caller sends on one call.

    Attributes:
        target: the address of the server.
        method: a method that streams requests and answers.
        requests: the requests.
        ahead: how many are sent before their answers.
    """

    target: str
    method: str
    requests: Sequence[bytes]
    ahead: int


class Load:
    """Puts load on servers, from an event loop of its own. ``close`` it at the end.

    Its methods raise RefusedError and UnreachableError as the client does.
    """

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._guards: dict[str, Guard] = {}

    def guard(self, target: str, guard: Guard) -> None:
        """Call a server with a certificate and metadata. Streams to subscribers, and busy callers, do not."""
        self._guards[target] = guard

    def close(self) -> None:
        """Close all connections."""
        for target in list(self._channels):
            self.disconnect(target)
        self._runner.close()

    def disconnect(self, target: str) -> None:
        """Close the connection to a server that is about to stop."""
        if (channel := self._channels.pop(target, None)) is not None:
            self._runner.run(channel.close())

    def calls(self, target: str, method: str, requests: Sequence[bytes], in_flight: int) -> LoadResult:
        """Make a call for each request, up to ``in_flight`` at once. Answers are in the order of the requests."""
        return self._run(target, self._calls(target, method, requests, in_flight))

    def stream(self, target: str, method: str, requests: Sequence[bytes], ahead: int) -> LoadResult:
        """Send all requests on one call, up to ``ahead`` before their answers."""
        return self._run(target, self._stream(target, method, requests, ahead))

    def streams(self, streams: Sequence[Stream]) -> tuple[float, list[list[bytes]]]:
        """Send several streams at once, each on a connection of its own.

        Return the seconds from the first request to the last answer, and the answers of each stream.
        """
        return self._run(streams[0].target, self._streams(streams))

    def stream_to_subscribers(
        self,
        target: str,
        subscription: tuple[str, bytes, int, int],
        writes: tuple[str, Sequence[bytes], int],
    ) -> tuple[LoadResult, list[Received]]:
        """Stream requests while subscribers read the events.

        Args:
            target: the address of the server.
            subscription: method, request, number of subscribers, and the position at which they stop.
            writes: the arguments of ``stream`` after the target.
        """
        return self._run(target, self._stream_to_subscribers(target, subscription, writes))

    def calls_beside(
        self, target: str, calls: Sequence[tuple[str, Sequence[bytes]]], busy: Sequence[Busy]
    ) -> tuple[list[LoadResult], list[list[bytes]]]:
        """Make the calls of each (method, requests) one after the other, all pairs at once, beside busy callers.

        Return the results of the pairs, and the answers that each busy caller got to streamed requests. Each caller
        has a connection of its own.
        """
        return self._run(target, self._calls_beside(target, calls, busy))

    def _run(self, target: str, load: Coroutine[object, object, Result]) -> Result:
        """Run a load to its end. If a call fails, raise the exception that the client raises."""
        try:
            return self._runner.run(asyncio.wait_for(load, LOAD_TIMEOUT_S))
        except grpc.RpcError as error:
            raise client_error(error, target) from None
        except TimeoutError:
            why = f"it did not answer all requests in {LOAD_TIMEOUT_S:.0f} s"
            raise UnreachableError(target, why, grpc.StatusCode.DEADLINE_EXCEEDED) from None

    async def _channel(self, target: str) -> grpc.aio.Channel:
        if target not in self._channels:
            self._channels[target] = await _connect(target, self._guards.get(target))
        return self._channels[target]

    def _metadata(self, target: str) -> tuple[tuple[str, str], ...] | None:
        guard = self._guards.get(target)
        return None if guard is None else guard.metadata

    async def _calls(self, target: str, method: str, requests: Sequence[bytes], in_flight: int) -> LoadResult:
        call = (await self._channel(target)).unary_unary(method, _as_is, _as_is)
        sent, waits = [0.0] * len(requests), [0.0] * len(requests)
        answers = [b""] * len(requests)
        unsent, metadata = iter(enumerate(requests)), self._metadata(target)

        async def send_all() -> None:
            for number, request in unsent:
                sent[number] = time.perf_counter()
                answers[number] = await call(request, metadata=metadata)
                waits[number] = time.perf_counter() - sent[number]

        clock = _Clock()
        await asyncio.gather(*(send_all() for _ in range(in_flight)))
        return LoadResult(*clock.stop(), sent, waits, answers)

    async def _streams(self, streams: Sequence[Stream]) -> tuple[float, list[list[bytes]]]:
        channels = await asyncio.gather(*(_connect(stream.target) for stream in streams))
        clock = _Clock()
        try:
            results = await asyncio.gather(
                *(_send(channel, *stream[1:]) for channel, stream in zip(channels, streams, strict=True))
            )
            seconds, _ = clock.stop()
        finally:
            for channel in channels:
                await channel.close()
        return seconds, [result.answers for result in results]

    async def _stream(self, target: str, method: str, requests: Sequence[bytes], ahead: int) -> LoadResult:
        return await _send(await self._channel(target), method, requests, ahead, self._metadata(target))

    async def _calls_beside(
        self, target: str, calls: Sequence[tuple[str, Sequence[bytes]]], busy: Sequence[Busy]
    ) -> tuple[list[LoadResult], list[list[bytes]]]:
        channels = await asyncio.gather(*(_connect(target) for _ in busy))
        ended = asyncio.Event()
        asking = [
            asyncio.create_task(_ask_until(ended, channel, caller))
            for channel, caller in zip(channels, busy, strict=True)
        ]
        try:
            measured = await asyncio.gather(*(self._calls(target, *pair, 1) for pair in calls))
            ended.set()
            answers = await asyncio.gather(*asking)
        finally:
            for task, channel in zip(asking, channels, strict=True):
                task.cancel()
                await channel.close()
        return measured, answers

    async def _stream_to_subscribers(
        self,
        target: str,
        subscription: tuple[str, bytes, int, int],
        writes: tuple[str, Sequence[bytes], int],
    ) -> tuple[LoadResult, list[Received]]:
        method, request, subscribers, through = subscription
        channels = await asyncio.gather(*(_connect(target) for _ in range(subscribers)))
        receiving = [asyncio.create_task(_receive(channel, method, request, through)) for channel in channels]
        try:
            written = await self._stream(target, *writes)
            received = await asyncio.gather(*receiving)
        finally:
            for task, channel in zip(receiving, channels, strict=True):
                task.cancel()
                await channel.close()
        return written, received


class _Clock:
    """Measures the seconds that pass, and the CPU seconds of this process."""

    def __init__(self) -> None:
        self._began, self._used = time.perf_counter(), time.process_time()

    def stop(self) -> tuple[float, float]:
        return time.perf_counter() - self._began, time.process_time() - self._used


async def _send(
    channel: grpc.aio.Channel,
    method: str,
    requests: Sequence[bytes],
    ahead: int,
    metadata: tuple[tuple[str, str], ...] | None = None,
) -> LoadResult:
    call = channel.stream_stream(method, _as_is, _as_is)
    window = asyncio.Semaphore(ahead)
    sent: list[float] = []
    waits: list[float] = []
    answers: list[bytes] = []

    async def send() -> AsyncIterator[bytes]:
        for request in requests:
            await window.acquire()
            sent.append(time.perf_counter())
            yield request

    clock = _Clock()
    async for answer in call(send(), metadata=metadata):
        waits.append(time.perf_counter() - sent[len(answers)])
        answers.append(answer)
        window.release()
    return LoadResult(*clock.stop(), sent, waits, answers)


async def _connect(target: str, guard: Guard | None = None) -> grpc.aio.Channel:
    if guard is None:
        channel = grpc.aio.insecure_channel(target, CHANNEL_OPTIONS)
    else:
        credentials = grpc.ssl_channel_credentials(guard.certificate)
        channel = grpc.aio.secure_channel(target, credentials, CHANNEL_OPTIONS)
    await asyncio.wait_for(channel.channel_ready(), CONNECT_TIMEOUT_S)
    return channel


async def _ask_until(ended: asyncio.Event, channel: grpc.aio.Channel, busy: Busy) -> list[bytes]:
    """Ask until the event is set. Requests that were sent in a stream get their answers."""
    answers: list[bytes] = []
    if not busy.streams:
        method = channel.unary_stream(busy.method, _as_is, _as_is)
        while not ended.is_set():
            call = method(next(busy.requests))
            async for _ in call:
                if ended.is_set():
                    call.cancel()
                    break
        return answers
    answered = asyncio.Semaphore(1)

    async def send() -> AsyncIterator[bytes]:
        while not ended.is_set():
            await answered.acquire()
            yield next(busy.requests)

    async for answer in channel.stream_stream(busy.method, _as_is, _as_is)(send()):
        answers.append(answer)
        answered.release()
    return answers


async def _receive(channel: grpc.aio.Channel, method: str, request: bytes, through: int) -> Received:
    call = channel.unary_stream(method, _as_is, SubscribeResponse.FromString)(request)
    received = Received([], [])
    async for response in call:
        received.arrivals.append((time.perf_counter(), response.next_after_position))
        received.events.extend(response.events)
        if response.next_after_position >= through:
            break
    call.cancel()
    return received


def _as_is(message: bytes) -> bytes:
    return message
