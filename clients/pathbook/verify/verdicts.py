"""The types of a verification: its checks, their results, the caller's policy, the verdicts, and the report."""

import datetime
import enum
from typing import TypeAlias

import msgspec

from pathbook.ledger.values import Price


class Number(enum.IntEnum):
    """The checks, by number."""

    CODE = 1
    ISSUED = 2
    COMMISSIONED = 3
    PATH = 4
    AUTHORIZED = 5
    RECALL = 6
    EXPIRY = 7
    PRICE = 8
    SELLER = 9
    SIGNATURES = 10
    PROOFS = 11
    POLICY = 12
    OBJECT = 13


NAMES = {
    Number.CODE: "code well formed",
    Number.ISSUED: "issued by this book",
    Number.COMMISSIONED: "commissioned",
    Number.PATH: "path unbroken",
    Number.AUTHORIZED: "hops authorized",
    Number.RECALL: "no recall, no write-off",
    Number.EXPIRY: "not expired",
    Number.PRICE: "price confirmed",
    Number.SELLER: "for sale by whom",
    Number.SIGNATURES: "signatures",
    Number.PROOFS: "inclusion, completeness",
    Number.POLICY: "your own limits",
    Number.OBJECT: "the object itself",
}
"""The printed name of each check."""


class Result(enum.Enum):
    """The result of one check."""

    OK = "ok"
    NOTED = "noted"
    FAILED = "FAILED"
    NOT_YET_SEALED = "not yet sealed"
    NOT_CHECKED = "not checked"


Outcome: TypeAlias = tuple[Result, str]
"""The result of a check, and a text that says what was found."""


class Verdict(enum.Enum):
    """The closed list of verdicts, each with a word for scripts and a sentence for people."""

    VERIFIED = (
        "verified",
        "the path holds. Not yet sealed: that it is true and complete is the server's word.",
    )
    AGAINST_POLICY = ("verified, against policy", "the path holds, but see above what FAILED.")
    PATH_CONTRADICTED = ("path contradicted", "what the server shows contradicts itself. Do not rely on it.")
    PROOF_REFUTED = ("proof refuted", "the file proves nothing about this unit. Do not rely on it.")
    PRICE_CONTRADICTED = ("price contradicted", "the consumer confirmed another price than is on record.")
    CODE_MALFORMED = ("code malformed", "this is no product code.")
    CODE_MISTYPED = ("code mistyped", "compare the code with the label and type it again.")
    CODE_OF_ANOTHER_BOOK = (
        "code of another book",
        "this book did not issue the code: it belongs to another book, or was made up.",
    )
    CODE_UNKNOWN = ("code unknown", "the book has no such unit.")
    CODE_CONTRADICTED = ("code contradicted", "the label names another product or lot than its serial.")
    CODE_OF_ANOTHER_KEY = (
        "code of another key",
        "the labels of this batch were printed with another key: the code is a copy made with a leaked one.",
    )
    COULD_NOT_CHECK = ("could not check", "there was no answer, so nothing is known of this unit.")

    @property
    def word(self) -> str:
        """The word for scripts."""
        return self.value[0]

    @property
    def sentence(self) -> str:
        """The sentence for people."""
        return self.value[1]


class Policy(msgspec.Struct, frozen=True):
    """The caller's own limits on a path. None sets no limit.

    ``max_price`` is the price of one unit at any hop, compared exactly. ``max_tiers`` is the number of hops between
    parties. ``max_age`` is in days since the batch was made. A recall in force or a past expiry fails unless it is
    allowed. ``unsold`` requires that no consumer owns the unit, and ``seller`` that this party owns it. "" names no
    party. ``min_signatures`` is how many sides must have signed each hop in force. ``zone`` is the zone in which
    findings name days, None for that of the machine, and ``zone_name`` its name.
    """

    max_price: Price | None = None
    max_tiers: int | None = None
    max_age: int | None = None
    require_authorized: bool = False
    allow_recalled: bool = False
    allow_expired: bool = False
    unsold: bool = False
    seller: str = ""
    min_signatures: int = 0
    zone: datetime.tzinfo | None = datetime.UTC
    zone_name: str = "UTC"


class Check(msgspec.Struct, frozen=True):
    """One check, its result, and what was found."""

    number: Number
    result: Result
    detail: str

    @property
    def name(self) -> str:
        """The printed name of the check."""
        return NAMES[self.number]


class Report(msgspec.Struct, frozen=True):
    """All checks in order, and the verdict that follows from them.

    ``reason`` is a sentence that fits better than the usual one of the verdict, or empty.
    """

    verdict: Verdict
    checks: tuple[Check, ...]
    reason: str = ""

    @property
    def sentence(self) -> str:
        """The sentence for people."""
        return self.reason or self.verdict.sentence
