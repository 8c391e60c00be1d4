"""Limits on connections: how many there are, for how long, and what one may do; what callers may do in a time."""

import contextlib
import resource
from typing import Final

from pathbook.services.rates import Rates
from pathbook.services.run.settings import Settings

MAX_REQUEST_BYTES: Final = 4 * 1024 * 1024
"""The largest message accepted. A batch of 1,000 writes takes some 150 KiB, and 10,000 codes some 220 KiB."""

MAX_CALLS_OF_A_CONNECTION: Final = 600
"""How many calls one connection may have open at once, where gRPC counts some that have just ended. So clients with 500
in flight are answered, and of more some calls are refused as UNAVAILABLE. It bounds how long a caller that opens and
resets calls as fast as it can keeps others waiting: 0.15 seconds in the median with 600, and 0.28 with 1,000."""

CALLS_PER_READ: Final = 4
"""How many new calls of a connection are taken at once, before those of others: gRPC's own 32 let a caller that opens
and resets calls as fast as it can keep all others out."""

MAX_CONNECTIONS: Final = 1_000
"""How many connections a server process has at once. A further one is closed at once, and its client tries again."""

HANDSHAKE_TIMEOUT_S: Final = 20.0
"""How long a connection may take to say that it speaks HTTP/2. Then it is closed."""

IDLE_TIMEOUT_S: Final = 300.0
"""How long a connection may have no call. Then it is closed, and its client opens another one for its next call."""

MAX_AGE_S: Final = 1_800.0
"""How long a connection lasts, give or take a tenth. Then its client opens another one for further calls. So clients
spread over servers that were added, and what a connection costs comes back."""

AGE_GRACE_S: Final = 60.0
"""How long calls may go on over a connection that is too old. A stream that lasts longer breaks as UNAVAILABLE, and our
clients resume it."""

KEEPALIVE_S: Final = 60.0
"""How often a connection that sends nothing is asked for a sign of life."""

KEEPALIVE_TIMEOUT_S: Final = 20.0
"""How long a client may take for that sign: subscriptions of clients that vanished end within two minutes."""

OTHER_FILES: Final = 200
"""How many files a server process has open besides its connections: databases, libraries, the log."""


def channel_options(*, shares_port: bool) -> list[tuple[str, int]]:
    """Return the options of a gRPC server."""
    return [
        ("grpc.so_reuseport", int(shares_port)),
        ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
        ("grpc.max_send_message_length", -1),  # unlimited: a single event may be large, and must be readable
        ("grpc.max_concurrent_streams", MAX_CALLS_OF_A_CONNECTION),
        ("grpc.http2.max_requests_per_read", CALLS_PER_READ),
        ("grpc.max_allowed_incoming_connections", MAX_CONNECTIONS),
        ("grpc.server_handshake_timeout_ms", _milliseconds(HANDSHAKE_TIMEOUT_S)),
        ("grpc.max_connection_idle_ms", _milliseconds(IDLE_TIMEOUT_S)),
        ("grpc.max_connection_age_ms", _milliseconds(MAX_AGE_S)),
        ("grpc.max_connection_age_grace_ms", _milliseconds(AGE_GRACE_S)),
        ("grpc.keepalive_time_ms", _milliseconds(KEEPALIVE_S)),
        ("grpc.keepalive_timeout_ms", _milliseconds(KEEPALIVE_TIMEOUT_S)),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),  # how often clients may send pings
        ("grpc.keepalive_permit_without_calls", 1),
    ]


def rates_of(settings: Settings) -> Rates:
    """Return the limits of what callers may do in a time."""
    if settings.limits is None:
        return Rates()
    from pathbook.services.rate_limits import RateLimits  # noqa: PLC0415 - its library takes a tenth of a second to load

    return RateLimits(settings.limits)


def allow_open_files() -> None:
    """Let this process open as many files as its connections need, as far as the system allows that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


def _milliseconds(seconds: float) -> int:
    return round(1_000 * seconds)
