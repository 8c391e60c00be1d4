"""A gRPC server between a client and a server: it speaks TLS, and sees what the client sends with each call."""

import contextlib
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple

import grpc

CLOSE_SECONDS: Final = 10
"""How long (seconds) the relay waits for its calls when it closes."""


class Certificate(NamedTuple):
    """A self-signed certificate for 127.0.0.1, and its key, as PEM."""

    key: bytes
    chain: bytes


class Relay(grpc.GenericRpcHandler):
    """Passes every call on to a target.

    ``calls`` has the method and the metadata of each. ``hold`` keeps calls from being passed on until it is set.
    ``cut`` breaks the calls that are passed on, as a proxy does that goes away.
    """

    def __init__(self, target: str) -> None:
        """Connect to the target."""
        self.calls: list[tuple[str, dict[str, str | bytes]]] = []
        self.hold = threading.Event()
        self.hold.set()
        self.ended = threading.Semaphore(0)
        self.target = ""
        self._channel = grpc.insecure_channel(target)
        self._passed_on: set[grpc.RpcContext] = set()
        self._cut: set[grpc.RpcContext] = set()

    def cut(self) -> None:
        """Break all calls. Their callers are told that the server cannot be reached."""
        self._cut |= self._passed_on
        for call in list(self._passed_on):
            call.cancel()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        """Return a handler that passes a call on, whatever its kind."""
        method = handler_call_details.method

        def passed_on(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
            self.calls.append((method, dict(context.invocation_metadata())))
            context.add_callback(self.ended.release)
            self.hold.wait()
            pass_on: grpc.StreamStreamMultiCallable[bytes, bytes] = self._channel.stream_stream(method)
            call = pass_on(requests)
            self._passed_on.add(call)
            context.add_callback(lambda: ended(call))
            try:
                yield from call
            except grpc.RpcError:
                context.set_trailing_metadata(call.trailing_metadata())
                context.set_code(grpc.StatusCode.UNAVAILABLE if call in self._cut else call.code())
                context.set_details(call.details())
            finally:
                self._passed_on.discard(call)

        return grpc.stream_stream_rpc_method_handler(passed_on)

    def seen(self, name: str) -> list[str | bytes | None]:
        """Return what each call sent under a name."""
        return [metadata.get(name) for _, metadata in self.calls]

    def close(self) -> None:
        """Let held calls go, and disconnect."""
        self.hold.set()
        self._channel.close()


def ended(call: grpc.RpcContext) -> None:
    """End a call that was passed on, because its caller has left."""
    call.cancel()


@contextlib.contextmanager
def relayed(target: str, certificate: Certificate | None = None) -> Iterator[Relay]:
    """Relay calls to a target, with TLS if a certificate is given. ``relay.target`` is the address to call."""
    relay = Relay(target)
    server = grpc.server(ThreadPoolExecutor(8), handlers=[relay])
    if certificate is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([certificate]))
    relay.target = f"127.0.0.1:{port}"
    server.start()
    try:
        yield relay
    finally:
        relay.close()
        server.stop(0).wait(CLOSE_SECONDS)


def certified(place: Path) -> Certificate:
    """Make a key and a self-signed certificate for 127.0.0.1 in a directory."""
    key, chain = place / "key.pem", place / "chain.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=pathbook"
    )
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(chain)]
    subprocess.run([*command.split(), *names], check=True, capture_output=True)
    return Certificate(key.read_bytes(), chain.read_bytes())


def within(seconds: float, happens: Callable[[], bool]) -> bool:
    """Wait until something happens, and tell whether it did."""
    waited = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if happens():
            return True
        waited.wait(0.02)
    return happens()
