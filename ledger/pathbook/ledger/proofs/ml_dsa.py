"""ML-DSA-44 (FIPS 204), by the package `cryptography`, where it is installed and its OpenSSL has the algorithm."""

import functools

from pathbook.ledger.proofs.cosignature import VerifyMlDsa

KEY_BYTES = 1_312
"""How many bytes a public key has."""


@functools.cache
def verification() -> VerifyMlDsa | None:
    """Return what tells whether a signature is valid, None if this installation cannot tell.

    The extra `server` installs `cryptography`. A verifier without it does not count such cosignatures, and says so.
    """
    try:
        from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm  # noqa: PLC0415 - not everywhere
        from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey  # noqa: PLC0415 - as above
    except ImportError:
        return None
    try:
        MLDSA44PublicKey.from_public_bytes(bytes(KEY_BYTES))
    except UnsupportedAlgorithm:
        return None

    def verify(key: bytes, signature: bytes, message: bytes) -> bool:
        try:
            MLDSA44PublicKey.from_public_bytes(key).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True

    return verify
