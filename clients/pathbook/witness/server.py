"""The HTTP around a witness: one path, bounded in bytes, time and connections."""

import contextlib
import http.server
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Final

from pathbook.ledger.proofs.submission import MAX_BYTES, PATH
from pathbook.witness.witness import TEXT, Answer

MAX_CONNECTIONS: Final = 128
"""How many connections are open at once. A further one is closed at once."""

REQUEST_TIMEOUT_S: Final = 30.0
"""How long a connection may take for a request, with the time before it. Then it is closed."""

Submit = Callable[[bytes], Answer]
"""Answers the body of a submission."""


@contextlib.contextmanager
def serving(listen: str, submit: Submit, told: Callable[[str], None]) -> Iterator[str]:
    """Serve at HOST:PORT while the caller does something else. Yield the address, with the port that was chosen for 0.

    Args:
        listen: HOST:PORT. An IPv6 address is written in brackets.
        submit: answers submissions, in threads.
        told: is called with a sentence for the operator, of what went wrong.

    Raises:
        OSError: it cannot listen there.
    """
    host, _, port = listen.rpartition(":")
    try:
        found, *_ = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
        server = _Server(found[0], (str(found[4][0]), int(port)), submit, told)
    except OSError as error:
        raise OSError(f"Cannot listen on {listen}: {error}") from error
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="witness", daemon=True)
        thread.start()
        try:
            yield f"{host}:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


class _Server(socketserver.ThreadingTCPServer):
    """A thread for each connection, and not too many of them."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = MAX_CONNECTIONS

    def __init__(
        self, family: int, address: tuple[str, int], submit: Submit, told: Callable[[str], None]
    ) -> None:
        self.address_family = family
        self.submit, self.told = submit, told
        self._places = threading.BoundedSemaphore(MAX_CONNECTIONS)
        super().__init__(address, _Handler)

    def process_request(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        """Begin a thread, unless there are too many."""
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._places.release()
            raise

    def process_request_thread(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        """Answer the requests of a connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """Leave out the traceback: a caller that went away is no event."""


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers requests of one connection, one after the other."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def handle_one_request(self) -> None:
        """Answer a request, in a bounded time."""

        def cut() -> None:
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(REQUEST_TIMEOUT_S, cut)
        timer.daemon = True
        timer.start()
        try:
            super().handle_one_request()
        except OSError:  # the caller went away, or took too long
            self.close_connection = True
        finally:
            timer.cancel()

    def do_POST(self) -> None:
        """Answer a submission. Its length is looked at before it is read."""
        lengths = self.headers.get_all("Content-Length") or []
        if "Transfer-Encoding" in self.headers or len(lengths) != 1:
            self._end(HTTPStatus.LENGTH_REQUIRED, "The request needs one Content-Length.")
        elif not (lengths[0].isascii() and lengths[0].isdigit()):
            self._end(HTTPStatus.BAD_REQUEST, "The Content-Length is no number.")
        elif len(lengths[0]) > len(str(MAX_BYTES)) or int(lengths[0]) > MAX_BYTES:
            self._end(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The request has more than {MAX_BYTES} bytes.")
        elif self.path != PATH:
            self._end(HTTPStatus.NOT_FOUND, f"A witness answers POST {PATH}.")
        else:
            body = self.rfile.read(int(lengths[0]))
            if len(body) < int(lengths[0]):
                self.close_connection = True
                return
            self._answer(self._submitted(body))

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Answer every other method."""
        if not name.startswith("do_"):
            raise AttributeError(name)
        return lambda: self._end(HTTPStatus.METHOD_NOT_ALLOWED, f"A witness answers POST {PATH}.")

    def _submitted(self, body: bytes) -> Answer:
        try:
            return self.server.submit(body)
        except Exception as error:  # noqa: BLE001 - whatever happens, no cosignature is given out
            self.server.told(f"A submission could not be answered: {type(error).__name__}: {error}")
            return Answer(HTTPStatus.INTERNAL_SERVER_ERROR, "The witness could not keep its state.\n")

    def _end(self, status: HTTPStatus, sentence: str) -> None:
        """Answer without having read the body, so the connection cannot go on."""
        self.close_connection = True
        self._answer(Answer(status, f"{sentence}\n"))

    def _answer(self, answer: Answer) -> None:
        data = answer.body.encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(data)))
        if self.close_connection:
            self.send_header("Connection", "close")
        if answer.status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "POST")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002 - as its base calls it
        """Answer a request that is no HTTP, in plain text."""
        self.close_connection = True
        sentence = message or "The request is not valid HTTP."
        data = f"{sentence}\n".encode("ascii", "replace")
        self.send_response(code, "Refused")
        for name, value in (
            ("Content-Type", TEXT),
            ("Content-Length", str(len(data))),
            ("Connection", "close"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as its base names it
        """Log no requests: the witness tells what speaks against a log."""

    def version_string(self) -> str:
        """Name the program, and not the version of Python."""
        return "pathbook-witness"
