"""Times have an effect, or they are refused: of recalls, of their lifting, and of revocations."""

from tests.scenario import Story

BOOK = """
brand acme
agent ann
product mask 30000 CNY of acme
batch L1 of mask size 20 made 2025-12-01 by acme
today is 2026-08-01
"""


def test_a_recall_holds_for_what_occurred_while_it_was_in_force() -> None:
    """A recall of March that was lifted from June stops what occurred between, and nothing else."""
    Story(BOOK).tell("""
    recall batch 1 by acme on 2026-03-01 as warning
    record 1:0 acme > ann at 1 on 2026-02-28         -> ok
    lift warning by acme on 2026-06-01
    record 1:1 acme > ann at 1 on 2026-04-01         -> UNITS_RECALLED
    record 1:1 acme > ann at 1 on 2026-03-01         -> UNITS_RECALLED
    record 1:1 acme > ann at 1 on 2026-05-31         -> UNITS_RECALLED
    record 1:1 acme > ann at 1 on 2026-06-01         -> ok
    sell 1:2 acme > wei at 1 on 2026-04-01           -> UNITS_RECALLED
    record 3 of 1 acme > ann at 1 on 2026-04-01      -> STOCK_TOO_SMALL
    record 3 of 1 acme > ann at 1                    -> ok
    """)


def test_a_recall_is_not_lifted_before_it_began() -> None:
    """To lift a recall from before its time is refused; lifted at its beginning, it never held."""
    Story(BOOK).tell("""
    recall batch 1 by acme on 2026-03-01 as warning
    lift warning by acme on 2026-02-28               -> LIFTED_BEFORE_RECALL
    lift warning by acme on 2026-03-01               -> ok
    lift warning by acme on 2026-03-01               -> RECALL_ALREADY_LIFTED
    record 1:0 acme > ann at 1 on 2026-03-01         -> ok
    """)


def test_a_batch_is_not_recalled_before_it_was_made() -> None:
    """A recall from before the batch existed is refused."""
    Story(BOOK).tell("""
    recall batch 1 by acme on 2025-11-29             -> OCCURRED_BEFORE_MADE
    recall batch 1 units 1:0-4 by acme on 2025-12-01 -> ok
    """)


def test_an_authorization_is_revoked_within_its_validity() -> None:
    """A revocation from before the authorization holds, or from its end on, would have no effect."""
    story = Story(BOOK)
    story.tell("""
    authorize ann tier 1 by acme from 2026-09-01 until 2026-12-01 as given
    revoke given by acme from 2026-08-31             -> REVOKED_OUTSIDE_VALIDITY
    revoke given by acme from 2026-12-01             -> REVOKED_OUTSIDE_VALIDITY
    revoke given by acme from 2026-11-30             -> ok
    authorize ann tier 1 by acme from 2026-09-01 as later
    revoke later by acme                             -> ok
    """)
    assert story.state.parties["ann"] is not None
    revoked = list(story.state.parties["ann"].authorizations.values())[-1]
    assert revoked.revoked_from == revoked.valid_from


def test_an_authorization_that_has_ended_is_not_revoked_now() -> None:
    """A revocation without a time counts from now, which is too late after the end."""
    Story(BOOK).tell("""
    authorize ann tier 1 by acme from 2026-01-01 until 2026-07-01 as given
    revoke given by acme                             -> REVOKED_OUTSIDE_VALIDITY
    revoke given by acme from 2026-06-30             -> ok
    """)
