"""Pages (AIP-158): how many entries and bytes a page has, and the token of the next page, which belongs to one list.

Every answer is smaller than a client of gRPC accepts. ARCHITECTURE.md has a table of what bounds each method.
"""

import base64
import binascii
import functools
import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Final, Generic, NamedTuple, Protocol, TypeVar

import msgspec
from google.protobuf.message import Message

from pathbook.services.translate.statuses import Failure, failed

DEFAULT_PAGE_SIZE: Final = 100
"""Entries of a page if the caller names no size."""

MAX_PAGE_SIZE: Final = 1_000
"""The most entries of a page. To ask for more is no error: the caller gets this many."""

AS_MANY_AS_FIT: Final = 2**31 - 1
"""The limit of a page that only its bytes end."""

ANSWER_MAX_BYTES: Final = 4 * 1024 * 1024
"""The largest message that a server sends. A client of gRPC refuses larger ones unless it is told otherwise."""

PAGE_MAX_BYTES: Final = 2 * 1024 * 1024
"""How many bytes the entries of a page have together, beside its last one. The other half of a message is for that
entry, and for what a page has besides its entries: an event has 64 KB at most, so both are small."""

MAX_PAGE_TOKEN: Final = 1_000
"""The longest token that is read, in characters. A key, as JSON in base64, is shorter."""

ENTRY_BYTES: Final = 5
"""How many bytes an entry takes beside its own: its field and its length. An entry never has 2^28 bytes."""

LIST_BYTES: Final = 12
"""How many bytes of the SHA-256 of a request are in a token. They tell the list of the token from all other lists."""

PAGING_FIELDS: Final = ("page_size", "page_token", "at_least_position")
"""The fields of a request that do not say which list is asked for."""

Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""A number that a database can hold. A caller may have made up the token, so its numbers are checked."""

Key = TypeVar("Key", bound=msgspec.Struct)
Row = TypeVar("Row")
Item = TypeVar("Item")
Entry = TypeVar("Entry", bound=Message)


class AfterName(msgspec.Struct, frozen=True, array_like=True):
    """A place in a list: after this name of a book, this id of a party, or this GTIN."""

    name: str = ""


class AfterNumber(msgspec.Struct, frozen=True, array_like=True):
    """A place in a list: after the batch, unit or position with this number."""

    number: Number = 0


class AfterUnit(msgspec.Struct, frozen=True, array_like=True):
    """A place in a list: before this unit of this batch. Batch 0 is the beginning of the list."""

    batch: Number = 0
    number: Number = 0


class AfterStep(msgspec.Struct, frozen=True, array_like=True):
    """A place in a path as of a position: after its step at another one. 0 is the beginning of a path as of now."""

    position: Number = 0
    as_of: Number = 0


class AfterReference(msgspec.Struct, frozen=True, array_like=True):
    """A place in what is under a reference: after this giver, receiver, transfer and line."""

    giver: str = ""
    receiver: str = ""
    transfer: Number = 0
    line: Number = 0

    @property
    def place(self) -> tuple[str, str, int, int]:
        """The place as the queries name it."""
        return self.giver, self.receiver, self.transfer, self.line


class AfterTransfer(msgspec.Struct, frozen=True, array_like=True):
    """A place in a list: after this line of this transfer. Transfer 0 is the beginning of the list."""

    transfer: Number = 0
    line: Number = 0

    @property
    def place(self) -> tuple[int, int] | None:
        """The place as the queries name it, or None for the beginning."""
        return (self.transfer, self.line) if self.transfer else None


def page_limit(page_size: int, default: int = DEFAULT_PAGE_SIZE) -> int:
    """Return how many entries a page holds. Raises CallFailedError for a negative size."""
    if page_size < 0:
        raise failed(Failure.PAGE_SIZE_NEGATIVE, page_size=page_size)
    return min(page_size, MAX_PAGE_SIZE) or default


class ListRequest(Protocol):
    """A request for a page of a list."""

    page_size: int
    page_token: str


class Paging(Generic[Key]):
    """The page that a request asks for: at most ``limit`` items after the key ``after``.

    Tokens of one list are refused in another: of another method, another book or another filter.
    """

    def __init__(self, request: Message, key: type[Key], *, default: int = DEFAULT_PAGE_SIZE) -> None:
        """Read the page of a request. Raises CallFailedError for a negative size, or for a token of another list."""
        fields: ListRequest = request  # type: ignore[assignment] # a message has its fields by name
        self._request = request
        self.limit = page_limit(fields.page_size, default)
        self.after = parse_token(fields.page_token, key, self._list) if fields.page_token else key()

    @functools.cached_property
    def _list(self) -> bytes:
        """What tells this list from others. It takes as long as a small read, and most lists have one page."""
        return _list_of(self._request)

    def page(
        self,
        items: Iterable[Item],
        rest: Key | None,
        message_of: Callable[[Item], Entry],
        key_of: Callable[[Item], Key],
    ) -> tuple[list[Entry], str]:
        """Return the messages of a page, and the token of the next page.

        ``items`` are those that were read, and ``rest`` is the key after them if the list goes on. A page with
        PAGE_MAX_BYTES ends before its other items. It has one at least.
        """
        entries: list[Entry] = []
        left = PAGE_MAX_BYTES
        last: Item | None = None
        for item in items:
            entry = message_of(item)
            left -= entry.ByteSize() + ENTRY_BYTES
            if last is not None and left < 0:
                return entries, self.token(key_of(last))
            entries.append(entry)
            last = item
        return entries, self.token(rest)

    def token(self, key: Key | None) -> str:
        """Return the token for the page after a key, or "" for None."""
        return "" if key is None else print_token(key, self._list)


def _list_of(request: Message) -> bytes:
    """Return bytes that tell the list of a request from all others."""
    same = type(request)()
    same.CopyFrom(request)
    for field in PAGING_FIELDS:
        if field in request.DESCRIPTOR.fields_by_name:
            same.ClearField(field)
    content = same.SerializeToString(deterministic=True)
    return hashlib.sha256(request.DESCRIPTOR.full_name.encode() + b"\0" + content).digest()[:LIST_BYTES]


def print_token(key: msgspec.Struct, of: bytes = b"") -> str:
    """Return the token for the page after a key of a list. The token is opaque: callers must not build one."""
    return base64.urlsafe_b64encode(of + msgspec.json.encode(key)).decode()


def parse_token(token: str, key: type[Key], of: bytes = b"") -> Key:
    """Return the key in a token; an empty token is the beginning of the list.

    Raises:
        CallFailedError: the token is not from this list.
    """
    if not token:
        return key()
    try:
        content = base64.b64decode(token[:MAX_PAGE_TOKEN], b"-_", validate=True)
        if not content.startswith(of):
            raise failed(Failure.PAGE_TOKEN_MALFORMED)
        return msgspec.json.decode(content[len(of) :], type=key)
    except (binascii.Error, ValueError) as error:  # what msgspec raises is a ValueError
        raise failed(Failure.PAGE_TOKEN_MALFORMED) from error


class Page(NamedTuple, Generic[Row]):
    """The rows of a page, and whether another page follows."""

    rows: Sequence[Row]
    more: bool

    def after(self, key: Callable[[Row], Key]) -> Key | None:
        """Return the key of the last row if another page follows, else None."""
        return key(self.rows[-1]) if self.more else None


def cut(rows: Sequence[Row], limit: int) -> Page[Row]:
    """Return the page from rows that were read with a limit one higher than the page's."""
    return Page(rows[:limit], len(rows) > limit)
