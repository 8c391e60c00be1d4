"""Findings: each rule finds what contradicts the record, and forgets it when the record takes it back."""

import pytest

from pathbook.ledger.reports.registered import Authorization, Batch
from pathbook.ledger.reports.suspicions import OUT_OF_REGION, RULES, SELF_DEALING, batch_of, out_of_region
from pathbook.ledger.reports.ties import TradeRow
from pathbook.ledger.values import Price
from tests.reports.books_read import ReadBook
from tests.scenario import MASK, Story
from tests.scenario import NOON as NOW

BEGINNING = """
brand acme
agent ann
agent ben
agent cat
agent dan
product mask 300 CNY of acme
batch L1 of mask size 100 made 2025-12-01 expires 2026-03-31 by acme
authorize ann tier 1 by acme
authorize ben tier 2 by ann
authorize cat tier 3 by ben
"""

ROUND = """
record 1:0-9 acme > ann at 100
record 1:0-9 ann > ben at 110
record 1:0-9 ben > cat at 120
record 1:0-4 cat > ann at 130 as last
"""
BACK = """
record 1:0-9 acme > ann at 100
record 1:0-9 ann > ben at 110
record 1:2-5 ben > ann at 120 as last
"""
BACK_TO_THE_BRAND = """
record 1:0-9 acme > dan at 100
record 1:0-9 dan > acme at 110 as last
"""
EXPIRED = """
record 1:0-9 acme > ann at 100
today is 2026-04-02
record 1:0-4 ann > ben at 110 as last
"""
RECALLED = """
record 1:0-9 acme > ann at 100
today is 2026-02-01
recall batch 1 units 1:3-50 by acme
record 1:0-4 ann > ben at 110 on 2026-01-20 as last
"""
ENDED = """
authorize dan tier 1 by acme until 2026-02-01
record 1:0-9 acme > dan at 100
today is 2026-02-01
record 1:0-4 dan > ben at 110 as last
"""
STRANGER = "record 1:0-9 acme > dan at 100 as last"
DEAR = "record 1:0-9 acme > ann at 301 as last"
CHEAP = """
record 1:0-9 acme > ann at 100
record 1:0-4 ann > ben at 99 as last
"""
EARLIER = """
today is 2026-02-01
record 1:0-9 acme > ann at 100 on 2026-01-20
record 1:0-4 ann > ben at 110 on 2026-01-19 as last
"""
TWICE = """
today is 2026-02-01
record 1:0-4 acme > ann at 100 on 2026-01-20
record 1:5-9 acme > ann at 100 on 2026-01-20 as last
"""

HOPS = [
    ("round-trip", 5, ROUND, "cat", "ann"),
    ("self-dealing", 4, BACK, "ben", "ann"),
    ("bought-back", 10, BACK_TO_THE_BRAND, "dan", "acme"),
    ("after-expiry", 5, EXPIRED, "ann", "ben"),
    ("during-recall", 2, RECALLED, "ann", "ben"),
    ("after-authorization", 5, ENDED, "dan", "ben"),
    ("unauthorized", 10, STRANGER, "acme", "dan"),
    ("above-suggested", 10, DEAR, "acme", "ann"),
    ("below-cost", 5, CHEAP, "ann", "ben"),
    ("times-contradict", 5, EARLIER, "ann", "ben"),
    ("reported-twice", 5, TWICE, "acme", "ann"),
]
"""Each rule about a hop: how many units it finds, and a story whose last hop, between two parties, is found."""


def found(story: Story) -> dict[str, int]:
    """Return the units that each rule finds."""
    units: dict[str, int] = {}
    for finding in ReadBook(story.recorded).findings():
        units[finding.rule] = units.get(finding.rule, 0) + finding.units
    return units


@pytest.mark.parametrize(("rule", "units", "text", "giver", "receiver"), HOPS, ids=[case[0] for case in HOPS])
def test_a_hop_is_found_and_its_reversal_takes_the_finding_back(
    rule: str, units: int, text: str, giver: str, receiver: str
) -> None:
    """The finding names the hop. If both sides agree that it never was, neither was the finding."""
    story = Story(BEGINNING + text)
    before = found(story)
    assert before[rule] == units
    (named,) = [item for item in ReadBook(story.recorded).findings() if item.rule == rule]
    assert named.positions[-1] == story.names["last"]
    assert (giver in named.sentence, receiver in named.sentence) == (True, True)
    story.tell(f"reverse last by {giver}\nreverse last by {receiver}")
    assert rule not in found(story)


