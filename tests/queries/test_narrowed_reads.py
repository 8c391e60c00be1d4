"""Answers of reports that read some rows and have the rest added up: they are those of all rows."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec
import pytest

from pathbook.ledger.commands import AuthorizeParty
from pathbook.ledger.queries import Asked, Insight, Queries, insights, report_parts
from pathbook.ledger.queries.insights import StuckStock, ask_domino, ask_findings, ask_shape, ask_stuck
from pathbook.ledger.refusals import Reason, Refusal
from pathbook.ledger.reports.depths import depths
from pathbook.ledger.reports.domino import Domino, domino
from pathbook.ledger.reports.holdings import HoldingRow, stuck_stock
from pathbook.ledger.reports.registered import DAY_US, day_of
from pathbook.ledger.reports.shape import IndicatorRule, early_purchases
from pathbook.ledger.reports.wanted import Wanted
from tests.queries.written import MASKS, WrittenStory, open_queries, reason
from tests.reports.books_read import ReadBook
from tests.reports.cheaters import Cheaters
from tests.reports.trading import BRAND, Market
from tests.scenario import DAY, MASK, NOON

DAYS = 40
EXPIRING_DAYS = 30


class Told(NamedTuple):
    """A market whose agents trade across regions, too: what it recorded, read at once, and queries of its book."""

    book: ReadBook
    queries: Queries
    end: int


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def told(request: pytest.FixtureRequest) -> Iterator[Told]:
    """The market in each kind of database."""
    market = Market(13, agents=30, days=DAYS, batches=4, size=3_000)
    cheaters = Cheaters(market)
    cheaters.out_of_region()
    cheaters.round_trip()
    story = WrittenStory()
    story.recorded = [
        msgspec.structs.replace(each, request=each.position.to_bytes(16, "big"), request_digest=bytes(16))
        for each in market.recorded
    ]
    with open_queries(story.entries, request.param) as queries:
        yield Told(ReadBook(market.recorded), queries, market.recorded[-1].recorded_at)


def is_wanted(row: HoldingRow, wanted: Wanted) -> bool:
    """Tell whether stock is wanted: by batch, owner and day."""
    days = wanted.first_day or 0, wanted.last_day or 10**6
    return (
        wanted.batch in (0, row.batch) and wanted.party in ("", row.owner) and days[0] <= row.day <= days[1]
    )


@pytest.mark.parametrize("limit", [1, 2, 7, 40, 10**6])
def test_the_most_urgent_stock_is_that_of_all_stock(told: Told, limit: int) -> None:
    """However few lots are shown, they are the first of all, and what is left out and added up is all the rest."""
    book, day = told.book, told.end // DAY_US
    parties = sorted({row.owner for row in book.holdings()})
    wanteds = [Wanted(), Wanted(product=MASK), Wanted(brand=BRAND), Wanted(last_day=day - 20)]
    wanteds += [Wanted(batch=batch) for batch in book.batches]
    wanteds += [Wanted(party=party) for party in parties]
    for wanted in wanteds:
        rows = [row for row in book.holdings() if is_wanted(row, wanted)]
        lots = stuck_stock(rows, book.batches, book.best(), day_of(day))
        for as_of in (0, len(book.recorded)):
            found = stock_of(told, wanted, as_of, limit)
            assert found.lots == lots[:limit], wanted
            assert found.left_out == max(0, len(lots) - limit), wanted
            assert sum(tier.units for tier in found.tiers) == sum(row.units for row in rows), wanted


def stock_of(told: Told, wanted: Wanted, as_of: int, limit: int) -> StuckStock:
    """Return what parties hold on the last day."""
    today = day_of(told.end // DAY_US)
    found = told.queries.insight(
        "book", ask_stuck, Asked(wanted, as_of), lambda: None,
        today=today, expiring_days=EXPIRING_DAYS, limit=limit,
    )  # fmt: skip
    assert isinstance(found, Insight)
    return found.found


def domino_of(told: Told, party: str, batch: int = 0) -> Insight[Domino] | Refusal:
    """Return what hangs on a party at the end."""
    wanted = Wanted(batch=batch, party=party)
    return told.queries.insight("book", ask_domino, Asked(wanted, now=told.end), lambda: None)


@pytest.mark.parametrize("searched", [1, insights.LINE_SEARCHED_MAX])
def test_what_hangs_on_a_party_is_found_among_all_holdings(
    told: Told, searched: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the same whether the holdings of its line are looked up or those of all parties are read."""
    monkeypatch.setattr(insights, "LINE_SEARCHED_MAX", searched)
    book, in_custody = told.book, 0
    for party in {party for row in book.holdings() for party in (row.owner, row.custodian)}:
        for batch in (0, 1):
            held = [row for row in book.holdings() if batch in (0, row.batch)]
            offered = [row for row in book.offers() if batch in (0, row.batch)]
            found = domino_of(told, party, batch)
            assert isinstance(found, Insight)
            assert found.found == domino(party, held, offered, book.authorizations, book.brands, told.end), (
                party,
                batch,
            )
            in_custody += found.found.in_custody
    assert in_custody  # some goods lie with others, or this would say nothing of them


