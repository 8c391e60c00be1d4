"""A server that lies about a field of a step is refuted, and an honest server never is."""

import contextlib
import functools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pathbook.v1.paths_pb2 import GetPathResponse, PathStep
from pathbook.v1.values_pb2 import ATTESTATION_RECORDED, ATTESTATION_REPORTED_BY_BOTH
from pathbook.verify.claims import REPLAYED, claims
from pathbook.verify.replay import replay
from pathbook.verify.verdicts import Number, Result, Verdict
from tests.examples import examples
from tests.verify.written_paths import BEGUN, MASKS, Written, check, found, masks, path_of

STORY = """
today is 2026-03-01
record 1:0 acme > ann at 15000 ref n-1
record 1:0 acme > ann at 15000 ref n-1 reported by ann
record 1:0 ann > ben at 18000 later on 2026-02-01
deliver 1:0 ann > ben as d
declare d an error by ann
sell 1:0 ben > wei at 29900
"""
"""Its path has the steps commissioned, transferred, attested, transferred, delivered, error declared and sold, at the
positions from BEGUN on. The second transfer claims an earlier time than the first, and ben never has the goods."""


@pytest.mark.parametrize(
    ("step", "field", "honest", "lie"),
    [
        (1, "owner", "ann", "ben"),
        (6, "owner", "consumer:wei", "ben"),
        (1, "custodian", "ann", "acme"),
        (3, "custodian", "ann", "ben"),
        (5, "custodian", "ann", "ben"),
        (1, "attestation", ATTESTATION_REPORTED_BY_BOTH, ATTESTATION_RECORDED),
        (3, "attestation", ATTESTATION_RECORDED, ATTESTATION_REPORTED_BY_BOTH),
        (2, "attestation", ATTESTATION_RECORDED, ATTESTATION_REPORTED_BY_BOTH),
        (3, "out_of_order_position", BEGUN + 1, 0),
        (3, "out_of_order_position", BEGUN + 1, BEGUN),
        (6, "out_of_order_position", 0, BEGUN + 1),
        (5, "declared_position", BEGUN + 4, 0),
        (5, "declared_position", BEGUN + 4, BEGUN + 3),
        (4, "declared_position", 0, BEGUN + 1),
        (4, "corrected", True, False),
        (5, "corrected", True, False),
        (3, "corrected", False, True),
    ],
)
def test_a_lie_about_a_step_is_refuted(step: int, field: str, honest: object, lie: object) -> None:
    """The field is as its story says, and any other value fails the check of the path, which names the field."""
    path = masks(STORY)
    assert check(path).verdict is Verdict.VERIFIED
    assert getattr(path.steps[step], field) == honest
    setattr(path.steps[step], field, lie)
    report = check(path)
    assert report.verdict is Verdict.PATH_CONTRADICTED
    assert found(report, Number.PATH).result is Result.FAILED
    assert f"another {field.replace('_', ' ')} than" in found(report, Number.PATH).detail


def test_every_field_of_a_step_is_compared_or_replayed() -> None:
    """No field of a step is believed. The replay starts from two of them."""
    path = masks(STORY)
    compared = claims(path.steps[0], replay(path)[0])
    assert set(compared) | REPLAYED == {field.name for field in PathStep.DESCRIPTOR.fields}
    assert not set(compared) & REPLAYED


@functools.cache
def story_path() -> GetPathResponse:
    """Return the path of the story, which callers do not change."""
    return masks(STORY)


@given(st.data())
@settings(max_examples=examples(15, 40))
def test_any_other_value_of_any_field_is_refuted(data: st.DataObject) -> None:
    """A changed number, name or mark contradicts the events, unless only a newer program knows the number."""
    copy = GetPathResponse()
    copy.CopyFrom(story_path())
    step = data.draw(st.sampled_from(copy.steps))
    numbers = ("kind", "state", "attestation", "out_of_order_position", "declared_position")
    field = data.draw(st.sampled_from([*numbers, "giver", "receiver", "owner", "custodian", "corrected"]))
    before = getattr(step, field)
    if field in numbers:
        setattr(step, field, data.draw(st.integers(0, 20).filter(lambda number: number != before)))
    elif field == "corrected":
        step.corrected = not before
    else:
        setattr(step, field, data.draw(st.text(max_size=5).filter(lambda text: text != before)))
    enum = step.DESCRIPTOR.fields_by_name[field].enum_type
    known = enum is None or getattr(step, field) in enum.values_by_number
    assert check(copy).verdict is (Verdict.PATH_CONTRADICTED if known else Verdict.COULD_NOT_CHECK)


