"""Calls of a witness over HTTP, bounded in bytes and in time. No redirect is followed."""

import contextlib
import http.client
import socket
import ssl
import threading
import urllib.parse
from typing import Final

import msgspec

from pathbook.ledger.proofs.policy import Policy
from pathbook.ledger.proofs.signed_note import VerifierKey
from pathbook.ledger.proofs.submission import MAX_ANSWER_BYTES, PATH

MAX_WITNESSES: Final = 32
"""The most witnesses that a server asks. Each has a thread."""

CONNECT_TIMEOUT_S: Final = 5.0
"""How long it may take to connect, and how long a witness may send nothing."""

CALL_TIMEOUT_S: Final = 15.0
"""How long a call may take, however slowly the witness sends. Then its connection is closed."""


class WitnessAddress(msgspec.Struct, frozen=True):
    """A witness that the operator configured.

    Attributes:
        name: its name in the operator's file.
        key: its public key. Only cosignatures that are valid under it are kept.
        url: its submission prefix, http or https.
    """

    name: str
    key: VerifierKey
    url: str

    def __post_init__(self) -> None:
        """Raise ValueError unless the URL can be called."""
        try:
            parts = urllib.parse.urlsplit(self.url)
            host, port = (parts.hostname or "").encode("idna"), parts.port
        except ValueError as error:  # UnicodeError is one
            raise ValueError(f"The URL of the witness {self.name} cannot be read: {error}.") from None
        if parts.scheme not in ("http", "https") or not host or port == 0 or not self.url.isascii():
            raise ValueError(
                f"The URL of the witness {self.name} is not http://HOST or https://HOST in ASCII."
            )
        if parts.username is not None or parts.query or parts.fragment:
            raise ValueError(f"The URL of the witness {self.name} has more than a host, a port and a path.")


def addresses(policy: Policy) -> tuple[WitnessAddress, ...]:
    """Return the witnesses of a policy that are to be asked: those with a URL. The others bring what they cosign.

    Raises:
        ValueError: there are no witnesses or too many of them, or one cannot be asked. The message says what to do.
    """
    urls = policy.urls
    if not policy.witnesses:
        raise ValueError("It names no witness. Write each one to ask as: witness NAME KEY URL.")
    if len(policy.witnesses) > MAX_WITNESSES:
        raise ValueError(f"It names {len(policy.witnesses)} witnesses. The most are {MAX_WITNESSES}.")
    return tuple(
        WitnessAddress(name, key, urls[key]) for name, key in policy.witnesses.items() if key in urls
    )


class WitnessAnswer(msgspec.Struct, frozen=True):
    """What a witness answered. It is cut after MAX_ANSWER_BYTES and one more."""

    status: int
    content_type: str
    body: bytes


class WitnessConnection:
    """The connection to a witness, which stays open from call to call. One thread uses it at a time."""

    def __init__(self, url: str, timeout: float = CALL_TIMEOUT_S) -> None:
        """Use a URL. Nothing is connected yet."""
        parts = urllib.parse.urlsplit(url)
        self._path, self._timeout = parts.path.rstrip("/") + PATH, timeout
        self._socket: socket.socket | None = None
        host, silence = parts.hostname or "", min(timeout, CONNECT_TIMEOUT_S)
        self._connection = (
            http.client.HTTPSConnection(
                host, parts.port, timeout=silence, context=ssl.create_default_context()
            )
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, parts.port, timeout=silence)
        )

    def post(self, body: bytes) -> WitnessAnswer:
        """Post a submission.

        Raises:
            OSError: the witness cannot be reached, or took too long.
            http.client.HTTPException: its answer is not HTTP.
        """
        is_reused = self._connection.sock is not None
        try:
            return self._post(body)
        except (http.client.RemoteDisconnected, ConnectionError):
            if not is_reused:
                raise
        return self._post(body)  # the witness had closed a connection that was idle

    def abort(self) -> None:
        """End a call that another thread makes. It fails then."""
        if (connected := self._socket) is not None:
            with contextlib.suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _post(self, body: bytes) -> WitnessAnswer:
        late = threading.Event()

        def cut() -> None:
            late.set()
            self.abort()

        timer = threading.Timer(self._timeout, cut)
        timer.daemon = True
        timer.start()
        try:
            if self._connection.sock is None:
                self._connection.connect()
            # An answer that ends with its connection is read after the connection has forgotten its socket.
            self._socket = self._connection.sock
            self._connection.request("POST", self._path, body, {"Content-Type": "text/plain; charset=utf-8"})
            response = self._connection.getresponse()
            data = response.read(MAX_ANSWER_BYTES + 1)
            if late.is_set():
                raise TimeoutError(f"it took more than {self._timeout} seconds")
            if len(data) > MAX_ANSWER_BYTES or not response.isclosed():
                self._connection.close()  # the rest of the answer is not read
            return WitnessAnswer(response.status, response.headers.get_content_type(), data)
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            if late.is_set():
                raise TimeoutError(f"it took more than {self._timeout} seconds") from error
            raise
        finally:
            timer.cancel()
