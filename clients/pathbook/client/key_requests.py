"""Requests to register and revoke keys: the texts of the contract, signed by the key and by its endorser."""

from pathbook.client.options import Signer
from pathbook.ledger.codec.register_commands import register_key
from pathbook.ledger.key_events import KeyRevoked
from pathbook.ledger.proofs.statements import (
    KEY,
    REVOCATION,
    key_text,
    pre_authentication_encoding,
    revocation_text,
)
from pathbook.v1 import keys_pb2


def request_key(
    new: Signer,
    *,
    endorser: str,
    endorser_key: bytes,
    recovery_key: bytes = b"",
    replaced_key: bytes = b"",
) -> keys_pb2.RegisterKeyRequest:
    """Return the request to register a key, signed by that key. Its endorser signs next, with ``endorse_key``.

    A client with both keys has ``register_key``, ``rotate_key`` and ``recover_key``. This is for two machines.

    Args:
        new: The key, and what signs with it.
        endorser: Id of the party that endorses it: an upline. "" for the operator of the book.
        endorser_key: The public key with which the endorser will sign, 32 bytes.
        recovery_key: The public key that may undo a rotation of this key within 72 hours. b"" for none.
        replaced_key: The public key of the party that it replaces. b"" for none.

    Returns:
        A RegisterKeyRequest without an endorsement. Send it as bytes: ``SerializeToString()``.

    Raises:
        ValueError: The origin or the party of the key has a line break.

    Example:
        >>> eve = PartyKey("acme.example/masks", "eve")
        >>> asked = request_key(eve, endorser="acme", endorser_key=acme.key)
        >>> asked.party, len(asked.possession), len(asked.endorsement)
        ('eve', 64, 0)
    """
    request = keys_pb2.RegisterKeyRequest(
        party=new.party,
        key=new.key,
        recovery_key=recovery_key,
        endorser=endorser,
        endorser_key=endorser_key,
        replaced_key=replaced_key,
    )
    request.possession = new.sign(_registration(new.origin, request))
    return request


def endorse_key(request: keys_pb2.RegisterKeyRequest, endorser: Signer) -> keys_pb2.RegisterKeyRequest:
    """Return a request to register a key, endorsed. ``register_requested_key`` sends it.

    Make sure that the request is the party's before you endorse it: compare ``request.key`` by another way than the
    request came.

    Args:
        request: The request, as ``request_key`` returns it.
        endorser: The key of the endorser that the request names, and what signs with it.

    Returns:
        A copy of the request with the signature of the endorser.

    Raises:
        ValueError: The request names another endorser or another key of it, or the key that is registered did not sign
            the request for the book of the endorser's key.

    Example:
        >>> endorsed = endorse_key(asked, acme)
        >>> len(endorsed.endorsement)
        64
    """
    from pathbook.ledger.proofs.statements import proves_possession

    if (request.endorser, request.endorser_key) != (endorser.party, endorser.key):
        raise ValueError("The request names another endorser, or another key of it.")
    if not proves_possession(endorser.origin, register_key(request).as_event()):
        raise ValueError("The key did not sign this request for the book of the endorser's key.")
    endorsed = keys_pb2.RegisterKeyRequest()
    endorsed.CopyFrom(request)
    endorsed.endorsement = endorser.sign(_registration(endorser.origin, request))
    return endorsed


def sign_revocation(key: bytes, party: str, revoker: Signer) -> keys_pb2.RevokeKeyRequest:
    """Return the request to revoke a key, signed by its revoker."""
    revoked = KeyRevoked(party, key, revoker.party, revoker.key, b"")
    text = _one_line_each(revocation_text(revoker.origin, revoked), 6)
    return keys_pb2.RevokeKeyRequest(
        party=party,
        key=key,
        revoker=revoker.party,
        revoker_key=revoker.key,
        signature=revoker.sign(pre_authentication_encoding(REVOCATION, text)),
    )


def _registration(origin: str, request: keys_pb2.RegisterKeyRequest) -> bytes:
    """Return the bytes that the key and its endorser sign."""
    return pre_authentication_encoding(
        KEY, _one_line_each(key_text(origin, register_key(request).as_event()), 8)
    )


def _one_line_each(text: bytes, lines: int) -> bytes:
    """Return a text that is signed. Raises ValueError if a value in it would be read as more lines."""
    if text.count(b"\n") != lines:
        raise ValueError("The origin or a party has a line break.")
    return text
