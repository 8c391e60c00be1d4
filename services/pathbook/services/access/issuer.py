"""The issuer of JSON Web Tokens (RFC 7519) that an operator trusts, as a file of the operator says it.

The file names the issuer, its keys, and the claims that have the role and the party. `web_tokens` verifies its tokens.
"""

import tomllib
from pathlib import Path

import msgspec


class Issuer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The issuer that an operator trusts, as its TOML file says it.

    Attributes:
        issuer: what the claim `iss` must be.
        audience: what the claim `aud` must have.
        keys: where its JSON Web Key Set is: a file, or a URL with https.
        role_claim: the claim with the role: party, brand, auditor or operator.
        party_claim: the claim with the party.
        book: the book that its tokens are for, "" for every book.
        book_claim: the claim with the book, in the place of ``book``.
    """

    issuer: str
    audience: str
    keys: str
    role_claim: str = "pathbook_role"
    party_claim: str = "pathbook_party"
    book: str = ""
    book_claim: str = ""


def read_issuer(path: Path) -> Issuer:
    """Return the issuer in a file.

    Raises:
        ValueError: the file is no TOML, or lacks something. The message names the file.
        OSError: the file cannot be read.
    """
    try:
        found = msgspec.convert(tomllib.loads(path.read_text("utf-8")), Issuer)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} does not describe an issuer: {error}.") from None
    if not (found.issuer and found.audience and found.keys):
        raise ValueError(f"{path} does not describe an issuer: issuer, audience and keys are required.")
    if "://" in found.keys:
        if not found.keys.startswith("https://"):
            raise ValueError(f"{path}: keys must be a file or a URL with https, not {found.keys}.")
        return found
    return msgspec.structs.replace(found, keys=str(path.parent / found.keys))
