"""Value types that all rooms share: units, ranges, prices, the names of parties, and the limits on each."""

import datetime
import enum
import re
from fractions import Fraction

import msgspec
from stdnum import ean
from stdnum.exceptions import ValidationError

MAX_TEXT = 200
"""The most characters of a free text: a name, region, note or reason. This is enough for a label."""

MAX_REQUEST_ID = 128
"""The most characters of a request id. A UUID fits, and so does a file's name with a row number."""

MAX_ORIGIN = 200
"""The most characters of a book's origin. It is the first line of every checkpoint."""

MAX_LOT = 20
"""The most characters of a lot number: GS1 General Specifications, AI (10)."""

MAX_BATCH_NUMBER = 2**24 - 1
"""The last batch number of a book. The printed serial has 24 bits for it."""

MAX_BATCH_SIZE = 2**28
"""The most units of one batch. The printed serial has 28 bits for the unit number."""

MAX_RANGES = 4_000
"""The most ranges, codes or cases that one request may name, and the most ranges of units that an event has. In a book
of up to two million batches, an event with so many ranges fits MAX_EVENT_BYTES."""

MAX_EVENT_BYTES = 2**16 - 1
"""The most bytes of a stored event. The entry bundles of C2SP tlog-tiles give the length of an entry in 16 bits."""

LATER_EVENT_BYTES = 1_024
"""How many bytes less than that an event may have whose terms or content a later event repeats. It leaves room for
the names and the discrepancies that an acceptance adds, and for the head that a declaration of an error adds. An
acceptance that adds more, by extra units or by authorities for each of many batches, is refused as EVENT_TOO_LARGE.
The offer then stays open: the receiver may accept without the extra units, or the giver offers in smaller parts."""

KEY_BYTES = 32
"""The length of an Ed25519 public key (RFC 8032)."""

SIGNATURE_BYTES = 64
"""The length of an Ed25519 signature."""

MAX_KEYS_EVER = 1_000
"""The most keys that a party may ever register. One that rotates its key every day may do so for years."""

MAX_STATEMENTS = 1_000
"""The most statements that are signed at once."""

STATEMENT_AGE = datetime.timedelta(days=30)
"""How long after it was signed a statement is taken. A note of a delivery may wait that long for a connection."""

RECOVERY_TIME = datetime.timedelta(hours=72)
"""How long after the rotation of a key its recovery key may undo the rotation: a weekend, and time to notice it."""

MAX_REFERENCE = 64
"""The most characters of a reference. Numbers of delivery notes and invoices are shorter."""

MAX_STEPS = 80_000
"""The most steps that deciding one request may take, and applying its event. pathbook.ledger.rules.budget says what a
step is. A request may touch some 8,000 runs. Stock in more pieces needs several requests."""

MAX_QUANTITIES = 100
"""The most quantities that one request may name. Quantities of the same batch or product add up."""

MAX_EXTRA_ALLOWED = 1_000_000
"""The most units that an offer allows its receiver to find beyond those offered. No delivery errs by more."""

MAX_DISCREPANCIES = 20
"""The most discrepancies of one acceptance. A discrepancy may have any number of ranges."""

MAX_CASE_DEPTH = 8
"""How deep cases may be packed in cases. Inner packs, boxes, cases, layers, pallets and containers are six levels."""

MAX_PRODUCTS = 1_000
"""The most products that one authorization may list. An empty list allows every product."""

MAX_TIER = 100
"""The deepest tier that an agent may be given. Real chains have five or six."""

MAX_AMOUNT_MINOR = 2**63 - 1
"""The highest amount of a price in minor units: the most that 64 bits hold. No real price comes near it."""

MAX_PRICE_UNITS = 10**9
"""The most units that one amount may be for. A price for a billion units tells nanos of a minor unit apart."""

CLOCK_TOLERANCE = datetime.timedelta(minutes=5)
"""How far ahead of the book's clock a claimed time may be. The clocks of honest callers differ a little."""

EARLIEST_ZONE = datetime.timedelta(hours=14)
"""A date begins first at UTC+14. So a batch made "today" may have moved this long before midnight UTC."""

LATEST_ZONE = datetime.timedelta(hours=12)
"""A date ends last at UTC-12. So a batch that expires "today" has not expired everywhere until this long after
midnight UTC."""

CONSUMER_PREFIX = "consumer:"
"""The prefix of an owner that is a consumer's pseudonym. The id of a party cannot contain a colon."""

WRITER_PREFIX = "~"
"""The prefix of request ids that the writer makes itself, as when offers lapse. A caller's id cannot have it."""

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# the key name in a signed note must be without blanks and "+" (C2SP signed-note), and a URL without its scheme has no "://"
_ORIGIN = re.compile(rf"(?!.*://)[!-*,-~]{{1,{MAX_ORIGIN}}}")
# a browser removes "." and ".." from the path of a link
_LOT = re.compile(rf'(?!\.{{1,2}}$)[!"%-?A-Z_a-z]{{1,{MAX_LOT}}}')
_SEPARATORS = re.compile(r"[._-]")
_PHONE_DIGITS = range(7, 16)
"""How many digits a phone number has: 7 in a small town, 15 with the country's code (ITU-T E.164)."""

