"""What a server counts of itself, for whatever shows it. Nothing is counted unless an operator asks for it."""


class Metrics:
    """Counts nothing. Threads may share it. `pathbook.services.operations.prometheus` has one that counts.

    What is given never names a party, a book or a code, so the number of figures is bounded.
    """

    def call(self, method: str, code: str, seconds: float) -> None:
        """Count a call of a method of ours that ended with a status code after some seconds."""

    def refused(self, reason: str) -> None:
        """Count a call, or an entry of a batch, that was refused or failed for a reason of the contract."""

    def committed(self, events: int, seconds: float) -> None:
        """Count a turn of a writer, which brought some events to the disk in some seconds."""

    def verified(self, verdict: str) -> None:
        """Count a question about a printed code: ANSWERED, or the reason why it was not."""

    def streams(self, change: int) -> None:
        """Count streams that were opened (1) or have ended (-1)."""


ANSWERED = "ANSWERED"
"""The verdict on a code whose path or proof was given. What the caller concludes, the server does not know."""
