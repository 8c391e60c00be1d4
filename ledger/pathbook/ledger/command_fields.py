"""What every command has: its id, its time, and who acts."""

from typing import ClassVar

import msgspec

OPERATOR = ""
"""The actor that opens the book and registers parties: the operator of the book, which is not a party of it."""

NOTE_FIELDS = frozenset({"note", "note_salt"})
"""The fields of a note. The digest stays for ever, so the text must not be in it, and each retry has a new salt."""


def named(party: str) -> str:
    """Return how a sentence names a party, or the operator, which has no id."""
    return party or "the operator"


class CommandFields(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The fields that every command has.

    All times here are in microseconds since 1970 UTC. An ``occurred_at`` of 0 means the time of recording.
    """

    ROLE: ClassVar[str]
    """The field that names the actor."""

    ACTOR: ClassVar[str | None] = None
    """The actor of a command of which no field names one: the operator, or the book itself."""

    UNDIGESTED: ClassVar[frozenset[str]] = frozenset()
    """The fields that the digest leaves out, so a retry may have other values in them."""

    request_id: str
    occurred_at: int = 0

    @property
    def actor(self) -> str:
        """The party that acts, or the pseudonym of a consumer with CONSUMER_PREFIX. Each command has one."""
        actor: str = getattr(self, self.ROLE) if self.ACTOR is None else self.ACTOR
        return actor


class AnsweringFields(CommandFields, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The fields of a command that answers an earlier event, which it names by its position.

    ``answered_leaf`` is the leaf hash of that event, b"" if the position alone names it. A signed command must have it:
    otherwise its signature would be as good for another event at that position.
    """

    ANSWERS: ClassVar[str] = "transfer"
    """The field that has the position."""

    answered_leaf: bytes = b""

    @property
    def answered(self) -> int:
        """The position of the event that the command answers."""
        position: int = getattr(self, self.ANSWERS)
        return position
