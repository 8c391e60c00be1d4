"""The floor of every call: a grpc.aio server in a process of its own that returns each message unchanged."""

import asyncio
import sys
from typing import Final

import grpc

SERVICE: Final = "pathbook.bench.Echo"
METHOD: Final = f"/{SERVICE}/Echo"
"""The only method: it returns the bytes it gets, without parsing or serializing them."""


async def _echo(request: bytes, _context: object) -> bytes:
    return request


async def serve() -> None:
    """Serve on a free port of this machine, print the port, and end when standard input is closed."""
    server = grpc.aio.server()
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(_echo)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Echo": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"Echoing on 127.0.0.1:{port}", flush=True)  # noqa: T201 - the parent process reads the port here
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(None)


if __name__ == "__main__":
    asyncio.run(serve())
