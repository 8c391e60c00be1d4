"""Calls about the access log: who that sees everything read prices."""

# clients/generate_client.py wrote this from access_log.py of the client: change that file.

import functools
from collections.abc import AsyncIterator

from pathbook.client.aio.calls import AsyncCaller
from pathbook.v1 import access_log_pb2, access_log_pb2_grpc


class AccessLog(AsyncCaller):
    """The AccessLogService."""

    @functools.cached_property
    def _access_log(self) -> "access_log_pb2_grpc.AccessLogServiceAsyncStub":
        return access_log_pb2_grpc.AccessLogServiceStub(self._channel)

    async def list_accesses(self, *, page_size: int = 0) -> AsyncIterator[access_log_pb2.Access]:
        """Yield which prices auditors and operators read, the newest first.

        A read is on record within some seconds. Reads of a program that runs the server itself are not: it may read
        the files as well. The oldest lines go when there are 100,000, or after 400 days.

        Args:
            page_size: Lines fetched in one call, at most 1,000. 0 means the server's choice.

        Yields:
            An Access with ``number``, ``at``, ``role``, ``caller`` (the id of a token), ``method``, ``subject`` and
            ``count``, the number of equal reads of that second.

        Raises:
            RefusedError: A reason of every list (see ``AsyncClient``).
            UnreachableError: No answer came in time.

        Example:
            >>> [line.method async for line in client.list_accesses()]
            []
        """

        async def page(token: str) -> access_log_pb2.ListAccessesResponse:
            request = access_log_pb2.ListAccessesRequest(
                book=self.book, page_size=page_size, page_token=token
            )
            return await self._call(self._access_log.ListAccesses, request)

        async for response in self._pages(page):
            for item in response.accesses:
                yield item
