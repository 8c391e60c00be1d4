"""Answers of reports: the same from the tables and from events folded in memory, whatever they filter."""

from collections.abc import Iterator, Sequence
from typing import NoReturn

import msgspec
import pytest

from pathbook.ledger.commands import AuthorizeParty
from pathbook.ledger.queries import Asked, Insight, Queries, report_parts
from pathbook.ledger.queries.fingerprints import Pause
from pathbook.ledger.queries.insights import StuckStock, ask_findings, ask_shape, ask_stuck
from pathbook.ledger.queries.report_parts import Part, read_parts
from pathbook.ledger.refusals import Reason, Refusal
from pathbook.ledger.reports.all_reports import REPORTS
from pathbook.ledger.reports.ladder import LADDER, Rung, RungKind
from pathbook.ledger.reports.mark_ups import FewerHops, MarkUp, ladder
from pathbook.ledger.reports.paid import PAID
from pathbook.ledger.reports.registered import day_of
from pathbook.ledger.reports.report import ColumnKind, SumRow
from pathbook.ledger.reports.shape import IndicatorRule
from pathbook.ledger.reports.wanted import Wanted, not_kept, places
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.snapshot import ViewSnapshot
from pathbook.ledger.values import Price
from tests.projections.synthetic import SyntheticBook
from tests.queries.written import MASKS, WrittenStory, ladder_of, open_queries, reason
from tests.reports.cheaters import Cheaters
from tests.reports.trading import Market
from tests.scenario import BALM, DAY, MASK, NOON

TODAY = NOON // DAY

WANTED = (
    Wanted(),
    Wanted(batch=1),
    Wanted(product=MASK),
    Wanted(product=BALM, tier=1_000),
    Wanted(brand="acme", party="ann"),
    Wanted(brand="ben"),
    Wanted(party="ben", first_day=TODAY + 1),
    Wanted(batch=3, last_day=TODAY + 60),
    Wanted(region="CN"),
    Wanted(tier=1_000),
    Wanted(first_parties=("ben", "acme")),
    Wanted(product=MASK, second_party="ann"),
)
"""Filters, alone and together. Some leave nothing."""


def in_parts(
    views: ViewSnapshot, stream: Stream, asked: Asked, pause: Pause, parts: Sequence[Part]
) -> Insight[list[list[SumRow]]] | Refusal:
    """Return the rows of parts, in order."""
    found = read_parts(views, stream, asked, parts, pause)
    if isinstance(found, Refusal):
        return found
    return Insight([sorted(rows) for rows in found.rows], found.position)


def rows(queries: Queries, asked: Asked, *parts: Part) -> Insight[list[list[SumRow]]] | Refusal:
    """Ask for the rows of parts."""
    return queries.insight("book", in_parts, asked, lambda: None, parts)


@pytest.fixture(scope="module")
def book() -> SyntheticBook:
    """A book with every kind of event."""
    return SyntheticBook(4, 250)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def whole(request: pytest.FixtureRequest, book: SyntheticBook) -> Iterator[Queries]:
    """The whole book in each kind of database."""
    with open_queries(book.entries, request.param) as queries:
        yield queries


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_an_answer_as_of_a_position_is_what_the_tables_had_then(
    book: SyntheticBook, whole: Queries, share: float
) -> None:
    """For every report and filter, the rows folded in memory are those of a book that ends there."""
    position = int(len(book.entries) * share)
    with open_queries(book.entries[:position]) as then:
        for wanted in WANTED:
            for report in REPORTS:
                if not_kept(report, wanted) is not None:
                    continue
                if wanted.second_party and len(places(report, ColumnKind.PARTY)) == 1:
                    continue
                some = tuple(column.name for column in report.key[1:])
                parts = Part(report, wanted), Part(report, wanted, some, with_count=True)
                now = rows(then, Asked(wanted), *parts)
                assert isinstance(now, Insight)
                assert rows(whole, Asked(wanted, as_of=position), *parts) == now
                assert now.position == position


def test_the_filters_leave_something(whole: Queries) -> None:
    """What the test above compares is not empty: every report has rows, and so has nearly every filter."""
    for report in REPORTS:
        found = rows(whole, Asked(Wanted()), Part(report, Wanted()))
        assert isinstance(found, Insight)
        assert found.found[0], report.name
    for wanted in WANTED[:-2]:  # the last two narrow what is read
        found = rows(whole, Asked(wanted), Part(PAID, wanted))
        assert isinstance(found, Insight)
        assert bool(found.found[0]) is (wanted not in (Wanted(brand="ben"), Wanted(region="CN"))), wanted


