"""The channel to a server in an event loop: calls with deadlines and retries, streams that resume, pages of lists."""

import asyncio
import contextlib
import copy
import itertools
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from typing import Self, TypeVar

import grpc
from grpc import aio

from pathbook.client.calls import Page, Receipted, RetryPolicy, request_id_or_new
from pathbook.client.errors import ended_too_soon
from pathbook.client.options import (
    CALL_TIMEOUT_S,
    CHANNEL_OPTIONS,
    RETRY_TIMEOUT_S,
    CallOptions,
    Metadata,
    Written,
    check_way,
)

__all__ = ["AsyncCaller", "request_id_or_new"]

Request = TypeVar("Request")
Response = TypeVar("Response")


class AsyncCaller:
    """What all parts of the client share: the channel, the book's name, options, and the last position written."""

    def __init__(
        self,
        target: str = "",
        *,
        book: str,
        channel: aio.Channel | None = None,
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
            channel = aio.insecure_channel(target, options=CHANNEL_OPTIONS)
        elif channel is None and credentials is not None:
            channel = aio.secure_channel(target, credentials, options=CHANNEL_OPTIONS)
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
            >>> (await client.with_options(timeout=2).get_book()).name
            'masks'
        """
        other = copy.copy(self)
        other._options = self._options.changed(timeout, retry_seconds, metadata)  # noqa: SLF001 - its own class
        other._closes = False  # noqa: SLF001 - its own class
        return other

    async def close(self) -> None:
        """Close the connection, and end all open streams. A channel that you gave stays open.

        An ``async with`` statement does this at its end. A call on a closed client raises asyncio's UsageError.

        Example:
            >>> await client.close()
        """
        if self._closes:
            await self._channel.close()

    def _retry_policy(self) -> RetryPolicy:
        return RetryPolicy(self.target, self._options.retry_seconds)

    async def _call(
        self, method: "aio.UnaryUnaryMultiCallable[Request, Response]", request: Request
    ) -> Response:
        """Call a method, and retry while no server answers. A write has a request id, so a retry is safe."""
        retries = self._retry_policy()
        while True:
            try:
                return await method(request, timeout=self._options.timeout, metadata=self._options.pairs())
            except aio.AioRpcError as error:
                await asyncio.sleep(retries.pause(error))

    async def _write(
        self, method: "aio.UnaryUnaryMultiCallable[Request, Receipted]", request: Request
    ) -> Receipted:
        """Call a method that writes, and remember its position for later reads."""
        response = await self._call(method, request)
        self._wrote(response.receipt.position)
        return response

    def _wrote(self, position: int) -> None:
        self.position = max(self.position, position)

    def _at_least(self, position: int | None) -> int:
        """Return the position that a read must include: the given one, or this client's last write for None."""
        return self.position if position is None else position

    async def _resume(
        self,
        method: "aio.UnaryStreamMultiCallable[Request, Response]",
        request_after: Callable[[int], Request | None],
        after: int,
        next_after: Callable[[Response], int],
    ) -> AsyncGenerator[Response, None]:
        """Yield the responses of a stream; when it breaks, request it again after the last response."""
        retries = self._retry_policy()
        while (request := request_after(after)) is not None:
            stream = method(request, metadata=self._options.pairs())
            try:
                async for response in stream:
                    after = next_after(response)
                    yield response
                    retries.reset()
            except aio.AioRpcError as error:
                await asyncio.sleep(retries.pause(error))
            else:
                return
            finally:
                stream.cancel()  # the caller may stop before the stream ends

    async def _pages(self, fetch: Callable[[str], Awaitable[Page]]) -> AsyncIterator[Page]:
        """Yield page after page; each holds the token of the next."""
        page = await fetch("")
        while page.next_page_token:
            yield page
            page = await fetch(page.next_page_token)
        yield page

    async def _whole(
        self,
        fetch: Callable[[str], Awaitable[Page]],
        join: Callable[[Page, Page], None],
        is_enough: Callable[[Page], bool] = lambda _: False,
    ) -> Page:
        """Return the first page of an answer with all others joined to it, or as many as are enough."""
        whole = await fetch("")
        while whole.next_page_token and not is_enough(whole):
            page = await fetch(whole.next_page_token)
            whole.next_page_token = page.next_page_token
            join(whole, page)
        return whole

    async def _first(
        self, method: "aio.UnaryStreamMultiCallable[Request, Response]", request: Request
    ) -> Response:
        """Return the first response of a stream, and end the stream. It is requested again when it breaks."""
        async with contextlib.aclosing(self._resume(method, lambda _: request, 0, lambda _: 0)) as responses:
            async for response in responses:
                return response
        raise ended_too_soon(self.target)

    async def _exchange(
        self,
        method: "aio.StreamStreamMultiCallable[Request, Response]",
        requests: Iterator[Request],
        ahead: int,
    ) -> AsyncGenerator[Response, None]:
        """Send requests, so many ahead of their responses, and yield one response for each, in order.

        When the stream breaks, the requests without responses are sent again.
        """
        waiting = deque(itertools.islice(requests, ahead))
        retries = self._retry_policy()
        while waiting:
            sending: asyncio.Queue[Request | None] = asyncio.Queue()
            for request in waiting:
                sending.put_nowait(request)
            responses = method(_until_none(sending), metadata=self._options.pairs())
            try:
                async for response in responses:
                    waiting.popleft()
                    for request in itertools.islice(requests, 1):
                        waiting.append(request)
                        sending.put_nowait(request)
                    yield response
                    retries.reset()
                    if not waiting:
                        sending.put_nowait(None)  # then the server ends the call too
            except aio.AioRpcError as error:
                await asyncio.sleep(retries.pause(error))
            else:
                if waiting:
                    raise ended_too_soon(self.target)
            finally:
                sending.put_nowait(None)
                responses.cancel()


async def _until_none(queue: "asyncio.Queue[Request | None]") -> AsyncIterator[Request]:
    while (request := await queue.get()) is not None:
        yield request
