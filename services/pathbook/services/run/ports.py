"""Keeping a port for several servers: taken once, so that all of them get the same, and nobody else it."""

import contextlib
import socket
from collections.abc import Iterator


@contextlib.contextmanager
def reserved(listen: str) -> Iterator[str]:
    """Keep HOST:PORT, yielded with a port the system chose where it was 0, for processes that share it.

    Nobody listens here, so that every connection goes to one of those processes.

    Raises:
        OSError: the address is taken, is none of this machine, or ports cannot be shared on this system.
    """
    host, _, port = listen.rpartition(":")
    with contextlib.ExitStack() as kept:
        try:
            addresses = socket.getaddrinfo(
                host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
            chosen = int(port)
            for family, _, _, _, address in addresses:
                if chosen:
                    _require_free(family, (address[0], chosen, *address[2:]))
                holder = kept.enter_context(_holder(family, socket.SO_REUSEPORT))
                holder.bind((address[0], chosen, *address[2:]))
                chosen = holder.getsockname()[1]
        except (OSError, AttributeError) as error:
            raise OSError(f"Cannot listen on {listen}: {error}") from error
        yield f"{host}:{chosen}"


def _require_free(family: int, address: tuple[str | int, ...]) -> None:
    """Raise OSError where somebody listens: to one who shares the port, too, it is not offered."""
    with _holder(family, socket.SO_REUSEADDR) as probe:
        probe.bind(address)


def _holder(family: int, option: int) -> socket.socket:
    holder = socket.socket(family, socket.SOCK_STREAM)
    holder.setsockopt(socket.SOL_SOCKET, option, 1)
    return holder
