"""A channel to a server: calls with deadlines, repeated while it cannot be reached; streams that resume."""

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Final, Protocol, TypeVar

import grpc

from pathbook.client.errors import meaning
from pathbook.v1 import values_pb2

CALL_TIMEOUT_S: Final = 30.0
"""How long one call may take: most take milliseconds, one of the largest size some seconds."""

RETRY_TIMEOUT_S: Final = 10.0
"""How long a call is repeated while the server cannot be reached: a restart takes less."""

RETRY_FIRST_DELAY_S: Final = 0.05
"""The pause before the first repetition; each further one is twice as long ..."""

RETRY_MAX_DELAY_S: Final = 1.0
"""... up to this."""

MAX_RECEIVED_BYTES: Final = 64 * 1024 * 1024
"""The largest message accepted: the server's batches hold some 256 KiB, but one event alone may be larger."""

CHANNEL_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_RECEIVED_BYTES),
    ("grpc.keepalive_time_ms", 30_000),  # a connection that died silently is noticed within a minute
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 5_000),  # for one attempt to connect; a refused one ends at once
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.use_local_subchannel_pool", 1),  # a connection each: servers on one port share their callers
)

Request = TypeVar("Request")
Response = TypeVar("Response")
Received_co = TypeVar("Received_co", covariant=True)


class Stream(Protocol[Received_co]):
    """Answers as they come, until the stream ends or is cancelled."""

    def __iter__(self) -> Iterator[Received_co]:
        """Yield the answers."""

    def cancel(self) -> bool:
        """End the stream."""


class _Receipted(Protocol):
    """What answers a write."""

    @property
    def receipt(self) -> values_pb2.Receipt:
        """Where it was recorded."""


class _Page(Protocol):
    """What answers a list."""

    next_page_token: str


Receipted = TypeVar("Receipted", bound=_Receipted)
Page = TypeVar("Page", bound=_Page)


class RetryPolicy:
    """Says whether, and after which pause, something is tried again that found no server."""

    def __init__(self, target: str, seconds: float) -> None:
        self._target = target
        self._seconds = seconds
        self.renew()

    def renew(self) -> None:
        """Begin anew: the server has answered. RetryPolicy is counted from the first failure after that."""
        self._until: float | None = None
        self._pause = RETRY_FIRST_DELAY_S

    def wait(self, error: grpc.RpcError) -> None:
        """Pause after an error, if trying again may help; otherwise raise what it means.

        Raises:
            RefusedError: the server said no.
            UnreachableError: no answer came, for as long as was to be waited.
        """
        assert isinstance(error, grpc.Call), error
        now = time.monotonic()
        self._until = now + self._seconds if self._until is None else self._until
        if error.code() is not grpc.StatusCode.UNAVAILABLE or now >= self._until:
            raise meaning(error, self._target) from None
        time.sleep(self._pause)
        self._pause = min(2 * self._pause, RETRY_MAX_DELAY_S)


class Caller:
    """What all parts of the client share: the channel, the book's name, deadlines, and what was last written.

    A read knows at least what this client wrote before, unless it is told another position.
    """

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
        """Close the channel; streams that are open end."""
        self._channel.close()

    def _retry_policy(self) -> RetryPolicy:
        return RetryPolicy(self.target, self._retry_seconds)

    def _ask(self, method: "grpc.UnaryUnaryMultiCallable[Request, Response]", request: Request) -> Response:
        """Call until there is an answer. A write carries its request id, so it is done once however often."""
        patience = self._retry_policy()
        while True:
            try:
                return method(request, timeout=self._timeout)
            except grpc.RpcError as error:
                patience.wait(error)

    def _write(
        self, method: "grpc.UnaryUnaryMultiCallable[Request, Receipted]", request: Request
    ) -> Receipted:
        """Call a method that writes, and remember how far the book has come by it."""
        response = self._ask(method, request)
        self.position = max(self.position, response.receipt.position)
        return response

    def _known(self, at_least: int | None) -> int:
        """Return the position a read shall know at least: as told, else that of this client's last write."""
        return self.position if at_least is None else at_least

    def _resumed(
        self,
        open_after: Callable[[int], Stream[Response] | None],
        after: int,
        next_after: Callable[[Response], int],
    ) -> Iterator[Response]:
        """Yield what a stream holds after a place, opening it again after the last place when it breaks."""
        patience = self._retry_policy()
        while (stream := open_after(after)) is not None:
            try:
                for response in stream:
                    after = next_after(response)
                    yield response
                    patience.renew()
            except grpc.RpcError as error:
                patience.wait(error)
            else:
                return
            finally:
                stream.cancel()  # the caller may have had enough of it

    def _pages(self, ask: Callable[[str], Page]) -> Iterator[Page]:
        """Ask for page after page, each by the token in the one before."""
        page = ask("")
        while page.next_page_token:
            yield page
            page = ask(page.next_page_token)
        yield page


def request_id_or_new(request_id: str) -> str:
    """Return the id, or where it is empty one that no other request has."""
    return request_id or str(uuid.uuid4())
