"""What is signed: the DSSE encoding of others, and the texts of keys and batches as the contract shows them."""

import base64
import json
import sys
from typing import Final

import pytest
from nacl.signing import SigningKey

from pathbook.ledger.proofs.ed25519 import is_signed
from pathbook.ledger.proofs.statements import (
    BATCH,
    STATEMENT,
    batch_text,
    is_batch_signed,
    is_statement_signed,
    key_text,
    pre_authentication_encoding,
    revocation_text,
)
from tests.proofs.vectors import VECTORS, missing
from tests.verify.signed_story import key_registered, key_revoked, public

DSSE: Final = VECTORS / "dsse" / "vectors.json"
COUNT: Final = 5
"""How many vectors of one signature there are."""


@pytest.mark.skipif(not DSSE.exists(), reason=missing("dsse", COUNT))
def test_the_vectors_of_dsse_are_encoded_and_judged_as_they_say(capsys: pytest.CaptureFixture[str]) -> None:
    """The bytes that are signed are those of the specification, and a signature of other bytes is false."""
    found = json.loads(DSSE.read_text("utf-8"))
    keys = {name: bytes.fromhex(key) for name, key in found["public"].items()}
    for vector in found["vectors"]:
        payload = base64.b64decode(vector["payload"])
        signed = pre_authentication_encoding(vector["payloadType"], payload)
        if "pae" in vector:
            assert signed == bytes.fromhex(vector["pae"]), vector["id"]
        signature = base64.b64decode(vector["sig"])
        accepted = is_signed(keys[vector["key"]], signature, signed)
        assert accepted is (vector["expect"] == "accept"), vector["id"]
    assert len(found["vectors"]) == COUNT
    with capsys.disabled():
        sys.stdout.write(f"\n{COUNT} vectors of DSSE\n")


def test_the_encoding_is_that_of_the_specification() -> None:
    """The example of DSSE v1.0.2, protocol.md."""
    assert pre_authentication_encoding("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_the_texts_are_those_of_the_contract() -> None:
    """Each line has a name and a value, and an empty value ends after its blank."""
    key = base64.b64encode(public("a1")).decode()
    endorser = base64.b64encode(public("op")).decode()
    assert key_text("book.example", key_registered("acme", "a1", "", "op")).decode() == (
        f"pathbook key v1\norigin book.example\nparty acme\nkey {key}\nrecovery \nendorser \n"
        f"endorser-key {endorser}\nreplaces \n"
    )
    assert revocation_text("book.example", key_revoked("acme", "a1", "", "op")).decode() == (
        f"pathbook key revocation v1\norigin book.example\nparty acme\nkey {key}\nrevoker \nrevoker-key {endorser}\n"
    )
    root = base64.b64encode(bytes(32)).decode()
    assert batch_text("book.example", "acme", public("a1"), 3, bytes(32)).decode() == (
        f"pathbook statements v1\norigin book.example\nparty acme\nkey {key}\nsize 3\nroot {root}\n"
    )


def test_a_signature_is_for_one_type_of_payload() -> None:
    """What was signed as a statement is no batch, and a batch is of one size, root, party, key and book."""
    signer = SigningKey(bytes(32))
    key = bytes(signer.verify_key)
    text = batch_text("o", "p", key, 3, bytes(32))
    of_batch = signer.sign(pre_authentication_encoding(BATCH, text)).signature
    of_statement = signer.sign(pre_authentication_encoding(STATEMENT, text)).signature
    assert is_statement_signed(key, of_statement, text)
    assert not is_statement_signed(key, of_batch, text)
    assert not is_statement_signed(key, of_statement, text + b"\0")
    assert is_batch_signed("o", "p", key, 3, bytes(32), of_batch)
    for other in (
        ("x", "p", key, 3, bytes(32)),
        ("o", "x", key, 3, bytes(32)),
        ("o", "p", public("a1"), 3, bytes(32)),
        ("o", "p", key, 4, bytes(32)),
        ("o", "p", key, 3, bytes(31) + b"1"),
    ):
        assert not is_batch_signed(*other, of_batch)
    assert not is_batch_signed("o", "p", key, 3, bytes(32), of_statement)