def test_what_hangs_on_a_party_without_a_line_reads_its_holdings_alone(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A book may have more holdings than an answer may read, and only who is above most of them is refused."""
    owned = dict.fromkeys(told.book.brands, 0)
    for row in told.book.holdings():
        owned[row.owner] = owned.get(row.owner, 0) + 1
    alone = [party for party in owned if len(stakes(told, party)) == 1]
    monkeypatch.setattr(report_parts, "ROWS_MAX", max(owned[party] for party in alone))
    for party in alone:
        assert isinstance(domino_of(told, party), Insight), party
    assert alone
    assert reason(domino_of(told, BRAND)) is Reason.REPORT_TOO_LARGE


def stakes(told: Told, party: str) -> tuple[object, ...]:
    """Return the stakes of a party and of those below it."""
    found = domino_of(told, party)
    assert isinstance(found, Insight)
    return found.found.stakes


def test_stock_that_is_too_much_to_count_is_refused(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database counts lots up to a limit, and adds up none beyond it."""
    rows = told.book.holdings()
    for limit, is_answered in ((len(rows), True), (len(rows) - 1, False)):
        monkeypatch.setattr(report_parts, "SUMMED_ROWS_MAX", limit)
        found = told.queries.insight(
            "book", ask_stuck, Asked(Wanted()), lambda: None, today=None, expiring_days=1, limit=1
        )
        assert isinstance(found, Insight) is is_answered


def test_findings_of_trades_between_regions_are_those_of_all_trades(told: Told) -> None:
    """Batches are read of those givers alone from whose region a receiver is apart."""
    found = told.queries.insight("book", ask_findings, Asked(Wanted()), lambda: None, rule="", limit=10**6)
    assert isinstance(found, Insight)
    expected = told.book.findings()
    assert sorted(each.id for each in found.found.findings) == sorted(each.id for each in expected)
    assert {"out-of-region", "round-trip"} <= found.found.rules.keys()
    of_batches = {each.batch for each in expected if each.rule == "out-of-region"}
    for batch in told.book.batches:
        of_batch = told.queries.insight(
            "book", ask_findings, Asked(Wanted(batch=batch)), lambda: None, rule="out-of-region", limit=9
        )
        assert isinstance(of_batch, Insight)
        assert bool(of_batch.found.findings) is (batch in of_batches)


def test_the_shape_of_a_chain_is_that_of_its_batches_added_up(told: Told) -> None:
    """Depths, and purchases right after authorization, are sums over batches that the database makes."""
    book = told.book
    found = told.queries.insight(
        "book", ask_shape, Asked(Wanted(party=BRAND), now=told.end), lambda: None,
        within_days=10, rule=IndicatorRule(),
    )  # fmt: skip
    assert isinstance(found, Insight)
    shape = found.found.shape
    below = {item.party for item in book.authorizations}
    assert list(shape.depths) == depths(book.depths())
    assert shape.participants == len(below)
    assert shape.early == early_purchases(book.lines(), book.authorizations, below, 10)


def test_goods_that_lie_with_a_party_hang_on_it_whoever_owns_them(
    query_story: Callable[[str], Queries],
) -> None:
    """Those of a party beside it are counted, those of a party below it are counted once, and its own are not."""
    queries = query_story(
        """
        agent dan
        authorize dan tier 1 by acme
        record 1:0-29 acme > ann at 15000
        record 1:0-9 ann > dan at 18000 later
        record 1:10-14 ann > ben at 18000 later
        """
    )
    found = queries.insight("book", ask_domino, Asked(Wanted(party="ann"), now=NOON + DAY), lambda: None)
    assert isinstance(found, Insight)
    assert found.found.in_custody == 15
    assert {stake.party: stake.units for stake in found.found.stakes if stake.units} == {"ann": 15, "ben": 5}


def test_regions_for_one_product_alone_are_compared() -> None:
    """Two parties whose regions are apart for a product that both are authorized for are found by its trades."""
    story = WrittenStory(MASKS)
    for party, region in (("dan", "CN-GD"), ("eve", "CN-SH")):
        story.tell(f"agent {party}")
        story.ask(
            AuthorizeParty(
                request_id=story.request(),
                upline="acme",
                party=party,
                tier=1,
                products=(MASK,),
                region=region,
            )
        )
    story.tell("record 1:0-9 acme > dan at 15000\nrecord 1:0-4 dan > eve at 18000")
    with open_queries(story.entries) as queries:
        found = queries.insight("book", ask_findings, Asked(Wanted()), lambda: None, rule="", limit=9)
        assert isinstance(found, Insight)
        assert [(each.rule, each.units) for each in found.found.findings if each.rule == "out-of-region"] == [
            ("out-of-region", 5)
        ]
