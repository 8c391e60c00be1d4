"""The channel to a server: calls with deadlines and retries, streams that resume, pages of lists."""

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Final, Protocol, TypeVar

import grpc

from pathbook.client.errors import client_error, retry_delay
from pathbook.v1 import values_pb2

CALL_TIMEOUT_S: Final = 30.0
"""How long one attempt may take. Most calls take milliseconds, the largest some seconds."""

RETRY_TIMEOUT_S: Final = 10.0
"""How long a call is repeated while no server answers. A restart takes less."""

RETRY_FIRST_DELAY_S: Final = 0.05
"""The pause before the first retry. Each further pause is twice as long."""

RETRY_MAX_DELAY_S: Final = 1.0
"""The longest pause between two retries."""

MAX_RECEIVED_BYTES: Final = 64 * 1024 * 1024
"""The largest message accepted. The server's batches hold some 256 KiB, but one event may be larger."""

CHANNEL_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_RECEIVED_BYTES),
    ("grpc.keepalive_time_ms", 30_000),  # notices a dead connection within a minute
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 5_000),  # limits one attempt to connect; a refused one ends at once
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.use_local_subchannel_pool", 1),  # a connection for each client: servers on one port share the load
)

Request = TypeVar("Request")
Response = TypeVar("Response")
Received_co = TypeVar("Received_co", covariant=True)


class Stream(Protocol[Received_co]):
    """Responses that arrive until the stream ends or is cancelled."""

    def __iter__(self) -> Iterator[Received_co]:
        """Yield the responses."""

    def cancel(self) -> bool:
        """End the stream."""


class _Receipted(Protocol):
    """A response to a write."""

    @property
    def receipt(self) -> values_pb2.Receipt:
        """Where and when the write was recorded."""


class _Page(Protocol):
    """A response that holds one page of a list."""

    next_page_token: str


Receipted = TypeVar("Receipted", bound=_Receipted)
Page = TypeVar("Page", bound=_Page)


class RetryPolicy:
    """Decides whether to retry after an error, and waits before the retry."""

    def __init__(self, target: str, seconds: float) -> None:
        self._target = target
        self._seconds = seconds
        self.reset()

    def reset(self) -> None:
        """Start again after an answer: the time for retries counts from the next failure."""
        self._until: float | None = None
        self._pause = RETRY_FIRST_DELAY_S

    def wait(self, error: grpc.RpcError) -> None:
        """Sleep before a retry if a retry may help; raise the client's exception if not.

        The server may ask for a longer pause (google.rpc.RetryInfo). If the time for retries ends before that, there
        is no retry.

        Raises:
            RefusedError: The server refused the call.
            UnreachableError: No server answered in the time for retries, or not before the deadline.
        """
        assert isinstance(error, grpc.Call), error
        now = time.monotonic()
        self._until = now + self._seconds if self._until is None else self._until
        asked = retry_delay(error)
        if error.code() is not grpc.StatusCode.UNAVAILABLE or now + asked >= self._until:
            raise client_error(error, self._target) from None
        time.sleep(max(self._pause, asked))
        self._pause = min(2 * self._pause, RETRY_MAX_DELAY_S)


class Caller:
    """What all parts of the client share: the channel, the book's name, deadlines, and the last position written."""

    def __init__(
        self,
        target: str,
        *,
        book: str,
        timeout: float = CALL_TIMEOUT_S,
        retry_seconds: float = RETRY_TIMEOUT_S,
    ) -> None:
        self.target = target
        self.book = book
        self.position = 0
        self._timeout = timeout
        self._retry_seconds = retry_seconds
        self._channel = grpc.insecure_channel(target, options=CHANNEL_OPTIONS)

    def close(self) -> None:
        """Close the connection, and end all open streams.

        A ``with`` statement does this at its end. A call on a closed client raises ValueError.

        Example:
            >>> client.close()
        """
        self._channel.close()

    def _retry_policy(self) -> RetryPolicy:
        return RetryPolicy(self.target, self._retry_seconds)

    def _call(self, method: "grpc.UnaryUnaryMultiCallable[Request, Response]", request: Request) -> Response:
        """Call a method, and retry while no server answers. A write has a request id, so a retry is safe."""
        retries = self._retry_policy()
        while True:
            try:
                return method(request, timeout=self._timeout)
            except grpc.RpcError as error:
                retries.wait(error)

    def _write(
        self, method: "grpc.UnaryUnaryMultiCallable[Request, Receipted]", request: Request
    ) -> Receipted:
        """Call a method that writes, and remember its position for later reads."""
        response = self._call(method, request)
        self.position = max(self.position, response.receipt.position)
        return response

    def _at_least(self, position: int | None) -> int:
        """Return the position that a read must include: the given one, or this client's last write for None."""
        return self.position if position is None else position

    def _resume(
        self,
        open_after: Callable[[int], Stream[Response] | None],
        after: int,
        next_after: Callable[[Response], int],
    ) -> Iterator[Response]:
        """Yield the responses of a stream; when it breaks, open it again after the last response."""
        retries = self._retry_policy()
        while (stream := open_after(after)) is not None:
            try:
                for response in stream:
                    after = next_after(response)
                    yield response
                    retries.reset()
            except grpc.RpcError as error:
                retries.wait(error)
            else:
                return
            finally:
                stream.cancel()  # the caller may stop before the stream ends

    def _pages(self, fetch: Callable[[str], Page]) -> Iterator[Page]:
        """Yield page after page; each holds the token of the next."""
        page = fetch("")
        while page.next_page_token:
            yield page
            page = fetch(page.next_page_token)
        yield page


def request_id_or_new(request_id: str) -> str:
    """Return the request id, or a new random one for ""."""
    return request_id or str(uuid.uuid4())
