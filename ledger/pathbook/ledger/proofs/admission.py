"""What is checked of keys and signatures before a book decides: pure, and too slow for its writer."""

from pathbook.ledger.commands import SignedCommand
from pathbook.ledger.key_commands import FileStatements, RegisterKey, RevokeKey
from pathbook.ledger.proofs.ed25519 import is_weak
from pathbook.ledger.proofs.statements import (
    false_signature,
    is_batch_signed,
    is_revocation_signed,
    is_statement_signed,
)
from pathbook.ledger.proofs.tree import HASH_BYTES, root_of, split_hashes
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.values import KEY_BYTES, MAX_STATEMENTS


def refuse_registration(origin: str, command: RegisterKey) -> Refusal | None:
    """Refuse to register a weak key, or one that it and its endorser did not sign for the book with an origin."""
    named = {"key": command.key, "recovery_key": command.recovery_key, "endorser_key": command.endorser_key}
    for field, key in named.items():
        if (key or field != "recovery_key") and (refusal := refuse_weak(field, key)) is not None:
            return refusal
    if command.replaced_key and len(command.replaced_key) != KEY_BYTES:
        return _wrong_length("replaced_key", command.replaced_key)
    event = command.as_event()
    false = false_signature(origin, event)
    if not false:
        return None
    signer = command.key if false == "possession" else command.endorser_key
    return refuse(Reason.SIGNATURE_WRONG, field=false, key=signer)


def refuse_revocation(origin: str, command: RevokeKey) -> Refusal | None:
    """Refuse to revoke a key if the revoker's key did not sign that for the book with an origin."""
    for field, key in (("key", command.key), ("revoker_key", command.revoker_key)):
        if (refusal := refuse_weak(field, key)) is not None:
            return refusal
    if not is_revocation_signed(origin, command.as_event()):
        return refuse(Reason.SIGNATURE_WRONG, field="signature", key=command.revoker_key)
    return None


def refuse_statement(signed: SignedCommand) -> Refusal | None:
    """Refuse a statement with a signature of its own that its key did not make."""
    if not is_statement_signed(signed.key, signed.signature, signed.statement):
        return refuse(Reason.SIGNATURE_WRONG, field="signature", key=signed.key)
    return None


def refuse_batch(origin: str, command: FileStatements) -> Refusal | None:
    """Refuse a batch of too many statements, with another root than theirs, or that its key did not sign."""
    size, rest = divmod(len(command.leaf_hashes), HASH_BYTES)
    if not 1 <= size <= MAX_STATEMENTS or rest:
        return refuse(Reason.TOO_MANY_STATEMENTS, count=size, limit=MAX_STATEMENTS)
    root = root_of(split_hashes(command.leaf_hashes))
    if root != command.root or not is_batch_signed(
        origin, command.party, command.key, size, root, command.signature
    ):
        return refuse(Reason.SIGNATURE_WRONG, field="signature", key=command.key)
    return None


def refuse_weak(field: str, key: bytes) -> Refusal | None:
    """Refuse a key under which signatures prove nothing. ``field`` is what the request calls it."""
    if len(key) != KEY_BYTES:
        return _wrong_length(field, key)
    if is_weak(key):
        problem = "it has small order or is not canonical, so anyone can sign for it"
        return refuse(Reason.KEY_MALFORMED, field=field, problem=problem)
    return None


def _wrong_length(field: str, key: bytes) -> Refusal:
    problem = f"it has {len(key)} bytes, not {KEY_BYTES}"
    return refuse(Reason.KEY_MALFORMED, field=field, problem=problem)
