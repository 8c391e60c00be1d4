"""Findings: what the events of a book say that looks wrong, each as a row with the positions that it rests on.

A reversal, and the declaration that a confirmation was an error, take back what the event had led to. A return does
not: what was returned was sold. A correction of a batch is applied to all its transfers.
"""

import datetime
import enum
from itertools import islice
from typing import Final, NamedTuple

from pathbook.ledger import events
from pathbook.ledger.ranges import common
from pathbook.ledger.reports.adding import Counting, folding
from pathbook.ledger.reports.agreed_hops import AgreedHop
from pathbook.ledger.reports.marks import Stated, counts
from pathbook.ledger.reports.registered import DAY_US, day_number
from pathbook.ledger.reports.report import Column, ColumnKind, Report, ReportIndex
from pathbook.ledger.reports.story import BatchStory, ToldEvent
from pathbook.ledger.run import Change
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import (
    CLOCK_TOLERANCE,
    LATEST_ZONE,
    AuthorizationStatus,
    Price,
    UnitRange,
)

HOPS_LOOKED_AT_MAX: Final = 1_000
"""How many hops of a unit are looked at for a round trip. Real units have ten. A longer one is then not found."""

_MICROSECOND: Final = datetime.timedelta(microseconds=1)
_TOLERANCE_US: Final = CLOCK_TOLERANCE // _MICROSECOND
_EXPIRED_US: Final = DAY_US + LATEST_ZONE // _MICROSECOND
_ENDED: Final = frozenset(
    {
        AuthorizationStatus.EXPIRED,
        AuthorizationStatus.REVOKED,
        AuthorizationStatus.UPLINE_NOT_AUTHORIZED,
    }
)


_AUTHORIZED: Final = AuthorizationStatus.AUTHORIZED


class FindingRule(enum.IntEnum):
    """What a row says. `pathbook.ledger.reports.suspicions` has the name, version and sentence of each."""

    ROUND_TRIP = 1
    BOUGHT_BACK = 2
    AFTER_EXPIRY = 3
    DURING_RECALL = 4
    AFTER_AUTHORIZATION = 5
    UNAUTHORIZED = 6
    ABOVE_SUGGESTED = 7
    BELOW_COST = 8
    CONFIRMED_OTHER_PRICE = 9
    CONFIRMED_AGAIN = 10
    REFUSED_BUT_THERE = 11
    TIMES_CONTRADICT = 12
    REPORTED_TWICE = 13