PARTIES = st.sampled_from(["acme", "ann", "ben", "cat"])
UNITS = st.sampled_from(["1:0", "1:1", "1:0-1", "1:2-5", "1:0-9", "1:3 1:7-8"])
DAYS = st.sampled_from(["", " on 2025-12-20", " on 2025-12-28"])
NAMES = st.sampled_from(["", " as x", " as y"])
ACTS = st.one_of(
    st.builds(
        "record {} {} > {} at 15000{}{}{}{}".format,
        UNITS,
        PARTIES,
        PARTIES,
        st.sampled_from(["", " later"]),
        st.sampled_from(["", " ref n-1", " ref n-1 reported by ann"]),
        DAYS,
        NAMES,
    ),
    st.builds(
        "offer {} {} > {} at 18000{}{}{}".format,
        UNITS,
        PARTIES,
        PARTIES,
        st.sampled_from(["", " allowing 1"]),
        DAYS,
        NAMES,
    ),
    st.builds(
        "accept {} by {}{}{}".format,
        st.sampled_from("xy"),
        PARTIES,
        st.sampled_from(["", " but short 1", " but short 1:0"]),
        st.sampled_from(["", " with 1:6", " with 1:1"]),
    ),
    st.builds(
        "{} {} by {}".format,
        st.sampled_from(["decline", "withdraw", "reverse"]),
        st.sampled_from("xy"),
        PARTIES,
    ),
    st.builds(
        "deliver {} {} > {}{}{}".format, UNITS, PARTIES, st.just("consumer:wei") | PARTIES, DAYS, NAMES
    ),
    st.builds("sell {} {} > wei at 29900{}{}".format, UNITS, PARTIES, st.sampled_from(["", " later"]), DAYS),
    st.builds("confirm {} by wei at 29900{}{}".format, UNITS, DAYS, NAMES),
    st.builds("return {} by {}".format, UNITS, st.just("consumer:wei") | PARTIES),
    st.builds("write off {} by {} as lost{}".format, UNITS, st.just("consumer:wei") | PARTIES, NAMES),
    st.builds("declare {} an error by {}".format, st.sampled_from("xy"), st.just("consumer:wei") | PARTIES),
    st.builds(
        "correct batch 1 expires {} by acme".format, st.sampled_from(["2027-01-01", "2028-01-01", "never"])
    ),
)


@given(st.lists(ACTS, min_size=3, max_size=25))
@settings(max_examples=examples(10, 30))
def test_no_path_that_the_rules_recorded_is_refuted(acts: list[str]) -> None:
    """Whatever the rules accept, with corrections, claimed times and extra units, every path of it holds."""
    book = Written(MASKS)
    for act in acts:
        with contextlib.suppress(AssertionError, ValueError):  # the rules refuse it, or it names nothing yet
            book.tell(act)
    for number in (0, 1, 2, 5, 6, 8):
        report = check(path_of(book, number))
        assert report.verdict not in (Verdict.PATH_CONTRADICTED, Verdict.CODE_CONTRADICTED), (acts, report)


def test_the_lines_of_the_acts_are_those_of_stories() -> None:
    """Every kind of act can be told, so the acts above are not refused because they are misspelled."""
    Written(MASKS).tell("""
        record 1:0 acme > ann at 15000 later ref n-1 on 2025-12-20 as x
        offer 1:1 acme > ann at 18000 allowing 1 on 2025-12-20 as y
        accept y by ann with 1:6
        deliver 1:0 acme > ann on 2025-12-20
        sell 1:0 ann > wei at 29900 later on 2025-12-28
        confirm 1:0 by wei at 29900 on 2025-12-28 as x
        declare x an error by consumer:wei
        return 1:0 by consumer:wei
        write off 1:0 by ann as lost
        correct batch 1 expires never by acme
    """)
