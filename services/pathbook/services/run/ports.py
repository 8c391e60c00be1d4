"""Reserves a port for several servers, so that all of them get the same port and no other program gets it."""

import contextlib
import socket
from collections.abc import Iterator


@contextlib.contextmanager
def reserved(listen: str) -> Iterator[str]:
    """Reserve HOST:PORT for processes that share it, and yield the address. For port 0 the system chooses one.

    This process does not listen on the port. So every connection goes to one of the processes that share it.

    Raises:
        OSError: the address is taken, is not of this machine, or the system cannot share ports.
    """
    host, _, port = listen.rpartition(":")
    with contextlib.ExitStack() as sockets:
        try:
            addresses = socket.getaddrinfo(
                host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
            chosen = int(port)
            for family, _, _, _, address in addresses:
                if chosen:
                    _require_free(family, (address[0], chosen, *address[2:]))
                reserving = sockets.enter_context(_socket(family, socket.SO_REUSEPORT))
                reserving.bind((address[0], chosen, *address[2:]))
                chosen = reserving.getsockname()[1]
        except (OSError, AttributeError) as error:
            raise OSError(f"Cannot listen on {listen}: {error}") from error
        yield f"{host}:{chosen}"


def _require_free(family: int, address: tuple[str | int, ...]) -> None:
    """Raise OSError if another program listens on the address, even if it shares its port."""
    with _socket(family, socket.SO_REUSEADDR) as probe:
        probe.bind(address)


def _socket(family: int, option: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, option, 1)
    return made
