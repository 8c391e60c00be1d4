"""The words that everything else is said in: units, ranges, money, parties' names, and the limits on each."""

import datetime
import enum
import re

import msgspec
from stdnum import ean
from stdnum.exceptions import ValidationError

MAX_TEXT = 200
"""The longest free text (characters) a name, region, note or reason may have: enough for a label."""

MAX_REQUEST_ID = 128
"""The longest request id (characters): a UUID, or a file's name with a row number."""

MAX_LOT = 20
"""The longest lot number: GS1 General Specifications, AI (10)."""

MAX_BATCH_NUMBER = 2**24 - 1
"""The last batch number of a book: 24 bits of the printed serial."""

MAX_BATCH_SIZE = 2**28
"""The most units of one batch: unit numbers are 28 bits of the printed serial."""

MAX_RANGES = 10_000
"""The most ranges, codes or cases one request may name: what decides one request must end soon."""

MAX_PIECES = 100_000
"""The most runs one request may touch: stock in more pieces than that is moved in several requests."""

MAX_QUANTITIES = 100
"""The most quantities one request may name; quantities of the same batch or product add up."""

MAX_DISCREPANCIES = 20
"""The most discrepancies of one acceptance; one holds any number of ranges."""

MAX_CASE_DEPTH = 8
"""How deep cases may be packed in cases: inner packs, boxes, cases, layers, pallets and containers are six."""

MAX_PRODUCTS = 1_000
"""The most products one authorisation may list; leave the list empty to allow every product."""

MAX_TIER = 100
"""The deepest tier an agent may be given; real chains have five or six."""

MAX_AMOUNT_MINOR = 10**10
"""The highest unit price in minor units: the sum over 900 million units still fits 64 bits."""

CLOCK_TOLERANCE = datetime.timedelta(minutes=5)
"""How far ahead of the book's clock a claimed time may be: clocks of honest callers differ a little."""

EARLIEST_ZONE = datetime.timedelta(hours=14)
"""A date begins at UTC+14 first: a batch made "today" may have moved up to so long before UTC's midnight."""

CONSUMER_PREFIX = "consumer:"
"""What marks an owner as a consumer's pseudonym; a party's id cannot hold a colon."""

WRITER_PREFIX = "~"
"""What begins the id of a request that the writer makes itself, as when offers lapse; a caller's cannot."""

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LOT = re.compile(r"(?!\.{1,2}$)[!\"%-?A-Z_a-z]{1,20}")  # a browser drops "." and ".." from a link's path
_SSCC = re.compile(r"[0-9]{18}")
_REQUEST_ID = re.compile(r"[!-}](?:[ -~]{0,126}[!-~])?")


class Money(msgspec.Struct, frozen=True, gc=False):
    """An amount in minor units (cents, fen) of an ISO 4217 currency."""

    amount_minor: int
    currency_code: str


class Unit(msgspec.Struct, frozen=True, gc=False):
    """One sellable piece: its batch, and its number in 0 .. size-1."""

    batch: int
    number: int


class UnitRange(msgspec.Struct, frozen=True, gc=False, order=True):
    """The units first .. last of one batch, both included."""

    batch: int
    first: int
    last: int

    @property
    def count(self) -> int:
        """How many units the range holds."""
        return self.last - self.first + 1

    def __str__(self) -> str:
        """``batch:first-last``, or ``batch:number`` for one unit, as the command line takes it."""
        return f"{self.batch}:{self.first}" + (f"-{self.last}" if self.last != self.first else "")


Ranges = tuple[UnitRange, ...]


class Quantity(msgspec.Struct, frozen=True, gc=False):
    """So many units of a batch, or (batch 0) of a product, oldest first: many systems know only quantities."""

    count: int
    batch: int = 0
    product: str = ""


class Selection(msgspec.Struct, frozen=True, gc=False):
    """The units a request names, in any mixture of ranges, cases (by SSCC) and quantities."""

    ranges: Ranges = ()
    cases: tuple[str, ...] = ()
    quantities: tuple[Quantity, ...] = ()


class PartyKind(enum.IntEnum):
    """What a party is; a consumer needs no registration and is known by a pseudonym."""

    BRAND = 1
    AGENT = 2
    SHOP = 3


class UnitState(enum.IntEnum):
    """Where a unit stands. Only a unit IN_STOCK may be offered, sold, delivered or written off."""

    IN_STOCK = 1
    OFFERED = 2
    SOLD = 3
    CONFIRMED = 4
    LOST = 5
    DAMAGED = 6
    DESTROYED = 7
    DEFACED = 8


WRITTEN_OFF = frozenset({UnitState.LOST, UnitState.DAMAGED, UnitState.DESTROYED, UnitState.DEFACED})
"""The states nothing comes back from."""


class Delivery(enum.IntEnum):
    """Whether the goods move with the title, or stay where they lie (cloud stock)."""

    WITH_TITLE = 1
    LATER = 2


class AuthorizationStatus(enum.IntEnum):
    """How a party stood towards its upline for a product at the time of a transfer."""

    AUTHORIZED = 1
    NEVER_AUTHORIZED = 2
    NOT_YET_AUTHORIZED = 3
    EXPIRED = 4
    REVOKED = 5
    OTHER_PRODUCTS = 6


class DiscrepancyKind(enum.IntEnum):
    """Why offered units were not accepted."""

    SHORT = 1
    DAMAGED = 2
    WRONG_ITEM = 3


class TransferStatus(enum.IntEnum):
    """Where a transfer stands; see ``pathbook.ledger.rules.transfer.NEXT`` for which may follow which."""

    OFFERED = 1
    ACCEPTED = 2
    ACCEPTED_IN_PART = 3
    DECLINED = 4
    WITHDRAWN = 5
    LAPSED = 6
    REVERSED = 7


def is_identifier(text: str) -> bool:
    """Tell whether the text may name a book or a party: 1-64 letters, digits, ``.``, ``_`` or ``-``."""
    return _IDENTIFIER.fullmatch(text) is not None


def is_owner(text: str) -> bool:
    """Tell whether the text names a party, or a consumer by its pseudonym."""
    return is_identifier(text.removeprefix(CONSUMER_PREFIX))


def is_consumer(owner: str) -> bool:
    """Tell whether an owner is a consumer's pseudonym."""
    return owner.startswith(CONSUMER_PREFIX)


def is_request_id(text: str) -> bool:
    """Tell whether the text may identify a request: 1-128 printable ASCII, no outer blank, no first tilde."""
    return _REQUEST_ID.fullmatch(text) is not None


def is_lot(text: str) -> bool:
    """Tell whether the text is a lot number a label can carry (AI (10): 1-20 of GS1 character set 82)."""
    return _LOT.fullmatch(text) is not None


def gtin14(text: str) -> str | None:
    """Return a GTIN-8, -12, -13 or -14 as 14 digits, or None unless its check digit is right (GS1 7.9)."""
    try:
        return ean.validate(text).zfill(14)
    except ValidationError:
        return None


def is_sscc(text: str) -> bool:
    """Tell whether the text is a Serial Shipping Container Code: 18 digits with a right check digit."""
    return _SSCC.fullmatch(text) is not None and ean.calc_check_digit(text[:-1]) == text[-1]
