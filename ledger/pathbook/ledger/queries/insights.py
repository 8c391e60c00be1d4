"""What the reports of a book answer: sell-through, stuck stock, shape, findings, domino and scorecard."""

import datetime
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from itertools import starmap
from typing import TypeVar

import msgspec

from pathbook.ledger.queries import registered
from pathbook.ledger.queries.fingerprints import Pause
from pathbook.ledger.queries.report_parts import Asked, Insight, Part, read_parts
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.reports.depths import DEPTHS, DepthRow, depths
from pathbook.ledger.reports.domino import OFFERS, Domino, OfferRow, domino
from pathbook.ledger.reports.findings import FINDING_COLUMNS, FINDINGS, FindingRow
from pathbook.ledger.reports.holdings import (
    HOLDINGS,
    HoldingRow,
    StockLot,
    StockOfTier,
    best_consumer_prices,
    stock_by_tier,
    stuck_stock,
)
from pathbook.ledger.reports.ladder import CONSUMER_TIER, LADDER, PriceRow
from pathbook.ledger.reports.registered import DAY_US, day_of
from pathbook.ledger.reports.report import Report, SumRow
from pathbook.ledger.reports.runway import RUNWAY, HopsRow, RunwayOfTier, runway
from pathbook.ledger.reports.scorecard import FACTS, FactRow, Scorecard, scorecard
from pathbook.ledger.reports.sell_through import SELL_THROUGH, LineRow, SellThrough, sell_through
from pathbook.ledger.reports.shape import IndicatorRule, Shape, shape
from pathbook.ledger.reports.suspicions import (
    RULE_NAMES,
    Finding,
    batch_of,
    findings,
    out_of_region,
    shared_keys,
)
from pathbook.ledger.reports.ties import KEYS, TRADES, KeyRow, TradeRow
from pathbook.ledger.reports.wanted import Wanted
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.snapshot import ViewSnapshot
from pathbook.ledger.values import PartyKind

_Row = TypeVar("_Row")


class StuckStock(msgspec.Struct, frozen=True):
    """Stock by tier, and the lots of it that are most urgent. ``left_out`` counts the lots that are not shown."""

    tiers: list[StockOfTier]
    lots: list[StockLot]
    left_out: int


class ShapeOfChain(msgspec.Struct, frozen=True):
    """The shape of a chain, and how many days units had left when they came to each tier."""

    shape: Shape
    runway: list[RunwayOfTier]


class Findings(msgspec.Struct, frozen=True):
    """The latest findings, and how many there are of each rule. ``left_out`` counts those that are not shown."""

    findings: list[Finding]
    rules: dict[str, int]
    left_out: int


SELL_THROUGH_OF: tuple[Report, ...] = (SELL_THROUGH,)
STUCK_OF: tuple[Report, ...] = (HOLDINGS, LADDER)
SHAPE_OF: tuple[Report, ...] = (DEPTHS, RUNWAY, SELL_THROUGH)
FINDINGS_OF: tuple[Report, ...] = (FINDINGS, KEYS, TRADES)
DOMINO_OF: tuple[Report, ...] = (HOLDINGS, OFFERS)
SCORECARD_OF: tuple[Report, ...] = (FACTS, SELL_THROUGH, FINDINGS)


def ask_sell_through(
    views: ViewSnapshot,
    stream: Stream,
    asked: Asked,
    pause: Pause,
    *,
    today: datetime.date | None,
    window_days: int,
) -> Insight[SellThrough] | Refusal:
    """Return how much of what entered the line of the party that is wanted reached consumers."""
    found = read_parts(views, stream, asked, [Part(SELL_THROUGH, asked.wanted)], pause)
    if isinstance(found, Refusal):
        return found
    day = today or _day(found.at)
    wanted = asked.wanted
    lines = _made(LineRow, found.rows[0])
    is_whole = wanted.first_day is None and wanted.last_day is None
    line = sell_through(wanted.party, lines, day, window_days, is_whole=is_whole)
    return Insight(line, found.position)