def test_what_was_paid_adds_up_to_the_ladder(whole: Queries) -> None:
    """Without sides and days, the rows of what was paid are those of the ladder."""
    columns = ("batch", "tier", "currency_code", "amount_minor", "per_units")
    for wanted in (Wanted(), Wanted(product=MASK), Wanted(batch=2)):
        found = rows(whole, Asked(wanted), Part(LADDER, wanted, columns), Part(PAID, wanted, columns))
        assert isinstance(found, Insight)
        in_ladder, paid = found.found
        assert in_ladder == paid


def test_an_answer_as_it_was_known_is_that_of_the_last_event_on_record(
    book: SyntheticBook, whole: Queries
) -> None:
    """A time leads to the last position that was recorded by then, also to none at all."""
    part = Part(LADDER, Wanted())
    for position in (1, 100, len(book.entries) - 1):
        known = book.recorded[position - 1].recorded_at
        last = max(each.position for each in book.recorded if each.recorded_at <= known)
        found = rows(whole, Asked(Wanted(), known_at=known), part)
        assert found == rows(whole, Asked(Wanted(), as_of=last), part)
        earlier = rows(whole, Asked(Wanted(), as_of=position, known_at=known + 10**15), part)
        assert isinstance(earlier, Insight)
        assert earlier.position == position
    assert rows(whole, Asked(Wanted(), known_at=0), part) == Insight([[]], 0)


