"""Authority is what the whole line of uplines up to the brand covers, for each product of a transfer."""

from collections.abc import Iterator

import pytest

from pathbook.ledger.events import TransferRecorded
from pathbook.ledger.reports.ladder import NO_TIER, LadderChanges
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import AuthorizationStatus
from tests.scenario import Story

S = AuthorizationStatus
BOLT = "04012345678901"

TWO_BRANDS = """
brand acme
brand bolt
agent a1
agent a2
agent a3
product mask 30000 CNY of acme
product balm 9000 CNY of bolt
batch L1 of mask size 20 made 2025-12-01 by acme
batch L2 of balm size 20 made 2025-12-01 by bolt
authorize a1 tier 1 by acme as first
authorize a2 tier 2 by a1 as second
"""


def terms(story: Story) -> Terms:
    """Return the terms of the last transfer."""
    event = story.events[-1]
    assert isinstance(event, TransferRecorded)
    return event.terms


def receivers(story: Story) -> Iterator[tuple[AuthorizationStatus | None, int | None]]:
    """Yield the status and the tier of the receiver of the last transfer, for each batch in order."""
    found = terms(story)
    for batch in sorted({part.batch for part in found.ranges}):
        authority = found.authority(batch)
        yield authority.receiver_authorization, authority.receiver_tier


def test_an_authorization_without_products_is_for_what_the_upline_may_sell() -> None:
    """The agent of an agent of acme is not authorized for goods of bolt, and cannot pass them on."""
    story = Story(TWO_BRANDS)
    story.tell("record 2:0 bolt > a2 at 1")
    assert list(receivers(story)) == [(S.OTHER_PRODUCTS, 2)]
    story.tell(f"""
    record 1:0 acme > a2 at 1                       -> ok
    authorize a3 tier 3 by a2 for {BOLT}            -> UPLINE_NOT_AUTHORIZED
    authorize a3 tier 3 by a2 for mask              -> ok
    authorize a3 tier 3 by a2 for mask, balm        -> UPLINE_NOT_AUTHORIZED
    authorize a2 tier 4 by bolt                     -> ok
    authorize a3 tier 3 by a2 for balm              -> TIER_NOT_BELOW_UPLINE
    authorize a3 tier 5 by a2 for balm              -> ok
    """)
    story.tell("record 1:1, 2:1 acme > a3 at 1 -> UNITS_NOT_OWNED\nrecord 2:1 bolt > a3 at 1")
    assert list(receivers(story)) == [(S.AUTHORIZED, 5)]


def test_what_an_upline_gains_later_its_agents_may_sell() -> None:
    """An authorization without products follows what the upline may sell at the time of each transfer."""
    story = Story(TWO_BRANDS)
    story.tell("authorize a1 tier 1 by bolt\nrecord 2:0 bolt > a2 at 1")
    assert list(receivers(story)) == [(S.AUTHORIZED, 2)]


def test_what_occurred_at_one_moment_is_judged_by_what_was_recorded_by_then() -> None:
    """A revocation or an authorization counts for the next transfer, also if both occurred at the same moment."""
    story = Story(TWO_BRANDS)
    story.tell("today is 2026-02-03\nrecord 1:0 acme > a2 at 1 on 2026-02-02")
    assert list(receivers(story)) == [(S.AUTHORIZED, 2)]
    story.tell("revoke first by acme from 2026-02-01\nrecord 1:1 acme > a2 at 1 on 2026-02-02")
    assert list(receivers(story)) == [(S.UPLINE_NOT_AUTHORIZED, 2)]
    story.tell("authorize a1 tier 1 by acme from 2026-02-01\nrecord 1:2 acme > a2 at 1 on 2026-02-02")
    assert list(receivers(story)) == [(S.AUTHORIZED, 2)]


