"""What keys of parties sign: statements, batches of statements, keys and revocations. events.proto shows the texts.

Signatures are Ed25519 over the DSSE pre-authentication encoding (DSSE v1.0.2, protocol.md) of a type and a payload.
"""

from typing import Final

from pathbook.ledger.key_events import KeyRegistered, KeyRevoked
from pathbook.ledger.proofs.ed25519 import is_signed
from pathbook.ledger.proofs.text import print_base64

STATEMENT: Final = "application/vnd.pathbook.statement.v1+protobuf"
"""The payload type of one statement."""

BATCH: Final = "application/vnd.pathbook.statements.v1+text"
"""The payload type of a batch of statements."""

KEY: Final = "application/vnd.pathbook.key.v1+text"
"""The payload type of a key that is registered."""

REVOCATION: Final = "application/vnd.pathbook.key-revocation.v1+text"
"""The payload type of the revocation of a key."""


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """Return the bytes that are signed for a payload."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def is_statement_signed(key: bytes, signature: bytes, statement: bytes) -> bool:
    """Tell whether a key signed the bytes of a statement."""
    return is_signed(key, signature, pre_authentication_encoding(STATEMENT, statement))


def is_batch_signed(origin: str, party: str, key: bytes, size: int, root: bytes, signature: bytes) -> bool:
    """Tell whether a key signed a batch of statements."""
    return is_signed(
        key, signature, pre_authentication_encoding(BATCH, batch_text(origin, party, key, size, root))
    )


def proves_possession(origin: str, event: KeyRegistered) -> bool:
    """Tell whether a key that is registered signed its registration."""
    return is_signed(event.key, event.possession, pre_authentication_encoding(KEY, key_text(origin, event)))


def false_signature(origin: str, event: KeyRegistered) -> str:
    """Return the field with the first false signature of a registration, "" if both are right.

    ``possession`` is of the key that is registered, and ``endorsement`` of the endorser's key. A key that endorses
    itself has the same signature in both, which is verified once.
    """
    signed = pre_authentication_encoding(KEY, key_text(origin, event))
    if not is_signed(event.key, event.possession, signed):
        return "possession"
    is_same = event.endorser_key == event.key and event.endorsement == event.possession
    return "" if is_same or is_signed(event.endorser_key, event.endorsement, signed) else "endorsement"


def is_revocation_signed(origin: str, event: KeyRevoked) -> bool:
    """Tell whether the revoker's key signed the revocation of a key."""
    signed = pre_authentication_encoding(REVOCATION, revocation_text(origin, event))
    return is_signed(event.revoker_key, event.signature, signed)


def batch_text(origin: str, party: str, key: bytes, size: int, root: bytes) -> bytes:
    """Return the text that is signed for a batch of statements with this RFC 6962 root over their bytes."""
    return _text("pathbook statements v1", origin=origin, party=party, key=key, size=str(size), root=root)


def key_text(origin: str, event: KeyRegistered) -> bytes:
    """Return the text that the key and its endorser sign."""
    return _text(
        "pathbook key v1",
        origin=origin,
        party=event.party,
        key=event.key,
        recovery=event.recovery_key,
        endorser=event.endorser,
        endorser_key=event.endorser_key,
        replaces=event.replaced_key,
    )


def revocation_text(origin: str, event: KeyRevoked) -> bytes:
    """Return the text that the revoker signs."""
    return _text(
        "pathbook key revocation v1",
        origin=origin,
        party=event.party,
        key=event.key,
        revoker=event.revoker,
        revoker_key=event.revoker_key,
    )


def _text(first: str, **values: str | bytes) -> bytes:
    """Return a first line, then a line with the name of each value and the value. Bytes are printed in base64."""
    lines = [first]
    for name, value in values.items():
        printed = value if isinstance(value, str) else print_base64(value)
        lines.append(f"{name.replace('_', '-')} {printed}")
    return "".join(f"{line}\n" for line in lines).encode()
