"""Pages of lists (AIP-158): how large one may be, and the token that leads to the next."""

import base64
import binascii
from collections.abc import Sequence
from typing import Final, TypeVar

import msgspec

from services.statuses import Failure, failed

DEFAULT_PAGE_SIZE: Final = 100
"""Entries of a page when the caller leaves the choice to the server."""

MAX_PAGE_SIZE: Final = 1_000
"""The most entries of a page; asking for more is no error, one gets these."""

MAX_PAGE_TOKEN: Final = 500
"""The longest token (characters) that is read: a key in JSON in base64 is shorter."""

Key = TypeVar("Key")
Row = TypeVar("Row")


def page_limit(page_size: int) -> int:
    """Return how many entries a page holds. Raises CallFailed for a negative size."""
    if page_size < 0:
        raise failed(Failure.PAGE_SIZE_NEGATIVE, page_size=page_size)
    return min(page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


def print_token(key: object) -> str:
    """Return the token for the page after a key: opaque to callers, who must not build one."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode()


def parse_token(token: str, key: type[Key], first: Key) -> Key:
    """Return the key in a token, or ``first`` for no token. Raises CallFailed for a token of another list."""
    if not token:
        return first
    try:
        return msgspec.json.decode(base64.b64decode(token[:MAX_PAGE_TOKEN], b"-_", validate=True), type=key)
    except (binascii.Error, ValueError) as error:  # what msgspec raises is a ValueError
        raise failed(Failure.PAGE_TOKEN_MALFORMED) from error


def cut(rows: Sequence[Row], limit: int) -> tuple[Sequence[Row], bool]:
    """Return a page's rows of those read, one more than it holds, and whether another page follows."""
    return rows[:limit], len(rows) > limit