# A mobile number of China has 11 digits and begins with 13 to 19, perhaps after the country's code 86. Digits around
# it would make it another number. No GLN begins with 861, so a GLN is not taken for one. Inside a longer id, only the
# usual grouping 3-4-4 counts, because a number and a date may have 11 digits too.
_MOBILE = re.compile(r"(?<![0-9])(?:(?:00)?86)?1[3-9](?:[0-9]{9}|[0-9]([._-])[0-9]{4}\1[0-9]{4})(?![0-9])")
# Inside an id, "store-189-cn" may be store 189 in China. So only a "com" or "net" may follow another sign than a dot.
_MAIL_DOMAIN = re.compile(
    r"[A-Za-z0-9][._-]+(?:"
    r"(?:126|139|163|aliyun|aol|foxmail|gmail|googlemail|gmx|hotmail|icloud|live|mail|msn|naver|outlook|protonmail|qq"
    r"|sina|sohu|yahoo|yandex|ymail)[._-]com"
    r"|(?:daum|gmx|hanmail|yeah)[._-]net"
    r"|189\.cn|mail\.ru|proton\.me|sina(?:\.com)?\.cn|web\.de|(?:gmx|hotmail|live|outlook|yahoo|yandex)(?:\.com?)?\.[a-z]{2}"
    r")\Z",
    re.IGNORECASE,
)
_WRITTEN_AT = re.compile(
    r"[A-Za-z0-9](?:\.at\.|-at-|_at_)[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
    r"(?:\.[a-z]{2}|[._-](?:app|biz|com|dev|edu|gov|info|net|org))\Z",
    re.IGNORECASE,
)
_WECHAT = re.compile(r"\Awxid_", re.IGNORECASE)
_PERSONAL = (_MOBILE, _MAIL_DOMAIN, _WRITTEN_AT, _WECHAT)
_SSCC = re.compile(r"[0-9]{18}")
_GLN = re.compile(r"[0-9]{13}")
# the first and the last character are not blank, and the first is not WRITER_PREFIX
_REQUEST_ID = re.compile(rf"[!-}}](?:[ -~]{{0,{MAX_REQUEST_ID - 2}}}[!-~])?")


