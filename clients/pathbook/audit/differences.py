"""Differences: the rules of an audit, by name, and where one of them did not hold."""

import enum

import msgspec


class Rule(enum.StrEnum):
    """What must hold. The names are for scripts, and never change their meaning."""

    POSITION = "position"
    """Events come one after the other, from position 1 on."""

    LEAF = "leaf"
    """A published entry has the hash that is published for its position."""

    FORM = "form"
    """The bytes are an event."""

    TIME = "time"
    """No event was recorded earlier than the one before it."""

    REQUEST = "request"
    """No request counts twice."""

    OPENING = "opening"
    """The first event opens the book, and no other does. It names the origin of the checkpoints."""

    REGISTER = "register"
    """Parties, products, batches, recalls and corrections follow from those before."""

    AUTHORIZATION = "authorization"
    """An authorization is given by a party that could give it, and revoked by the one that gave it."""

    UNITS = "units"
    """Units are of a batch that was made. An event names each of them once, and an answer all that it answers."""

    MOVEMENT = "movement"
    """Who gives units has them, and they are free to move: what an event does to a unit follows from its past."""

    AUTHORITY = "authority"
    """The terms state the authority of both sides as their authorizations lead to it, down the line."""

    CASE = "case"
    """Loose units and whole cases that one party has are packed, and cases that exist are unpacked."""

    KEY = "key"
    """A key is registered and revoked by those who may, and they and the key have signed that."""

    STATEMENT = "statement"
    """An event is what its statement asks. The statement is for this book and for the request of the event."""

    SIGNATURE = "signature"
    """A statement is signed with a key of its party that counted at the position of the event."""

    FILING = "filing"
    """Statements that were signed at once have the root that was signed. An event rests on the one that it names."""

    UNSIGNED = "unsigned"
    """Each event of a party that has a key rests on a statement, and in a book that was opened so, of every party."""

    SEAL = "seal"
    """A seal covers a position before it that no earlier seal covers, and states its time."""

    SEAL_COUNTS = "seal-counts"
    """A seal counts the batches and parties that there were."""

    SEAL_ROOT = "seal-root"
    """A seal has the custody root over the heads of all units, batches and parties."""

    HISTORY = "history"
    """A log still has the events that were replayed before."""

    FINGERPRINT = "fingerprint"
    """The views of the server, which answer its callers, show what the events lead to."""

    CHECKPOINT_SIZE = "checkpoint-size"
    """A log has all events of each of its checkpoints."""

    CHECKPOINT_ROOT = "checkpoint-root"
    """The events have the root of each checkpoint. So all checkpoints are of one history."""

    CHECKPOINT_SEAL = "checkpoint-seal"
    """The last event of each checkpoint is a seal. So what is proven with it is complete."""

    CHECKPOINT_ORIGIN = "checkpoint-origin"
    """A checkpoint is of the book that was opened."""


class Difference(msgspec.Struct, frozen=True):
    """Where a book is not what its events lead to.

    Attributes:
        position: of the event, or the size of the checkpoint.
        rule: what does not hold.
        found: what was found instead.
    """

    position: int
    rule: Rule
    found: str


class DifferenceError(Exception):
    """A rule does not hold. No event after it was looked at."""

    def __init__(self, position: int, rule: Rule, found: str) -> None:
        super().__init__(f"position {position}, {rule}: {found}")
        self.difference = Difference(position, rule, found)


class UncheckableError(Exception):
    """An auditor cannot tell whether a book holds, and says why."""


class LaterError(UncheckableError):
    """An auditor cannot tell now whether a book holds, and may be able to later: it waits for witnesses or views."""
