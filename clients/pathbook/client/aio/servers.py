"""The call that asks which program answers."""

# clients/generate_client.py wrote this from servers.py of the client: change that file.

import functools

from pathbook.client.aio.calls import AsyncCaller
from pathbook.v1 import servers_pb2, servers_pb2_grpc


class Servers(AsyncCaller):
    """The ServerService. It needs no book."""

    @functools.cached_property
    def _server(self) -> "servers_pb2_grpc.ServerServiceAsyncStub":
        return servers_pb2_grpc.ServerServiceStub(self._channel)

    async def get_version(self) -> servers_pb2.GetVersionResponse:
        """Return the versions of the server, and of what it reads and writes.

        Returns:
            A response with ``version``, ``proto_package``, ``log_format``, ``views_version``, ``python_version`` and
            ``grpc_version``.

        Raises:
            RefusedError: A reason of every call, but not BOOK_MALFORMED and BOOK_UNKNOWN (see ``AsyncClient``).
            UnreachableError: No answer came in time.

        Example:
            >>> (await client.get_version()).proto_package
            'pathbook.v1'
        """
        return await self._call(self._server.GetVersion, servers_pb2.GetVersionRequest())
