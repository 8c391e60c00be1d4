"""Codec: encodes events as the messages of ``pathbook.v1.events``, and decodes them.

An event is encoded once. These bytes are stored, hashed and streamed. Only a strict ``decode`` encodes it again, to
compare the bytes with those that a book writes.

What is not here: deciding (rules), the messages of calls (services), storing bytes (store).
"""

from pathbook.ledger.codec.records import (
    MalformedEventError,
    NewerEventError,
    decode,
    encode,
    leaf_hash,
    newer_event,
    unknown_number,
)
from pathbook.ledger.codec.table import TERMS

__all__ = [
    "TERMS",
    "MalformedEventError",
    "NewerEventError",
    "decode",
    "encode",
    "leaf_hash",
    "newer_event",
    "unknown_number",
]
