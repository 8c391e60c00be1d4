"""Pages of lists (AIP-158): the size of a page, and the token of the next page."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Final, Generic, NamedTuple, TypeVar

import msgspec

from pathbook.services.translate.statuses import Failure, failed

DEFAULT_PAGE_SIZE: Final = 100
"""Entries of a page if the caller names no size."""

MAX_PAGE_SIZE: Final = 1_000
"""The most entries of a page. To ask for more is no error: the caller gets this many."""

MAX_PAGE_TOKEN: Final = 500
"""The longest token that is read, in characters. A key, as JSON in base64, is shorter."""

Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""A number that a database can hold. A caller may have made up the token, so its numbers are checked."""

Key = TypeVar("Key", bound=msgspec.Struct)
Row = TypeVar("Row")


class AfterName(msgspec.Struct, frozen=True, array_like=True):
    """A place in a list: after this name of a book, this id of a party, or this GTIN."""

    name: str = ""


class AfterNumber(msgspec.Struct, frozen=True, array_like=True):
    """A place in a list: after the batch with this number."""

    number: Number = 0


class AfterTransfer(msgspec.Struct, frozen=True, array_like=True):
    """A place in a list, newest first: after this line of this transfer. Transfer 0 is the beginning of the list."""

    transfer: Number = 0
    line: Number = 0


def page_limit(page_size: int) -> int:
    """Return how many entries a page holds. Raises CallFailedError for a negative size."""
    if page_size < 0:
        raise failed(Failure.PAGE_SIZE_NEGATIVE, page_size=page_size)
    return min(page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


def print_token(key: msgspec.Struct) -> str:
    """Return the token for the page after a key. The token is opaque: callers must not build one."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode()


def parse_token(token: str, key: type[Key]) -> Key:
    """Return the key in a token; an empty token is the beginning of the list.

    Raises:
        CallFailedError: the token is not from this kind of list.
    """
    if not token:
        return key()
    try:
        return msgspec.json.decode(base64.b64decode(token[:MAX_PAGE_TOKEN], b"-_", validate=True), type=key)
    except (binascii.Error, ValueError) as error:  # what msgspec raises is a ValueError
        raise failed(Failure.PAGE_TOKEN_MALFORMED) from error


class Page(NamedTuple, Generic[Row]):
    """The rows of a page, and whether another page follows."""

    rows: Sequence[Row]
    more: bool

    def token(self, key: Callable[[Row], msgspec.Struct]) -> str:
        """Return the token for the next page, made of the key of the last row; empty if no page follows."""
        return print_token(key(self.rows[-1])) if self.more else ""


def cut(rows: Sequence[Row], limit: int) -> Page[Row]:
    """Return the page from rows that were read with a limit one higher than the page's."""
    return Page(rows[:limit], len(rows) > limit)
