"""Verifications: a unit stands out if the public asks about it far more often than about others of its batch."""

import datetime
import statistics

from pathbook.ledger.reports.verified import OTHER_UNITS, OftenRule, VerifiedRow, verified

DAY = 20_000


def rows(batch: int, times: list[int], kind: str = "public") -> list[VerifiedRow]:
    """Return how often units 0, 1, 2 ... of a batch were verified on one day."""
    return [VerifiedRow(batch, number, DAY, kind, count) for number, count in enumerate(times)]


def test_a_unit_stands_out_among_those_of_its_batch() -> None:
    """A popular batch is no suspicion: the count is compared with the median of the units that were verified."""
    found = verified([*rows(1, [1, 1, 2, 20, 19]), *rows(2, [30, 30, 40])], OftenRule(20, 10), 100)
    assert [(unit.batch, unit.number, unit.times, unit.median) for unit in found.units] == [(1, 3, 20, 1)]
    assert found.units[0].sentence.startswith("Unit 1:3 was verified 20 times on 1 day, and other units")
    assert (found.units_verified, found.left_out, found.rule.version) == (8, 0, 1)
    more = verified(rows(1, [1, 1, 2, 20, 50, 40]), OftenRule(20, 10), 1)
    assert ([unit.number for unit in more.units], more.left_out) == ([4], 2)


def test_a_unit_is_compared_with_the_others_of_its_batch() -> None:
    """Also if no other was verified: then one code is in many hands. Of two in the middle the lower one counts."""
    found = verified([*rows(1, [500]), *rows(2, [19]), *rows(3, [40, 300])], OftenRule(20, 10), 100)
    assert [(unit.batch, unit.number, unit.median) for unit in found.units] == [(1, 0, 0)]
    popular = rows(1, [30, 30, 400])
    assert [verified(popular, OftenRule(20, 10), 100, number).units_verified for number in (0, 2, 3)] == [
        1,
        1,
        0,
    ]
    shown = [len(verified(popular, OftenRule(20, 10), 100, number).units) for number in (0, 2, 3)]
    assert shown == [0, 1, 0]
    for times in ([3, 1, 2], [4, 1, 1, 7], [5, 5], [2, 9, 2, 2, 6]):
        units = verified(rows(1, times), OftenRule(0, 0), 100).units
        others = [times[: unit.number] + times[unit.number + 1 :] for unit in units]
        assert [unit.median for unit in units] == [statistics.median_low(each) for each in others]


def test_parties_and_uncounted_units_do_not_stand_out() -> None:
    """A shop that scans all day is no buyer. What could not be counted by unit counts by day alone."""
    found = verified(
        [
            *rows(1, [500], "party"),
            VerifiedRow(1, OTHER_UNITS, DAY, "public", 900),
            VerifiedRow(1, 0, DAY + 1, "public", 3),
        ],
        OftenRule(),
        100,
    )
    day = datetime.date(1970, 1, 1) + datetime.timedelta(DAY)
    assert [(each.day, each.times) for each in found.days] == [
        (day, {"party": 500, "public": 900}),
        (day + datetime.timedelta(1), {"public": 3}),
    ]
    assert (found.units, found.units_verified) == ([], 1)
