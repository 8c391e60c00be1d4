"""Ties between parties: who trades with whom, and who registered the same key."""

from typing import Final, NamedTuple

from pathbook.ledger import events, key_events
from pathbook.ledger.reports.adding import Adding, Counting, folding
from pathbook.ledger.reports.marks import counts
from pathbook.ledger.reports.report import Column, ColumnKind, Report, ReportIndex
from pathbook.ledger.reports.story import ToldEvent
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import is_consumer


class TradeChanges:
    """How many agreed transfers and units a sequence of events adds to trades, by both sides and batch."""

    def __init__(self) -> None:
        self.adding = Adding(2)

    def add(self, told: ToldEvent) -> None:
        """Count a transfer between two parties, or its reversal."""
        match told.recorded.event:
            case events.TransferRecorded(terms) | events.TransferAccepted(terms=terms):
                self._count(terms, 1)
            case events.TransferReversed(terms=terms):
                self._count(terms, -1)
            case _:
                pass  # no other event is a trade between parties, and none takes one back

    def _count(self, terms: Terms, sign: int) -> None:
        if is_consumer(terms.receiver):
            return
        for batch, units in counts(terms.ranges).items():
            self.adding.add((terms.giver, terms.receiver, batch), sign, sign * units)


TRADES: Final = Report(
    name="trades",
    version=1,
    key=(
        Column("giver", ColumnKind.PARTY),
        Column("receiver", ColumnKind.PARTY),
        Column("batch", ColumnKind.BATCH),
    ),
    sums=("transfers", "units"),
    fold=folding(TradeChanges),
)
"""Agreed transfers between two parties of units of a batch, without those that were reversed.

`transfer list` of the giver, the receiver and the batch lists them."""


class TradeRow(NamedTuple):
    """A row of TRADES."""

    giver: str
    receiver: str
    batch: int
    transfers: int
    units: int


class KeyChanges:
    """How many registrations a sequence of events adds to keys, by key, party and position."""

    def __init__(self) -> None:
        self.adding = Counting()

    def add(self, told: ToldEvent) -> None:
        """Count the keys that an event registers."""
        event = told.recorded.event
        if isinstance(event, key_events.KeyRegistered):
            for key in filter(None, (event.key, event.recovery_key)):
                self.adding[key.hex(), event.party, told.recorded.position] += 1


KEYS: Final = Report(
    name="keys",
    version=2,
    key=(
        Column("key", ColumnKind.TEXT),
        Column("party", ColumnKind.PARTY),
        Column("position", ColumnKind.NUMBER),
    ),
    sums=("registrations",),
    fold=folding(KeyChanges),
    indexes=(ReportIndex(("book", "position")),),
)
"""The keys and recovery keys of parties, in hexadecimal digits, by the position at which each was registered.

A book takes a key of two parties once, but nothing keeps one from being the recovery key of the other."""


class KeyRow(NamedTuple):
    """A row of KEYS."""

    key: str
    party: str
    position: int
    registrations: int