def ask_stuck(
    views: ViewSnapshot,
    stream: Stream,
    asked: Asked,
    pause: Pause,
    *,
    today: datetime.date | None,
    expiring_days: int,
    limit: int,
) -> Insight[StuckStock] | Refusal:
    """Return what parties hold, what expires first at the top."""
    wanted = asked.wanted
    batch = views.batch(wanted.batch) if wanted.batch else None  # the best price is that of a product
    of_product = (
        Wanted(wanted.batch, wanted.product, wanted.brand) if batch is None else Wanted(product=batch.product)
    )
    paid = msgspec.structs.replace(of_product, tier=CONSUMER_TIER)
    found = read_parts(views, stream, asked, [Part(HOLDINGS, wanted), Part(LADDER, paid)], pause)
    if isinstance(found, Refusal):
        return found
    held = _made(HoldingRow, found.rows[0])
    if wanted.party:  # not what lies with it and is another's
        held = [row for row in held if row.owner == wanted.party]
    sold = _made(_sold, found.rows[1])
    known = registered.batches(views, {row.batch for row in held} | {batch for batch, _ in sold})
    best, day = best_consumer_prices(sold, known), today or _day(found.at)
    lots = stuck_stock(held, known, best, day, limit)
    tiers = stock_by_tier(held, known, best, day, expiring_days)
    return Insight(StuckStock(tiers, lots, len(held) - len(lots)), found.position)


def ask_shape(
    views: ViewSnapshot,
    stream: Stream,
    asked: Asked,
    pause: Pause,
    *,
    within_days: int,
    rule: IndicatorRule,
) -> Insight[ShapeOfChain] | Refusal:
    """Return the shape of the chain below the party that is wanted, for the batches that are wanted.

    If it is a brand, these are its own unless others are named.
    """
    of_batches, top = _of_batches(asked.wanted), views.party(asked.wanted.party)
    if top is not None and top.kind == PartyKind.BRAND.value and not of_batches.of_batches:
        of_batches = msgspec.structs.replace(of_batches, brand=top.party)
    parts = [Part(report, of_batches) for report in SHAPE_OF]
    found = read_parts(views, stream, asked, parts, pause)
    if isinstance(found, Refusal):
        return found
    given = registered.authorizations(views, found.position)
    if isinstance(given, Refusal):
        return given
    hops = _made(HopsRow, found.rows[1])
    tiers = runway(hops, registered.batches(views, {row.batch for row in hops}))
    made = shape(
        asked.wanted.party,
        given,
        depths(_made(DepthRow, found.rows[0])),
        tiers,
        _made(LineRow, found.rows[2]),
        at=found.at,
        within_days=within_days,
        rule=rule,
    )
    return Insight(ShapeOfChain(made, tiers), found.position)


def ask_findings(
    views: ViewSnapshot,
    stream: Stream,
    asked: Asked,
    pause: Pause,
    *,
    rule: str,
    limit: int,
    without: Collection[str] = (),
) -> Insight[Findings] | Refusal:
    """Return the latest findings of a rule, or of all rules if "", the latest first. FINDING_RULE_UNKNOWN.

    Those with some ids are left ``without`` a place, and do not count.
    """
    if (refused := refuse_rule(rule)) is not None:
        return refused
    found = _all_findings(views, stream, asked, pause)
    if isinstance(found, Refusal):
        return found
    made = [each for each in found.found if each.id not in without]
    counts = Counter(each.rule for each in made)
    named = [each for each in made if rule in ("", each.rule)]
    named.sort(key=lambda each: (-each.positions[-1], each.id))
    return Insight(
        Findings(named[:limit], dict(sorted(counts.items())), max(0, len(named) - limit)), found.position
    )


def ask_finding(
    views: ViewSnapshot, stream: Stream, asked: Asked, pause: Pause, *, finding: str
) -> Insight[Finding] | Refusal:
    """Return the finding with an id. FINDING_UNKNOWN."""
    batch = batch_of(finding)
    if batch is not None and (not batch or views.batch(batch) is not None):
        found = _all_findings(views, stream, msgspec.structs.replace(asked, wanted=Wanted(batch)), pause)
        if isinstance(found, Refusal):
            return found
        for each in found.found:
            if each.id == finding:
                return Insight(each, found.position)
    return refuse(Reason.FINDING_UNKNOWN, finding=finding)


