"""Events about keys and signatures: which keys a party has, and what it signed with others at once."""

import msgspec


class KeyRegistered(msgspec.Struct, frozen=True, gc=False):
    """A party has a key from this position on. ``party`` and ``endorser`` are OPERATOR for the operator.

    The new key and the endorser's key signed what `pathbook.ledger.proofs.statements.key_text` returns. The key that is
    replaced is revoked by the same event. Keys are Ed25519 public keys; a recovery or replaced key may be empty.
    """

    party: str
    key: bytes
    recovery_key: bytes
    endorser: str
    endorser_key: bytes
    replaced_key: bytes
    possession: bytes
    endorsement: bytes


class KeyRevoked(msgspec.Struct, frozen=True, gc=False):
    """Signatures of a key no longer count from this position on. The revoker's key signed it (``revocation_text``)."""

    party: str
    key: bytes
    revoker: str
    revoker_key: bytes
    signature: bytes


class StatementsFiled(msgspec.Struct, frozen=True, gc=False):
    """A party signed many statements at once: their root, and their leaf hashes joined.

    The key signed what `pathbook.ledger.proofs.statements.batch_text` returns. Events name the position of this
    one as that at which their statement is filed.
    """

    party: str
    key: bytes
    root: bytes
    leaf_hashes: bytes
    signature: bytes


class Signed(msgspec.Struct, frozen=True, gc=False):
    """The statement on which an event rests: its bytes, and its signature or where it is filed.

    ``filed`` is the position of the StatementsFiled, and ``index`` the place of the statement in it, from 0. Without
    one, ``filed`` is 0 and the statement has a signature of its own.
    """

    statement: bytes
    signature: bytes = b""
    filed: int = 0
    index: int = 0
