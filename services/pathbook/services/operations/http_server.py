"""The port for operators: /metrics, /healthz and /readyz over HTTP. It answers on threads, whatever the server does."""

import http.server
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

REQUEST_TIMEOUT_S: Final = 5.0
"""How long a caller may take to send its request, or to take the answer."""

ANSWERS_AT_ONCE: Final = 16
"""How many callers are answered at once. A further one is closed."""

TEXT: Final = "text/plain; charset=utf-8"

METRICS_TYPE: Final = "text/plain; version=1.0.0; charset=utf-8"
"""The type of the text format of Prometheus."""


class OperationsServer:
    """Answers operators on a port of its own, until `close`.

    ``alive`` and ``ready`` return why the process is not, "" if it is. ``metrics`` returns the page of the metrics.
    """

    def __init__(
        self, listen: str, alive: Callable[[], str], ready: Callable[[], str], metrics: Callable[[], bytes]
    ) -> None:
        """Listen on HOST:PORT. Port 0 takes a free one.

        Raises:
            OSError: the address is taken, or not of this machine.
        """
        host, _, port = listen.rpartition(":")

        class Handler(_Handler):
            pages = {  # noqa: RUF012 - it is made once, and never changed
                "/healthz": lambda: _health(alive()),
                "/readyz": lambda: _health(ready()),
                "/metrics": lambda: (HTTPStatus.OK, METRICS_TYPE, metrics()),
            }

        try:
            family, _, _, _, address = socket.getaddrinfo(
                host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            self._server = _Server(family, (str(address[0]), int(address[1])), Handler)
        except OSError as error:
            raise OSError(f"Cannot listen on {listen}: {error}") from error
        self.address = f"{host}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="operations", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering. What is being answered is left to its thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(
        self, family: int, address: tuple[str, int], handler: type[http.server.BaseHTTPRequestHandler]
    ) -> None:
        self.address_family = family
        self._free = threading.BoundedSemaphore(ANSWERS_AT_ONCE)
        super().__init__(address, handler)

    def process_request(self, request: object, client_address: object) -> None:
        """Answer on a thread, if not too many callers are being answered."""
        assert isinstance(request, socket.socket)
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: object, client_address: object) -> None:
        """Answer one caller."""
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]  # it is as it was given
        finally:
            self._free.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing about a caller that went away or took too long."""


class _Handler(http.server.BaseHTTPRequestHandler):
    timeout = REQUEST_TIMEOUT_S
    server_version = "pathbook"
    sys_version = ""
    pages: dict[str, Callable[[], tuple[HTTPStatus, str, bytes]]]

    def do_GET(self) -> None:
        """Answer with a page."""
        page = self.pages.get(self.path.partition("?")[0])
        if page is None:
            status, kind, body = HTTPStatus.NOT_FOUND, TEXT, "\n".join([*self.pages, ""]).encode()
        else:
            status, kind, body = page()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - as the library calls it

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the library calls it
        """Log nothing: a caller asks every few seconds."""


def _health(problem: str) -> tuple[HTTPStatus, str, bytes]:
    """Return the answer to a health check."""
    if problem:
        return HTTPStatus.SERVICE_UNAVAILABLE, TEXT, f"{problem}\n".encode()
    return HTTPStatus.OK, TEXT, b"ok\n"