def refuse_rule(rule: str) -> Refusal | None:
    """Refuse the name of a rule that is not there. "" stands for all rules. FINDING_RULE_UNKNOWN."""
    if not rule or rule in RULE_NAMES:
        return None
    refused = refuse(Reason.FINDING_RULE_UNKNOWN, rule=rule)  # which would shorten the names, too
    return msgspec.structs.replace(refused, facts=(*refused.facts, ("names", ", ".join(RULE_NAMES))))


def _all_findings(
    views: ViewSnapshot, stream: Stream, asked: Asked, pause: Pause
) -> Insight[list[Finding]] | Refusal:
    """Return the findings that are wanted, of all rules, in no order."""
    wanted = asked.wanted
    parts = [Part(FINDINGS, wanted, FINDING_COLUMNS), Part(KEYS, Wanted()), Part(TRADES, wanted)]
    found = read_parts(views, stream, asked, parts, pause)
    if isinstance(found, Refusal):
        return found
    given = registered.authorizations(views, found.position)
    if isinstance(given, Refusal):
        return given
    rows, trades = _made(FindingRow, found.rows[0]), _made(TradeRow, found.rows[2])
    times = registered.RecordedTimes(stream, views.book)
    times.load(max(row.position, row.other) for row in rows)
    made = findings(rows, given, times)
    if not (wanted.of_batches or wanted.region):  # then the trades are not all, and a key has no region
        made += [
            each
            for each in shared_keys(_made(KeyRow, found.rows[1]), trades, times)
            if wanted.party in ("", each.party, each.other_party)
        ]
    made += out_of_region(trades, given, registered.batches(views, {row.batch for row in trades}), times)
    return Insight(made, found.position)


def ask_domino(views: ViewSnapshot, stream: Stream, asked: Asked, pause: Pause) -> Insight[Domino] | Refusal:
    """Return what hangs on the party that is wanted, of the batches that are wanted."""
    of_batches = _of_batches(asked.wanted)
    found = read_parts(views, stream, asked, [Part(report, of_batches) for report in DOMINO_OF], pause)
    if isinstance(found, Refusal):
        return found
    given, brands = registered.authorizations(views, found.position), registered.brands(views)
    if isinstance(given, Refusal):
        return given
    if isinstance(brands, Refusal):
        return brands
    held, offered = _made(HoldingRow, found.rows[0]), _made(OfferRow, found.rows[1])
    return Insight(domino(asked.wanted.party, held, offered, given, brands, found.at), found.position)


def ask_scorecard(
    views: ViewSnapshot,
    stream: Stream,
    asked: Asked,
    pause: Pause,
    *,
    today: datetime.date | None,
    window_days: int,
) -> Insight[Scorecard] | Refusal:
    """Return facts about the party that is wanted."""
    wanted = asked.wanted
    parts = [Part(FACTS, wanted), Part(SELL_THROUGH, wanted), Part(FINDINGS, wanted, FINDING_COLUMNS)]
    found = read_parts(views, stream, asked, parts, pause)
    if isinstance(found, Refusal):
        return found
    day = today or _day(found.at)
    line = sell_through(wanted.party, _made(LineRow, found.rows[1]), day, window_days)
    rows = [row for row in _made(FindingRow, found.rows[2]) if row.party == wanted.party]
    return Insight(scorecard(wanted.party, _made(FactRow, found.rows[0]), line, rows), found.position)


def _of_batches(wanted: Wanted) -> Wanted:
    """Return what is wanted without the party, which is the subject of the question and no filter."""
    return msgspec.structs.replace(wanted, party="")


def _made(row: Callable[..., _Row], rows: Sequence[SumRow]) -> list[_Row]:
    return list(starmap(row, rows))


def _sold(
    batch: int, tier: int, currency_code: str, amount_minor: int, per_units: int, units: int
) -> tuple[int, PriceRow]:
    return batch, PriceRow(tier, currency_code, amount_minor, per_units, units)


def _day(time: int) -> datetime.date:
    return day_of(time // DAY_US)
