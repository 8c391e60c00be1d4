"""The call that asks which program answers."""

import functools

from pathbook.client.calls import Caller
from pathbook.v1 import servers_pb2, servers_pb2_grpc


class Servers(Caller):
    """The ServerService. It needs no book."""

    @functools.cached_property
    def _server(self) -> servers_pb2_grpc.ServerServiceStub:
        return servers_pb2_grpc.ServerServiceStub(self._channel)

    def get_version(self) -> servers_pb2.GetVersionResponse:
        """Return the versions of the server, and of what it reads and writes.

        Returns:
            A response with ``version``, ``proto_package``, ``log_format``, ``views_version``, ``python_version`` and
            ``grpc_version``.

        Raises:
            RefusedError: A reason of every call, but not BOOK_MALFORMED and BOOK_UNKNOWN (see ``Client``).
            UnreachableError: No answer came in time.

        Example:
            >>> client.get_version().proto_package
            'pathbook.v1'
        """
        return self._call(self._server.GetVersion, servers_pb2.GetVersionRequest())
