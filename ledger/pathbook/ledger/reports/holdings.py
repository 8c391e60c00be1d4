"""Holdings: which units each party has not sold, by the transfer by which they came, and how old they are.

A party's units that it sold to consumers, and units that were written off, are no holdings.
"""

import datetime
import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Final, NamedTuple, TypeAlias

import msgspec

from pathbook.ledger.reports.adding import Adding, folding
from pathbook.ledger.reports.ladder import CONSUMER_TIER, NO_TIER, PriceRow
from pathbook.ledger.reports.registered import Batch, day_number, day_of
from pathbook.ledger.reports.report import Column, ColumnKind, Report, ReportIndex
from pathbook.ledger.reports.story import BatchStory, ToldEvent
from pathbook.ledger.run import Run
from pathbook.ledger.values import WRITTEN_OFF, Price, UnitState, is_consumer

_OFFERED: Final = UnitState.OFFERED  # looked up once, because the lookup of an enum member takes long

MAKER_TIER = 0
"""The tier of a brand that holds units that it made."""


class HoldingsChanges:
    """How many units a sequence of events adds to holdings, and how many of these are reserved by open offers."""

    def __init__(self) -> None:
        self.adding = Adding(2)

    def add(self, told: ToldEvent) -> None:
        """Count the units of the runs that an event changed."""
        for change in told.changes:
            story, changed = told.stories[change.batch], change.changed
            units = changed.last - changed.first + 1
            if change.before is not None:
                self._count(story, change.before, -units)
            self._count(story, changed, units)

    def _count(self, story: BatchStory, run: Run, units: int) -> None:
        state = run.state
        if state in WRITTEN_OFF or is_consumer(run.owner):
            return
        offered = units if state is _OFFERED else 0
        self.adding.add((story.batch, run.owner, run.custodian, *_origin(story, run)), units, offered)


def _origin(story: BatchStory, run: Run) -> tuple[int, int, int, str, int, int]:
    """Return transfer, tier, day and price by which the units of a run came to their owner."""
    hop = story.last_hop(run)
    if hop is None:
        return 0, MAKER_TIER, story.made_day, "", 0, 1
    tier, price = hop.authority.receiver_tier, hop.unit_price
    return (
        hop.transfer,
        NO_TIER if tier is None else tier,
        hop.day,
        price.currency_code,
        price.amount_minor,
        price.per_units,
    )


HOLDINGS: Final = Report(
    name="holdings",
    version=2,
    key=(
        Column("batch", ColumnKind.BATCH),
        Column("owner", ColumnKind.PARTY),
        Column("custodian", ColumnKind.PARTY),
        Column("transfer", ColumnKind.NUMBER),
        Column("tier", ColumnKind.TIER),
        Column("day", ColumnKind.DAY),
        Column("currency_code", ColumnKind.TEXT),
        Column("amount_minor", ColumnKind.NUMBER),
        Column("per_units", ColumnKind.SMALL),
    ),
    sums=("units", "offered"),
    fold=folding(HoldingsChanges),
    needs_stories=True,
    indexes=(
        ReportIndex(("owner", "book")),
        ReportIndex(("custodian", "book"), differ=("custodian", "owner")),
    ),
)
"""Units that a party owns and has not sold, by the transfer by which they came: when, and at which price.

``transfer`` is 0 for units that their owner made. Then the day is that on which they were made, and the currency "".
``offered`` counts those of the units that an open offer reserves."""


class HoldingRow(NamedTuple):
    """A row of HOLDINGS."""

    batch: int
    owner: str
    custodian: str
    transfer: int
    tier: int
    day: int
    currency_code: str
    amount_minor: int
    per_units: int
    units: int
    offered: int

    @property
    def price(self) -> Price | None:
        """What the owner paid for one unit. None if the owner made the units."""
        return Price(self.amount_minor, self.currency_code, self.per_units) if self.transfer else None


class HeldRow(NamedTuple):
    """Rows of HOLDINGS of one owner, batch and day, at one tier and price, added up. ``lots`` counts these rows."""

    batch: int
    owner: str
    tier: int
    day: int
    currency_code: str
    amount_minor: int
    per_units: int
    units: int
    offered: int
    lots: int


HELD_COLUMNS: Final = HeldRow._fields[:-3]
"""The columns by which they are added up."""


