"""What is checked of keys and statements before a book decides: their signatures, and that no key is weak."""

import hashlib
from base64 import standard_b64encode
from typing import Final

import pytest
from msgspec.structs import replace
from nacl.signing import SigningKey

from pathbook.ledger.codec import leaf_hash
from pathbook.ledger.commands import SignedCommand
from pathbook.ledger.key_commands import FileStatements, RegisterKey, RevokeKey
from pathbook.ledger.proofs.admission import (
    refuse_batch,
    refuse_registration,
    refuse_revocation,
    refuse_statement,
)
from pathbook.ledger.refusals import Reason, Refusal
from pathbook.ledger.values import MAX_STATEMENTS
from tests.books import record

ORIGIN: Final = "pathbook/masks"
NEW, ENDORSER, OTHER = (SigningKey(hashlib.sha256(name).digest()) for name in (b"new", b"endorser", b"other"))
IDENTITY: Final = (1).to_bytes(32, "little")
"""The point of order 1. Under it one signature is right for every message."""


def encoded(kind: str, payload: bytes) -> bytes:
    """Return the DSSE pre-authentication encoding, as its specification writes it."""
    return b" ".join([b"DSSEv1", str(len(kind)).encode(), kind.encode(), str(len(payload)).encode(), payload])


def printed(key: bytes) -> str:
    """Return a key in base64."""
    return standard_b64encode(key).decode()


def key_text(command: RegisterKey, origin: str = ORIGIN) -> bytes:
    """Return what the contract says is signed, written here a second time."""
    text = (
        f"pathbook key v1\norigin {origin}\nparty {command.party}\nkey {printed(command.key)}\n"
        f"recovery {printed(command.recovery_key)}\nendorser {command.endorser}\n"
        f"endorser-key {printed(command.endorser_key)}\nreplaces {printed(command.replaced_key)}\n"
    )
    return encoded("application/vnd.pathbook.key.v1+text", text.encode())


def registration(
    *,
    origin: str = ORIGIN,
    possession: SigningKey = NEW,
    endorsement: SigningKey = ENDORSER,
    **fields: object,
) -> RegisterKey:
    """Return a registration, signed by these keys."""
    command = RegisterKey(
        request_id="r",
        party="acme",
        key=bytes(NEW.verify_key),
        recovery_key=bytes(OTHER.verify_key),
        endorser="",
        endorser_key=bytes(ENDORSER.verify_key),
        possession=b"",
        endorsement=b"",
    )
    command = replace(command, **fields)
    text = key_text(command, origin)
    return replace(
        command, possession=possession.sign(text).signature, endorsement=endorsement.sign(text).signature
    )


def revocation(*, origin: str = ORIGIN, signer: SigningKey = ENDORSER, **fields: object) -> RevokeKey:
    """Return a revocation, signed by a key."""
    command = RevokeKey(
        request_id="r",
        party="acme",
        key=bytes(NEW.verify_key),
        revoker="",
        revoker_key=bytes(ENDORSER.verify_key),
        signature=b"",
    )
    command = replace(command, **fields)
    text = (
        f"pathbook key revocation v1\norigin {origin}\nparty {command.party}\nkey {printed(command.key)}\n"
        f"revoker {command.revoker}\nrevoker-key {printed(command.revoker_key)}\n"
    )
    what = encoded("application/vnd.pathbook.key-revocation.v1+text", text.encode())
    return replace(command, signature=signer.sign(what).signature)


def filing(
    count: int = 3, *, origin: str = ORIGIN, signer: SigningKey = NEW, **fields: object
) -> FileStatements:
    """Return the filing of statements, signed by a key."""
    leaves = [leaf_hash(bytes([number % 251])) for number in range(count)]
    root = tree(leaves) if leaves else bytes(32)
    text = (
        f"pathbook statements v1\norigin {origin}\nparty acme\nkey {printed(bytes(NEW.verify_key))}\n"
        f"size {count}\nroot {printed(root)}\n"
    )
    command = FileStatements(
        request_id="~",
        party="acme",
        key=bytes(NEW.verify_key),
        root=root,
        leaf_hashes=b"".join(leaves),
        signature=signer.sign(
            encoded("application/vnd.pathbook.statements.v1+text", text.encode())
        ).signature,
    )
    return replace(command, **fields)


def tree(leaves: list[bytes]) -> bytes:
    """Return the root of RFC 6962, section 2.1."""
    if len(leaves) == 1:
        return leaves[0]
    left = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + tree(leaves[:left]) + tree(leaves[left:])).digest()


def reason(refusal: Refusal | None) -> tuple[Reason, str] | None:
    """Return the reason of a refusal, with the field that it names."""
    if refusal is None:
        return None
    assert "{" not in str(refusal), refusal
    return refusal.reason, dict(refusal.facts).get("field", "")


