"""Reports keep sums: however the events are cut they are the same, and they are what a naive replay of units counts."""

import itertools
from collections import Counter, defaultdict

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pathbook.ledger.reports.depths import DEPTHS, DepthRow, Outcome
from pathbook.ledger.reports.domino import OFFERS
from pathbook.ledger.reports.findings import FINDINGS
from pathbook.ledger.reports.holdings import HOLDINGS, HoldingRow
from pathbook.ledger.reports.report import Fold, Report, SumRow
from pathbook.ledger.reports.runway import RUNWAY, HopsRow
from pathbook.ledger.reports.scorecard import FACTS
from pathbook.ledger.reports.sell_through import SELL_THROUGH, LineRow
from pathbook.ledger.reports.story import BatchStory, ToldEvent, told
from pathbook.ledger.reports.sums import fold_together
from pathbook.ledger.reports.ties import KEYS, TRADES
from pathbook.ledger.values import UnitState
from tests.examples import examples
from tests.projections.synthetic import SyntheticBook
from tests.reports.folding import rows_of, summed
from tests.reports.naive_units import NaiveUnits

REPORTS = (HOLDINGS, SELL_THROUGH, RUNWAY, DEPTHS, OFFERS, FINDINGS, TRADES, KEYS, FACTS)
UNSIGNED = {
    "holdings": ("units", "offered"),
    "sell_through": ("entered", "sold", "confirmed", "lost", "contradicted"),
    "runway": ("units",),
    "depths": ("units",),
    "offers": ("units",),
    "findings": ("units",),
    "trades": ("transfers", "units"),
    "keys": ("registrations",),
    "facts": ("events", "units"),
}
"""The sums that count things. A sum of days may be below 0, because claimed times may contradict each other."""

books = st.builds(SyntheticBook, st.integers(0, 2**32 - 1), st.integers(20, 160))


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.name)
@settings(max_examples=examples(10, 25), deadline=None)
@given(book=books, cuts=st.lists(st.integers(0, 200), max_size=6))
def test_any_cut_leads_to_the_same_sums(report: Report, book: SyntheticBook, cuts: list[int]) -> None:
    """A report that was followed in any groups is the same as one that was built at once."""
    edges = [0, *sorted(cuts), len(book.recorded)]
    groups = [book.recorded[begin:end] for begin, end in itertools.pairwise(edges)]
    assert summed(report, groups) == summed(report, [book.recorded])


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.name)
@settings(max_examples=examples(10, 25), deadline=None)
@given(book=books)
def test_no_sum_that_counts_things_is_ever_negative(report: Report, book: SyntheticBook) -> None:
    """After every event, each count of each row is at least 0. A finding is the sum of its changes."""
    first = 1 if report is FINDINGS else 0  # a finding may change by less than nothing
    places = [len(report.key) + report.sums.index(name) for name in UNSIGNED[report.name]]
    stories: dict[int, BatchStory] = {}
    sums: defaultdict[tuple[object, ...], Counter[int]] = defaultdict(Counter)
    for each in book.recorded:
        for row in report.folded(told([each], stories)):
            for place in places:
                amount = row[place]
                assert isinstance(amount, int)
                sums[row[first : len(report.key)]][place] += amount
                assert sums[row[first : len(report.key)]][place] >= 0, (each.event, row)


def test_a_report_whose_rows_fail_stops_no_other_one() -> None:
    """Reports that share a telling get their rows, whether another one fails at an event or at the end."""

    def fail() -> list[SumRow]:
        raise ArithmeticError

    def fail_at(_: ToldEvent) -> None:
        fail()

    at_event = msgspec.structs.replace(DEPTHS, name="at event", fold=lambda: Fold(fail_at, list))
    at_end = msgspec.structs.replace(DEPTHS, name="at end", fold=lambda: Fold(lambda _: None, fail))
    recorded = SyntheticBook(1, 20).recorded
    found = fold_together([at_event, at_end, DEPTHS], told(recorded))
    assert isinstance(found[at_event], ArithmeticError)
    assert isinstance(found[at_end], ArithmeticError)
    assert found[DEPTHS] == list(DEPTHS.folded(told(recorded)))


@settings(max_examples=examples(25, 60), deadline=None)
@given(book=books)
def test_the_sums_are_what_a_naive_replay_of_units_counts(book: SyntheticBook) -> None:
    """Holdings, lines, depths and hops agree with a model that has an object for each unit."""
    naive, recorded = NaiveUnits(book.recorded), [book.recorded]
    holdings: defaultdict[tuple[int, str, str, int], list[int]] = defaultdict(lambda: [0, 0])
    for held in rows_of(HOLDINGS, recorded, HoldingRow):
        sums = holdings[held.batch, held.owner, held.custodian, held.transfer]
        sums[0] += held.units
        sums[1] += held.offered
    assert {key: (units, offered) for key, (units, offered) in holdings.items()} == naive.holdings()

    lines = {
        (row.party, row.batch, row.day): [row.entered, row.sold, row.confirmed, row.lost, row.selling_days]
        for row in rows_of(SELL_THROUGH, recorded, LineRow)
    }
    assert {key: sums for key, sums in lines.items() if any(sums)} == naive.lines()

    depths: Counter[tuple[int, int, str]] = Counter()
    for deep in rows_of(DEPTHS, recorded, DepthRow):
        depths[deep.batch, deep.depth, Outcome(deep.outcome).name] += deep.units
    assert depths == naive.depths()

    hops: Counter[tuple[int, int, bool]] = Counter()
    for hop in rows_of(RUNWAY, recorded, HopsRow):
        hops[hop.batch, hop.day, bool(hop.title_only)] += hop.units
    assert hops == naive.hops()


@settings(max_examples=examples(25, 60), deadline=None)
@given(book=books)
def test_open_offers_are_those_that_reserve_units(book: SyntheticBook) -> None:
    """The units of open offers are the units in the state OFFERED, by the offer that reserves them."""
    offered: Counter[tuple[int, int]] = Counter()
    for partition in book.state.partitions.values():
        for run in partition.runs:
            if run.state is UnitState.OFFERED:
                offered[run.transfer, partition.batch] += run.last - run.first + 1
    assert {key[:2]: sums[0] for key, sums in summed(OFFERS, [book.recorded]).items()} == dict(offered)
