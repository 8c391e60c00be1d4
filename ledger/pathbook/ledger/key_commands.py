"""Commands about keys and signatures.

The digests leave the signatures out. A signer may make another signature of the same text when it tries again.
"""

from typing import ClassVar

from pathbook.ledger.command_fields import CommandFields
from pathbook.ledger.key_events import KeyRegistered, KeyRevoked


class RegisterKey(CommandFields, frozen=True, kw_only=True, tag="register_key", gc=False):
    """Register a key of a party or of the operator. ``endorser`` is the actor. Signatures are checked before."""

    ROLE: ClassVar[str] = "endorser"
    UNDIGESTED: ClassVar[frozenset[str]] = frozenset({"possession", "endorsement"})
    party: str
    key: bytes
    recovery_key: bytes = b""
    endorser: str
    endorser_key: bytes
    replaced_key: bytes = b""
    possession: bytes
    endorsement: bytes

    def as_event(self) -> KeyRegistered:
        """Return the event of this registration, which has each field of it."""
        return KeyRegistered(
            party=self.party,
            key=self.key,
            recovery_key=self.recovery_key,
            endorser=self.endorser,
            endorser_key=self.endorser_key,
            replaced_key=self.replaced_key,
            possession=self.possession,
            endorsement=self.endorsement,
        )


class RevokeKey(CommandFields, frozen=True, kw_only=True, tag="revoke_key", gc=False):
    """Revoke a key of a party or of the operator."""

    ROLE: ClassVar[str] = "revoker"
    UNDIGESTED: ClassVar[frozenset[str]] = frozenset({"signature"})
    party: str
    key: bytes
    revoker: str
    revoker_key: bytes
    signature: bytes

    def as_event(self) -> KeyRevoked:
        """Return the event of this revocation, which has each field of it."""
        return KeyRevoked(self.party, self.key, self.revoker, self.revoker_key, self.signature)


class FileStatements(CommandFields, frozen=True, kw_only=True, tag="file_statements", gc=False):
    """File the signature of many statements. Only the service of statements sends it, before the commands they ask."""

    ROLE: ClassVar[str] = "party"
    UNDIGESTED: ClassVar[frozenset[str]] = frozenset({"signature"})
    party: str
    key: bytes
    root: bytes
    leaf_hashes: bytes
    signature: bytes


KeyCommand = RegisterKey | RevokeKey
"""The commands about keys, which sign what is asked of them by themselves."""
