"""Price ladders: a rung for each tier, with the suggested price."""

import datetime

import msgspec
import pytest

from pathbook.ledger.commands import CommissionBatch
from pathbook.ledger.queries import Rung, RungKind
from pathbook.ledger.reports.ladder import PriceRow, rungs
from pathbook.ledger.values import Price
from tests.queries.written import MASKS, WrittenStory, open_queries
from tests.scenario import CODE_KEY, MASK


def test_a_ladder_has_a_rung_for_each_tier_and_currency() -> None:
    """Tiers come in order, then parties without a tier, then consumers, with a rung for each currency."""
    prices = [
        (1000, "CNY", 300, 1),
        (-1, "CNY", 260, 1),
        (2, "USD", 25, 1),
        (2, "CNY", 180, 1),
        (1, "CNY", 150, 1),
    ]
    ladder = rungs([PriceRow(*price) for price in prices], Price(300, "CNY"))
    assert [(rung.kind, rung.tier, rung.currency_code, rung.suggested_minor) for rung in ladder] == [
        (RungKind.TIER, 1, "CNY", 300),
        (RungKind.TIER, 2, "CNY", 300),
        (RungKind.TIER, 2, "USD", None),
        (RungKind.NO_TIER, 0, "CNY", 300),
        (RungKind.CONSUMER, 0, "CNY", 300),
    ]
    assert [rung.suggested_minor for rung in rungs([PriceRow(*prices[0])], None)] == [None]


@pytest.mark.parametrize(
    ("paid", "median", "mean"),
    [({10: 1, 11: 1}, 10, 10), ({11: 1, 12: 1}, 11, 12), ({10: 1, 20: 2}, 20, 17), ({10: 2, 20: 2}, 10, 15)],
)
def test_a_rung_rounds_half_to_even_and_takes_the_lower_middle(
    paid: dict[int, int], median: int, mean: int
) -> None:
    """The median is a price that was paid, and a mean halfway between two amounts is rounded to the even one."""
    (rung,) = rungs([PriceRow(1, "CNY", price, units) for price, units in paid.items()], None)
    assert rung == Rung(
        RungKind.TIER,
        1,
        "CNY",
        sum(paid.values()),
        min(paid),
        median,
        max(paid),
        mean,
        sum(price * units for price, units in paid.items()),
        None,
    )


@pytest.mark.parametrize(("suggested", "expected"), [(30000, 30000), (28000, None)])
def test_a_product_has_a_suggested_price_only_if_its_batches_agree(
    suggested: int, expected: int | None
) -> None:
    """The ladder of a product adds up its batches, and has a suggested price only if all batches have the same."""
    story = WrittenStory(MASKS)
    story.ask(
        CommissionBatch(
            request_id=story.request(),
            brand="acme",
            product=MASK,
            lot="L2",
            size=5,
            made_on=datetime.date(2025, 12, 2),
            suggested_price=Price(suggested, "CNY"),
            code_key=CODE_KEY,
        )
    )
    story.tell("record 1:0-9 acme > ann at 15000\nrecord 2:0-4 acme > ann at 15000")
    with open_queries(story.entries) as queries:
        (rung,) = msgspec.convert(queries.ladder_of_product("book", MASK), list[Rung])
        assert (rung.units, rung.suggested_minor) == (15, expected)