class FindingChanges:
    """How many units each event of a sequence adds to findings, by rule, batch, positions and parties."""

    def __init__(self) -> None:
        self.adding = Counting()
        self._changed_at = 0

    def add(self, told: ToldEvent) -> None:
        """Look at an event: a hop, its reversal, a confirmation, a delivery, an error or a correction."""
        event, self._changed_at = told.recorded.event, told.recorded.position
        match event:
            case events.TransferRecorded(terms) | events.UnitsSold(terms):
                self._hop(told, told.recorded.position, terms, 1)
            case events.TransferAccepted(transfer=transfer, terms=terms):
                self._hop(told, transfer, terms, 1)
            case events.TransferReversed(transfer=transfer, terms=terms):
                self._hop(told, transfer, terms, -1)
            case events.PurchaseConfirmed(price_paid=price):
                self._confirmation(told, told.recorded.position, price, 1)
            case events.UnitsDelivered(receiver=receiver):
                self._delivery(told, told.recorded.position, receiver, 1)
            case events.ErrorDeclared(position=position, declared=declared):
                if isinstance(declared, events.PurchaseConfirmed):
                    self._confirmation(told, position, declared.price_paid, -1)
                elif isinstance(declared, events.UnitsDelivered):
                    self._delivery(told, position, declared.receiver, -1)
            case events.BatchCorrected(batch=batch):
                if (story := told.stories.get(batch)) is not None:
                    self._correction(story)
            case _:
                pass  # nothing that a rule looks at

    def _row(
        self,
        rule: FindingRule,
        batch: int,
        positions: tuple[int, int],
        parties: tuple[str, str],
        units: int,
    ) -> None:
        self.adding[(self._changed_at, rule.value, batch, *positions, *parties)] += units

    def _hop(self, told: ToldEvent, transfer: int, terms: Terms, sign: int) -> None:
        stories = told.stories
        for batch, count in counts(terms.ranges).items():
            if (story := stories.get(batch)) is None:
                continue
            hop, units = story.agreed_by(transfer), sign * count
            self._stated(story, hop, story.marks.stated, units)
            self._authority(story, hop, units)
            if story.marks.recalls:
                self._recalls(story, hop, [part for part in terms.ranges if part.batch == batch], sign)
            if hop.is_claimed:  # a time that was not claimed is that of a whole group
                self._twice(story, hop, sign)
        for change in told.changes:
            run = change.changed if sign > 0 else change.before
            if run is None or run.last_hop is None or run.last_hop.transfer != transfer:
                continue  # what was not accepted stays behind
            if run.last_hop.earlier is not None:
                self._past(stories[change.batch], change, sign)

    def _stated(self, story: BatchStory, hop: AgreedHop, stated: Stated, units: int) -> None:
        """Compare a hop with what the brand says of its batch."""
        batch, sides = story.batch, (hop.giver, hop.receiver)
        if stated.expires_on is not None:
            expired = day_number(stated.expires_on) * DAY_US + _EXPIRED_US
            if hop.occurred_at >= expired:
                self._row(FindingRule.AFTER_EXPIRY, batch, (hop.position, 0), sides, units)
        if _is_above(hop.unit_price, stated.suggested):
            self._row(FindingRule.ABOVE_SUGGESTED, batch, (hop.position, 0), sides, units)

    def _correction(self, story: BatchStory) -> None:
        """Look at all hops of a batch again, because the brand corrected what it says of it."""
        before, after = story.marks.stated_before, story.marks.stated
        if before == after:
            return
        for hop in story.agreed():
            self._stated(story, hop, before, -hop.units)
            self._stated(story, hop, after, hop.units)

    def _authority(self, story: BatchStory, hop: AgreedHop, units: int) -> None:
        authority = hop.authority
        if authority.giver_authorization is _AUTHORIZED and (
            authority.receiver_authorization is _AUTHORIZED or authority.receiver_authorization is None
        ):
            return
        sides = (
            (hop.giver, hop.receiver, authority.giver_authorization),
            (hop.receiver, hop.giver, authority.receiver_authorization),
        )
        for party, other, status in sides:
            if status is None or status is AuthorizationStatus.AUTHORIZED:
                continue
            rule = FindingRule.AFTER_AUTHORIZATION if status in _ENDED else FindingRule.UNAUTHORIZED
            self._row(rule, story.batch, (hop.position, 0), (party, other), units)

    def _recalls(self, story: BatchStory, hop: AgreedHop, parts: list[UnitRange], sign: int) -> None:
        """Find units that moved while a recall was on record. Their giver claims that they moved before it."""
        for recall in story.marks.recalls_at(hop.position):
            recalled = common(tuple(parts), recall.ranges) if recall.ranges else parts
            if units := sum(part.count for part in recalled):
                parties = hop.giver, hop.receiver
                self._row(
                    FindingRule.DURING_RECALL,
                    story.batch,
                    (hop.position, recall.position),
                    parties,
                    sign * units,
                )

    def _twice(self, story: BatchStory, hop: AgreedHop, sign: int) -> None:
        """Find hand-overs with the same sides, units, price and claimed time. Each is compared with the first one."""
        same, units = story.marks.same_handovers(hop), hop.units
        if len(same) == 1:
            return
        unreversed = [item for item in same if item.transfer not in story.marks.reversed]
        if sign > 0:
            self._pairs(story, unreversed[0], [hop], units)
        elif unreversed and hop.position > unreversed[0].position:
            self._pairs(story, unreversed[0], [hop], -units)
        elif unreversed:  # the first one was reversed, so the next one takes its place
            self._pairs(story, hop, unreversed, -units)
            self._pairs(story, unreversed[0], unreversed, units)

    def _pairs(self, story: BatchStory, first: AgreedHop, others: list[AgreedHop], units: int) -> None:
        for other in others:
            if other is not first and not (other.has_reference and first.has_reference):
                both, parties = (other.position, first.position), (first.giver, first.receiver)
                self._row(FindingRule.REPORTED_TWICE, story.batch, both, parties, units)

    def _past(self, story: BatchStory, change: Change, sign: int) -> None:
        """Compare a hop with those by which its units had come."""
        run = change.changed if sign > 0 else change.before
        assert run is not None, change
        units = sign * (change.changed.last - change.changed.first + 1)
        hops = islice(story.hops(run), HOPS_LOOKED_AT_MAX)
        hop, bought = next(hops), next(hops)
        giver, receiver = hop.giver, hop.receiver
        both, sides = (hop.position, bought.position), (giver, receiver)
        if _is_above(bought.unit_price, hop.unit_price):
            self._row(FindingRule.BELOW_COST, story.batch, both, sides, units)
        if bought.occurred_at > hop.occurred_at + _TOLERANCE_US:
            self._row(FindingRule.TIMES_CONTRADICT, story.batch, both, sides, units)
        earlier: AgreedHop | None = bought
        while earlier is not None:
            if earlier.giver == receiver:
                direct = earlier is bought
                rule = FindingRule.BOUGHT_BACK if direct else FindingRule.ROUND_TRIP
                self._row(rule, story.batch, (hop.position, earlier.position), (receiver, giver), units)
                return
            earlier = next(hops, None)

    def _confirmation(self, told: ToldEvent, position: int, price: Price, sign: int) -> None:
        for change in told.changes:
            story, run = told.stories[change.batch], change.changed
            sale = story.last_hop(run)
            assert sale is not None, run
            parties, units = (sale.giver, sale.receiver), sign * (run.last - run.first + 1)
            if not price.is_worth(sale.unit_price):
                both = position, sale.position
                self._row(FindingRule.CONFIRMED_OTHER_PRICE, story.batch, both, parties, units)
            for back, resold in story.marks.resold_of(run.first, run.last):
                self._row(FindingRule.CONFIRMED_AGAIN, story.batch, (position, back), parties, sign * resold)

    def _delivery(self, told: ToldEvent, position: int, receiver: str, sign: int) -> None:
        """Find goods at a party that had declined them, or said that they were missing, and never got title."""
        for change in told.changes:
            story, run = told.stories[change.batch], change.changed
            refused = list(story.marks.refused_by(receiver, run.first, run.last))
            if refused and all(hop.receiver != receiver for hop in story.hops(run)):
                for at, units in refused:
                    both, parties = (position, at), (receiver, run.owner)
                    self._row(FindingRule.REFUSED_BUT_THERE, story.batch, both, parties, sign * units)


