"""Rules for parties and their authorizations."""

from pathbook.ledger.events import TransferRecorded
from pathbook.ledger.values import AuthorizationStatus
from tests.scenario import Story

PARTIES = """
brand acme
agent ann
agent ben
product mask 30000 CNY of acme
product balm 9000 CNY of acme
batch L1 of mask size 100 made 2025-12-01 by acme
"""


def statuses(story: Story) -> tuple[AuthorizationStatus, AuthorizationStatus | None]:
    """Return the authorization statuses of both sides of the last transfer."""
    event = story.events[-1]
    assert isinstance(event, TransferRecorded)
    (authority,) = event.terms.authorities
    return authority.giver_authorization, authority.receiver_authorization


def test_a_party_is_registered_once_under_a_well_formed_id() -> None:
    """The first party of a book may be of any kind."""
    Story().tell("""
    agent ann          -> ok
    brand acme         -> ok
    brand acme         -> PARTY_EXISTS
    agent acme         -> PARTY_EXISTS
    agent a:b          -> PARTY_MALFORMED
    """)


def test_uplines_authorize_downward_only() -> None:
    """An upline authorizes other parties, at tiers below its own, for products that it may sell itself."""
    Story(PARTIES).tell("""
    authorize ann tier 1 by ann                        -> SELF_AUTHORIZATION
    authorize acme tier 1 by ann                       -> BRAND_NEEDS_NO_AUTHORIZATION
    authorize ann tier 0 by acme                       -> TIER_OUT_OF_BOUNDS
    authorize ann tier 101 by acme                     -> TIER_OUT_OF_BOUNDS
    authorize ben tier 2 by ann                        -> UPLINE_NOT_AUTHORIZED
    authorize zoe tier 2 by acme                       -> PARTY_UNKNOWN
    authorize ann tier 2 by acme for mask              -> ok
    authorize ben tier 2 by ann for mask               -> TIER_NOT_BELOW_UPLINE
    authorize ben tier 3 by ann for balm               -> UPLINE_NOT_AUTHORIZED
    authorize ben tier 2 by ann                        -> TIER_NOT_BELOW_UPLINE
    authorize ben tier 3 by ann                        -> ok
    authorize ben tier 3 by ann for mask               -> ok
    authorize ben tier 3 by acme from 2026-05-01 until 2026-04-01 -> VALIDITY_REVERSED
    authorize ben tier 3 by acme for 4006381333932     -> GTIN_CHECK_DIGIT
    """)


def test_an_unauthorized_agents_transfer_is_recorded_and_marked() -> None:
    """The transfer of an unauthorized agent is recorded, with the authorization status of both sides."""
    story = Story(PARTIES)
    story.tell("record 1:0 acme > ann at 1")
    assert statuses(story) == (AuthorizationStatus.AUTHORIZED, AuthorizationStatus.NEVER_AUTHORIZED)
    story.tell("authorize ann tier 1 by acme for balm\nrecord 1:1 acme > ann at 1")
    assert statuses(story) == (AuthorizationStatus.AUTHORIZED, AuthorizationStatus.OTHER_PRODUCTS)
    story.tell("authorize ann tier 1 by acme from 2026-02-01 until 2026-03-01\nrecord 1:2 acme > ann at 1")
    assert statuses(story) == (AuthorizationStatus.AUTHORIZED, AuthorizationStatus.NOT_YET_AUTHORIZED)
    story.tell("today is 2026-02-10\nrecord 1:3 acme > ann at 1")
    assert statuses(story) == (AuthorizationStatus.AUTHORIZED, AuthorizationStatus.AUTHORIZED)
    story.tell("today is 2026-03-10\nrecord 1:3 ann > ben at 1")
    assert statuses(story) == (AuthorizationStatus.EXPIRED, AuthorizationStatus.NEVER_AUTHORIZED)


def test_a_revocation_takes_effect_from_its_date() -> None:
    """A transfer before the date counts as authorized, and one from the date on as revoked."""
    story = Story(PARTIES)
    story.tell("""
    authorize ann tier 1 by acme from 2025-12-01 as given
    revoke given by ben                                -> NOT_THE_UPLINE
    revoke 99 by acme                                  -> AUTHORIZATION_UNKNOWN
    revoke given by acme from 2025-12-20               -> ok
    revoke given by acme                               -> AUTHORIZATION_ALREADY_REVOKED
    record 1:0 acme > ann at 1 on 2025-12-19
    """)
    assert statuses(story) == (AuthorizationStatus.AUTHORIZED, AuthorizationStatus.AUTHORIZED)
    story.tell("record 1:1 acme > ann at 1 on 2025-12-20")
    assert statuses(story) == (AuthorizationStatus.AUTHORIZED, AuthorizationStatus.REVOKED)


