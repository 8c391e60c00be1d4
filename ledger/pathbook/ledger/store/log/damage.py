"""What is told of an event that is not what was written: a bit of it flipped, or it is gone."""

from typing import Final

MISSING: Final = "it is missing"
NO_EVENT: Final = "its bytes are not an event"
OTHER_HEAD: Final = "it does not lead to the head of its units"
OTHER_NOTE: Final = "its note is not the one that it commits to"


class EventDamagedError(Exception):
    """The event at ``position`` of ``book`` is not what was written, or is missing. ``problem`` says what is wrong.

    ``kept`` and ``found`` are the first bytes of its hash as kept and as computed, where the hash differs.
    """

    def __init__(self, book: str, position: int, problem: str, kept: bytes = b"", found: bytes = b"") -> None:
        super().__init__(
            f"The event at position {position} of book '{book}' is not what was written: {problem}."
            " Restore the log from a backup: `pathbook restore`."
        )
        self.book, self.position, self.problem = book, position, problem
        self.kept, self.found = kept, found

    @classmethod
    def differs(cls, book: str, position: int, kept: bytes, found: bytes) -> "EventDamagedError":
        """Return the error for an event whose hash is not the one that is kept beside it."""
        return cls(book, position, "its hash differs", kept, found)

    def again(self) -> "EventDamagedError":
        """Return the same error, to be raised once more."""
        return EventDamagedError(self.book, self.position, self.problem, self.kept, self.found)
