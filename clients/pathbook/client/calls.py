"""The channel to a server: calls with deadlines and retries, streams that resume, pages of lists."""

import contextlib
import copy
import itertools
import time
import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterator
from queue import SimpleQueue
from typing import Final, Protocol, Self, TypeVar

import grpc

from pathbook.client.errors import RefusedError, client_error, ended_too_soon
from pathbook.client.options import (
    CALL_TIMEOUT_S,
    CHANNEL_OPTIONS,
    RETRY_TIMEOUT_S,
    CallOptions,
    Metadata,
    Written,
    check_way,
)
from pathbook.v1 import values_pb2

RETRY_FIRST_DELAY_S: Final = 0.05
"""The pause before the first retry. Each further pause is twice as long."""

RETRY_MAX_DELAY_S: Final = 1.0
"""The longest pause between two retries."""

Request = TypeVar("Request")
Response = TypeVar("Response")


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
        """Sleep before a retry if a retry may help; raise as ``pause`` if not."""
        time.sleep(self.pause(error))

    def pause(self, error: grpc.RpcError) -> float:
        """Return the seconds to wait before a retry if a retry may help; raise the client's exception if not.

        A server that answers says how long to wait (google.rpc.RetryInfo), if a retry helps. If the time for retries
        ends before that, there is no retry.

        Raises:
            RefusedError: The server refused the call.
            UnreachableError: No server answered in the time for retries, or not before the deadline.
        """
        failed = client_error(error, self._target)
        now = time.monotonic()
        self._until = now + self._seconds if self._until is None else self._until
        asked = failed.retry_delay if isinstance(failed, RefusedError) else 0.0
        if failed.code is not grpc.StatusCode.UNAVAILABLE or asked is None or now + asked >= self._until:
            raise failed from None
        pause, self._pause = max(self._pause, asked), min(2 * self._pause, RETRY_MAX_DELAY_S)
        return pause


class Caller:
    """What all parts of the client share: the channel, the book's name, options, and the last position written."""

    def __init__(
        self,
        target: str = "",
        *,
        book: str,
        channel: grpc.Channel | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        metadata: Metadata = (),
        timeout: float = CALL_TIMEOUT_S,
        retry_seconds: float = RETRY_TIMEOUT_S,
    ) -> None:
        check_way(target, has_channel=channel is not None, has_credentials=credentials is not None)
        self.target = target or "the channel given"
        self.book = book
        self._options = CallOptions(timeout, retry_seconds, metadata)
        self._written = Written()
        self._closes = channel is None
        if channel is None and credentials is None:
            channel = grpc.insecure_channel(target, options=CHANNEL_OPTIONS)
        elif channel is None and credentials is not None:
            channel = grpc.secure_channel(target, credentials, options=CHANNEL_OPTIONS)
        assert channel is not None, target
        self._channel = channel

    @property
    def position(self) -> int:
        """The highest position that this client has written; reads include it. 0 before the first write."""
        return self._written.position

    @position.setter
    def position(self, position: int) -> None:
        self._written.position = position

    def with_options(
        self,
        *,
        timeout: float | None = None,
        retry_seconds: float | None = None,
        metadata: Metadata | None = None,
    ) -> Self:
        """Return this client with other options, for one call or for many.

        Both share the connection and ``position``. Only the first client closes the connection.

        Args:
            timeout: Seconds one attempt of a call may take. None keeps this client's.
            retry_seconds: Seconds a call is repeated while no server answers. None keeps this client's.
            metadata: Pairs, or a function that returns them, in place of this client's. None keeps this client's.

        Returns:
            A client for the same book.

        Example:
            >>> client.with_options(timeout=2).get_book().name
            'masks'
        """
        other = copy.copy(self)
        other._options = self._options.changed(timeout, retry_seconds, metadata)  # noqa: SLF001 - its own class
        other._closes = False  # noqa: SLF001 - its own class
        return other

    def close(self) -> None:
        """Close the connection, and end all open streams. A channel that you gave stays open.

        A ``with`` statement does this at its end. A call on a closed client raises ValueError.

        Example:
            >>> client.close()
        """
        if self._closes:
            self._channel.close()

    def _retry_policy(self) -> RetryPolicy:
        return RetryPolicy(self.target, self._options.retry_seconds)

    def _call(self, method: "grpc.UnaryUnaryMultiCallable[Request, Response]", request: Request) -> Response:
        """Call a method, and retry while no server answers. A write has a request id, so a retry is safe."""
        retries = self._retry_policy()
        while True:
            try:
                return method(request, timeout=self._options.timeout, metadata=self._options.pairs())
            except grpc.RpcError as error:
                retries.wait(error)

    def _write(
        self, method: "grpc.UnaryUnaryMultiCallable[Request, Receipted]", request: Request
    ) -> Receipted:
        """Call a method that writes, and remember its position for later reads."""
        response = self._call(method, request)
        self._wrote(response.receipt.position)
        return response

    def _wrote(self, position: int) -> None:
        self.position = max(self.position, position)

    def _at_least(self, position: int | None) -> int:
        """Return the position that a read must include: the given one, or this client's last write for None."""
        return self.position if position is None else position

    def _resume(
        self,
        method: "grpc.UnaryStreamMultiCallable[Request, Response]",
        request_after: Callable[[int], Request | None],
        after: int,
        next_after: Callable[[Response], int],
    ) -> Generator[Response, None, None]:
        """Yield the responses of a stream; when it breaks, request it again after the last response."""
        retries = self._retry_policy()
        while (request := request_after(after)) is not None:
            stream = method(request, metadata=self._options.pairs())
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

    def _whole(
        self,
        fetch: Callable[[str], Page],
        join: Callable[[Page, Page], None],
        is_enough: Callable[[Page], bool] = lambda _: False,
    ) -> Page:
        """Return the first page of an answer with all others joined to it, or as many as are enough."""
        whole = fetch("")
        while whole.next_page_token and not is_enough(whole):
            page = fetch(whole.next_page_token)
            whole.next_page_token = page.next_page_token
            join(whole, page)
        return whole

    def _first(
        self, method: "grpc.UnaryStreamMultiCallable[Request, Response]", request: Request
    ) -> Response:
        """Return the first response of a stream, and end the stream. It is requested again when it breaks."""
        with contextlib.closing(self._resume(method, lambda _: request, 0, lambda _: 0)) as responses:
            for response in responses:
                return response
        raise ended_too_soon(self.target)

    def _exchange(
        self,
        method: "grpc.StreamStreamMultiCallable[Request, Response]",
        requests: Iterator[Request],
        ahead: int,
    ) -> Generator[Response, None, None]:
        """Send requests, so many ahead of their responses, and yield one response for each, in order.

        When the stream breaks, the requests without responses are sent again.
        """
        waiting = deque(itertools.islice(requests, ahead))
        retries = self._retry_policy()
        while waiting:
            sending: SimpleQueue[Request | None] = SimpleQueue()
            for request in waiting:
                sending.put(request)
            responses = method(iter(sending.get, None), metadata=self._options.pairs())
            try:
                for response in responses:
                    waiting.popleft()
                    for request in itertools.islice(requests, 1):
                        waiting.append(request)
                        sending.put(request)
                    yield response
                    retries.reset()
                    if not waiting:
                        sending.put(None)  # then the server ends the call too
            except grpc.RpcError as error:
                retries.wait(error)
            else:
                if waiting:
                    raise ended_too_soon(self.target)
            finally:
                sending.put(None)
                responses.cancel()


def request_id_or_new(request_id: str) -> str:
    """Return the request id, or a new random one for ""."""
    return request_id or str(uuid.uuid4())
