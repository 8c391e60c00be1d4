"""What a book remembers of a request: who sent it under which id, and a digest of what was asked."""

import hashlib
from functools import lru_cache

import msgspec

from pathbook.ledger.commands import AnyCommand, Command, SignedCommand

DIGEST_BYTES = 16
"""How many bytes of the SHA-256 of a request are kept. 128 bits tell a retry from another request."""

REQUEST_BYTES = 16
"""How many bytes of the SHA-256 of a caller and its request id are kept. They tell all requests of a book apart."""

_encoder = msgspec.json.Encoder(order="sorted")


@lru_cache(maxsize=4_096)  # the writer asks several times for each command of a group
def request_of(actor: str, request_id: str) -> bytes:
    """Return the 16 bytes by which a book knows a request: SHA-256(actor | 0x00 | request id), cut.

    So request ids belong to their caller, and no document's number stands in the log.
    """
    return hashlib.sha256(f"{actor}\0{request_id}".encode()).digest()[:REQUEST_BYTES]


def unsigned(command: AnyCommand) -> Command:
    """Return a command without its statement. A request is the same request with and without one."""
    # isinstance takes seven times as long to say no of a struct, and commands and refusals are asked often
    return command.command if type(command) is SignedCommand else command


def digest(command: Command) -> bytes:
    """Return a hash that tells a retry of a command from another command under the same request id.

    It covers the explicit tag of the command and the fields that differ from their defaults, as JSON with sorted
    keys. So a new field with a default, or another name of a class, changes no digest. The fields that the command
    names in UNDIGESTED are left out.
    """
    content: object = command
    if left_out := command.UNDIGESTED:
        fields: dict[str, object] = msgspec.to_builtins(command)
        content = {name: value for name, value in fields.items() if name not in left_out}
    return hashlib.sha256(_encoder.encode(content)).digest()[:DIGEST_BYTES]