class StockLot(msgspec.Struct, frozen=True):
    """Units of a batch that one party has held since one transfer, and what it would lose if it sold them today.

    Attributes:
        transfer: the transfer by which they came. 0 if the owner made them.
        days_left: until the end of the day on which they expire, below 0 once they have. None if they never do.
        paid: for one unit. None if the owner made them.
        best: the highest price of one unit that a consumer paid for the product, in the currency of ``paid``. None if
            no consumer did.
        paid_minor: what was paid for all units, in minor units of ``paid``, half to even.
        loss_minor: how much more that is than consumers would pay at ``best``. All of it if the units have expired.
            None if that is unknown, because no consumer paid in this currency, or no price was paid.
    """

    batch: int
    product: str
    owner: str
    custodian: str
    transfer: int
    tier: int
    units: int
    offered: int
    since: datetime.date
    age_days: int
    expires_on: datetime.date | None
    days_left: int | None
    paid: Price | None
    best: Price | None
    paid_minor: int
    loss_minor: int | None


class StockOfTier(msgspec.Struct, frozen=True):
    """What all parties of one tier hold. Money is by currency, in minor units, added up exactly and then rounded.

    ``expiring`` counts units that have not expired, and will within the days that the caller asked for. ``unpriced``
    counts the units for which the loss is unknown.
    """

    tier: int
    units: int
    parties: int
    oldest_days: int
    expired: int
    expiring: int
    unpriced: int
    paid_minor: dict[str, int]
    loss_minor: dict[str, int]


def best_consumer_prices(
    prices: Iterable[tuple[int, PriceRow]], batches: Mapping[int, Batch]
) -> dict[tuple[str, str], Price]:
    """Return the highest price that consumers paid, by product and currency.

    Args:
        prices: rows of the ladder, each with its batch.
        batches: the batches of these rows.
    """
    paid = {  # each price once, because fractions take long
        (batches[batch].product, row.currency_code, row.amount_minor, row.per_units): row_price(row)
        for batch, row in prices
        if row.tier == CONSUMER_TIER and row.units > 0
    }
    best: dict[tuple[str, str], Price] = {}
    for (product, currency_code, _, _), price in paid.items():
        key = product, currency_code
        if key not in best or price.each > best[key].each:
            best[key] = price
    return best


def row_price(row: PriceRow) -> Price:
    """Return the price of a row of the ladder."""
    return Price(row.amount_minor, row.currency_code, row.per_units)


def stuck_stock(
    rows: Iterable[HoldingRow],
    batches: Mapping[int, Batch],
    best: Mapping[tuple[str, str], Price],
    today: datetime.date,
    limit: int | None = None,
) -> list[StockLot]:
    """Return what parties hold, what expires first at the top, then what they have held longest.

    Args:
        rows: rows of HOLDINGS.
        batches: the batches of these rows.
        best: what `best_consumer_prices` returns.
        today: the day up to which ages are counted.
        limit: how many lots to return at most, None for all.
    """
    ends = {number: batch.expires_on or datetime.date.max for number, batch in batches.items()}
    made = {number: day_number(batch.made_on) for number, batch in batches.items()}

    def urgency(row: HoldingRow) -> tuple[datetime.date, int, int, str, int, str]:
        since = row.day if row.transfer else made[row.batch]
        return ends[row.batch], since, row.batch, row.owner, row.transfer, row.custodian

    first = sorted(rows, key=urgency) if limit is None else heapq.nsmallest(limit, rows, key=urgency)
    return [_lot(row, batches[row.batch], best, today) for row in first]


def most_urgent(rows: Iterable[HeldRow], batches: Mapping[int, Batch], lots: int) -> dict[int, list[str]]:
    """Return the owners, by batch, among whose lots the most urgent ones are, in the order of `stuck_stock`."""
    counts: Counter[tuple[datetime.date, int, int, str]] = Counter()
    for row in rows:
        batch = batches[row.batch]
        since = row.day if row.currency_code else day_number(batch.made_on)
        counts[batch.expires_on or datetime.date.max, since, row.batch, row.owner] += row.lots
    found: defaultdict[int, list[str]] = defaultdict(list)
    for (_, _, number, owner), count in sorted(counts.items()):
        if lots <= 0:
            break
        if owner not in found[number]:
            found[number].append(owner)
        lots -= count
    return found


def _lot(
    row: HoldingRow, batch: Batch, best: Mapping[tuple[str, str], Price], today: datetime.date
) -> StockLot:
    since = day_of(row.day) if row.transfer else batch.made_on
    days_left = None if batch.expires_on is None else (batch.expires_on - today).days
    observed = best.get((batch.product, row.currency_code))
    paid, paid_minor, loss_minor = row.price, 0, None
    if paid is not None:
        paid_minor = _half_to_even(paid.amount_minor * row.units, paid.per_units)
        loss_minor = _lot_loss(paid, observed, row.units, has_expired=days_left is not None and days_left < 0)
    return StockLot(
        batch=row.batch,
        product=batch.product,
        owner=row.owner,
        custodian=row.custodian,
        transfer=row.transfer,
        tier=row.tier,
        units=row.units,
        offered=row.offered,
        since=since,
        age_days=(today - since).days,
        expires_on=batch.expires_on,
        days_left=days_left,
        paid=paid,
        best=observed,
        paid_minor=paid_minor,
        loss_minor=loss_minor,
    )


