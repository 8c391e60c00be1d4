"""Between words and bytes: events written as the messages of ``pathbook.v1.events``, and read back.

An event is encoded once. Those bytes are stored, hashed and streamed; nobody encodes it again, except to see
whether bytes are what a book would have written.

What is not here: judging what happened (rules), the messages of calls (services), where bytes lie (store).
"""

from pathbook.ledger.codec.records import MalformedEventError, decode, encode, leaf_hash
from pathbook.ledger.codec.table import TERMS

__all__ = ["TERMS", "MalformedEventError", "decode", "encode", "leaf_hash"]
