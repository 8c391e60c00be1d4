"""Ed25519 (RFC 8032): which public keys are accepted, and how signatures are checked.

Libraries differ in what they accept. OpenSSL verifies signatures of keys of small order, with one of which a single
signature fits every message. So keys are judged here first, and every verifier of this project asks here.
"""

from typing import Final

from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

from pathbook.ledger.values import KEY_BYTES, SIGNATURE_BYTES

_P: Final = 2**255 - 19
_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
_SIGN_BIT: Final = 1 << 255
_SMALL_ORDER_Y: Final = frozenset(
    {
        0,  # order 4
        1,  # the neutral point
        _P - 1,  # order 2
        # order 8
        int.from_bytes(
            bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
        ),
        int.from_bytes(
            bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"
        )
        & ~_SIGN_BIT,
    }
)
"""The y of all points whose order divides 8. The sign bit of a key does not matter."""


def is_weak(key: bytes) -> bool:
    """Tell whether a public key must not be used: it has small order, is not canonical, or has another length."""
    if len(key) != KEY_BYTES:
        return True
    y = int.from_bytes(key, "little") & ~_SIGN_BIT
    return y >= _P or y in _SMALL_ORDER_Y


def is_signed(key: bytes, signature: bytes, message: bytes) -> bool:
    """Tell whether a signature of a message is valid under a public key that is not weak (RFC 8032, section 5.1.7).

    The second half of the signature must be below the order of the group, so that no signature has a twin.
    """
    if len(signature) != SIGNATURE_BYTES or is_weak(key):
        return False
    if int.from_bytes(signature[KEY_BYTES:], "little") >= _ORDER:
        return False
    try:
        crypto_sign_open(signature + message, key)
    except BadSignatureError:
        return False
    return True
