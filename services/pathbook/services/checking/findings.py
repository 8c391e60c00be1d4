"""What a check says: what it looked at, what it found, and what to do."""

import enum
from collections.abc import Callable, Iterator

import msgspec

from pathbook.services.checking.place import Place

Progress = Callable[[str], Callable[[int, int | None], None]]
"""Returns, for the name of a piece of work, a function that takes how much is done, and how much there is, or None."""


class State(enum.Enum):
    """How well what was looked at is."""

    OK = "ok"
    NOTED = "noted"
    """Nothing is lost, and something could be better."""
    FAULT = "fault"


class Finding(msgspec.Struct, frozen=True):
    """What was looked at, its state, what was found, and what to do about it ("" for nothing)."""

    subject: str
    state: State
    found: str
    to_do: str = ""


Check = Callable[[Place, Progress], Iterator[Finding]]
"""A check of books at a place. It yields at least one finding, unless it does not apply there."""


def ok(subject: str, found: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(subject, State.OK, found)


def noted(subject: str, found: str, to_do: str) -> Finding:
    """Return a finding that something could be better."""
    return Finding(subject, State.NOTED, found, to_do)


def fault(subject: str, found: str, to_do: str) -> Finding:
    """Return a finding that something is wrong."""
    return Finding(subject, State.FAULT, found, to_do)
