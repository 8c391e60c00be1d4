"""The load: requests written before the clock starts, sent over gRPC, their answers kept as bytes to be read after."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Final, NamedTuple, TypeVar

import grpc

from pathbook.client.errors import UnreachableError, client_error
from pathbook.v1.events_pb2 import SubscribeResponse

CHANNEL_OPTIONS: Final = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),  # a connection of its own for each channel, as if from elsewhere
)

CONNECT_TIMEOUT_S: Final = 30.0
"""How long a server that listens may take to accept a connection."""

LOAD_TIMEOUT_S: Final = 600.0
"""How long one load may take: most take some seconds, on a slow disk a minute."""

Came = TypeVar("Came")


class Answered(NamedTuple):
    """What came of a load, with a list item for each request.

    Attributes:
        seconds: from the first request to the last answer.
        cpu_seconds: how long a processor was used by this process meanwhile.
        sent: the moments (time.perf_counter) of sending.
        waits: seconds until the answers.
        answers: their bytes.
    """

    seconds: float
    cpu_seconds: float
    sent: list[float]
    waits: list[float]
    answers: list[bytes]


class Heard(NamedTuple):
    """What one subscriber heard: at which moments, up to which positions, and the bytes of all events."""

    moments: list[tuple[float, int]]
    events: list[bytes]


class Load:
    """Puts load on servers, from an event loop of its own. ``close`` it.

    What raises RefusedError or UnreachableError does so as the client does.
    """

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._channels: dict[str, grpc.aio.Channel] = {}

    def close(self) -> None:
        """Close all connections."""
        for target in list(self._channels):
            self.leave(target)
        self._runner.close()

    def leave(self, target: str) -> None:
        """Close the connection to a server that is about to end."""
        if (channel := self._channels.pop(target, None)) is not None:
            self._runner.run(channel.close())

    def calls(self, target: str, method: str, requests: Sequence[bytes], in_flight: int) -> Answered:
        """Make a call for each request, so many at once; answers are in the order of the requests."""
        return self._run(target, self._calls(target, method, requests, in_flight))

    def stream(self, target: str, method: str, requests: Sequence[bytes], ahead: int) -> Answered:
        """Send all requests on one call, so many ahead of their answers."""
        return self._run(target, self._stream(target, method, requests, ahead))

    def followed(
        self,
        target: str,
        subscribing: tuple[str, bytes, int, int],
        streaming: tuple[str, Sequence[bytes], int],
    ) -> tuple[Answered, list[Heard]]:
        """Do as ``stream`` while others subscribe: (method, request, how many, up to which position)."""
        return self._run(target, self._followed(target, subscribing, streaming))

    def _run(self, target: str, load: Coroutine[object, object, Came]) -> Came:
        """Run a load to its end. Raises what the client raises for calls that were not answered."""
        try:
            return self._runner.run(asyncio.wait_for(load, LOAD_TIMEOUT_S))
        except grpc.RpcError as error:
            raise client_error(error, target) from None
        except TimeoutError:
            why = f"it did not answer all within {LOAD_TIMEOUT_S:.0f} s"
            raise UnreachableError(target, why, grpc.StatusCode.DEADLINE_EXCEEDED) from None

    async def _channel(self, target: str) -> grpc.aio.Channel:
        if target not in self._channels:
            self._channels[target] = await _connected(target)
        return self._channels[target]

    async def _calls(self, target: str, method: str, requests: Sequence[bytes], in_flight: int) -> Answered:
        call = (await self._channel(target)).unary_unary(method, _as_is, _as_is)
        sent, waits = [0.0] * len(requests), [0.0] * len(requests)
        answers = [b""] * len(requests)
        waiting = iter(enumerate(requests))

        async def work() -> None:
            for number, request in waiting:
                sent[number] = time.perf_counter()
                answers[number] = await call(request)
                waits[number] = time.perf_counter() - sent[number]

        clock = _Clock()
        await asyncio.gather(*(work() for _ in range(in_flight)))
        return Answered(*clock.stop(), sent, waits, answers)

    async def _stream(self, target: str, method: str, requests: Sequence[bytes], ahead: int) -> Answered:
        call = (await self._channel(target)).stream_stream(method, _as_is, _as_is)
        window = asyncio.Semaphore(ahead)
        sent: list[float] = []
        waits: list[float] = []
        answers: list[bytes] = []

        async def sending() -> AsyncIterator[bytes]:
            for request in requests:
                await window.acquire()
                sent.append(time.perf_counter())
                yield request

        clock = _Clock()
        async for answer in call(sending()):
            waits.append(time.perf_counter() - sent[len(answers)])
            answers.append(answer)
            window.release()
        return Answered(*clock.stop(), sent, waits, answers)

    async def _followed(
        self,
        target: str,
        subscribing: tuple[str, bytes, int, int],
        streaming: tuple[str, Sequence[bytes], int],
    ) -> tuple[Answered, list[Heard]]:
        subscribe, request, subscribers, through = subscribing
        channels = await asyncio.gather(*(_connected(target) for _ in range(subscribers)))
        hearing = [asyncio.create_task(_hear(channel, subscribe, request, through)) for channel in channels]
        try:
            answered = await self._stream(target, *streaming)
            heard = await asyncio.gather(*hearing)
        finally:
            for task, channel in zip(hearing, channels, strict=True):
                task.cancel()
                await channel.close()
        return answered, heard


class _Clock:
    """Seconds that pass, and seconds of a processor that this process uses meanwhile."""

    def __init__(self) -> None:
        self._began, self._used = time.perf_counter(), time.process_time()

    def stop(self) -> tuple[float, float]:
        return time.perf_counter() - self._began, time.process_time() - self._used


async def _connected(target: str) -> grpc.aio.Channel:
    channel = grpc.aio.insecure_channel(target, CHANNEL_OPTIONS)
    await asyncio.wait_for(channel.channel_ready(), CONNECT_TIMEOUT_S)
    return channel


async def _hear(channel: grpc.aio.Channel, method: str, request: bytes, through: int) -> Heard:
    call = channel.unary_stream(method, _as_is, SubscribeResponse.FromString)(request)
    heard = Heard([], [])
    async for response in call:
        heard.moments.append((time.perf_counter(), response.next_after_position))
        heard.events.extend(response.events)
        if response.next_after_position >= through:
            break
    call.cancel()
    return heard


def _as_is(message: bytes) -> bytes:
    return message
