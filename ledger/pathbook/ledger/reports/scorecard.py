"""The scorecard of a party: what it did, as facts with counts. It adds them up to no score."""

import enum
from collections.abc import Iterable
from typing import Final, NamedTuple, assert_never

import msgspec

from pathbook.ledger import events, key_events
from pathbook.ledger.ranges import count_units
from pathbook.ledger.reports.adding import Adding, folding
from pathbook.ledger.reports.findings import FindingRow, FindingRule
from pathbook.ledger.reports.report import Column, ColumnKind, Report
from pathbook.ledger.reports.sell_through import SellThrough
from pathbook.ledger.reports.story import ToldEvent
from pathbook.ledger.reports.suspicions import RULES
from pathbook.ledger.values import DiscrepancyKind, is_consumer


class Fact(enum.IntEnum):
    """What a party did, or what was done to it."""

    OFFERS_RECEIVED = 1
    ACCEPTED = 2
    ACCEPTED_IN_PART = 3
    DECLINED = 4
    LAPSED = 5
    WITHDRAWN_FROM = 6
    OFFERS_MADE = 10
    WITHDREW = 11
    CLAIMED_SHORT = 20
    CLAIMED_DAMAGED = 21
    CLAIMED_WRONG_ITEM = 22
    BLAMED_SHORT = 23
    BLAMED_DAMAGED = 24
    BLAMED_WRONG_ITEM = 25
    FOUND_EXTRA = 26
    GAVE = 30
    RECEIVED = 31
    SOLD = 32
    REVERSALS_ASKED = 40
    REVERSED = 41
    REVERSALS_GRANTED = 42
    ERRORS_DECLARED = 43
    CORRECTED = 44
    TOOK_BACK = 50
    GAVE_BACK = 51
    WRITTEN_OFF = 52
    ATTESTED = 53


# Looked up once, because the lookup of an enum member, and that of its value, take long.
_GAVE: Final = Fact.GAVE.value
_RECEIVED: Final = Fact.RECEIVED.value

_CLAIMED: Final = {
    DiscrepancyKind.SHORT: (Fact.CLAIMED_SHORT, Fact.BLAMED_SHORT),
    DiscrepancyKind.DAMAGED: (Fact.CLAIMED_DAMAGED, Fact.BLAMED_DAMAGED),
    DiscrepancyKind.WRONG_ITEM: (Fact.CLAIMED_WRONG_ITEM, Fact.BLAMED_WRONG_ITEM),
}


class FactChanges:
    """What a sequence of events adds to the facts of parties: events, and the units that they name."""

    def __init__(self) -> None:
        self.adding = Adding(2)

    def add(self, told: ToldEvent) -> None:
        """Count an event with each party that did it, or to which it was done. Consumers have no facts."""
        event = told.recorded.event
        match event:
            case events.TransferRecorded(terms):
                self._traded(terms.giver, terms.receiver, count_units(terms.ranges), 1)
            case events.UnitsSold(terms):
                self._count(terms.giver, Fact.SOLD, count_units(terms.ranges))
            case events.TransferOffered(terms):
                units = count_units(terms.ranges)
                self._count(terms.giver, Fact.OFFERS_MADE, units)
                self._count(terms.receiver, Fact.OFFERS_RECEIVED, units)
            case events.TransferAccepted():
                self._accepted(event)
            case events.TransferDeclined(receiver=receiver, ranges=ranges):
                self._count(receiver, Fact.DECLINED, count_units(ranges))
            case events.TransferWithdrawn(giver=giver, receiver=receiver, ranges=ranges):
                self._count(giver, Fact.WITHDREW, count_units(ranges))
                self._count(receiver, Fact.WITHDRAWN_FROM, count_units(ranges))
            case events.TransferLapsed(receiver=receiver, ranges=ranges):
                self._count(receiver, Fact.LAPSED, count_units(ranges))
            case events.TransferAttested(party=party, ranges=ranges):
                self._count(party, Fact.ATTESTED, count_units(ranges))
            case events.ReversalAsked(party=party):
                self._count(party, Fact.REVERSALS_ASKED, 0)
            case events.TransferReversed():
                self._reversed(event)
            case events.UnitsReturned(owner=owner, lines=lines):
                for line in lines:
                    units = count_units(line.terms.ranges)
                    self._count(owner, Fact.GAVE_BACK, units)
                    self._count(line.terms.giver, Fact.TOOK_BACK, units)
            case events.UnitsWrittenOff(party=party, ranges=ranges):
                self._count(party, Fact.WRITTEN_OFF, count_units(ranges))
            case events.ErrorDeclared():
                self._declared(event)
            case events.ProductCorrected(brand=brand) | events.BatchCorrected(brand=brand):
                self._count(brand, Fact.CORRECTED, 0)
            case (
                events.BookOpened()
                | events.PartyRegistered()
                | events.PartyAuthorized()
                | events.AuthorizationRevoked()
                | events.ProductRegistered()
                | events.BatchCommissioned()
                | events.UnitsDelivered()
                | events.PurchaseConfirmed()
                | events.CasePacked()
                | events.CaseUnpacked()
                | events.UnitsRecalled()
                | events.RecallLifted()
                | events.PartyCorrected()
                | events.Sealed()
                | key_events.KeyRegistered()
                | key_events.KeyRevoked()
                | key_events.StatementsFiled()
            ):
                pass  # nothing by which a party is compared with others
            case _:
                assert_never(event)

    def _count(self, party: str, fact: int, units: int, sign: int = 1) -> None:
        if not is_consumer(party):
            self.adding.add((party, int(fact)), sign, sign * units)

    def _traded(self, giver: str, receiver: str, units: int, sign: int) -> None:
        self._count(giver, _GAVE, units, sign)
        self._count(receiver, _RECEIVED, units, sign)

    def _accepted(self, event: events.TransferAccepted) -> None:
        giver, receiver = event.terms.giver, event.terms.receiver
        units = count_units(event.terms.ranges)
        self._count(receiver, Fact.ACCEPTED_IN_PART if event.discrepancies else Fact.ACCEPTED, units)
        self._traded(giver, receiver, units, 1)
        for part in event.discrepancies:
            claimed, blamed = _CLAIMED[part.kind]
            self._count(receiver, claimed, count_units(part.ranges))
            self._count(giver, blamed, count_units(part.ranges))
        if event.extra:
            self._count(receiver, Fact.FOUND_EXTRA, count_units(event.extra))

    def _reversed(self, event: events.TransferReversed) -> None:
        """Count a reversal, to which ``event.party`` agreed. The other side had asked. Sales are not reversed."""
        giver, receiver, units = event.terms.giver, event.terms.receiver, count_units(event.terms.ranges)
        self._count(receiver if event.party == giver else giver, Fact.REVERSALS_GRANTED, 0)
        for party in (giver, receiver):
            self._count(party, Fact.REVERSED, units)
        self._traded(giver, receiver, units, -1)

    def _declared(self, event: events.ErrorDeclared) -> None:
        self._count(event.party, Fact.ERRORS_DECLARED, 0)
        match event.declared:
            case events.UnitsWrittenOff(party=party, ranges=ranges):
                self._count(party, Fact.WRITTEN_OFF, count_units(ranges), -1)
            case events.ReversalAsked(party=party):
                self._count(party, Fact.REVERSALS_ASKED, 0, -1)
            case events.PurchaseConfirmed() | events.UnitsDelivered():
                pass  # neither is a fact
            case _:
                assert_never(event.declared)


