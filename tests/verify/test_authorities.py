"""The check of authorizations asks for the product of the unit, and for the whole line up to its brand."""

import msgspec
import pytest

from pathbook.v1.batches_pb2 import Recall
from pathbook.v1.values_pb2 import UnitRange
from pathbook.verify import checks
from pathbook.verify.replay import replay
from pathbook.verify.verdicts import Number, Policy, Result, Verdict
from tests.verify.written_paths import BEGUN, MASKS, Written, check, found, masks, path_of

BRANDS = """
brand acme
brand bolt
agent ann
agent ben
authorize ann tier 1 by acme as given
authorize ben tier 2 by ann
product mask 30000 CNY of acme
product balm 20000 CNY of bolt
batch L1 of mask size 10 made 2025-12-01 by acme
batch L2 of balm size 10 made 2025-12-01 by bolt
"""
REQUIRED = Policy(require_authorized=True)


@pytest.mark.parametrize(
    ("hop", "mark"),
    [
        ("record 2:0 bolt > ann at 15000", "ann authorized for other products only"),
        ("record 2:0 bolt > ben at 15000", "ben authorized for other products only"),
        (
            "revoke given by acme from 2026-01-15\ntoday is 2026-02-01\nrecord 1:0 acme > ben at 15000",
            "ben authorized by an upline that was not authorized itself",
        ),
    ],
)
def test_the_whole_line_up_to_the_brand_is_asked(hop: str, mark: str) -> None:
    """An authorization covers what its upline may sell at that time, and nothing of another brand."""
    book = Written(BRANDS + hop)
    mark = f"{mark} at position {book.state.position}"
    path = path_of(book, 0, batch=2 if hop.startswith("record 2") else 1)
    report = check(path, REQUIRED)
    assert report.verdict is Verdict.AGAINST_POLICY
    line = found(report, Number.AUTHORIZED)
    assert (line.result, line.detail) == (Result.FAILED, mark)
    line = found(check(path), Number.AUTHORIZED)
    assert (line.result, line.detail) == (Result.NOTED, mark)


def test_a_line_that_is_authorized_passes() -> None:
    """Each side is authorized by a line that ends at the brand of the product."""
    book = Written(f"{BRANDS}record 1:0 acme > ben at 15000")
    assert check(path_of(book, 0), REQUIRED).verdict is Verdict.VERIFIED


def test_the_authority_is_that_of_the_product_of_the_unit() -> None:
    """Of a transfer of several products, only the authority for the unit's own product counts."""
    book = Written("""
        brand acme
        agent ann
        product mask 30000 CNY of acme
        product balm 20000 CNY of acme
        authorize ann tier 1 by acme for mask
        batch L1 of mask size 10 made 2025-12-01 by acme
        batch L2 of balm size 10 made 2025-12-01 by acme
        record 1:0 2:0 acme > ann at 15000
    """)
    assert check(path_of(book, 0), REQUIRED).verdict is Verdict.VERIFIED
    report = check(path_of(book, 0, batch=2), REQUIRED)
    assert report.verdict is Verdict.AGAINST_POLICY
    assert found(report, Number.AUTHORIZED).detail == (
        f"ann authorized for other products only at position {book.state.position}"
    )


def test_a_party_without_an_authority_is_marked() -> None:
    """Only a consumer has no status. A party without one, or without an authority for the batch, is marked."""
    hops = checks.shown_hops(replay(masks("record 1:0 acme > ann at 15000\nsell 1:0 ann > wei at 29900")))
    assert checks.authorized(hops, REQUIRED)[0] is Result.OK
    (position, terms), *_ = hops
    (authority,) = terms.authorities
    for authorities in (
        (),
        (msgspec.structs.replace(authority, batches=(2,)),),
        (msgspec.structs.replace(authority, receiver_authorization=None),),
    ):
        hop = (position, msgspec.structs.replace(terms, authorities=authorities))
        outcome, detail = checks.authorized([hop], REQUIRED)
        assert outcome is Result.FAILED
        assert f"ann has no authorization status at position {BEGUN + 1}" in detail


@pytest.mark.parametrize(
    ("story", "verdict"),
    [
        ("recall batch 1 by acme", Verdict.AGAINST_POLICY),
        ("recall batch 1 units 1:1 by acme", Verdict.VERIFIED),
        ("recall batch 1 by acme on 2025-12-10 as r\nlift r by acme", Verdict.VERIFIED),
        (
            "recall batch 1 by acme as r\nlift r by acme\nrecall batch 1 units 1:0 by acme",
            Verdict.AGAINST_POLICY,
        ),
    ],
)
def test_a_recall_in_force_now_fails(story: str, verdict: Verdict) -> None:
    """A recall fails until it is lifted, whatever the times in between."""
    report = check(path_of(Written(f"{MASKS}record 1:0 acme > ann at 15000\n{story}"), 0))
    assert report.verdict is verdict
    failed = found(report, Number.RECALL).result is Result.FAILED
    assert failed is (verdict is Verdict.AGAINST_POLICY)


@pytest.mark.parametrize(
    ("lifted", "failed"), [(0, True), (BEGUN + 1, False), (BEGUN + 2, False), (BEGUN + 3, True)]
)
def test_a_recall_that_was_lifted_after_the_path_was_in_force(lifted: int, failed: bool) -> None:
    """The path is as of a position. A recall that was lifted at a later one was in force."""
    path = masks("record 1:0 acme > ann at 15000\nrecord 1:0 ann > ben at 18000")
    assert path.as_of_position == BEGUN + 2
    units = UnitRange(batch=1, first=0, last=0)
    path.batch.recalls.append(Recall(position=BEGUN + 1, ranges=[units], lifted_position=lifted))
    assert (found(check(path), Number.RECALL).result is Result.FAILED) is failed
