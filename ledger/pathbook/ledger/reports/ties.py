"""Ties between parties: who trades with whom, and who registered the same key."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from pathbook.ledger import events, key_events
from pathbook.ledger.reports.adding import Adding
from pathbook.ledger.reports.marks import counts
from pathbook.ledger.reports.report import Column, ColumnKind, Report, SumRow
from pathbook.ledger.reports.story import ToldEvent
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import is_consumer


def _fold_trades(events_told: Iterable[ToldEvent]) -> Iterator[SumRow]:
    adding = Adding(2)
    for told in events_told:
        match told.recorded.event:
            case events.TransferRecorded(terms) | events.TransferAccepted(terms=terms):
                _count(adding, terms, 1)
            case events.TransferReversed(terms=terms):
                _count(adding, terms, -1)
            case _:
                pass  # no other event is a trade between parties, and none takes one back
    return adding.rows()


def _count(adding: Adding, terms: Terms, sign: int) -> None:
    if is_consumer(terms.receiver):
        return
    for batch, units in counts(terms.ranges).items():
        adding.add((terms.giver, terms.receiver, batch), sign, sign * units)


TRADES: Final = Report(
    name="trades",
    version=1,
    key=(
        Column("giver", ColumnKind.PARTY),
        Column("receiver", ColumnKind.PARTY),
        Column("batch", ColumnKind.BATCH),
    ),
    sums=("transfers", "units"),
    fold=_fold_trades,
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


def _fold_keys(events_told: Iterable[ToldEvent]) -> Iterator[SumRow]:
    adding = Adding(1)
    for told in events_told:
        event = told.recorded.event
        if isinstance(event, key_events.KeyRegistered):
            for key in filter(None, (event.key, event.recovery_key)):
                adding.add((key.hex(), event.party, told.recorded.position), 1)
    return adding.rows()


KEYS: Final = Report(
    name="keys",
    version=2,
    key=(
        Column("key", ColumnKind.TEXT),
        Column("party", ColumnKind.PARTY),
        Column("position", ColumnKind.NUMBER),
    ),
    sums=("registrations",),
    fold=_fold_keys,
    indexes=(("position",),),
)
"""The keys and recovery keys of parties, in hexadecimal digits, by the position at which each was registered.

A book takes a key of two parties once, but nothing keeps one from being the recovery key of the other."""


class KeyRow(NamedTuple):
    """A row of KEYS."""

    key: str
    party: str
    position: int
    registrations: int
