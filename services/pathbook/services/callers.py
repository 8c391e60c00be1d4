"""Who calls, as far as limits ask: the address of a caller and its class. Every part of one call finds it here."""

import ipaddress
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import unquote

PUBLIC: Final = "public"
"""The class of a caller of which nothing is known."""

CACHED_PEERS_MAX: Final = 2_000
"""Of how many connections the address is cached: some more than a process has at once."""

FORWARDED_FOR: Final = "x-forwarded-for"
"""The metadata in which proxies name from where they were called, each after those before it."""

IPV6_NETWORK_BITS: Final = 64
"""The bits of an IPv6 address that count. A single customer has all addresses that share them."""

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


class Caller(NamedTuple):
    """A caller.

    Attributes:
        kind: its class, which is its role: public, party, brand, auditor or operator.
        address: its IP address, or the network of 2^64 addresses that an IPv6 address is of.
        is_local: whether it is on this machine. A proxy that is not trusted may be, and all its callers with it.
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


class Origins:
    """Tells from where a call comes: also behind proxies, if an operator trusts what they say of it."""

    def __init__(self, trusted: Sequence[str] = ()) -> None:
        """Take the addresses and networks of proxies. Raises ValueError if one is malformed."""
        self._trusted = tuple(map(ipaddress.ip_network, trusted))

    def caller(self, peer: str, metadata: Iterable[tuple[str, str | bytes]]) -> Caller:
        """Return the caller of a call: the other end of its connection, or whom a trusted proxy there names.

        Each proxy appends the address from which it was called. So of the list, the right-most address that is not a
        trusted proxy's counts. What stands left of it was written by the caller. A proxy on this machine that names no
        one may have been called from anywhere.
        """
        nearest = _address_of(peer) if self._trusted else None
        if nearest is None or not self._trusts(nearest):
            return caller_of(peer)
        named = [
            hop
            for name, value in metadata
            if name == FORWARDED_FOR and isinstance(value, str)
            for hop in value.split(",")
        ]
        for hop in reversed(named):
            address = _parsed(hop)
            if address is None:
                break  # the proxy that wrote this is all that is known
            nearest = address
            if not self._trusts(address):
                break
        return _caller_at(nearest)._replace(is_local=False)

    def _trusts(self, address: _Address) -> bool:
        return any(address in network for network in self._trusted)


@lru_cache(CACHED_PEERS_MAX)
def caller_of(peer: str) -> Caller:
    """Return the caller at the other end of a connection, which gRPC names as ``ipv4:192.0.2.1:50000``.

    It is of the public until access control knows its role.
    """
    address = _address_of(peer)
    if address is None:
        return Caller(
            PUBLIC, peer.partition(":")[0], is_local=True
        )  # a socket in a file, or a process of its own
    return _caller_at(address)


@lru_cache(CACHED_PEERS_MAX)
def _address_of(peer: str) -> _Address | None:
    return _parsed(unquote(peer.partition(":")[2]))


def _parsed(text: str) -> _Address | None:
    """Return the address in a text, which may have a port, and then brackets around an IPv6 address. Else None."""
    host = text.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and (mapped := address.ipv4_mapped) is not None:
        return mapped
    return address


def _caller_at(address: _Address) -> Caller:
    if isinstance(address, ipaddress.IPv6Address):
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
