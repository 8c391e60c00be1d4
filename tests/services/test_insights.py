"""Insights over gRPC: one small chain, asked by every question, as of now and as of before."""

import datetime
import time

import pytest

from pathbook.client import Client, RefusedError, insight_filter
from pathbook.ledger.reports.mark_ups import FewerHops, Ladder, MarkUp
from pathbook.services.translate.structs import fill
from pathbook.v1 import insights_pb2 as insights
from tests.services.masks import BEGUN, EXPIRES_ON, MASK, TODAY, begin, boxes, refused, yuan


@pytest.fixture
def sold(client: Client) -> Client:
    """A book in which ann took 100 boxes for 150, bob 40 of them for 180, and a consumer one for 290."""
    begin(client)
    client.authorize_party("ann", upline="acme", tier=1)
    client.authorize_party("bob", upline="ann", tier=2)
    client.record_transfer(giver="acme", receiver="ann", units=boxes(0, 99), unit_price=yuan(150))
    client.record_transfer(giver="ann", receiver="bob", units=boxes(0, 39), unit_price=yuan(180))
    client.sell_units(seller="bob", consumer="wei", units=boxes(0, 0), unit_price=yuan(290))
    client.confirm_purchase(consumer="wei", units=boxes(0, 0), price_paid=yuan(280))
    return client


AUTHORIZED = BEGUN + 2


def test_a_ladder_has_mark_ups_and_what_fewer_hops_would_save(sold: Client) -> None:
    """Tier 2 pays 30 more than tier 1, the consumer 110 more than tier 2, and 30 less without tier 2."""
    found = sold.get_ladder(1)
    assert [rung.units for rung in found.rungs] == [100, 40, 1]
    assert [mark.over_before_minor for mark in found.mark_ups if mark.HasField("over_before_minor")] == [
        3_000,
        11_000,
    ]
    assert [mark.over_suggested_minor for mark in found.mark_ups] == [-15_000, -12_000, -1_000]
    assert not found.mark_ups[0].HasField("over_first_minor")
    assert [(each.hops, each.mean_minor) for each in found.fewer_hops] == [(1, 26_000)]
    assert found.as_of_position == sold.position
    assert found.rungs[1].lower_quartile == found.rungs[1].upper_quartile == found.rungs[1].median


def test_an_answer_as_of_a_position_leaves_out_what_came_later(sold: Client) -> None:
    """By position, and by what was on record at a time; the position of the answer says which it is."""
    for position, units in ((AUTHORIZED, []), (AUTHORIZED + 1, [100]), (AUTHORIZED + 2, [100, 40])):
        found = sold.get_ladder(1, only=insight_filter(as_of_position=position))
        assert ([rung.units for rung in found.rungs], found.as_of_position) == (units, position)
    before = datetime.datetime.now(datetime.UTC)
    time.sleep(0.001)
    sold.record_transfer(giver="acme", receiver="ann", units=boxes(100, 199), unit_price=yuan(155))
    found = sold.get_ladder(MASK, only=insight_filter(known_at=before))
    assert (found.rungs[0].units, found.as_of_position) == (100, sold.position - 1)
    assert sold.get_ladder(MASK).rungs[0].units == 200
    card = sold.get_scorecard("ann", only=insight_filter(as_of_position=AUTHORIZED + 1)).scorecard
    assert {name: count.units for name, count in card.facts.items()} == {"received": 100}


def test_a_filter_that_no_report_keeps_is_refused(sold: Client) -> None:
    """So is a party, product or batch that is not there, and a question about a party that names none."""
    with refused("FILTER_NOT_KEPT"):
        sold.get_scorecard("ann", only=insight_filter(batch=1))
    with refused("VALUE_MISSING"):
        sold.get_sell_through("")
    with refused("QUANTITY_NOT_POSITIVE"):
        sold.get_sell_through("ann", window_days=-1)


def test_a_ladder_may_have_a_party_a_tier_and_days(sold: Client) -> None:
    """What a party paid and was paid, what a tier paid, and what happened on a day."""
    only = insight_filter(party="bob", first_day=TODAY, last_day=TODAY + datetime.timedelta(days=1))
    assert [rung.units for rung in sold.get_ladder(only=only).rungs] == [40, 1]
    assert [rung.units for rung in sold.get_ladder(MASK, only=insight_filter(tier=2)).rungs] == [40]
    assert not sold.get_ladder(only=insight_filter(brand="bob")).rungs


def test_the_line_of_a_party_is_told(sold: Client) -> None:
    """Of 100 boxes that came to ann, one was sold and confirmed at another price. 99 are left."""
    line = sold.get_sell_through("ann", today=TODAY, window_days=10).sell_through
    assert (line.entered, line.sold, line.confirmed, line.contradicted, line.left) == (100, 1, 1, 1, 99)
    assert (line.sold_lately, line.stock_days, line.window_days) == (1, 990, 10)
    assert [(day.entered, day.sold) for day in line.days] == [(100, 1)]