def test_only_a_brand_commissions_and_only_its_own_products() -> None:
    """An agent cannot commission a batch, and a brand cannot do so for another brand's product."""
    Story(PARTIES).tell("""
    brand other
    batch L2 of mask size 5 made 2025-12-01 by ann                              -> NOT_A_BRAND
    batch L2 of mask size 5 made 2025-12-01 by other                            -> NOT_THE_BRAND
    batch L1 of mask size 5 made 2025-12-01 by acme                             -> BATCH_EXISTS
    batch L2 of 4006381333932 size 5 made 2025-12-01 by acme                    -> GTIN_CHECK_DIGIT
    batch L2 of 4012345000009 size 5 made 2025-12-01 by acme                    -> PRODUCT_UNKNOWN
    batch ABCDEFGHIJKLMNOPQRSTU of mask size 5 made 2025-12-01 by acme          -> LOT_MALFORMED
    batch L2 of mask size 0 made 2025-12-01 by acme                             -> BATCH_SIZE_OUT_OF_BOUNDS
    batch L2 of mask size 268435457 made 2025-12-01 by acme                     -> BATCH_SIZE_OUT_OF_BOUNDS
    batch L2 of mask size 5 made 2025-12-01 expires 2025-11-30 by acme          -> EXPIRES_BEFORE_MADE
    batch L2 of mask size 5 made 2026-06-01 by acme                             -> OCCURRED_IN_FUTURE
    product mask 1 CNY of acme                                                  -> PRODUCT_EXISTS
    product 123 1 CNY of acme                                                   -> GTIN_CHECK_DIGIT
    product 4012345000009 1 CNY of ann                                          -> NOT_A_BRAND
    """)


def test_a_tier_depends_on_the_product() -> None:
    """An agent of tier 1 for masks and 5 for balm moves masks at tier 1, and gives balm only tiers below 5."""
    story = Story(PARTIES)
    story.tell("""
    authorize ann tier 1 by acme for mask
    authorize ann tier 5 by acme for balm
    record 1:0 acme > ann at 1
    """)
    event = story.events[-1]
    assert isinstance(event, TransferRecorded)
    assert event.terms.authority(1).receiver_tier == 1
    story.tell("""
    authorize ben tier 2 by ann for balm             -> TIER_NOT_BELOW_UPLINE
    authorize ben tier 2 by ann for mask, balm       -> TIER_NOT_BELOW_UPLINE
    authorize ben tier 2 by ann for mask             -> ok
    """)


def test_a_revoked_upline_cannot_authorize_for_an_earlier_time() -> None:
    """An upline needs authority now too, and gives none that lasts longer than its own."""
    Story(PARTIES).tell("""
    authorize ann tier 1 by acme from 2025-10-01 until 2026-06-01 as given
    authorize ben tier 2 by ann                                    -> VALIDITY_BEYOND_UPLINE
    authorize ben tier 2 by ann until 2026-06-02                   -> VALIDITY_BEYOND_UPLINE
    authorize ben tier 2 by ann until 2026-06-01                   -> ok
    revoke given by acme from 2025-12-01
    authorize ben tier 2 by ann from 2025-11-01 until 2026-01-01   -> UPLINE_NOT_AUTHORIZED
    """)


def test_a_brand_authorizes_only_for_its_own_products() -> None:
    """Another brand cannot authorize agents for these goods, and is not authorized for them itself."""
    story = Story(PARTIES)
    story.tell("""
    brand shady
    authorize ann tier 1 by shady for mask           -> UPLINE_NOT_AUTHORIZED
    authorize ann tier 1 by shady                    -> ok
    record 1:0 acme > ann at 1
    """)
    assert statuses(story) == (AuthorizationStatus.AUTHORIZED, AuthorizationStatus.OTHER_PRODUCTS)
    story.tell("record 1:1 acme > shady at 1")
    assert statuses(story) == (AuthorizationStatus.AUTHORIZED, AuthorizationStatus.OTHER_PRODUCTS)


def test_an_upline_passes_on_no_product_for_longer_than_it_has_that_product() -> None:
    """Neither an authorization for another product nor one that is revoked before its end lasts as long."""
    Story(PARTIES).tell("""
    authorize ann tier 1 by acme for mask until 2026-06-01
    authorize ann tier 1 by acme for balm as balm
    authorize ben tier 2 by ann for mask                           -> VALIDITY_BEYOND_UPLINE
    authorize ben tier 2 by ann for mask, balm until 2026-06-02    -> VALIDITY_BEYOND_UPLINE
    authorize ben tier 2 by ann for mask, balm until 2026-06-01    -> ok
    authorize ben tier 2 by ann for balm                           -> ok
    authorize ben tier 2 by ann                                    -> ok
    revoke balm by acme from 2026-03-01
    authorize ben tier 2 by ann for balm                           -> VALIDITY_BEYOND_UPLINE
    authorize ben tier 2 by ann for balm until 2026-03-01          -> ok
    """)
