"""A corrected batch is compared with its correction, which must be an event of this batch and its brand."""

import datetime
from collections.abc import Callable

import msgspec
import pytest

from pathbook.ledger import commands, events
from pathbook.ledger.values import PartyKind, Price
from pathbook.v1.paths_pb2 import GetPathResponse
from pathbook.verify.verdicts import Number, Policy, Result, Verdict
from tests.scenario import CODE_KEY, MASK
from tests.verify.written_paths import BEGUN, MASKS, Written, check, found, masks, path_of, with_correction

HOP = "record 1:0 acme > ann at 15000\n"
LATER = "correct batch 1 expires 2027-06-30 by acme\n"
EARLIER = "correct batch 1 expires 2026-05-31 by acme\n"
RIGHT = events.BatchCorrected(
    1, "acme", datetime.date(2025, 12, 1), datetime.date(2027, 6, 30), Price(30_000, "CNY")
)


@pytest.mark.parametrize(
    ("story", "detail"),
    [
        (f"{HOP}{LATER}", f"corrected at position {BEGUN + 2}, before that it said: expires 2026-06-30"),
        (f"{LATER}{HOP}", f"corrected at position {BEGUN + 1}, before that it said: expires 2026-06-30"),
        (
            f"{HOP}{LATER}correct batch 1 made 2025-11-01 expires never price 28000 by acme",
            (
                f"corrected at position {BEGUN + 3}, before that it said: made 2025-12-01, expires 2026-06-30,"
                " suggested price 300.00 CNY"
            ),
        ),
        (f"{LATER}correct batch 1 expires 2026-06-30 by acme", f"corrected at position {BEGUN + 2}"),
    ],
)
def test_a_correction_is_noted_with_what_it_replaced(story: str, detail: str) -> None:
    """The check of the batch says where the last correction is, and what the commissioning had said."""
    report = check(masks(story))
    line = found(report, Number.COMMISSIONED)
    assert report.verdict is Verdict.VERIFIED
    assert line.result is Result.NOTED
    assert line.detail.endswith(f"; {detail}")


def test_expiry_and_age_are_those_of_the_correction() -> None:
    """A unit expires when its last correction says, and is as old as that says."""
    day = datetime.date(2026, 7, 1)
    assert found(check(masks(HOP), today=day), Number.EXPIRY).result is Result.FAILED
    assert found(check(masks(HOP + LATER), today=day), Number.EXPIRY).result is Result.OK
    assert found(check(masks(HOP + EARLIER)), Number.EXPIRY).result is Result.FAILED
    never = masks(f"{HOP}correct batch 1 expires never by acme")
    assert found(check(never, today=day), Number.EXPIRY).detail == "it does not expire"
    older = masks(f"{HOP}correct batch 1 made 2025-11-01 by acme")
    policy = Policy(max_age=200)  # days between 2025-12-01 and 2026-06-01: 182
    assert found(check(masks(HOP), policy), Number.POLICY).result is Result.OK
    assert found(check(older, policy), Number.POLICY).result is Result.FAILED


@pytest.mark.parametrize(
    "lie",
    [
        lambda path: path.ClearField("batch_correction"),
        lambda path: setattr(path.batch, "expires_on", "2026-06-30"),
        lambda path: setattr(path.batch, "made_on", "2025-12-02"),
        lambda path: setattr(path.batch.suggested_price, "amount_minor", 1),
        lambda path: setattr(path.batch, "corrected_position", 0),
        lambda path: setattr(path.batch, "corrected_position", BEGUN + 1),
        lambda path: setattr(path.batch_correction, "position", BEGUN + 1),
        lambda path: setattr(path.batch_correction, "event", b"nonsense"),
        lambda path: setattr(path.batch_correction, "event", path.steps[1].event),
    ],
)
def test_a_lie_about_a_corrected_batch_is_refuted(lie: Callable[[GetPathResponse], object]) -> None:
    """What a server shows of a corrected batch must be what its correction says."""
    path = masks(HOP + LATER)
    assert check(path).verdict is Verdict.VERIFIED
    lie(path)
    report = check(path)
    assert report.verdict is Verdict.PATH_CONTRADICTED
    assert found(report, Number.COMMISSIONED).result is Result.FAILED


@pytest.mark.parametrize(
    ("event", "position", "why"),
    [
        (msgspec.structs.replace(RIGHT, batch=2), 0, "does not correct batch 1"),
        (events.PartyCorrected("ann", PartyKind.SHOP), 0, "does not correct batch 1"),
        (msgspec.structs.replace(RIGHT, brand="bolt"), 0, "but acme made it"),
        (RIGHT, BEGUN - 1, "before it was made"),
        (RIGHT, BEGUN, "before it was made"),
        (RIGHT, BEGUN + 1, f"because of the event at position {BEGUN + 1}"),
    ],
)
def test_an_event_that_is_no_correction_of_the_batch_is_refuted(
    event: events.Event, position: int, why: str
) -> None:
    """A correction is of this batch, by its brand, after its commissioning, and at a position of its own."""
    path = with_correction(masks(HOP), event, position)
    path.batch.expires_on = "2027-06-30"
    report = check(path)
    assert report.verdict is Verdict.PATH_CONTRADICTED
    assert why in found(report, Number.COMMISSIONED).detail


def test_a_correction_is_recorded_in_the_order_of_positions() -> None:
    """A correction at an earlier position that was recorded later than a step contradicts the times of the book."""
    story = f"record 1:1 acme > ann at 15000\n{HOP}today is 2026-02-01\nrecord 1:0 ann > ben at 18000"
    path = masks(story)
    between = with_correction(path, RIGHT, BEGUN + 1)
    report = check(between)
    assert f"because of the event at position {BEGUN + 2}" in found(report, Number.COMMISSIONED).detail
    assert report.verdict is Verdict.PATH_CONTRADICTED


def test_a_price_for_several_units_is_told_as_it_was_stated() -> None:
    """100.00 CNY for 7 units is another price than 100.00 CNY."""
    story = Written(MASKS)
    made = commands.CommissionBatch(
        request_id="seven",
        brand="acme",
        product=MASK,
        lot="L7",
        size=1,
        made_on=RIGHT.made_on,
        suggested_price=Price(10_000, "CNY", 7),
        code_key=CODE_KEY,
    )
    story.ask(made)
    story.tell("correct batch 2 price 30000 by acme")
    report = check(path_of(story, 0, batch=2))
    assert found(report, Number.COMMISSIONED).detail.endswith("it said: suggested price 100.00 CNY/7")
