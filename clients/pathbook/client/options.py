"""How a client calls its server: the address or a channel, and the options of each call."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeAlias

CALL_TIMEOUT_S: Final = 30.0
"""How long one attempt may take. Most calls take milliseconds, the largest some seconds."""

RETRY_TIMEOUT_S: Final = 10.0
"""How long a call is repeated while no server answers. A restart takes less."""

CHANNEL_OPTIONS: Final = (
    ("grpc.keepalive_time_ms", 30_000),  # notices a dead connection within a minute
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 5_000),  # limits one attempt to connect; a refused one ends at once
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.use_local_subchannel_pool", 1),  # a connection for each client: servers on one port share the load
)

Pairs: TypeAlias = Sequence[tuple[str, str | bytes]]
"""Names and values that are sent with a call, such as [("authorization", "Bearer ...")]."""

Metadata: TypeAlias = Pairs | Callable[[], Pairs]
"""Pairs, or a function without arguments that returns them. It is called for each attempt of a call."""


class CallOptions(NamedTuple):
    """What a client does for each call: seconds for one attempt, seconds for retries, and metadata."""

    timeout: float
    retry_seconds: float
    metadata: Metadata

    def changed(
        self, timeout: float | None, retry_seconds: float | None, metadata: Metadata | None
    ) -> "CallOptions":
        """Return these options with those given in their place. None keeps an option."""
        return CallOptions(
            self.timeout if timeout is None else timeout,
            self.retry_seconds if retry_seconds is None else retry_seconds,
            self.metadata if metadata is None else metadata,
        )

    def pairs(self) -> tuple[tuple[str, str | bytes], ...]:
        """Return the metadata of the next attempt."""
        return tuple(self.metadata() if callable(self.metadata) else self.metadata)


class Written:
    """The highest position that a client has written. A client and all its views share it."""

    def __init__(self) -> None:
        self.position = 0


def check_way(target: str, *, has_channel: bool, has_credentials: bool) -> None:
    """Raise ValueError unless the arguments of a client name one way to its server."""
    if not target and not has_channel:
        raise ValueError("A client needs a target, HOST:PORT, or a channel.")
    if has_channel and has_credentials:
        raise ValueError("A channel has its own credentials: give a channel or credentials, not both.")
