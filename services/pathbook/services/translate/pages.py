"""Pages of lists (AIP-158): how large one may be, and the token that leads to the next."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Final, Generic, NamedTuple, TypeVar

import msgspec

from pathbook.services.translate.statuses import Failure, failed

DEFAULT_PAGE_SIZE: Final = 100
"""Entries of a page when the caller leaves the choice to the server."""

MAX_PAGE_SIZE: Final = 1_000
"""The most entries of a page; asking for more is no error, one gets these."""

MAX_PAGE_TOKEN: Final = 500
"""The longest token (characters) that is read: a key in JSON in base64 is shorter."""

Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""What a database can hold: a token may have been made up."""

Key = TypeVar("Key", bound=msgspec.Struct)
Row = TypeVar("Row")


class AfterName(msgspec.Struct, frozen=True, array_like=True):
    """The place in a list after a party's id or a GTIN."""

    name: str = ""


class AfterNumber(msgspec.Struct, frozen=True, array_like=True):
    """The place in a list after a batch's number."""

    number: Number = 0


class AfterTransfer(msgspec.Struct, frozen=True, array_like=True):
    """The place in a list, newest first, after a line of a transfer; transfer 0 for the place before all."""

    transfer: Number = 0
    line: Number = 0


def page_limit(page_size: int) -> int:
    """Return how many entries a page holds. Raises CallFailedError for a negative size."""
    if page_size < 0:
        raise failed(Failure.PAGE_SIZE_NEGATIVE, page_size=page_size)
    return min(page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


def print_token(key: msgspec.Struct) -> str:
    """Return the token for the page after a key: opaque to callers, who must not build one."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode()


def parse_token(token: str, key: type[Key]) -> Key:
    """Return the key in a token; none is the place before all. Raises CallFailedError for that of another list."""
    if not token:
        return key()
    try:
        return msgspec.json.decode(base64.b64decode(token[:MAX_PAGE_TOKEN], b"-_", validate=True), type=key)
    except (binascii.Error, ValueError) as error:  # what msgspec raises is a ValueError
        raise failed(Failure.PAGE_TOKEN_MALFORMED) from error


class Page(NamedTuple, Generic[Row]):
    """The rows of a page, and whether another follows."""

    rows: Sequence[Row]
    more: bool

    def token(self, key: Callable[[Row], msgspec.Struct]) -> str:
        """Return the token for the next page by the key of this one's last row, empty where none follows."""
        return print_token(key(self.rows[-1])) if self.more else ""


def cut(rows: Sequence[Row], limit: int) -> Page[Row]:
    """Return the page of a list that was read to one row more than the page holds."""
    return Page(rows[:limit], len(rows) > limit)