def test_the_whole_line_must_be_authorized_at_that_time() -> None:
    """After the upline is revoked, its agents are not authorized; what occurred before is unchanged."""
    story = Story(TWO_BRANDS)
    story.tell("""
    today is 2026-02-01
    revoke first by acme
    record 1:0 acme > a2 at 1
    """)
    assert list(receivers(story)) == [(S.UPLINE_NOT_AUTHORIZED, 2)]
    story.tell("record 1:1 acme > a2 at 1 on 2026-01-15")
    assert list(receivers(story)) == [(S.AUTHORIZED, 2)]
    story.tell("authorize a3 tier 3 by a2 -> UPLINE_NOT_AUTHORIZED")
    story.tell("authorize a2 tier 1 by acme\nrecord 1:2 acme > a2 at 1")
    assert list(receivers(story)) == [(S.AUTHORIZED, 1)]


def test_lines_in_a_circle_lead_to_no_brand() -> None:
    """Two agents that authorize each other are not authorized once the brand has revoked the first."""
    story = Story(TWO_BRANDS)
    story.tell("""
    authorize a1 tier 3 by a2 as round
    today is 2026-02-01
    revoke first by acme
    record 1:0 acme > a1 at 1
    """)
    assert list(receivers(story)) == [(S.REVOKED, 1)]
    story.tell("record 1:1 acme > a2 at 1")
    assert list(receivers(story)) == [(S.UPLINE_NOT_AUTHORIZED, 2)]


def test_a_circle_gives_an_upline_no_deeper_tier() -> None:
    """What an agent has from its own agent alone does not count when it passes on all that it may sell."""
    story = Story(TWO_BRANDS)
    story.tell("""
    authorize a1 tier 3 by a2 for mask
    authorize a3 tier 2 by a1                 -> ok
    authorize a3 tier 2 by a1 for mask        -> ok
    authorize a3 tier 1 by a1                 -> TIER_NOT_BELOW_UPLINE
    """)


def test_each_product_of_a_transfer_has_its_own_tier_and_status() -> None:
    """One transfer of two products keeps the tier for the authorized one, in the ladder too."""
    story = Story("""
    brand acme
    agent a1
    product mask 30000 CNY of acme
    product balm 9000 CNY of acme
    batch L1 of mask size 10 made 2025-12-01 by acme
    batch L2 of mask size 10 made 2025-12-01 by acme
    batch L3 of balm size 10 made 2025-12-01 by acme
    authorize a1 tier 1 by acme for mask
    record 1:1 3:0 2:5 acme > a1 at 150
    """)
    assert list(receivers(story)) == [(S.AUTHORIZED, 1), (S.AUTHORIZED, 1), (S.OTHER_PRODUCTS, 1)]
    assert [item.batches for item in terms(story).authorities] == [(1, 2), (3,)]
    ladder = LadderChanges()
    ladder.add(story.events[-1])
    assert {(batch, tier) for batch, tier, *_ in ladder.sums} == {(1, 1), (2, 1), (3, 1)}
    assert NO_TIER not in {tier for _, tier, *_ in ladder.sums}


def test_terms_that_are_narrowed_keep_only_their_authorities() -> None:
    """The authority of a range is that of its batch, and one authority alone names no batches."""
    story = Story(TWO_BRANDS)
    story.tell("record 2:0-3 bolt > acme at 1\nrecord 1:0 2:0 acme > a2 at 1")
    both = terms(story)
    assert [item.batches for item in both.authorities] == [(1,), (2,)]
    (mask, balm) = both.ranges
    (authority,) = both.narrowed((balm,)).authorities
    assert (authority.batches, authority.receiver_authorization) == ((), S.OTHER_PRODUCTS)
    assert both.narrowed((mask,)).authority(1).receiver_authorization is S.AUTHORIZED
    assert both.narrowed(both.ranges) == both


@pytest.mark.parametrize(
    ("receiver", "expected"), [("acme", (S.OTHER_PRODUCTS, 0)), ("bolt", (S.AUTHORIZED, 0))]
)
def test_a_brand_has_tier_0_for_all_goods(receiver: str, expected: tuple[AuthorizationStatus, int]) -> None:
    """A brand that takes goods of another brand has its tier, and is authorized for its own goods only."""
    story = Story(TWO_BRANDS)
    story.tell(f"record 2:0 bolt > a1 at 1\nrecord 2:0 a1 > {receiver} at 1")
    assert list(receivers(story)) == [expected]
