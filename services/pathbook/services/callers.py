"""Who calls, as far as limits ask: the address of a caller and its class. Every part of one call finds it here."""

import ipaddress
from contextvars import ContextVar
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote

PUBLIC: Final = "public"
"""The class of a caller of which nothing is known."""

CACHED_PEERS_MAX: Final = 2_000
"""Of how many connections the address is cached: some more than a process has at once."""

IPV6_NETWORK_BITS: Final = 64
"""The bits of an IPv6 address that count. A single customer has all addresses that share them."""


class Caller(NamedTuple):
    """A caller.

    Attributes:
        kind: its class, which is its role: public, party, brand, auditor or operator.
        address: its IP address, or the network of 2^64 addresses that an IPv6 address is of.
        is_local: whether it is on this machine. A proxy may be, and all its callers with it.
        name: whom a token makes it known as, which no other caller is; "" without one.
    """

    kind: str
    address: str
    is_local: bool
    name: str = ""


UNKNOWN: Final = Caller(PUBLIC, "", is_local=True)
"""The caller of what no call asked for."""

CALLER: Final[ContextVar[Caller]] = ContextVar("caller", default=UNKNOWN)
"""The caller of the call under way."""


@lru_cache(CACHED_PEERS_MAX)
def caller_of(peer: str) -> Caller:
    """Return the caller at the other end of a connection, which gRPC names as ``ipv4:192.0.2.1:50000``.

    It is of the public until access control knows its role.
    """
    scheme, _, rest = peer.partition(":")
    host = unquote(rest).rpartition(":")[0].strip("[]").partition("%")[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return Caller(PUBLIC, scheme, is_local=True)  # a socket in a file, or a process of its own
    if isinstance(address, ipaddress.IPv6Address):
        if (mapped := address.ipv4_mapped) is not None:
            return Caller(PUBLIC, str(mapped), is_local=mapped.is_loopback)
        network = ipaddress.ip_network((address, IPV6_NETWORK_BITS), strict=False)
        return Caller(PUBLIC, str(network), is_local=address.is_loopback)
    return Caller(PUBLIC, str(address), is_local=address.is_loopback)


def is_loopback(listen: str) -> bool:
    """Tell whether only callers on this machine reach a server that listens on HOST:PORT."""
    host = listen.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