FACTS: Final = Report(
    name="facts",
    version=1,
    key=(Column("party", ColumnKind.PARTY), Column("fact", ColumnKind.SMALL)),
    sums=("events", "units"),
    fold=folding(FactChanges),
)
"""What each party did, as counts of events and of their units. `transfer list` of the party lists the events."""


class FactRow(NamedTuple):
    """A row of FACTS."""

    party: str
    fact: int
    events: int
    units: int


class Count(msgspec.Struct, frozen=True):
    """How many events there were, and how many units they name."""

    events: int
    units: int


class Scorecard(msgspec.Struct, frozen=True):
    """Facts about a party. They are no verdict: who trades more, errs more.

    Attributes:
        party: the party.
        facts: its facts by name, in lower case. Those that never happened are not there.
        offers_answered: offers to the party that are closed, without those that their giver withdrew.
        offers_accepted: those of them that it accepted, wholly or in part.
        disputes: reversals that the party asks for, and to which the other side has not agreed.
        sell_through: what became of its line.
        deviations: findings in which the party is first named, by the name of their rule, with their units.
    """

    party: str
    facts: dict[str, Count]
    offers_answered: int
    offers_accepted: int
    disputes: int
    sell_through: SellThrough
    deviations: dict[str, Count]


def scorecard(
    party: str, facts: Iterable[FactRow], line: SellThrough, rows: Iterable[FindingRow]
) -> Scorecard:
    """Return the scorecard of a party.

    Args:
        party: the party.
        facts: its rows of FACTS.
        line: its sell-through.
        rows: the rows of FINDINGS whose ``party`` it is.
    """
    counted = {Fact(row.fact): Count(row.events, row.units) for row in facts if row.events or row.units}

    def times(*kinds: Fact) -> int:
        return sum(counted[kind].events for kind in kinds if kind in counted)

    deviations: dict[str, Count] = {}
    for row in rows:
        name = RULES[FindingRule(row.rule)].name
        before = deviations.get(name, Count(0, 0))
        deviations[name] = Count(before.events + 1, before.units + row.units)
    accepted = times(Fact.ACCEPTED, Fact.ACCEPTED_IN_PART)
    return Scorecard(
        party=party,
        facts={kind.name.lower(): counted[kind] for kind in sorted(counted)},
        offers_answered=accepted + times(Fact.DECLINED, Fact.LAPSED),
        offers_accepted=accepted,
        disputes=times(Fact.REVERSALS_ASKED) - times(Fact.REVERSALS_GRANTED),
        sell_through=line,
        deviations=dict(sorted(deviations.items())),
    )
