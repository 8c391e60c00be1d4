"""The keys of a party in memory: which of them count, and which were rotated from which."""

from collections.abc import Iterator

import msgspec


class Key(msgspec.Struct):
    """A key of a party. Its signatures count from ``position`` to before ``revoked``, which is 0 if it is not revoked.

    ``registered_at`` is in microseconds since 1970 UTC. ``replaced_key`` is the key that it replaced, or empty.
    ``is_rotation`` says that the replaced key itself endorsed it. Otherwise a recovery key did. ``endorser`` is who
    endorsed it.
    """

    key: bytes
    recovery_key: bytes
    position: int
    registered_at: int
    replaced_key: bytes = b""
    is_rotation: bool = False
    revoked: int = 0
    endorser: str = ""


class Keys(msgspec.Struct):
    """All keys that a party ever had, in the order of their registration."""

    by_key: dict[bytes, Key]

    def add(self, key: Key) -> None:
        """Add the newest key."""
        self.by_key[key.key] = key

    def revoke(self, key: bytes, position: int) -> None:
        """Let signatures of a key count no more from a position on."""
        self.by_key[key].revoked = position

    def counts(self, key: bytes) -> bool:
        """Tell whether signatures of a key count now."""
        found = self.by_key.get(key)
        return found is not None and not found.revoked

    def any_counts(self) -> bool:
        """Tell whether signatures of any key count now. Then the party signs all that it asks."""
        return any(not key.revoked for key in self.by_key.values())

    def is_recovery_key(self, key: bytes) -> bool:
        """Tell whether a key was registered as the recovery key of any key."""
        return any(item.recovery_key == key for item in self.by_key.values())

    def rotations(self, key: bytes) -> Iterator[tuple[Key, Key]]:
        """Yield the rotations that led to a key, newest first: the new key, and the one that it replaced.

        They end at a recovery, because no recovery key undoes another recovery.
        """
        found = self.by_key.get(key)
        while found is not None and found.replaced_key and found.is_rotation:
            before = self.by_key[found.replaced_key]
            yield found, before
            found = before
