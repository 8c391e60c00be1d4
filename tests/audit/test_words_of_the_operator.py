"""An auditor compares what a statement leaves to the book with what the book knows."""

import pytest
from msgspec.structs import replace

from pathbook.audit.auditor import Auditor, Replayed
from pathbook.audit.differences import Difference, Rule
from pathbook.ledger import events
from pathbook.ledger.values import Delivery, Price
from tests.audit.honest_book import audit, stored
from tests.verify.signed_story import begun


def replayed(log: list[bytes]) -> Replayed:
    """Return what an auditor replays of a whole log that holds."""
    auditor = Auditor()
    for data in log:
        auditor.take(data)
    return auditor.finish()


@pytest.mark.parametrize("since", ["", " from 2026-03-01"])
def test_a_revocation_without_a_time_ends_an_authorization_at_once(since: str) -> None:
    """It ends when it was recorded, or when it begins if that is later, whatever the operator writes."""
    story = begun(must_sign=True)
    story.tell(f"authorize cat tier 1 by acme{since} as g\nrevoke g by acme")
    *before, revoked = story.recorded
    log = tuple(map(stored, before))
    assert audit((*log, stored(revoked))) is None
    assert isinstance(revoked.event, events.AuthorizationRevoked)
    for more in (1, 10**15):
        event = replace(revoked.event, revoked_from=revoked.event.revoked_from + more)
        difference = audit((*log, stored(replace(revoked, event=event))))
        assert isinstance(difference, Difference)
        assert (difference.position, difference.rule) == (revoked.position, Rule.STATEMENT)


@pytest.mark.parametrize("must_sign", [True, False])
@pytest.mark.parametrize(
    "changes",
    [
        {"unit_price": Price(1, "CNY")},
        {"delivery": Delivery.LATER},
        {"reference": "forged"},
        {"extra_allowed": 5},
    ],
)
def test_extra_units_alone_are_accepted_on_the_terms_of_the_offer(
    changes: dict[str, object], must_sign: bool
) -> None:
    """If all offered units are missing, only the extra ones tell on what terms the receiver accepted."""
    story = begun(must_sign=must_sign)
    story.tell("offer 1:1 acme > ann at 15000 allowing 1 as o\naccept o by ann but short 1:1 with 1:0")
    *before, accepted = story.recorded
    log = tuple(map(stored, before))
    assert audit((*log, stored(accepted))) is None
    assert isinstance(accepted.event, events.TransferAccepted)
    event = replace(accepted.event, terms=replace(accepted.event.terms, **changes))
    difference = audit((*log, stored(replace(accepted, event=event))))
    assert isinstance(difference, Difference)
    assert (difference.position, difference.rule) == (accepted.position, Rule.MOVEMENT)


@pytest.mark.parametrize("must_sign", [True, False])
def test_more_extra_units_than_their_giver_allowed_are_named(must_sign: bool) -> None:
    """Books recorded that once, so it is no difference. The audit says where a receiver's word alone moved units."""
    story = begun(must_sign=must_sign)
    story.tell("offer 1:3 acme > ann at 15000 allowing 1 as p\naccept p by ann with 1:4")
    story.tell("offer 1:1 acme > ann at 15000 as o")
    given = story.state.transfers[story.names["o"]]
    assert given is not None
    given.terms = replace(given.terms, extra_allowed=1)  # a build that had no such rule
    story.tell("accept o by ann with 1:0")
    *before, accepted = story.recorded
    assert isinstance(accepted.event, events.TransferAccepted)
    terms = replace(accepted.event.terms, extra_allowed=0)
    last = replace(accepted, event=replace(accepted.event, terms=terms))
    assert replayed([stored(item) for item in story.recorded[:-2]]).claimed == ()
    assert replayed([stored(item) for item in (*before, last)]).claimed == (accepted.position,)