def test_a_later_authorization_does_not_rename_a_finding() -> None:
    """An explanation is kept by the id of a finding, so the id says what the book was when the finding came."""
    story = Story(f"{BEGINNING}{BACK_TO_THE_BRAND}")
    (before,) = [each for each in ReadBook(story.recorded).findings() if each.rule == "bought-back"]
    story.tell("authorize dan tier 1 by acme")
    assert before in ReadBook(story.recorded).findings()
    assert batch_of(before.id) == before.batch == 1


def test_the_id_of_a_finding_names_its_batch() -> None:
    """Names of parties may have dots. What is no id names none."""
    for text, batch in (
        ("below-cost.v1.3.12-15.a.b.c", 3),
        ("shared-key.v1.0.12-15.ann.ben", 0),
        ("below-cost.v1", None),
        ("below-cost.v1.x.12.ann.ben", None),
        (f"below-cost.v1.{'9' * 19}.12.ann.ben", None),
        ("nonsense.v1.3.12.ann.ben", None),
        ("", None),
    ):
        assert batch_of(text) == batch, text


def test_a_return_is_no_round_trip_and_takes_no_finding_back() -> None:
    """Units that are returned came back as they should. What they were sold for stays on record."""
    story = Story(f"{BEGINNING}{CHEAP}return 1:0-4 by ben\nreturn 1:0-9 by ann")
    assert found(story) == {"below-cost": 5}


def test_the_first_of_three_reports_may_be_the_wrong_one() -> None:
    """Three reports of one hand-over are two too many. If the first is reversed, one is too many."""
    story = Story(
        f"""{BEGINNING}
        today is 2026-02-01
        record 1:0-4 acme > ann at 100 on 2026-01-20 as first
        record 1:5-9 acme > ann at 100 on 2026-01-20
        record 1:10-14 acme > ann at 100 on 2026-01-20 as third
        """
    )
    assert found(story) == {"reported-twice": 10}
    story.tell("reverse first by acme\nreverse first by ann")
    assert found(story) == {"reported-twice": 5}
    story.tell("reverse third by acme\nreverse third by ann")
    assert found(story) == {}


@pytest.mark.parametrize(("price", "units"), [("100/1", 5), ("10000/100", 5), ("10001/100", 0), ("1/100", 0)])
def test_the_same_price_may_be_stated_for_other_units(price: str, units: int) -> None:
    """A second report of a hand-over is one whether its price is for one unit or for a hundred."""
    story = Story(
        f"""{BEGINNING}
        today is 2026-02-01
        record 1:0-4 acme > ann at 100 on 2026-01-20
        record 1:5-9 acme > ann at {price} on 2026-01-20
        """
    )
    assert found(story).get("reported-twice", 0) == units


def test_two_documents_are_two_handovers() -> None:
    """Equal deliveries of one day with numbers of their own are none that was reported twice."""
    story = Story(
        f"""{BEGINNING}
        today is 2026-02-01
        record 1:0-4 acme > ann at 100 ref D1 on 2026-01-20
        record 1:5-9 acme > ann at 100 ref D2 on 2026-01-20
        """
    )
    assert found(story) == {}


def test_a_correction_of_a_batch_applies_to_all_its_transfers() -> None:
    """A suggested price that was wrong made a finding, and the right one takes it back, or makes another."""
    story = Story(f"{BEGINNING}{DEAR}\nrecord 1:10-19 acme > ann at 290\ncorrect batch 1 price 301 by acme")
    assert found(story) == {}
    story.tell("correct batch 1 price 280 by acme")
    assert found(story) == {"above-suggested": 20}
    story.tell("reverse last by acme\nreverse last by ann")
    assert found(story) == {"above-suggested": 10}


def test_a_later_expiry_explains_a_late_sale() -> None:
    """Units that expire later than the brand first said were not sold after they had."""
    story = Story(f"{BEGINNING}{EXPIRED}")
    assert found(story) == {"after-expiry": 5}
    story.tell("correct batch 1 expires 2026-06-30 by acme")
    assert found(story) == {}


SALE = """
record 1:0-9 acme > ann at 100
sell 1:0-4 ann > wei at 200
"""


def test_a_consumer_that_paid_another_price_contradicts_the_seller() -> None:
    """The finding names the sale and the confirmation. A confirmation that was an error is none."""
    story = Story(f"{BEGINNING}{SALE}confirm 1:0-2 by wei at 250 as said\nconfirm 1:3 by wei at 400/2")
    assert found(story) == {"confirmed-other-price": 3}
    story.tell("declare said an error by consumer:wei")
    assert found(story) == {}