def _is_above(price: Price, other: Price) -> bool:
    """Tell whether a price of one unit is higher than another one in the same currency."""
    if price.currency_code != other.currency_code:
        return False
    return price.amount_minor * other.per_units > other.amount_minor * price.per_units


CHANGED_AT: Final = "changed_at"
"""The column of FINDINGS with the position of the event that changes a finding."""

FINDINGS: Final = Report(
    name="findings",
    version=3,
    key=(
        Column(CHANGED_AT, ColumnKind.NUMBER),
        Column("rule", ColumnKind.SMALL),
        Column("batch", ColumnKind.BATCH),
        Column("position", ColumnKind.NUMBER),
        Column("other", ColumnKind.NUMBER),
        Column("party", ColumnKind.PARTY),
        Column("other_party", ColumnKind.PARTY),
    ),
    sums=("units",),
    fold=folding(FindingChanges),
    needs_stories=True,
    indexes=(ReportIndex(("book", "position", CHANGED_AT)),),
)
"""By how many units each event changes what looks wrong with them: the event, a FindingRule, the event at which it
shows, and the earlier one that it contradicts, or 0. ``party`` is whose doing it seems, and ``other_party`` the other
side. A finding is the sum of its changes. If that is 0, it was taken back.

So what an event did to findings depends on the events up to it alone, and is the same after every rebuild. That is what
makes its position a place from which a subscriber goes on."""

FINDING_COLUMNS: Final = tuple(column.name for column in FINDINGS.key if column.name != CHANGED_AT)
"""The columns that tell a finding from others."""


class FindingRow(NamedTuple):
    """A finding: rows of FINDINGS, added up by FINDING_COLUMNS."""

    rule: int
    batch: int
    position: int
    other: int
    party: str
    other_party: str
    units: int


class FindingChangeRow(NamedTuple):
    """What one event did to a finding: how many units it has after the event, and how many it had before."""

    changed_at: int
    finding: FindingRow
    units_before: int
