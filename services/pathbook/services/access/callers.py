"""A caller: its role, its book and its party, and how the server knows it."""

import enum
from contextvars import ContextVar
from typing import Final

import msgspec

from pathbook.ledger.queries import SeenBy


class Role(enum.Enum):
    """What a caller is to a book. The values are the words of the command line."""

    PUBLIC = "public"
    PARTY = "party"
    BRAND = "brand"
    AUDITOR = "auditor"
    OPERATOR = "operator"


OF_A_PARTY: Final = (Role.PARTY, Role.BRAND)
"""The roles in which a caller speaks for a party."""

SEES_EVERYTHING: Final = (Role.AUDITOR, Role.OPERATOR)
"""The roles from which a book hides nothing."""


class KnownBy(enum.Enum):
    """How the server knows a caller."""

    NOTHING = "nothing"
    TOKEN = "a token"  # noqa: S105 - a word, no secret
    CERTIFICATE = "a certificate"
    WEB_TOKEN = "a web token"  # noqa: S105 - as above
    OPEN_SERVER = "an open server"


class Caller(msgspec.Struct, frozen=True, gc=False):
    """Who calls.

    Attributes:
        role: what it is to its book.
        known_by: how the server knows that.
        book: its book, "" for every book.
        party: the party for which it speaks, "" for none. Brands are parties, too.
        token: the id of its token, "" without one.
        expires_at: when what makes it known ends by itself, in microseconds since 1970 UTC; 0 if it has a token, which
            says so itself, or if it does not end.
        others: who else it is, to other books. A client certificate may have a token for each of them.
    """

    role: Role
    known_by: KnownBy
    book: str = ""
    party: str = ""
    token: str = ""
    expires_at: int = 0
    others: "tuple[Caller, ...]" = ()

    @property
    def sees_everything(self) -> bool:
        """Whether a book hides nothing from it."""
        return self.role in SEES_EVERYTHING

    @property
    def seen_as(self) -> str:
        """The party as which it sees a book, "" if it sees everything or nothing."""
        return "" if self.sees_everything else self.party

    def brand_beside(self, party: str) -> str:
        """Return the brand to whose products a list about a party is narrowed, "" for a list that is not."""
        return "" if self.sees_everything or self.party == party else self.party

    @property
    def seen_by(self) -> SeenBy | None:
        """Whose lists of transfers it gets, or None if it sees everything."""
        return None if self.sees_everything else SeenBy(self.party, self.role is Role.BRAND)

    def within(self, book: str) -> "Caller":
        """Return who this is to a book: of the callers that it is, the one of this book, or else of every book.

        To a book of which it has no token, it is the public.
        """
        if not self.others:
            return self if self.book in ("", book) else PUBLIC
        alone = msgspec.structs.replace(self, others=())
        found: list[Caller] = [each for each in (alone, *self.others) if each.book in ("", book)]
        return max(found, key=lambda each: bool(each.book), default=PUBLIC)


PUBLIC: Final = Caller(Role.PUBLIC, KnownBy.NOTHING)
"""A caller of whom nothing is known."""

ANY_CALLER: Final = Caller(Role.OPERATOR, KnownBy.OPEN_SERVER)
"""Every caller of an open server."""

_CURRENT: Final = ContextVar("caller", default=PUBLIC)


def current_caller() -> Caller:
    """Return who made the call that is being answered, to the book that it names."""
    return _CURRENT.get()


def set_current_caller(caller: Caller) -> None:
    """Say who made the call that this task answers."""
    _CURRENT.set(caller)
