"""What a party is shown of others: no figure, and no difference of two figures, is the price of one or two payers."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathbook.ledger.queries import Insight, report_parts
from pathbook.ledger.refusals import Reason
from pathbook.ledger.reports.ladder import CONSUMER_TIER, RungKind
from pathbook.ledger.reports.mark_ups import Ladder
from pathbook.ledger.reports.shared_rungs import Payment, SharedRung, shared_rungs
from pathbook.ledger.reports.wanted import Wanted
from pathbook.ledger.values import Price
from tests.queries.written import MASKS, WrittenStory, ladder_of, open_queries, reason
from tests.scenario import MASK

ASKS: Final = "ann"
OTHERS: Final = ("ben", "cat", "dan", "eve")
PAYERS_MIN: Final = 3
MONTHS: Final = 2
MONTH_US: Final = 31 * 24 * 3_600 * 1_000_000


def paid(by: str, units: int, amount: int, *, giver: str = "acme", month: int = 0, tier: int = 1) -> Payment:
    """Return what a party paid."""
    return Payment(giver, by, month, tier, "CNY", amount, 1, units)


MINE: Final = paid(ASKS, 1, 7)
"""By it the asking party has part in the product."""


@st.composite
def books(draw: st.DrawFn) -> list[Payment]:
    """Draw what parties paid for a product: each giver, receiver, month, tier and price once."""
    some = st.builds(
        Payment,
        giver=st.sampled_from(("acme", ASKS, *OTHERS)),
        receiver=st.sampled_from((ASKS, *OTHERS)),
        month=st.integers(0, MONTHS - 1),
        tier=st.just(1) | st.integers(1, 2),
        currency_code=st.just("CNY"),
        amount_minor=st.integers(1, 3),
        per_units=st.just(1),
        units=st.just(2) | st.integers(-3, 4),
    )
    sales = some.map(lambda each: each._replace(receiver="", tier=CONSUMER_TIER))
    found = draw(st.lists(some | sales, min_size=9, max_size=40, unique_by=lambda each: each[:-1]))
    return [MINE, *found]


def sums(rungs: Iterable[SharedRung]) -> dict[tuple[RungKind, int, str], int]:
    """Return the units of each rung."""
    return {(each.kind, each.tier, each.currency_code): each.units for each in rungs}


def payers_of_differences(payments: list[Payment], month: int) -> list[dict[str, int]]:
    """Return how many units of each payer are in the difference between the answers of two months that follow.

    Each payer's units stand for the payer: without them, the difference is smaller by as many.
    """

    def difference(kept: list[Payment]) -> dict[tuple[RungKind, int, str], int]:
        before, after = (sums(shared_rungs(kept, ASKS, end)) for end in (month, month + 1))
        return {rung: units - before.get(rung, 0) for rung, units in after.items()}

    whole = difference(payments)
    found: dict[tuple[RungKind, int, str], dict[str, int]] = {
        rung: {} for rung, units in whole.items() if units
    }
    for each in payments:
        if ASKS in (each.giver, each.receiver) or each.month != month or each.units <= 0:
            continue
        kind = RungKind.CONSUMER if each.tier == CONSUMER_TIER else RungKind.TIER
        rung = kind, 0 if kind is RungKind.CONSUMER else each.tier, each.currency_code
        if rung in found:
            units = found[rung]
            units[each.payer] = units.get(each.payer, 0) + each.units
    for rung, units in found.items():
        assert sum(units.values()) == whole[rung]
    return list(found.values())


@given(books())
def test_a_figure_and_each_change_of_it_rest_on_three_other_payers(payments: list[Payment]) -> None:
    """What a month adds to a rung is what three others or more paid, none of them for more than half of the units."""
    for month in range(MONTHS):
        for payers in payers_of_differences(payments, month):
            assert len(payers) >= PAYERS_MIN
            assert 2 * max(payers.values()) <= sum(payers.values())
    for rung in shared_rungs(payments, ASKS, MONTHS):
        assert rung.payers >= PAYERS_MIN


@given(books(), st.data())
def test_a_price_that_fewer_share_changes_nothing(payments: list[Payment], data: st.DataObject) -> None:
    """What fewer than three others paid in a month, in a month that goes on, or the party itself, is in no answer."""
    cells: defaultdict[tuple[int, str, int], set[str]] = defaultdict(set)
    for each in payments:
        if ASKS not in (each.giver, each.receiver) and each.units > 0:
            cells[each.tier, each.currency_code, each.month].add(each.payer)
    month = data.draw(st.integers(1, MONTHS))
    other_prices = [
        each._replace(amount_minor=each.amount_minor + 100)
        if ASKS in (each.giver, each.receiver)
        or each.units <= 0
        or each.month >= month
        or len(cells[each.tier, each.currency_code, each.month]) < PAYERS_MIN
        else each
        for each in payments
    ]
    assert shared_rungs(other_prices, ASKS, month) == shared_rungs(payments, ASKS, month)


def test_a_shared_rung_is_the_mean_of_what_others_paid() -> None:
    """Own prices and what was paid to the party are not in it. Without a part in the product nothing is shown."""
    others = [paid("ben", 2, 10), paid("cat", 2, 20), paid("dan", 4, 40), paid("eve", 9, 99, giver=ASKS)]
    (rung,) = shared_rungs([MINE, *others], ASKS, 1, Price(50, "CNY"))
    assert rung == SharedRung(RungKind.TIER, 1, "CNY", 8, 28, 3, Price(50, "CNY"))
    assert shared_rungs(others[:3], ASKS, 1) == []
    assert shared_rungs([MINE, *others], ASKS, 0) == []
    assert shared_rungs([MINE, *others[1:]], ASKS, 1) == []
    assert shared_rungs([MINE, *others, paid("eve", 9, 99)], ASKS, 1) == []  # eve took more than half
    later = [MINE, *others, *(paid(name, 4, 40, month=1) for name in ("cat", "dan", "eve"))]
    assert shared_rungs(later, ASKS, 2) != [rung]
    assert shared_rungs([*later, paid("ben", -2, 10, month=1)], ASKS, 2) == shared_rungs(later, ASKS, 2)


def test_of_consumers_the_sellers_are_counted() -> None:
    """Three sellers share a rung of consumers. However many consumers one seller has, it is one."""
    sold = [paid("", 5, 30, giver=seller, tier=CONSUMER_TIER) for seller in OTHERS[:3]]
    (rung,) = shared_rungs([MINE, *sold], ASKS, 1)
    assert (rung.kind, rung.units, rung.payers) == (RungKind.CONSUMER, 15, 3)
    assert shared_rungs([MINE, *sold[:2]], ASKS, 1) == []


def test_what_goes_back_later_changes_no_figure() -> None:
    """Else the difference would be what one party had paid. In the ladder itself the units are taken back."""
    story = WrittenStory(MASKS)
    for number, party in enumerate(("dan", "eve", "fay")):
        story.tell(f"agent {party}\nauthorize {party} tier 1 by acme")
        first = 10 + 10 * number
        story.tell(f"record 1:{first}-{first + 9} acme > {party} at {15000 + 3000 * number}")
    story.tell("record 1:0-9 acme > ann at 15000")
    ladders: list[list[SharedRung]] = []
    for line in (
        "authorize ben tier 1 by acme",
        "record 1:10-19 dan > acme at 1",
        "authorize ben tier 3 by acme",
    ):
        with open_queries(story.entries) as queries:
            found = ladder_of(queries, Wanted(party="ann", product=MASK))
            assert isinstance(found, Insight)
            assert [rung.units for rung in found.found.rungs] == [10]
            ladders.append(found.found.shared_rungs)
            narrower = ladder_of(queries, Wanted(party="ann", product=MASK, tier=1))
            assert isinstance(narrower, Insight)
            assert narrower.found.shared_rungs == []
        story.now += MONTH_US
        story.tell(line)
    assert ladders[0] == []
    assert (
        ladders[1] == ladders[2] == [SharedRung(RungKind.TIER, 1, "CNY", 30, 18_000, 3, Price(30_000, "CNY"))]
    )


def test_of_a_product_with_too_many_prices_a_party_gets_its_own_rungs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The answer says that those of others are left out, unless the party has no part in the product."""
    story = WrittenStory(MASKS)
    for number, party in enumerate(("ann", "dan", "eve", "fay")):
        if party != "ann":
            story.tell(f"agent {party}\nauthorize {party} tier 1 by acme")
        story.tell(f"record 1:{10 * number}-{10 * number + 9} acme > {party} at {15000 + 3000 * number}")
    story.now += MONTH_US
    story.tell("authorize ben tier 3 by acme")
    with open_queries(story.entries) as queries:

        def ladder(party: str) -> Ladder:
            found = ladder_of(queries, Wanted(party=party, product=MASK))
            assert isinstance(found, Insight)
            return found.found

        whole = ladder("ann")
        assert (len(whole.shared_rungs), whole.shared_left_out) == (1, False)
        monkeypatch.setattr(report_parts, "ROWS_MAX", 3)
        part = ladder("ann")
        assert (part.rungs, part.shared_rungs, part.shared_left_out) == (whole.rungs, [], True)
        none = ladder("ben")
        assert (none.rungs, none.shared_rungs, none.shared_left_out) == ([], [], False)
        monkeypatch.setattr(report_parts, "ROWS_MAX", 0)
        assert reason(ladder_of(queries, Wanted(party="ann", product=MASK))) is Reason.REPORT_TOO_LARGE