def test_a_registration_is_signed_by_the_key_and_its_endorser() -> None:
    """Both signed the same text, for this book."""
    wrong = Reason.SIGNATURE_WRONG
    assert refuse_registration(ORIGIN, registration()) is None
    assert refuse_registration(ORIGIN, registration(recovery_key=b"", replaced_key=bytes(32))) is None
    assert reason(refuse_registration("other", registration())) == (wrong, "possession")
    assert reason(refuse_registration(ORIGIN, registration(possession=ENDORSER))) == (wrong, "possession")
    assert reason(refuse_registration(ORIGIN, registration(endorsement=NEW))) == (wrong, "endorsement")
    for field in ("party", "endorser"):
        changed = replace(registration(), **{field: "ben"})
        assert reason(refuse_registration(ORIGIN, changed)) == (wrong, "possession")
    for field in ("recovery_key", "replaced_key"):
        changed = replace(registration(), **{field: bytes(ENDORSER.verify_key)})
        assert reason(refuse_registration(ORIGIN, changed)) == (wrong, "possession")


@pytest.mark.parametrize("field", ["key", "recovery_key", "endorser_key"])
@pytest.mark.parametrize("weak", [IDENTITY, bytes(32), b"\xff" * 32, bytes(31), bytes(33)])
def test_no_weak_key_is_registered(field: str, weak: bytes) -> None:
    """Small order, not canonical, another length: anyone could sign with some of them."""
    found = reason(refuse_registration(ORIGIN, replace(registration(), **{field: weak})))
    assert found == (Reason.KEY_MALFORMED, field)


def test_a_replaced_key_has_the_length_of_a_key() -> None:
    """It was registered before, so it is not looked at further."""
    found = reason(refuse_registration(ORIGIN, replace(registration(), replaced_key=bytes(31))))
    assert found == (Reason.KEY_MALFORMED, "replaced_key")


def test_a_revocation_is_signed_by_the_key_of_the_revoker() -> None:
    """For this book, and for just that key."""
    wrong = (Reason.SIGNATURE_WRONG, "signature")
    assert refuse_revocation(ORIGIN, revocation()) is None
    assert reason(refuse_revocation("other", revocation())) == wrong
    assert reason(refuse_revocation(ORIGIN, revocation(signer=NEW))) == wrong
    assert reason(refuse_revocation(ORIGIN, replace(revocation(), party="ben"))) == wrong
    other = replace(revocation(), key=bytes(OTHER.verify_key))
    assert reason(refuse_revocation(ORIGIN, other)) == wrong
    weak = replace(revocation(), revoker_key=IDENTITY)
    assert reason(refuse_revocation(ORIGIN, weak)) == (Reason.KEY_MALFORMED, "revoker_key")


@pytest.mark.parametrize("count", [1, 2, 3, 8, MAX_STATEMENTS])
def test_a_batch_is_signed_over_its_root(count: int) -> None:
    """The root is that over the leaf hashes, and the text names their number."""
    wrong = (Reason.SIGNATURE_WRONG, "signature")
    assert refuse_batch(ORIGIN, filing(count)) is None
    assert reason(refuse_batch("other", filing(count))) == wrong
    assert reason(refuse_batch(ORIGIN, filing(count, signer=OTHER))) == wrong
    assert reason(refuse_batch(ORIGIN, filing(count, party="ben"))) == wrong
    assert reason(refuse_batch(ORIGIN, filing(count, root=bytes(32)))) == wrong
    leaves = filing(count).leaf_hashes
    assert reason(refuse_batch(ORIGIN, filing(count, leaf_hashes=bytes(32) + leaves[32:]))) == wrong


@pytest.mark.parametrize("count", [0, MAX_STATEMENTS + 1])
def test_a_batch_has_up_to_a_thousand_statements(count: int) -> None:
    """None and too many are refused, whatever was signed."""
    assert reason(refuse_batch(ORIGIN, filing(count))) == (Reason.TOO_MANY_STATEMENTS, "")


def test_a_statement_is_signed_as_it_is() -> None:
    """Its signature is one of its key over its bytes."""
    statement = b"a statement"
    what = encoded("application/vnd.pathbook.statement.v1+protobuf", statement)
    signed = SignedCommand(
        command=record("x"),
        origin=ORIGIN,
        party="acme",
        key=bytes(NEW.verify_key),
        signed_at=1,
        statement=statement,
        signature=NEW.sign(what).signature,
    )
    assert refuse_statement(signed) is None
    for wrong in (
        replace(signed, statement=b"another statement"),
        replace(signed, signature=NEW.sign(statement).signature),
        replace(signed, key=bytes(OTHER.verify_key)),
        replace(signed, signature=b""),
    ):
        assert reason(refuse_statement(wrong)) == (Reason.SIGNATURE_WRONG, "signature")
