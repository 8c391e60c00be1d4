"""The domino: what hangs on one agent, and would fall if it stopped today."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from fractions import Fraction
from typing import Final, NamedTuple, assert_never

import msgspec

from pathbook.ledger import events, key_events
from pathbook.ledger.ranges import without
from pathbook.ledger.reports.adding import Counting, folding
from pathbook.ledger.reports.holdings import HoldingRow, rounded
from pathbook.ledger.reports.registered import Authorization, line_below, without_line
from pathbook.ledger.reports.report import Column, ColumnKind, Report
from pathbook.ledger.reports.story import ToldEvent
from pathbook.ledger.values import Ranges


class OfferChanges:
    """How many units a sequence of events adds to open offers, by transfer, batch, giver and receiver."""

    def __init__(self) -> None:
        self.adding = Counting()

    def add(self, told: ToldEvent) -> None:
        """Count the units of an offer, or of what closes it."""
        position, event = told.recorded.position, told.recorded.event
        match event:  # the most frequent kinds come first, because a match tries its cases in turn
            case events.TransferRecorded() | events.UnitsSold():
                pass  # neither opens an offer
            case events.TransferOffered(terms=terms):
                self._count(position, terms.giver, terms.receiver, terms.ranges, 1)
            case events.TransferAccepted(transfer=transfer, terms=terms):
                self._count(transfer, terms.giver, terms.receiver, without(terms.ranges, event.extra), -1)
                for part in event.discrepancies:
                    self._count(transfer, terms.giver, terms.receiver, part.ranges, -1)
            case (
                events.TransferDeclined(transfer, giver, receiver, ranges)
                | events.TransferWithdrawn(transfer, giver, receiver, ranges)
                | events.TransferLapsed(transfer, giver, receiver, ranges)
            ):
                self._count(transfer, giver, receiver, ranges, -1)
            case (
                events.TransferReversed()
                | events.UnitsReturned()
                | events.ReversalAsked()
                | events.BookOpened()
                | events.PartyRegistered()
                | events.PartyAuthorized()
                | events.AuthorizationRevoked()
                | events.ProductRegistered()
                | events.BatchCommissioned()
                | events.UnitsDelivered()
                | events.PurchaseConfirmed()
                | events.UnitsWrittenOff()
                | events.CasePacked()
                | events.CaseUnpacked()
                | events.UnitsRecalled()
                | events.RecallLifted()
                | events.TransferAttested()
                | events.ErrorDeclared()
                | events.ProductCorrected()
                | events.BatchCorrected()
                | events.PartyCorrected()
                | events.Sealed()
                | key_events.KeyRegistered()
                | key_events.KeyRevoked()
                | key_events.StatementsFiled()
            ):
                pass  # no offer is opened or closed
            case _:
                assert_never(event)

    def _count(self, transfer: int, giver: str, receiver: str, ranges: Ranges, sign: int) -> None:
        for part in ranges:
            self.adding[transfer, part.batch, giver, receiver] += sign * part.count


OFFERS: Final = Report(
    name="offers",
    version=1,
    key=(
        Column("transfer", ColumnKind.NUMBER),
        Column("batch", ColumnKind.BATCH),
        Column("giver", ColumnKind.PARTY),
        Column("receiver", ColumnKind.PARTY),
    ),
    sums=("units",),
    fold=folding(OfferChanges),
)
"""Units that open offers reserve, by offer and batch. What was written off while it was offered counts until then."""


class OfferRow(NamedTuple):
    """A row of OFFERS."""

    transfer: int
    batch: int
    giver: str
    receiver: str
    units: int


class Stake(msgspec.Struct, frozen=True):
    """What one party has at stake: units that it owns, and what it paid for them, in minor units by currency.

    ``level`` is 0 for the agent itself, else how many authorizations lead to the party. ``only_through`` says that no
    line leads to the party from a brand but through the agent. ``with_agent`` counts those of the units whose goods
    lie with the agent, and ``transfers`` are the transfers by which the units came.
    """

    party: str
    level: int
    only_through: bool
    units: int
    with_agent: int
    paid_minor: dict[str, int]
    transfers: tuple[int, ...]


class OpenOffer(msgspec.Struct, frozen=True):
    """An open offer to the agent, by it, or between parties below it."""

    transfer: int
    giver: str
    receiver: str
    units: int


class Domino(msgspec.Struct, frozen=True):
    """What hangs on an agent, if it stops today.

    Attributes:
        agent: the agent.
        stakes: what it has at stake, and then each party below it, by level.
        in_custody: units of other parties, below it or not, whose goods lie with the agent.
        offers: open offers in which it, or a party below it, is a side.
        units: units of all stakes.
        paid_minor: what was paid for them, in minor units by currency. Two parties that held the same unit one after
            the other both paid, but only the present owner is counted.
    """

    agent: str
    stakes: tuple[Stake, ...]
    in_custody: int
    offers: tuple[OpenOffer, ...]
    units: int
    paid_minor: dict[str, int]


def domino(
    agent: str,
    holdings: Iterable[HoldingRow],
    offers: Iterable[OfferRow],
    authorizations: list[Authorization],
    brands: Iterable[str],
    at: int,
) -> Domino:
    """Return what hangs on an agent.

    Args:
        agent: a party.
        holdings: all rows of HOLDINGS, or at least those whose owner or custodian is the agent or below it.
        offers: all rows of OFFERS, or at least those with such a side.
        authorizations: all authorizations of the book.
        brands: all brands of the book.
        at: the time for which the line below is taken, in microseconds since 1970 UTC.
    """
    levels = {agent: 0} | line_below(authorizations, agent, at)
    alone = without_line(authorizations, agent, brands, at)
    rows: defaultdict[str, list[HoldingRow]] = defaultdict(list)
    in_custody = 0
    for row in holdings:
        if row.owner in levels:
            rows[row.owner].append(row)
        if row.custodian == agent != row.owner:
            in_custody += row.units
    order = sorted(levels, key=lambda party: (levels[party], party))
    stakes = tuple(
        _stake(party, levels[party], rows[party], agent, only_through=party in alone) for party in order
    )
    return Domino(
        agent=agent,
        stakes=stakes,
        in_custody=in_custody,
        offers=_offers(row for row in offers if row.giver in levels or row.receiver in levels),
        units=sum(stake.units for stake in stakes),
        paid_minor=_paid(row for party in order for row in rows[party]),
    )


def _stake(party: str, level: int, rows: list[HoldingRow], agent: str, *, only_through: bool) -> Stake:
    return Stake(
        party=party,
        level=level,
        only_through=only_through,
        units=sum(row.units for row in rows),
        with_agent=sum(row.units for row in rows if row.custodian == agent),
        paid_minor=_paid(rows),
        transfers=tuple(sorted({row.transfer for row in rows if row.transfer})),
    )


def _paid(rows: Iterable[HoldingRow]) -> dict[str, int]:
    """Return what was paid for units by currency, added up exactly and rounded once."""
    units: Counter[tuple[str, int, int]] = Counter()  # added up first, because fractions take long
    for row in rows:
        if row.transfer:
            units[row.currency_code, row.amount_minor, row.per_units] += row.units
    paid: defaultdict[str, Fraction] = defaultdict(Fraction)
    for (currency_code, amount_minor, per_units), count in units.items():
        paid[currency_code] += Fraction(amount_minor * count, per_units)
    return rounded(paid)


def _offers(rows: Iterable[OfferRow]) -> tuple[OpenOffer, ...]:
    units: defaultdict[tuple[int, str, str], int] = defaultdict(int)
    for row in rows:
        units[row.transfer, row.giver, row.receiver] += row.units
    return tuple(OpenOffer(*key, count) for key, count in sorted(units.items()))
