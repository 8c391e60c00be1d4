"""Sell-through: how much of what entered a party's line reached consumers, when, and what consumers confirmed.

The line of a party has the units that it made, or received by a transfer that is still in force, wherever they are
now. Units that go back up, past the party, leave the line: by a return, a reversal, or a transfer to one that had them.
"""

import datetime
from collections.abc import Iterable
from fractions import Fraction
from itertools import islice
from typing import Final, NamedTuple

import msgspec

from pathbook.ledger import events, hops
from pathbook.ledger.reports.adding import Adding, folding
from pathbook.ledger.reports.registered import day_number, day_of
from pathbook.ledger.reports.report import Column, ColumnKind, Report
from pathbook.ledger.reports.story import SHORT_PAST, BatchStory, ToldEvent
from pathbook.ledger.run import Run
from pathbook.ledger.values import WRITTEN_OFF, Price, UnitState, is_consumer

_CONFIRMED: Final = UnitState.CONFIRMED  # looked up once, because the lookup of an enum member takes long
_FINAL: Final = WRITTEN_OFF | {_CONFIRMED}


class SellThroughChanges:
    """What a sequence of events adds to the lines of parties, by party, batch and day."""

    def __init__(self) -> None:
        self.adding = Adding(6)

    def add(self, told: ToldEvent) -> None:
        """Count the units of the runs that an event changed."""
        for change in told.changes:
            before, changed = change.before, change.changed
            story, units = told.stories[change.batch], changed.last - changed.first + 1
            if before is None:
                self._count(story, changed, units)
            elif _is_final(before) or _is_final(changed):
                if _outcome(before) != _outcome(changed):
                    self._count(story, before, -units)
                    self._count(story, changed, units)
            elif changed.last_hop is before.last_hop:
                continue
            elif changed.last_hop is not None and changed.last_hop.earlier is before.last_hop:
                self._count_hop(story, changed, units)
            else:
                self._count_hop(story, before, -units)
        match told.recorded.event:
            case events.PurchaseConfirmed(price_paid=price):
                self._contradict(told, price, 1)
            case events.ErrorDeclared(declared=events.PurchaseConfirmed(price_paid=price)):
                self._contradict(told, price, -1)
            case _:
                pass  # no consumer says a price

    def _count(self, story: BatchStory, run: Run, units: int) -> None:
        _, entered, sold_on = story.past(run.last_hop)
        sold = units if sold_on is not None else 0
        confirmed = units if run.state is _CONFIRMED else 0
        lost = units if sold_on is None and run.state in WRITTEN_OFF else 0
        for party, day in entered.items():
            self.adding.add((party, story.batch, day), units, 0, 0, lost)
            if sold_on is not None:
                self.adding.add((party, story.batch, sold_on), 0, sold, confirmed, 0, sold * (sold_on - day))

    def _count_hop(self, story: BatchStory, run: Run, units: int) -> None:
        """Count the last hop of a run alone, because all else of it is as it was. This is what nearly all events do."""
        add, batch = self.adding.add, story.batch
        assert run.last_hop is not None, run
        before = hops.before(run.last_hop)
        last, *earlier = islice(story.hops(run), 1 + SHORT_PAST)
        receiver, at = last.receiver, last.day
        if is_consumer(receiver):
            for party, day in story.past(before).entered.items():
                add((party, batch, at), 0, units, 0, 0, units * (at - day))
            return
        is_again = receiver == story.commissioned.brand or len(earlier) == SHORT_PAST
        for hop in earlier:
            is_again = is_again or hop.receiver == receiver
        had = story.past(before).entered if is_again else {}
        if receiver not in had:  # or no longer: the units had gone back past it since
            add((receiver, batch, at), units)
        else:
            for party, day in reversed(had.items()):
                if party == receiver:
                    break
                add((party, batch, day), -units)

    def _contradict(self, told: ToldEvent, price: Price, sign: int) -> None:
        """Count confirmed units whose consumer names another price than the seller, on the day of their sale."""
        for change in told.changes:
            story, units = told.stories[change.batch], change.changed.last - change.changed.first + 1
            sale = story.last_hop(change.changed)
            if sale is None or price.is_worth(sale.unit_price):
                continue
            _, entered, sold_on = story.past(change.changed.last_hop)
            if sold_on is not None:
                for party in entered:
                    self.adding.add((party, story.batch, sold_on), 0, 0, 0, 0, 0, sign * units)


