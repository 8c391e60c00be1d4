"""The channel to a server: calls with deadlines and retries, streams that resume, pages of lists."""

import contextlib
import copy
import functools
import itertools
import secrets
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from queue import SimpleQueue
from typing import Final, ParamSpec, Protocol, Self, TypeVar, cast

import grpc
from google.protobuf.message import Message

from pathbook.client.errors import RefusedError, ended_too_soon
from pathbook.client.options import (
    BATCHES_AHEAD,
    CALL_TIMEOUT_S,
    CHANNEL_OPTIONS,
    RETRY_TIMEOUT_S,
    CallOptions,
    Metadata,
    Signer,
    Written,
    check_way,
)
from pathbook.client.retries import RetryPolicy
from pathbook.client.statements import kind_of, passes_codes, response_to
from pathbook.v1 import (
    events_pb2,
    events_pb2_grpc,
    statements_pb2,
    statements_pb2_grpc,
    transfers_pb2,
    transfers_pb2_grpc,
    values_pb2,
)

REQUEST_ID_BYTES: Final = 12
"""How random a request id is that the caller does not give. A statement and its proofs keep its 16 characters.
Among a billion requests of a party, two are the same with a chance of one in 150 billion, and then one is refused."""

Request = TypeVar("Request")
Response = TypeVar("Response")
Place = TypeVar("Place")
Arguments = ParamSpec("Arguments")


class _Receipted(Protocol):
    """A response to a write."""

    @property
    def receipt(self) -> values_pb2.Receipt:
        """Where and when the write was recorded."""


class _Identified(Protocol):
    """A request that writes."""

    request_id: str


class _Page(Protocol):
    """A response that holds one page of a list."""

    next_page_token: str


Receipted = TypeVar("Receipted", bound=_Receipted)
Page = TypeVar("Page", bound=_Page)
Write = TypeVar("Write", bound=_Identified)


