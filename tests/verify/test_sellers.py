"""A copied label is found by asking whether its unit was sold, and whether the seller owns it."""

import pytest

from pathbook.verify.verdicts import Number, Policy, Result, Verdict
from tests.verify.written_paths import BEGUN, check, found, masks

DAY = "today is 2026-02-01\n"
TO_ANN = f"{DAY}record 1:0 acme > ann at 15000 on 2026-01-05\n"
TO_BEN = f"{TO_ANN}record 1:0 ann > ben at 18000 on 2026-01-10\n"
SOLD = f"{TO_BEN}sell 1:0 ben > c-1 at 29900 on 2026-01-15 as s\n"
CONFIRMED = f"{SOLD}confirm 1:0 by c-1 at 29900 on 2026-01-16 as c\n"
RETURNED = f"{CONFIRMED}return 1:0 by consumer:c-1\n"
LOST = f"{TO_ANN}write off 1:0 by ann as lost\n"
CONSUMED = f"{CONFIRMED}write off 1:0 by consumer:c-1 as destroyed\n"

SOLD_TEXT = "sold on 2026-01-15 by ben and not confirmed (days in UTC)"
CONFIRMED_TEXT = "sold on 2026-01-15 by ben and confirmed on 2026-01-16 (days in UTC)"
BEWARE = "; if you are not that buyer, beware"


@pytest.mark.parametrize(
    ("story", "result", "detail"),
    [
        ("", Result.OK, "not sold; acme owns it"),
        (TO_BEN, Result.OK, "not sold; ben owns it"),
        (
            f"{TO_BEN}offer 1:0 ben > cat at 19000",
            Result.NOTED,
            f"not sold; ben owns it, and offered it to cat at position {BEGUN + 3}",
        ),
        (SOLD, Result.NOTED, SOLD_TEXT + BEWARE),
        (CONFIRMED, Result.NOTED, CONFIRMED_TEXT + BEWARE),
        (CONSUMED, Result.NOTED, CONFIRMED_TEXT + BEWARE),
        (f"{CONFIRMED}declare c an error by consumer:c-1", Result.NOTED, SOLD_TEXT + BEWARE),
        (RETURNED, Result.OK, "not sold; ben owns it"),
        (LOST, Result.NOTED, "not sold, but written off as lost"),
        (
            f"{RETURNED}sell 1:0 ben > c-2 at 20000 on 2026-01-20",
            Result.NOTED,
            "sold on 2026-01-20 by ben and not confirmed (days in UTC)" + BEWARE,
        ),
    ],
)
def test_a_sale_is_noted(story: str, result: Result, detail: str) -> None:
    """Without options the check says whether and when the unit was sold. It fails nothing."""
    report = check(masks(story))
    line = found(report, Number.SELLER)
    assert (line.result, line.detail, line.name) == (result, detail, "for sale by whom")
    written_off = story in (LOST, CONSUMED)  # which the check of recalls and write-offs fails
    assert report.verdict is (Verdict.AGAINST_POLICY if written_off else Verdict.VERIFIED)


@pytest.mark.parametrize(
    ("story", "policy", "detail"),
    [
        (SOLD, Policy(unsold=True), f"{SOLD_TEXT}, but you asked for an unsold unit"),
        (CONFIRMED, Policy(unsold=True), f"{CONFIRMED_TEXT}, but you asked for an unsold unit"),
        (CONSUMED, Policy(unsold=True), f"{CONFIRMED_TEXT}, but you asked for an unsold unit"),
        (
            CONFIRMED,
            Policy(seller="ben"),
            f"{CONFIRMED_TEXT}, so ben cannot sell it: consumer:c-1 owns it",
        ),
        (
            CONFIRMED,
            Policy(seller="zoe"),
            f"{CONFIRMED_TEXT}, so zoe cannot sell it: consumer:c-1 owns it",
        ),
        (
            TO_BEN,
            Policy(seller="ann"),
            f"ben owns it, not ann, which gave it to ben on 2026-01-10 (in UTC; position {BEGUN + 2})",
        ),
        (
            TO_BEN,
            Policy(seller="acme"),
            f"ben owns it, not acme, which gave it to ann on 2026-01-05 (in UTC; position {BEGUN + 1})",
        ),
        (TO_BEN, Policy(seller="cat"), "ben owns it, not cat"),
        # what ann gave away came back, so it tells nothing of who has the unit now
        (f"{TO_BEN}return 1:0 by ben\nreturn 1:0 by ann", Policy(seller="ann"), "acme owns it, not ann"),
        (RETURNED, Policy(seller="consumer:c-1"), "ben owns it, not consumer:c-1"),
        (LOST, Policy(seller="ann"), "ann cannot sell it: it is written off as lost"),
        (
            SOLD,
            Policy(unsold=True, seller="ann"),
            f"{SOLD_TEXT}, but you asked for an unsold unit; {SOLD_TEXT}, so ann cannot sell it: consumer:c-1 owns it",
        ),
    ],
)
def test_what_was_sold_or_belongs_to_another_is_against_policy(
    story: str, policy: Policy, detail: str
) -> None:
    """A path that holds is against policy if the unit is sold, or if the seller does not own it."""
    report = check(masks(story), policy)
    line = found(report, Number.SELLER)
    assert (line.result, line.detail) == (Result.FAILED, detail)
    assert report.verdict is Verdict.AGAINST_POLICY


@pytest.mark.parametrize(
    ("story", "policy"),
    [
        ("", Policy(unsold=True, seller="acme")),
        (TO_BEN, Policy(unsold=True, seller="ben")),
        (RETURNED, Policy(unsold=True, seller="ben")),
        # the receiver of an offer asks before it accepts
        (f"{TO_BEN}offer 1:0 ben > cat at 19000", Policy(unsold=True, seller="ben")),
        # a consumer sells on what it owns, which only --unsold would fail
        (CONFIRMED, Policy(seller="consumer:c-1")),
    ],
)
def test_the_owner_may_sell(story: str, policy: Policy) -> None:
    """The limits are kept if the unit is unsold and the named party owns it."""
    report = check(masks(story), policy)
    assert found(report, Number.SELLER).result is not Result.FAILED
    assert report.verdict is Verdict.VERIFIED


def test_an_offer_is_noted_also_after_the_report_of_an_earlier_transfer() -> None:
    """The open offer still reserves the unit, although it is not the last step any more."""
    transfer = "record 1:0 acme > ann at 15000 ref N1"
    path = masks(f"{transfer}\noffer 1:0 ann > ben at 18000\n{transfer} reported by ann")
    line = found(check(path), Number.SELLER)
    offer = path.steps[2].position
    assert line.detail == f"not sold; ann owns it, and offered it to ben at position {offer}"
    assert line.result is Result.NOTED
