"""What callers may do in a time, for whatever limits it. Nothing is limited unless a server is told to."""

from typing import Final

import msgspec

from pathbook.services.callers import PUBLIC, Caller


class ClassLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The limits of a class of callers, for each address.

    A rate is a number for a time, such as "60/minute" or "5/2 seconds".

    Attributes:
        calls: of all methods.
        misses: of questions about codes that the book never printed. They also hold for callers on this machine.
        streams: that are open at once.
        bytes: of answers. What is more is sent later, and nothing fails.
    """

    calls: str = "1000/second"
    misses: str = "60/minute"
    streams: int = 200
    bytes: str = "20000000/second"


DEFAULT_LIMITS: Final = {PUBLIC: ClassLimits()}
"""The limits of each class, unless an operator sets others. A class that is not named has those of the public."""


class Rates:
    """Limits nothing. `pathbook.services.rate_limits` has one that does."""

    def require_call(self, caller: Caller) -> None:
        """Count a call. Raises CallFailedError if the caller has made too many."""

    def require_question(self, caller: Caller) -> None:
        """Let a caller ask about a printed code. Raises CallFailedError if it has guessed too many."""

    def missed(self, caller: Caller) -> None:
        """Count a question about a code that the book never printed."""

    async def pace(self, caller: Caller, size: int) -> None:
        """Wait until a caller may get so many bytes."""

    def streams(self, caller: Caller) -> int | None:  # noqa: ARG002 - used where there are limits
        """Return how many streams a caller may have open at once, None for as many as the process has."""
        return None
