"""Rows of the keys of parties and of the operator."""

from typing import NamedTuple

from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.key_events import KeyRegistered


class KeyRow(NamedTuple):
    """A key. ``party`` and ``endorser`` are OPERATOR for the operator. A recovery or replaced key may be empty.

    ``position`` is that of its registration. ``revoked_position`` is that from which it counts no more, or 0. Times are
    in microseconds since 1970 UTC.
    """

    key: bytes
    party: str
    position: int
    registered_at: int
    recovery_key: bytes
    endorser: str
    endorser_key: bytes
    replaced_key: bytes
    revoked_position: int
    revoked_at: int | None


class KeyEnd(NamedTuple):
    """A change of a row: from which position a key counts no more, and when that was recorded."""

    key: bytes
    revoked_position: int
    revoked_at: int


def registered(event: KeyRegistered, recorded: RecordedEvent) -> KeyRow:
    """Return the row of a new key."""
    return KeyRow(
        key=event.key,
        party=event.party,
        position=recorded.position,
        registered_at=recorded.recorded_at,
        recovery_key=event.recovery_key,
        endorser=event.endorser,
        endorser_key=event.endorser_key,
        replaced_key=event.replaced_key,
        revoked_position=0,
        revoked_at=None,
    )


def ended(key: bytes, recorded: RecordedEvent) -> KeyEnd:
    """Return the change of a key that was revoked or replaced."""
    return KeyEnd(key, recorded.position, recorded.recorded_at)
