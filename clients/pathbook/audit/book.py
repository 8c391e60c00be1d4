"""What an auditor knows of a book so far: its state, as the rules keep it, and which requests were answered."""

from typing import Final

from pathbook.ledger import events
from pathbook.ledger.events import RunEvent
from pathbook.ledger.ranges import range_of
from pathbook.ledger.rules.state import State
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import TransferStatus, Unit, is_consumer

_AGREED: Final = frozenset({TransferStatus.ACCEPTED, TransferStatus.ACCEPTED_IN_PART})


class Book:
    """A book as of the last event that was replayed. It answers what pathbook.verify.following asks of the past.

    Memory grows with runs, transfers and requests: all of them must be known to tell whether the next event follows.
    """

    def __init__(self) -> None:
        """Begin without an event."""
        self.state = State("")
        self.requests: set[bytes] = set()

    def offered(self, transfer: int) -> Terms | None:
        """Return the terms of an offer that is open."""
        known = self.state.transfers.get(transfer)
        return None if known is None or known.status is not TransferStatus.OFFERED else known.terms

    def was_in(self, transfer: int, unit: Unit) -> bool:
        """Tell whether a unit is among those of an offer or a transfer."""
        known = self.state.transfers.get(transfer)
        return known is not None and range_of(known.terms.ranges, unit) is not None

    def agreed(self, transfer: int) -> Terms | None:
        """Return the terms of a transfer or sale that was not reversed."""
        known = self.state.transfers.get(transfer)
        return None if known is None or known.status not in _AGREED else known.terms

    def is_attested(self, transfer: int) -> bool:
        """Tell whether the receiver accepted or reported a transfer."""
        known = self.state.transfers.get(transfer)
        return known is not None and known.attested

    def event(self, position: int) -> RunEvent | None:
        """Return an event that may be declared an error, if it changes runs."""
        known = self.state.declarables.get(position)
        return None if known is None or isinstance(known.event, events.ReversalAsked) else known.event

    def is_declared(self, position: int) -> bool:
        """Tell whether an event was declared an error."""
        known = self.state.declarables.get(position)
        return known is not None and known.is_declared

    def has_owner(self, name: str) -> bool:
        """Tell whether a name is a registered party, or a consumer."""
        return is_consumer(name) or self.state.parties.get(name) is not None