def test_stuck_stock_names_its_transfers(sold: Client) -> None:
    """Each lot has its owner, its transfer and what would be lost. A limit leaves out the least urgent ones."""
    found = sold.get_stuck_stock(today=TODAY)
    assert {(lot.owner, lot.transfer, lot.units) for lot in found.lots} == {
        ("acme", 0, 900),
        ("ann", AUTHORIZED + 1, 60),
        ("bob", AUTHORIZED + 2, 39),
    }
    assert {lot.days_left for lot in found.lots} == {(EXPIRES_ON - TODAY).days}
    assert [(tier.tier, tier.units) for tier in found.tiers] == [(0, 900), (1, 60), (2, 39)]
    assert found.tiers[1].paid_minor["CNY"] == 60 * 15_000
    expired = sold.get_stuck_stock(
        only=insight_filter(party="ann"), today=EXPIRES_ON + datetime.timedelta(days=1), limit=1
    )
    assert [(lot.owner, lot.loss_minor) for lot in expired.lots] == [("ann", 60 * 15_000)]
    assert sold.get_stuck_stock(limit=1).left_out == 2


def test_the_shape_of_a_chain_has_its_levels_and_an_indicator(sold: Client) -> None:
    """Two participants on two levels do not meet the rule as it is, and do if its parameters say so."""
    shape = sold.get_shape("acme").shape
    assert [(level.level, level.participants) for level in shape.levels] == [(1, 1), (2, 1)]
    assert [(depth.depth, depth.stock, depth.confirmed) for depth in shape.depths] == [
        (0, 900, 0),
        (1, 60, 0),
        (2, 39, 1),
    ]
    assert (shape.indicator.met, shape.indicator.rule.participants_min) == (False, 30)
    assert sold.get_shape("acme", participants_min=2, levels_min=2).shape.indicator.met
    assert [tier.units for tier in sold.get_shape("acme").runway] == [100, 40, 1]


def test_findings_name_their_events(sold: Client) -> None:
    """The consumer's price is another one than the sale has: the finding rests on both events."""
    found = sold.get_findings()
    assert dict(found.rules) == {"confirmed-other-price": 1}
    (finding,) = found.findings
    assert list(finding.positions) == [AUTHORIZED + 3, AUTHORIZED + 4]
    assert finding.first_seen.seconds > 0
    assert not sold.get_findings(rule="bought-back").findings
    with pytest.raises(RefusedError) as caught:
        sold.get_findings(rule="nonsense")
    assert caught.value.reason == "FINDING_RULE_UNKNOWN"
    assert "'nonsense'. The rules are: above-suggested, " in str(caught.value)
    assert "unauthorized." in str(caught.value)


def test_what_is_left_of_a_line_on_some_days_is_unset(sold: Client) -> None:
    """What was sold on a day may have entered before it, so nothing is said of what is left."""
    only = insight_filter(first_day=TODAY - datetime.timedelta(days=1))
    line = sold.get_sell_through("ann", only=only, today=TODAY).sell_through
    assert (line.entered, line.HasField("left"), line.HasField("stock_days")) == (100, False, False)
    assert sold.get_sell_through("ann").sell_through.HasField("left")


def test_what_hangs_on_a_party_is_its_stock_and_that_below_it(sold: Client) -> None:
    """Ann's stock and bob's, with the offer that is open between them, and what is left out by a limit."""
    sold.offer_transfer(giver="ann", receiver="bob", units=boxes(50, 59), unit_price=yuan(185))
    found = sold.get_domino("ann")
    assert [(stake.party, stake.level, stake.units) for stake in found.domino.stakes] == [
        ("ann", 0, 60),
        ("bob", 1, 39),
    ]
    assert [(offer.transfer, offer.units) for offer in found.domino.offers] == [(sold.position, 10)]
    assert found.domino.paid_minor["CNY"] == 60 * 15_000 + 39 * 18_000
    assert sold.get_domino("ann", limit=1).stakes_left_out == 1


def test_a_number_beyond_64_bits_stays_unset() -> None:
    """Sums of money may be larger than the contract's numbers. They are left out, and nothing fails."""
    ladder = Ladder([], [MarkUp(2**63, 5, None)], [FewerHops("CNY", 1, 2**63)])
    made = fill(insights.GetLadderResponse(), ladder)
    assert not made.mark_ups[0].HasField("over_before_minor")
    assert made.mark_ups[0].over_first_minor == 5
    assert made.fewer_hops[0].mean_minor == 0