def _outcome(run: Run) -> tuple[int, bool, bool]:
    """Return what of a run its lines depend on."""
    last = 0 if run.last_hop is None else run.last_hop.transfer
    return last, run.state is _CONFIRMED, run.state in WRITTEN_OFF


def _is_final(run: Run) -> bool:
    """Tell whether a purchase was confirmed, or units written off, which is counted in several places."""
    return run.state in _FINAL


SELL_THROUGH: Final = Report(
    name="sell_through",
    version=2,
    key=(
        Column("party", ColumnKind.PARTY),
        Column("batch", ColumnKind.BATCH),
        Column("day", ColumnKind.DAY),
    ),
    sums=("entered", "sold", "confirmed", "lost", "selling_days", "contradicted"),
    fold=folding(SellThroughChanges),
    needs_stories=True,
)
"""Units in the line of a party by day: how many of them entered it, and how many consumers bought.

``lost`` counts units that were written off before a consumer bought them, on the day on which they entered.
``selling_days`` is the sum, over the units that were sold, of the days between entering the line and the sale.
``contradicted`` counts confirmations that name another price than the sale, also of units that were returned since.
`transfer list` of a party, a batch and a day lists the events."""


class LineRow(NamedTuple):
    """A row of SELL_THROUGH."""

    party: str
    batch: int
    day: int
    entered: int
    sold: int
    confirmed: int
    lost: int
    selling_days: int
    contradicted: int


class DayOfLine(msgspec.Struct, frozen=True):
    """What entered a line on one day, and what consumers bought out of it on that day."""

    day: datetime.date
    entered: int
    sold: int
    confirmed: int


class SellThrough(msgspec.Struct, frozen=True):
    """How much of what entered a party's line reached consumers.

    Attributes:
        entered: units that the party made or received, and that did not go back up.
        sold: those of them that consumers own.
        confirmed: those of them whose purchase the consumer confirmed.
        contradicted: confirmations that name another price than the sale.
        lost: units that were written off before.
        left: units that are still with the party or below it. None if the rows are of some days alone.
        mean_days: from entering the line to the sale, half to even. None if none was sold.
        sold_lately: units that were sold within the last ``window_days`` days, today among them.
        stock_days: for how many days the units that are left would last at that rate. None if none was sold lately, or
            if ``left`` is None.
        days: the days on which something entered or was sold, in order.
    """

    party: str
    entered: int
    sold: int
    confirmed: int
    contradicted: int
    lost: int
    left: int | None
    mean_days: int | None
    window_days: int
    sold_lately: int
    stock_days: int | None
    days: tuple[DayOfLine, ...]


def sell_through(
    party: str, rows: Iterable[LineRow], today: datetime.date, window_days: int, *, is_whole: bool = True
) -> SellThrough:
    """Return the sell-through of one party.

    Args:
        party: the party.
        rows: its rows of SELL_THROUGH, of all batches or of some.
        today: the last day that counts for the rate of sales. Later claims of sales do not count for it.
        window_days: over how many days, up to today, the rate of sales is taken. At least 1.
        is_whole: whether the rows are of all days. What was sold on some days may have entered before them.
    """
    by_day: dict[int, list[int]] = {}
    lost = selling_days = contradicted = 0
    for row in rows:
        sums = by_day.setdefault(row.day, [0, 0, 0])
        for index, amount in enumerate((row.entered, row.sold, row.confirmed)):
            sums[index] += amount
        lost += row.lost
        selling_days += row.selling_days
        contradicted += row.contradicted
    entered, sold, confirmed = (sum(sums[index] for sums in by_day.values()) for index in range(3))
    last = day_number(today)
    sold_lately = sum(sums[1] for day, sums in by_day.items() if last - window_days < day <= last)
    left = entered - sold - lost if is_whole else None
    return SellThrough(
        party=party,
        entered=entered,
        sold=sold,
        confirmed=confirmed,
        contradicted=contradicted,
        lost=lost,
        left=left,
        mean_days=_rounded(selling_days, sold),
        window_days=window_days,
        sold_lately=sold_lately,
        stock_days=None if left is None else _rounded(left * window_days, sold_lately),
        days=tuple(DayOfLine(day_of(day), *sums) for day, sums in sorted(by_day.items()) if any(sums)),
    )


def _rounded(numerator: int, denominator: int) -> int | None:
    return round(Fraction(numerator, denominator)) if denominator else None
