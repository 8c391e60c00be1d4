"""How a client calls its server: the address or a channel, the options of each call, and who signs."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol, TypeAlias

CALL_TIMEOUT_S: Final = 30.0
"""How long one attempt may take. Most calls take milliseconds, the largest some seconds."""

RETRY_TIMEOUT_S: Final = 10.0
"""How long a call is repeated while no server answers. A restart takes less."""

BATCHES_AHEAD: Final = 4
"""How many batches may wait for results: while one is written to disk, the next is read and decided."""

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


class Signer(Protocol):
    """A key of a party, and what signs with it: a ``PartyKey`` in this process, a KMS, or a device.

    Attributes:
        origin: The origin of the book for which it signs, as ``get_book`` returns it. Take it from a place that you
            trust, since a server could tell another one.
        party: Id of the party whose key it is. "" for the operator of the book.
        key: Its Ed25519 public key, 32 bytes.

    Example:
        >>> class KmsSigner(Signer):
        ...     origin, party, key = "acme.example/masks", "acme", acme.key
        ...     def sign(self, message):
        ...         return acme.sign(message)  # ask your KMS here
        >>> signed = client.with_options(signer=KmsSigner()).recall_units(
        ...     1, brand="acme", ranges=[(1, 990, 990)], request_id="recall 7"
        ... )
        >>> stored = client.get_event_by_request("recall 7", party="acme")
        >>> len(parse_event(stored.receipt.position, stored.event).signature)
        64
    """

    @property
    def origin(self) -> str:
        """The origin of the book."""

    @property
    def party(self) -> str:
        """The id of the party."""

    @property
    def key(self) -> bytes:
        """The public key."""

    def sign(self, message: bytes) -> bytes:
        """Return the Ed25519 signature (RFC 8032) of exactly these bytes, 64 bytes.

        Threads may call it at once. The asyncio client has statements signed on a thread, since a KMS takes its time.
        """


class CallOptions(NamedTuple):
    """What a client does for each call: seconds for an attempt and for retries, metadata, a signature, a token."""

    timeout: float
    retry_seconds: float
    metadata: Metadata
    signer: Signer | None = None
    token: str = ""

    def changed(
        self,
        timeout: float | None,
        retry_seconds: float | None,
        metadata: Metadata | None,
        signer: Signer | None,
        token: str | None,
    ) -> "CallOptions":
        """Return these options with those given in their place. None keeps an option."""
        return CallOptions(
            self.timeout if timeout is None else timeout,
            self.retry_seconds if retry_seconds is None else retry_seconds,
            self.metadata if metadata is None else metadata,
            self.signer if signer is None else signer,
            self.token if token is None else token,
        )

    def pairs(self) -> tuple[tuple[str, str | bytes], ...]:
        """Return the metadata of the next attempt."""
        pairs = tuple(self.metadata() if callable(self.metadata) else self.metadata)
        return (*pairs, ("authorization", f"Bearer {self.token}")) if self.token else pairs


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
