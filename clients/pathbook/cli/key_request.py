"""The file of a request to register a key: the text that is signed, as a person can read it, and its signatures."""

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from pathbook.ledger.proofs.text import MalformedTextError, parse_base64, parse_value, print_base64
from pathbook.ledger.values import KEY_BYTES, SIGNATURE_BYTES

if TYPE_CHECKING:  # imported when a request is read
    from pathbook.v1.keys_pb2 import RegisterKeyRequest

MAX_BYTES: Final = 4_096
"""The most bytes of a file that is read. A request has ten short lines."""

_HEADER: Final = "pathbook key v1"
_TEXTS: Final = {"party": "party", "endorser": "endorser"}
_KEYS: Final = {
    "key": "key",
    "recovery": "recovery_key",
    "endorser-key": "endorser_key",
    "replaces": "replaced_key",
}
_SIGNATURES: Final = {"possession": "possession", "endorsement": "endorsement"}
_ORDER: Final = (
    "origin", "party", "key", "recovery", "endorser", "endorser-key", "replaces", "possession", "endorsement",
)  # fmt: skip


class KeyRequest(NamedTuple):
    """A request to register a key, and the origin of the book that it is signed for."""

    origin: str
    request: "RegisterKeyRequest"


def print_request(asked: KeyRequest) -> str:
    """Return the text of a file: the lines at KeyRegistered in the contract, and a line for each signature."""
    values = {"origin": asked.origin}
    values |= {name: str(getattr(asked.request, field)) for name, field in _TEXTS.items()}
    values |= {
        name: print_base64(getattr(asked.request, field)) for name, field in (_KEYS | _SIGNATURES).items()
    }
    return "".join(f"{line}\n" for line in [_HEADER, *(f"{name} {values[name]}" for name in _ORDER)])


def is_request(text: str) -> bool:
    """Tell whether a file says that it has a request."""
    return text.partition("\n")[0] == _HEADER


def parse_request(text: str) -> KeyRequest:
    """Return the request in the text of a file. No signature is verified yet.

    Raises:
        MalformedTextError: it is no such text.
    """
    from pathbook.v1.keys_pb2 import RegisterKeyRequest

    header, *lines, end = text.split("\n")
    if header != _HEADER or end or len(lines) != len(_ORDER):
        raise MalformedTextError("it is no request to register a key")
    values = {name: parse_value(line, name) for line, name in zip(lines, _ORDER, strict=True)}
    request = RegisterKeyRequest(party=values["party"], endorser=values["endorser"])
    for names, length in ((_KEYS, KEY_BYTES), (_SIGNATURES, SIGNATURE_BYTES)):
        for name, field in names.items():
            value = values[name]
            setattr(request, field, parse_base64(value, f"its {name}", length if value else 0))
    return KeyRequest(values["origin"], request)


def read_request(path: Path) -> KeyRequest:
    """Return the request in a file.

    Raises:
        MalformedTextError: it has none.
        OSError: the file cannot be read.
    """
    from pathbook.keys.files import read_text

    return parse_request(read_text(path, MAX_BYTES))
