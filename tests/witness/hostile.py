"""A server in the place of a witness, which answers whatever a test says."""

import contextlib
import http.server
import threading
import time
from collections.abc import Iterator


class Hostile(http.server.BaseHTTPRequestHandler):
    """A witness that answers whatever a test says, and counts how often it is asked."""

    answers: list[bytes]
    asked: int

    def do_POST(self) -> None:
        """Answer with the next bytes. The last ones are repeated."""
        cls = type(self)
        self.rfile.read(int(self.headers["Content-Length"]))
        cls.asked += 1
        self.close_connection = True
        for piece in cls.answers[min(cls.asked, len(cls.answers)) - 1].split(b"<pause>"):
            self.wfile.write(piece)
            self.wfile.flush()
            if b"<pause>" in cls.answers[0]:
                time.sleep(0.1)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as its base names it
        """Print nothing."""


@contextlib.contextmanager
def hostile(*answers: bytes) -> Iterator[tuple[str, type[Hostile]]]:
    """Run a hostile witness. Yield its URL, and the class that counts."""
    handler = type("OneHostile", (Hostile,), {"answers": list(answers), "asked": 0})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # the caller cuts the connection
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", handler
    finally:
        server.shutdown()
        server.server_close()


def answered(body: bytes, status: int = 200, kind: str = "text/plain") -> bytes:
    """Return an answer of HTTP."""
    return f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n".encode() + body