def _loss(each: Fraction, best: Price | None, units: int, *, has_expired: bool) -> Fraction | None:
    """Return what the owner of units would lose, exactly, or None if that is unknown."""
    if has_expired:
        return each * units
    return None if best is None else max(each - best.each, Fraction(0)) * units


def _lot_loss(paid: Price, best: Price | None, units: int, *, has_expired: bool) -> int | None:
    """Return the same, rounded, without a fraction: these take long, and an answer has many lots."""
    if has_expired:
        return _half_to_even(paid.amount_minor * units, paid.per_units)
    if best is None:
        return None
    more = paid.amount_minor * best.per_units - best.amount_minor * paid.per_units
    return _half_to_even(max(more, 0) * units, paid.per_units * best.per_units)


def _half_to_even(numerator: int, denominator: int) -> int:
    """Return a quotient as `round` rounds a fraction."""
    quotient, rest = divmod(numerator, denominator)
    return quotient + (2 * rest + quotient % 2 > denominator)


def rounded(sums: Mapping[str, Fraction]) -> dict[str, int]:
    """Return sums of money by currency, each rounded to minor units once, half to even."""
    return {currency: round(exact) for currency, exact in sums.items()}


def stock_by_tier(
    rows: Iterable[HeldRow],
    batches: Mapping[int, Batch],
    best: Mapping[tuple[str, str], Price],
    today: datetime.date,
    expiring_days: int,
) -> list[StockOfTier]:
    """Return the sums of what parties hold by tier, from the top, parties without a tier first.

    The arguments are those of `stuck_stock`, but rows that are added up. Units of a batch at a price are added up
    before their money is, because fractions take long.
    """
    made = {number: day_number(batch.made_on) for number, batch in batches.items()}
    units: defaultdict[int, Counter[_Priced]] = defaultdict(Counter)
    owners: defaultdict[int, set[str]] = defaultdict(set)
    oldest: dict[int, int] = {}
    for row in rows:
        batch, tier = row.batch, row.tier
        units[tier][batch, row.currency_code, row.amount_minor, row.per_units] += row.units
        owners[tier].add(row.owner)
        since = row.day if row.currency_code else made[batch]
        if since < oldest.setdefault(tier, since):
            oldest[tier] = since
    until = day_number(today)
    return [
        _tier(tier, found, batches, best, today, expiring_days, len(owners[tier]), until - oldest[tier])
        for tier, found in sorted(units.items())
    ]


_Priced: TypeAlias = tuple[int, str, int, int]
"""A batch and what was paid for one of its units, with the currency "" for units that their owner made."""


def _tier(
    tier: int,
    held: Mapping[_Priced, int],
    batches: Mapping[int, Batch],
    best: Mapping[tuple[str, str], Price],
    today: datetime.date,
    expiring_days: int,
    parties: int,
    oldest_days: int,
) -> StockOfTier:
    at_prices: Counter[tuple[str, int, int, Price | None, bool]] = Counter()
    expired = expiring = 0
    for (number, currency_code, amount_minor, per_units), units in held.items():
        batch = batches[number]
        days_left = None if batch.expires_on is None else (batch.expires_on - today).days
        has_expired = days_left is not None and days_left < 0
        observed = best.get((batch.product, currency_code))
        at_prices[currency_code, amount_minor, per_units, observed, has_expired] += units
        if days_left is not None:
            expired += units if has_expired else 0
            expiring += units if 0 <= days_left <= expiring_days else 0
    paid: defaultdict[str, Fraction] = defaultdict(Fraction)
    lost: defaultdict[str, Fraction] = defaultdict(Fraction)
    unpriced = 0
    for (currency_code, amount_minor, per_units, observed, has_expired), units in at_prices.items():
        loss = None
        if currency_code:
            each = Fraction(amount_minor, per_units)
            loss = _loss(each, observed, units, has_expired=has_expired)
            paid[currency_code] += each * units
            lost[currency_code] += loss or 0
        if loss is None:
            unpriced += units
    return StockOfTier(
        tier=tier,
        units=sum(held.values()),
        parties=parties,
        oldest_days=oldest_days,
        expired=expired,
        expiring=expiring,
        unpriced=unpriced,
        paid_minor=rounded(paid),
        loss_minor=rounded(lost),
    )