class Caller:
    """What all parts of the client share: the channel, the book's name, options, and the last position written."""

    def __init__(  # noqa: PLR0913 - an argument for each choice of a user
        self,
        target: str = "",
        *,
        book: str,
        channel: grpc.Channel | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        metadata: Metadata = (),
        timeout: float = CALL_TIMEOUT_S,
        retry_seconds: float = RETRY_TIMEOUT_S,
        signer: Signer | None = None,
        token: str = "",
    ) -> None:
        check_way(target, has_channel=channel is not None, has_credentials=credentials is not None)
        self.target = target or "the channel given"
        self.book = book
        self._options = CallOptions(timeout, retry_seconds, metadata, signer, token)
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
        signer: Signer | None = None,
        token: str | None = None,
    ) -> Self:
        """Return this client with other options, for one call or for many.

        Both share the connection and ``position``. Only the first client closes the connection.

        Args:
            timeout: Seconds one attempt of a call may take. None keeps this client's.
            retry_seconds: Seconds a call is repeated while no server answers. None keeps this client's.
            metadata: Pairs, or a function that returns them, in place of this client's. None keeps this client's.
            signer: What signs each write from then on (see ``Client``). None keeps this client's.
            token: The API token of each call, in place of this client's. None keeps this client's.

        Returns:
            A client for the same book.

        Example:
            >>> client.with_options(timeout=2).get_book().name
            'masks'
        """
        other = copy.copy(self)
        other._options = self._options.changed(timeout, retry_seconds, metadata, signer, token)  # noqa: SLF001 - its own class
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

    @property
    def _signs(self) -> bool:
        return self._options.signer is not None

    @functools.cached_property
    def _statements(self) -> statements_pb2_grpc.StatementServiceStub:
        return statements_pb2_grpc.StatementServiceStub(self._channel)

    @functools.cached_property
    def _resolver(self) -> transfers_pb2_grpc.TransferServiceStub:
        return transfers_pb2_grpc.TransferServiceStub(self._channel)

    @functools.cached_property
    def _reader(self) -> events_pb2_grpc.EventServiceStub:
        return events_pb2_grpc.EventServiceStub(self._channel)

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
        """Call a method that writes, and remember its position for later reads.

        With a signer, what the request asks is filed as a statement, if a statement can ask it. It is signed once,
        and a retry sends the same bytes.
        """
        signer = self._options.signer
        if signer is None or not kind_of(request):
            response = self._call(method, request)
        else:
            answer = self._call(self._statements.FileStatement, self._sign(signer, request))
            response = cast("Receipted", response_to(request, answer))
        self._wrote(response.receipt.position)
        return response

    def _signed(
        self, sign: Callable[Arguments, Response], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Response:
        """Return what a function signs. The asyncio client calls it on a thread, because a KMS takes its time."""
        return sign(*args, **kwargs)

    def _sign(self, signer: Signer, request: object) -> statements_pb2.FileStatementRequest:
        from pathbook.client import signing  # only a client with a signer needs the codec

        self._check_codes(signer, signing.codes_in([request]))
        if (answered := signing.answered_by(request)) is not None:
            signing.bind(request, self._event_at(*answered))
        return signing.sign_statement(signer, request, self.book)

    def _sign_batch(self, signer: Signer, batch: Sequence[Message]) -> statements_pb2.FileStatementsRequest:
        from pathbook.client import signing  # as above

        self._check_codes(signer, signing.codes_in(batch))
        return signing.sign_batch(signer, batch, self.book)

    def _event_at(self, position: int, is_agreement: bool) -> bytes:  # noqa: FBT001 - the two of a request
        """Return the stored bytes of an event, b"" if there is none at this position.

        For an agreement, it is the event by which the transfer there was agreed: its acceptance if it was offered.
        """
        try:
            if is_agreement:
                asked = transfers_pb2.GetTransferRequest(
                    book=self.book, transfer=position, at_least_position=self.position
                )
                found = self._call(self._resolver.GetTransfer, asked).transfers
                position = found[0].answered_position or position
            request = events_pb2.ReadRequest(book=self.book, after_position=position - 1, limit=1)
            with contextlib.closing(
                self._resume(self._reader.Read, lambda _: request, 0, lambda _: 0)
            ) as batches:
                for batch in batches:
                    return batch.events[0]
        except RefusedError as refused:
            if refused.reason not in ("TRANSFER_UNKNOWN", "POSITION_NEGATIVE", "POSITION_BEYOND_HEAD"):
                raise
        return b""

    def _check_codes(self, signer: Signer, codes: Sequence[str]) -> None:
        """Have the book refuse codes that it did not print. Which units they name, it is not asked."""
        if not codes:
            return
        request = transfers_pb2.ResolveUnitsRequest(
            book=self.book,
            owner=signer.party,
            units=values_pb2.Selection(codes=codes),
            at_least_position=self.position,
        )
        try:
            self._call(self._resolver.ResolveUnits, request)
        except RefusedError as refused:
            if not passes_codes(refused):
                raise

    def _wrote(self, position: int) -> None:
        self.position = max(self.position, position)

    def _at_least(self, position: int | None) -> int:
        """Return the position that a read must include: the given one, or this client's last write for None."""
        return self.position if position is None else position

    def _resume(
        self,
        method: "grpc.UnaryStreamMultiCallable[Request, Response]",
        request_after: Callable[[Place], Request | None],
        after: Place,
        next_after: Callable[[Response], Place],
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

    def _file_statements(
        self, batches: Iterable[Sequence[Message]]
    ) -> Generator[Sequence[statements_pb2.FileStatementsResult], None, None]:
        """Sign each batch once, file its requests as statements, and yield the results of each batch."""
        signer = self._options.signer
        assert signer is not None, "the caller asked"
        requests = (self._sign_batch(signer, batch) for batch in batches)
        responses = self._exchange(self._statements.FileStatements, requests, BATCHES_AHEAD)
        with contextlib.closing(responses):  # the caller may stop before the end
            for response in responses:
                self._wrote(max((result.answer.receipt.position for result in response.results), default=0))
                yield response.results


def request_id_or_new(request_id: str) -> str:
    """Return the request id, or a new random one for ""."""
    return request_id or secrets.token_urlsafe(REQUEST_ID_BYTES)


def with_request_ids(batch: Sequence[Write]) -> Sequence[Write]:
    """Return a batch whose requests without an id got one."""
    for request in batch:
        request.request_id = request_id_or_new(request.request_id)
    return batch