class Price(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """An amount in minor units (cents, fen) of an ISO 4217 currency for a number of units.

    Two prices of the same value may be stated differently. They differ as statements, and ``is_worth`` compares them.
    """

    amount_minor: int
    currency_code: str
    per_units: int = 1

    @property
    def each(self) -> Fraction:
        """The exact price of one unit, in minor units."""
        return Fraction(self.amount_minor, self.per_units)

    def is_worth(self, other: "Price") -> bool:
        """Return whether another price has the same currency and the same exact value for one unit."""
        if self.currency_code != other.currency_code:
            return False
        return self.amount_minor * other.per_units == other.amount_minor * self.per_units


class Unit(msgspec.Struct, frozen=True, gc=False):
    """One sellable piece: its batch, and its number from 0 to size - 1."""

    batch: int
    number: int


class UnitRange(msgspec.Struct, frozen=True, gc=False, order=True):
    """The units first .. last of one batch, both included."""

    batch: int
    first: int
    last: int

    @property
    def count(self) -> int:
        """The number of units in the range."""
        return self.last - self.first + 1

    def __str__(self) -> str:
        """Return ``batch:first-last``, or ``batch:number`` for one unit, as the command line reads it."""
        return f"{self.batch}:{self.first}" + (f"-{self.last}" if self.last != self.first else "")


Ranges = tuple[UnitRange, ...]


class Quantity(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A number of units of a batch, or of a product if the batch is 0. The units that expire first are taken first.

    Many systems know only quantities.
    """

    count: int
    batch: int = 0
    product: str = ""


class Selection(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The units that a request names: any mixture of ranges, cases (by SSCC) and quantities."""

    ranges: Ranges = ()
    cases: tuple[str, ...] = ()
    quantities: tuple[Quantity, ...] = ()


class PartyKind(enum.IntEnum):
    """The kind of a party. A consumer is not registered and has a pseudonym."""

    BRAND = 1
    AGENT = 2
    SHOP = 3


class UnitState(enum.IntEnum):
    """The state of a unit. Only a unit IN_STOCK may be offered, transferred, sold or packed.

    A sold unit may still be delivered, and its consumer may write it off.
    """

    IN_STOCK = 1
    OFFERED = 2
    SOLD = 3
    CONFIRMED = 4
    LOST = 5
    DAMAGED = 6
    DESTROYED = 7
    DEFACED = 8

    __hash__ = int.__hash__  # an enum's own hash is that of its name, and takes four times as long


WRITTEN_OFF = frozenset({UnitState.LOST, UnitState.DAMAGED, UnitState.DESTROYED, UnitState.DEFACED})
"""The states of written-off units. They are final."""


class Delivery(enum.IntEnum):
    """Whether the goods move with the title, or stay with their custodian (cloud stock)."""

    WITH_TITLE = 1
    LATER = 2


class AuthorizationStatus(enum.IntEnum):
    """Whether a party was authorized for a product at the time of a transfer, or why it was not."""

    AUTHORIZED = 1
    NEVER_AUTHORIZED = 2
    NOT_YET_AUTHORIZED = 3
    EXPIRED = 4
    REVOKED = 5
    OTHER_PRODUCTS = 6
    UPLINE_NOT_AUTHORIZED = 7

    __hash__ = int.__hash__  # as that of states: reports look up what authorities are alike


class Attestation(enum.IntEnum):
    """Who vouches for a hop."""

    RECORDED = 1
    REPORTED_BY_BOTH = 2
    SIGNED_BY_GIVER = 3
    SIGNED_BY_RECEIVER = 4
    SIGNED_BY_BOTH = 5


class DiscrepancyKind(enum.IntEnum):
    """Why offered units were not accepted."""

    SHORT = 1
    DAMAGED = 2
    WRONG_ITEM = 3


class TransferSide(enum.IntEnum):
    """A side of a transfer."""

    GIVER = 1
    RECEIVER = 2


class TransferKind(enum.IntEnum):
    """The kind of a movement of title."""

    TRANSFER = 1
    SALE = 2
    RETURN = 3


class TransferStatus(enum.IntEnum):
    """The status of a transfer. ``pathbook.ledger.rules.transfer.NEXT`` says which status may follow which."""

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


def default_origin(book: str) -> str:
    """Return the origin of a book whose operator names none."""
    return f"pathbook/{book}"


def is_origin(text: str) -> bool:
    """Tell whether the text may be the origin of a book: 1-200 printable ASCII characters, no blank and no ``+``."""
    return _ORIGIN.fullmatch(text) is not None


def is_owner(text: str) -> bool:
    """Tell whether the text names a party, or a consumer by its pseudonym."""
    return is_identifier(text.removeprefix(CONSUMER_PREFIX))


def is_consumer(owner: str) -> bool:
    """Tell whether an owner is a consumer's pseudonym."""
    return owner.startswith(CONSUMER_PREFIX)


def looks_personal(text: str) -> bool:
    """Tell whether an id looks like a phone number, an e-mail address or a WeChat id instead of a pseudonym.

    Dots, underscores and dashes between digits do not matter. A number of 13 digits with a correct check digit is a
    GLN, which names a company or a place. This is a guess: a name, for example, looks like any other id.
    """
    digits = _SEPARATORS.sub("", text)
    if digits.isdecimal() and len(digits) in _PHONE_DIGITS and not is_gln(digits):
        return True
    return any(pattern.search(text) for pattern in _PERSONAL)


def is_request_id(text: str) -> bool:
    """Tell whether a caller may use the text as a request id.

    It has 1 to 128 printable ASCII characters, no blank at either end, and no tilde at the beginning.
    """
    return _REQUEST_ID.fullmatch(text) is not None


def is_reference(text: str) -> bool:
    """Tell whether the text may be a reference: 1 to 64 printable characters, with no blank at either end."""
    return 0 < len(text) <= MAX_REFERENCE and text.isprintable() and text == text.strip()


def is_lot(text: str) -> bool:
    """Tell whether a label can carry the text as a lot number: AI (10), 1-20 characters of GS1 set 82."""
    return _LOT.fullmatch(text) is not None


def lot_problem(text: str) -> str:
    """Return why a label cannot carry the text as a lot number, an empty text if it can."""
    if is_lot(text):
        return ""
    if not 0 < len(text) <= MAX_LOT:
        return f"it has {len(text)} characters"
    wrong = next((symbol for symbol in text if _LOT.fullmatch(f"A{symbol}") is None), None)
    if wrong is None:
        return "a browser removes it from the path of a link"
    return f"it has {name_symbol(wrong)}, which is none of GS1's 82 characters"


def name_symbol(symbol: str) -> str:
    """Return a character as a sentence names it: as it is in ASCII, else with its number in Unicode."""
    if symbol == " ":
        return "a blank"
    number = f"U+{ord(symbol):04X}"
    if not symbol.isprintable():
        return number
    return f"'{symbol}'" if symbol.isascii() else f"'{symbol}' ({number})"


def gtin14(text: str) -> str | None:
    """Return a GTIN-8, -12, -13 or -14 as 14 digits. Return None if its check digit (GS1 7.9) is wrong."""
    try:
        return ean.validate(text).zfill(14)
    except ValidationError:
        return None


def is_gln(text: str) -> bool:
    """Tell whether the text is a Global Location Number: 13 digits, the last a correct check digit."""
    return _GLN.fullmatch(text) is not None and ean.calc_check_digit(text[:-1]) == text[-1]


def is_sscc(text: str) -> bool:
    """Tell whether the text is a Serial Shipping Container Code: 18 digits, the last a correct check digit."""
    return _SSCC.fullmatch(text) is not None and ean.calc_check_digit(text[:-1]) == text[-1]
