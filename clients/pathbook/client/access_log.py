"""Calls about the access log: who that sees everything read prices."""

import functools
from collections.abc import Iterator

from pathbook.client.calls import Caller
from pathbook.v1 import access_log_pb2, access_log_pb2_grpc


class AccessLog(Caller):
    """The AccessLogService."""

    @functools.cached_property
    def _access_log(self) -> access_log_pb2_grpc.AccessLogServiceStub:
        return access_log_pb2_grpc.AccessLogServiceStub(self._channel)

    def list_accesses(self, *, page_size: int = 0) -> Iterator[access_log_pb2.Access]:
        """Yield which prices auditors and operators read, the newest first.

        A read is on record within some seconds. Reads of a program that runs the server itself are not: it may read
        the files as well. The oldest lines go when there are 100,000, or after 400 days.

        Args:
            page_size: Lines fetched in one call, at most 1,000. 0 means the server's choice.

        Yields:
            An Access with ``number``, ``at``, ``role``, ``caller`` (the id of a token), ``method``, ``subject`` and
            ``count``, the number of equal reads of that second.

        Raises:
            RefusedError: A reason of every list (see ``Client``).
            UnreachableError: No answer came in time.

        Example:
            >>> [line.method for line in client.list_accesses()]
            []
        """

        def page(token: str) -> access_log_pb2.ListAccessesResponse:
            request = access_log_pb2.ListAccessesRequest(
                book=self.book, page_size=page_size, page_token=token
            )
            return self._call(self._access_log.ListAccesses, request)

        for response in self._pages(page):
            yield from response.accesses
