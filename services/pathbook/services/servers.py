"""ServerService: what a server says of itself."""

import platform
from importlib import metadata

import grpc

from pathbook.ledger.store.database.places import VIEWS_VERSION
from pathbook.ledger.store.log.stream import FORMAT
from pathbook.v1 import servers_pb2, servers_pb2_grpc


class ServerService(servers_pb2_grpc.ServerServiceServicer):
    """Tells versions, and nothing of the machine or of the books."""

    def __init__(self) -> None:
        self._version = servers_pb2.GetVersionResponse(
            version=metadata.version("pathbook"),
            proto_package=servers_pb2.DESCRIPTOR.package,
            log_format=FORMAT,
            views_version=VIEWS_VERSION,
            python_version=platform.python_version(),
            grpc_version=grpc.__version__,
        )

    async def GetVersion(
        self, _request: servers_pb2.GetVersionRequest, _context: object
    ) -> servers_pb2.GetVersionResponse:
        """Return the versions of the program and of what it reads and writes."""
        return self._version
