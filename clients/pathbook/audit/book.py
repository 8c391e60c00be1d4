"""What an auditor knows of a book so far: its state, as the rules keep it, and which requests were answered."""

from typing import Final

from pathbook.ledger import events
from pathbook.ledger.chains import Chain, ChainHead
from pathbook.ledger.events import RunEvent
from pathbook.ledger.key_events import StatementsFiled
from pathbook.ledger.proofs.key_chain import KeyChains
from pathbook.ledger.ranges import range_of
from pathbook.ledger.rules.state import State
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import TransferStatus, Unit, is_consumer

_AGREED: Final = frozenset({TransferStatus.ACCEPTED, TransferStatus.ACCEPTED_IN_PART})


class Book:
    """A book as of the last event that was replayed. It answers what pathbook.verify.following asks of the past.

    Memory grows with runs, transfers, requests, keys and filed statements: all of them must be known to tell whether
    the next event follows.
    """

    def __init__(self) -> None:
        """Begin without an event."""
        self.state = State("")
        self.requests: set[bytes] = set()
        self.keys = KeyChains("")
        """The keys of all parties. The opening of the book tells the origin for which they sign."""
        self.heads: dict[Chain, ChainHead] = {}
        """The heads of the chains of all parties, batches and the operator."""
        self.filings: dict[int, StatementsFiled] = {}
        """Statements that were signed at once, by the position of their event."""
        self.claimed: list[int] = []
        """The acceptances by which receivers took more extra units than their givers allowed."""

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

    def leaf(self, position: int) -> bytes | None:
        """Return the leaf hash of an event that may be answered: for a transfer, of the event with its terms."""
        state = self.state
        known = state.transfers.get(position) or state.declarables.get(position)
        return state.leaves.get(position) if known is None else known.leaf

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
