"""What the reports of a book answer: sell-through, stuck stock, shape, findings, domino and scorecard."""

import datetime
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import starmap
from typing import Final, TypeVar

import msgspec

from pathbook.ledger.queries import registered
from pathbook.ledger.queries.fingerprints import Pause
from pathbook.ledger.queries.report_parts import (
    Asked,
    Insight,
    Part,
    Source,
    all_rows,
    open_parts,
    read_parts,
)
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.reports.depths import DEPTHS, DepthRow, depths
from pathbook.ledger.reports.domino import OFFERS, Domino, OfferRow, domino
from pathbook.ledger.reports.findings import FINDING_COLUMNS, FINDINGS, FindingRow
from pathbook.ledger.reports.holdings import (
    HELD_COLUMNS,
    HOLDINGS,
    HeldRow,
    HoldingRow,
    StockLot,
    StockOfTier,
    best_consumer_prices,
    most_urgent,
    stock_by_tier,
    stuck_stock,
)
from pathbook.ledger.reports.ladder import CONSUMER_TIER, LADDER, PriceRow
from pathbook.ledger.reports.registered import DAY_US, day_of, line_below
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
    givers_apart,
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


LINE_SEARCHED_MAX: Final = 1_000
"""Up to how many parties of a line are looked up each. Beyond that, the holdings of all parties are read."""

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
    if wanted.party:  # not what lies with it and is another's
        wanted = msgspec.structs.replace(wanted, party="", first_parties=(wanted.party,))
    parts = [Part(HOLDINGS, wanted, HELD_COLUMNS, with_count=True), Part(LADDER, paid)]
    source = open_parts(views, stream, asked, parts, pause)
    if isinstance(source, Refusal):
        return source
    found = all_rows(source, parts)
    if isinstance(found, Refusal):
        return found
    held, sold = _made(HeldRow, found[0]), _made(_sold, found[1])
    known = registered.batches(views, {row.batch for row in held} | {batch for batch, _ in sold})
    best, day = best_consumer_prices(sold, known), today or _day(source.at)
    urgent = _urgent_lots(source, wanted, most_urgent(held, known, limit))
    if isinstance(urgent, Refusal):
        return urgent
    lots = stuck_stock(urgent, known, best, day, limit)
    tiers = stock_by_tier(held, known, best, day, expiring_days)
    return Insight(StuckStock(tiers, lots, sum(row.lots for row in held) - len(lots)), source.position)


def _urgent_lots(
    source: Source, wanted: Wanted, owners_of: Mapping[int, Sequence[str]]
) -> list[HoldingRow] | Refusal:
    """Return the lots that are wanted of owners of batches, batch by batch, or all that are wanted of a fold."""
    found: list[HoldingRow] = []
    of_batches = [
        msgspec.structs.replace(wanted, batch=batch, product="", brand="", first_parties=tuple(owners))
        for batch, owners in owners_of.items()
    ]
    for narrowed in [wanted] if source.is_folded else of_batches:
        rows = source.rows(Part(HOLDINGS, narrowed))
        if isinstance(rows, Refusal):
            return rows
        found += _made(HoldingRow, rows)
    return found


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
    parts = [
        Part(DEPTHS, of_batches, ("depth", "outcome")),
        Part(RUNWAY, of_batches),
        Part(SELL_THROUGH, of_batches, ("party", "day")),
    ]
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
        depths(_made(_depth_of_batches, found.rows[0])),
        tiers,
        _made(_line_of_days, found.rows[2]),
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
    by_sides = Part(TRADES, wanted, ("giver", "receiver"))
    parts = [Part(FINDINGS, wanted, FINDING_COLUMNS), Part(KEYS, Wanted()), by_sides]
    source = open_parts(views, stream, asked, parts, pause)
    if isinstance(source, Refusal):
        return source
    found = all_rows(source, parts)
    if isinstance(found, Refusal):
        return found
    given = registered.authorizations(views, source.position)
    if isinstance(given, Refusal):
        return given
    rows, sides = _made(FindingRow, found[0]), _made(_trade_of_batches, found[2])
    trades: list[TradeRow] = []
    if givers := givers_apart(sides, given):  # of most books there are none, and so no batches are read
        read = source.rows(Part(TRADES, msgspec.structs.replace(wanted, first_parties=tuple(givers))))
        if isinstance(read, Refusal):
            return read
        trades = _made(TradeRow, read)
    times = registered.RecordedTimes(stream, views.book)
    times.load(max(row.position, row.other) for row in rows)
    made = findings(rows, given, times)
    if not (wanted.of_batches or wanted.region):  # then the trades are not all, and a key has no region
        made += [
            each
            for each in shared_keys(_made(KeyRow, found[1]), sides, times)
            if wanted.party in ("", each.party, each.other_party)
        ]
    made += out_of_region(trades, given, registered.batches(views, {row.batch for row in trades}), times)
    return Insight(made, source.position)


def ask_domino(views: ViewSnapshot, stream: Stream, asked: Asked, pause: Pause) -> Insight[Domino] | Refusal:
    """Return what hangs on the party that is wanted, of the batches that are wanted."""
    agent, of_batches = asked.wanted.party, _of_batches(asked.wanted)
    source = open_parts(views, stream, asked, [Part(report, of_batches) for report in DOMINO_OF], pause)
    if isinstance(source, Refusal):
        return source
    given, brands = registered.authorizations(views, source.position), registered.brands(views)
    if isinstance(given, Refusal):
        return given
    if isinstance(brands, Refusal):
        return brands
    line = {agent, *line_below(given, agent, source.at)}
    held = _held_by(source, of_batches, agent, line)
    if isinstance(held, Refusal):
        return held
    offered = source.rows(Part(OFFERS, of_batches))
    if isinstance(offered, Refusal):
        return offered
    found = domino(agent, held, _made(OfferRow, offered), given, brands, source.at)
    return Insight(found, source.position)


def _held_by(
    source: Source, of_batches: Wanted, agent: str, line: Collection[str]
) -> list[HoldingRow] | Refusal:
    """Return what an agent and all below it own, and what others own and the agent has in its custody."""
    if len(line) > LINE_SEARCHED_MAX:
        rows = source.rows(Part(HOLDINGS, of_batches))
        return rows if isinstance(rows, Refusal) else _made(HoldingRow, rows)
    owned = msgspec.structs.replace(of_batches, first_parties=tuple(sorted(line)))
    kept = msgspec.structs.replace(of_batches, second_party=agent)
    found = all_rows(source, [Part(HOLDINGS, owned), Part(HOLDINGS, kept)])
    if isinstance(found, Refusal):
        return found
    others = [row for row in _made(HoldingRow, found[1]) if row.owner not in line]
    return _made(HoldingRow, found[0]) + others


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


def _depth_of_batches(depth: int, outcome: int, units: int) -> DepthRow:
    return DepthRow(0, depth, outcome, units)


def _line_of_days(party: str, day: int, *sums: int) -> LineRow:
    return LineRow(party, 0, day, *sums)


def _trade_of_batches(giver: str, receiver: str, transfers: int, units: int) -> TradeRow:
    return TradeRow(giver, receiver, 0, transfers, units)


def _day(time: int) -> datetime.date:
    return day_of(time // DAY_US)