def test_what_a_consumer_confirmed_and_returned_is_not_new() -> None:
    """Two consumers who confirm one unit contradict each other. A unit that came back unconfirmed is as new."""
    story = Story(
        f"""{BEGINNING}{SALE}
        confirm 1:0-1 by wei at 200
        return 1:0-2 by consumer:wei
        sell 1:0-2 ann > lin at 200
        confirm 1:0-2 by lin at 200 as again
        """
    )
    assert found(story) == {"confirmed-again": 2}
    story.tell("declare again an error by consumer:lin")
    assert found(story) == {}


REFUSED = """
record 1:0-9 acme > ann at 100
offer 1:0-9 ann > ben at 110 as offer
"""


@pytest.mark.parametrize("answer", ["decline offer by ben", "accept offer by ben but short 1:4-9"])
def test_goods_of_units_that_a_party_refused_are_found_with_it(answer: str) -> None:
    """A party that declined units, or called them missing, has their goods all the same."""
    story = Story(f"{BEGINNING}{REFUSED}{answer}\ndeliver 1:4-6 ann > ben as there")
    assert found(story) == {"refused-but-there": 3}
    story.tell("declare there an error by ann")
    assert found(story) == {}


def test_units_that_were_refused_twice_count_once() -> None:
    """A delivery contradicts the last refusal of each unit, and none that comes after it."""
    story = Story(
        f"""{BEGINNING}{REFUSED}decline offer by ben
        offer 1:0-9 ann > ben at 105 as second
        decline second by ben
        deliver 1:4-6 ann > ben as there
        """
    )
    assert found(story) == {"refused-but-there": 3}
    (named,) = ReadBook(story.recorded).findings()
    assert named.positions == (story.names["second"] + 1, story.names["there"])
    story.tell("offer 1:0-9 ann > ben at 104 as third\ndecline third by ben")
    assert ReadBook(story.recorded).findings() == [named]


def test_a_recall_that_was_lifted_before_stops_no_one() -> None:
    """A transfer that is recorded after the recall was lifted is in order, and one before it stays found."""
    story = Story(
        f"""{BEGINNING}
        record 1:0-9 acme > ann at 100
        today is 2026-02-01
        recall batch 1 units 1:3-50 by acme as recall
        record 1:0-4 ann > ben at 110 on 2026-01-20 as during
        lift recall by acme
        record 1:5-9 ann > ben at 111 on 2026-01-20 as after
        """
    )
    assert found(story) == {"during-recall": 2}
    story.tell("reverse after by ann\nreverse after by ben")
    assert found(story) == {"during-recall": 2}
    story.tell("reverse during by ann\nreverse during by ben")
    assert found(story) == {}


def test_a_party_that_takes_refused_units_later_is_not_found() -> None:
    """A second offer at another price is accepted. Then the goods may come."""
    story = Story(
        f"{BEGINNING}{REFUSED}decline offer by ben\n"
        "record 1:0-9 ann > ben at 105 later\ndeliver 1:0-9 ann > ben"
    )
    assert found(story) == {}


def test_every_rule_has_a_name_and_a_sentence_of_its_own() -> None:
    """Names differ, and sentences say who, whom and what, without calling anyone a cheat."""
    rules = [*RULES.values(), SELF_DEALING, OUT_OF_REGION]
    assert len({rule.name for rule in rules}) == len(rules)
    for rule in rules:
        assert {"{party}", "{other}", "{units}"} <= set(
            rule.sentence.replace(",", " ").replace(".", " ").split()
        )
        assert not any(word in rule.sentence for word in ("cheat", "fraud", "fake", "illegal"))


@pytest.mark.parametrize(
    ("giver", "receiver", "count"),
    [
        ("CN-GD", "CN-SH", 1),
        ("CN-GD", "CN-GD-SZ", 0),
        ("CN", "CN-SH", 0),
        ("", "CN-SH", 0),
        ("CN-G", "CN-GD", 1),
    ],
)
def test_a_region_contains_those_whose_names_begin_with_its_own(
    giver: str, receiver: str, count: int
) -> None:
    """A trade within a region, or with a part of it, is in order. Without a region a party may trade everywhere."""
    given = [
        Authorization(position, "acme", party, 1, (), region, NOW, None)
        for position, (party, region) in enumerate([("ann", giver), ("ben", receiver)], 1)
    ]
    day = ReadBook(Story(BEGINNING).recorded).batches[1].made_on
    batches = {1: Batch(MASK, "acme", 100, day, None, Price(300, "CNY"))}
    trades = [TradeRow("ann", "ben", 1, 2, 20)]
    assert len(out_of_region(trades, given, batches, {1: NOW, 2: NOW})) == count