def test_a_question_that_is_too_large_is_refused(whole: Queries, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names its limit: of events as of a position, of rows, and of batches."""
    part = Part(LADDER, Wanted())
    monkeypatch.setattr(report_parts, "AS_OF_EVENTS_MAX", 40)
    assert reason(rows(whole, Asked(Wanted(), as_of=41), part)) is Reason.AS_OF_TOO_FAR
    assert isinstance(rows(whole, Asked(Wanted(), as_of=40), part), Insight)
    monkeypatch.setattr(report_parts, "AS_OF_EVENTS_MAX", 10**6)
    monkeypatch.setattr(report_parts, "BATCHES_MAX", 1)
    of_brand = Asked(Wanted(brand="acme"), as_of=100)
    assert reason(rows(whole, of_brand, Part(LADDER, of_brand.wanted))) is Reason.REPORT_TOO_LARGE
    monkeypatch.setattr(report_parts, "ROWS_MAX", 1)
    for as_of in (0, 100):
        assert reason(rows(whole, Asked(Wanted(), as_of=as_of), part)) is Reason.REPORT_TOO_LARGE


def test_a_question_about_what_is_not_there_is_refused(whole: Queries) -> None:
    """So is a filter that a report does not keep: an answer that left it out would be of something else."""
    for wanted, expected in (
        (Wanted(batch=10**6), Reason.BATCH_UNKNOWN),
        (Wanted(product="00012345600012"), Reason.PRODUCT_UNKNOWN),
        (Wanted(party="dan"), Reason.PARTY_UNKNOWN),
        (Wanted(brand="dan"), Reason.PARTY_UNKNOWN),
    ):
        assert reason(rows(whole, Asked(wanted), Part(PAID, wanted))) is expected
    for report, wanted in ((LADDER, Wanted(party="ann")), (LADDER, Wanted(first_day=1))):
        assert reason(rows(whole, Asked(wanted), Part(report, wanted))) is Reason.FILTER_NOT_KEPT


def test_a_long_question_can_be_given_up(whole: Queries) -> None:
    """An answer as of an earlier position pauses, and ends if the pause says so."""

    def give_up() -> NoReturn:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        whole.insight("book", in_parts, Asked(Wanted(), as_of=9), give_up, [Part(LADDER, Wanted())])


def test_a_ladder_of_two_sides_and_days_is_that_of_their_hops() -> None:
    """A ladder with a party has what it paid and what it was paid, and a day has the hops that claim it."""
    story = WrittenStory(MASKS)
    story.tell("record 1:0-9 acme > ann at 15000\nrecord 1:0-4 ann > ben at 18000\nsell 1:0 ben > x at 30000")
    with open_queries(story.entries) as queries:
        assert [rung.units for rung in rungs(queries, Wanted())] == [10, 5, 1]
        assert [rung.tier for rung in rungs(queries, Wanted(party="ann"))] == [1, 2]
        assert [rung.kind for rung in rungs(queries, Wanted(party="ben"))] == [
            RungKind.TIER,
            RungKind.CONSUMER,
        ]
        assert [rung.units for rung in rungs(queries, Wanted(tier=2))] == [5]
        assert len(rungs(queries, Wanted(first_day=TODAY, last_day=TODAY))) == 3
        assert rungs(queries, Wanted(last_day=TODAY - 1)) == []


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_region_contains_those_whose_names_begin_with_it(kind: str) -> None:
    """A ladder of a region has hops of which a party was authorized there, now and as of an earlier position."""
    story = WrittenStory(MASKS)
    for party, region in (("dan", "CN-GD"), ("eve", "CNX"), ("fay", "CN")):
        story.tell(f"agent {party}")
        story.ask(
            AuthorizeParty(request_id=story.request(), upline="acme", party=party, tier=1, region=region)
        )
        story.tell(f"record 1:{len(party) * story.state.position} acme > {party} at {story.state.position}")
    with open_queries(story.entries, kind) as queries:
        for as_of in (0, story.state.position - 1):
            for region, expected in (
                ("CN", {"dan", "fay"}),
                ("CN-GD", {"dan"}),
                ("CNX", {"eve"}),
                ("C", set()),
            ):
                wanted = Wanted(region=region)
                found = rows(queries, Asked(wanted, as_of=as_of), Part(PAID, wanted, ("receiver",)))
                assert isinstance(found, Insight)
                assert {row[0] for row in found.found[0]} == (expected - {"fay"} if as_of else expected)


def test_a_brand_that_buys_back_is_no_first_rung() -> None:
    """What tier 0 paid has no mark-ups, and no other rung is compared with it."""
    bought_back = rung(0, 40)
    sold = [rung(1, 150), rung(2, 180), rung(0, 300, kind=RungKind.CONSUMER)]
    alone, with_it = ladder(sold), ladder([bought_back, *sold])
    assert with_it.mark_ups == [MarkUp(None, None, -260), *alone.mark_ups]
    assert with_it.fewer_hops == alone.fewer_hops


def test_the_best_price_of_a_batch_is_that_of_its_product() -> None:
    """What parties hold of a batch is worth what consumers paid for another one, now and as of a position."""
    story = WrittenStory(MASKS)
    story.tell("batch L2 of mask size 100 made 2025-12-01 expires 2026-06-30 by acme")
    story.tell("record 2:0-9 acme > ann at 15000\nrecord 1:0 acme > ann at 15000\nsell 1:0 ann > x at 14000")
    position = story.state.position
    with open_queries(story.entries) as now:
        before = stuck_of(now, Asked(Wanted(batch=2)))
        assert [lot.loss_minor for lot in before.lots if lot.owner == "ann"] == [10_000]
    story.tell("record 2:10 acme > ann at 15000")
    with open_queries(story.entries) as later:
        assert stuck_of(later, Asked(Wanted(batch=2), as_of=position)) == before


def stuck_of(queries: Queries, asked: Asked) -> StuckStock:
    """Return what parties hold on a day."""
    found = queries.insight(
        "book", ask_stuck, asked, lambda: None, today=day_of(TODAY), expiring_days=30, limit=100
    )
    assert isinstance(found, Insight)
    return found.found


def test_an_answer_as_of_a_position_keeps_its_time_while_the_book_grows() -> None:
    """It is dated by that position, or by the time for which what was known is asked, and never by later events."""
    story = WrittenStory(MASKS)
    position, recorded_at = story.state.position, story.recorded[-1].recorded_at
    asked = [
        (Asked(Wanted(), as_of=position, now=recorded_at + DAY), recorded_at),
        (Asked(Wanted(), known_at=recorded_at + 5, now=recorded_at + DAY), recorded_at + 5),
        (Asked(Wanted(), known_at=recorded_at + 2 * DAY, now=recorded_at + 5), recorded_at + 5),
        (Asked(Wanted(), as_of=position, known_at=recorded_at - 1, now=recorded_at + DAY), recorded_at - 1),
    ]
    with open_queries(story.entries) as queries:
        assert [time_of(queries, each) for each, _ in asked] == [at for _, at in asked]
    story.now += DAY
    story.tell("record 1:0-9 acme > ann at 15000")
    with open_queries(story.entries) as queries:
        assert [time_of(queries, each) for each, _ in asked] == [at for _, at in asked]


def test_the_shape_of_a_brand_is_of_its_own_batches() -> None:
    """Hops of another brand's batches are left out, unless its product is named."""
    story = WrittenStory(MASKS)
    story.tell("brand zeta\nproduct balm 9000 CNY of zeta\nauthorize ann tier 1 by zeta")
    story.tell("batch Z of balm size 50 made 2025-12-01 expires 2026-06-30 by zeta")
    story.tell("record 1:0-9 acme > ann at 15000\nrecord 2:0-4 zeta > ann at 5000")
    with open_queries(story.entries) as queries:
        for wanted, hops in (
            (Wanted(party="acme"), 10),
            (Wanted(party="zeta"), 5),
            (Wanted(party="acme", product=BALM), 5),
            (Wanted(party="ann"), 15),
        ):
            found = queries.insight(
                "book", ask_shape, Asked(wanted), lambda: None, within_days=30, rule=IndicatorRule()
            )
            assert isinstance(found, Insight)
            assert found.found.shape.hops == hops, wanted


def test_shared_keys_are_findings_of_the_whole_book_alone() -> None:
    """Asked about a region or a batch, the trades of two parties are not all, so nothing is said of their keys."""
    market = Market(5, agents=20, days=5, batches=1, size=2_000)
    Cheaters(market).shared_keys(1)
    story = WrittenStory()
    story.recorded = [
        msgspec.structs.replace(each, request=each.position.to_bytes(16, "big"), request_digest=bytes(16))
        for each in market.recorded
    ]
    with open_queries(story.entries) as queries:
        for wanted, expected in ((Wanted(), 1), (Wanted(region="CN"), 0), (Wanted(batch=1), 0)):
            found = queries.insight("book", ask_findings, Asked(wanted), lambda: None, rule="", limit=100)
            assert isinstance(found, Insight)
            assert found.found.rules.get("shared-key", 0) == expected, wanted


def time_of(queries: Queries, asked: Asked) -> int:
    """Return the time of an answer."""

    def ask(views: ViewSnapshot, stream: Stream, asked: Asked, pause: Pause) -> Insight[int] | Refusal:
        found = read_parts(views, stream, asked, [Part(LADDER, asked.wanted)], pause)
        return found if isinstance(found, Refusal) else Insight(found.at, found.position)

    found = queries.insight("book", ask, asked, lambda: None)
    assert isinstance(found, Insight)
    return found.found


def rungs(queries: Queries, wanted: Wanted) -> list[Rung]:
    """Return the rungs of a ladder."""
    found = ladder_of(queries, wanted)
    assert isinstance(found, Insight)
    return found.found.rungs


def rung(tier: int, mean_minor: int, *, kind: RungKind = RungKind.TIER, currency: str = "CNY") -> Rung:
    """Return a rung on which all units had one price."""
    price = Price(mean_minor, currency)
    suggested = Price(300, "CNY") if currency == "CNY" else None
    return Rung(kind, tier, currency, 1, price, price, price, price, price, mean_minor, mean_minor, suggested)


def test_the_masks_would_cost_less_with_fewer_hops() -> None:
    """150, 180, 210, 240, 270, and 300 for the consumer: each tier that is skipped saves its 30."""
    made = ladder(
        [
            *(rung(tier, 120 + 30 * tier) for tier in range(1, 6)),
            rung(2, 25, currency="USD"),
            rung(0, 999, kind=RungKind.NO_TIER),
            rung(0, 300, kind=RungKind.CONSUMER),
        ]
    )
    assert made.fewer_hops == [FewerHops("CNY", hops, 300 - 30 * hops) for hops in range(1, 5)]
    assert made.mark_ups == [
        MarkUp(None, None, -150),
        *(MarkUp(30, 30 * tier, 30 * tier - 150) for tier in range(1, 5)),
        MarkUp(None, None, None),
        MarkUp(None, None, 699),
        MarkUp(30, 150, 0),
    ]
