"""Paths: the steps of a unit, now, as of a position, and with corrections."""

from collections.abc import Callable

import pytest

from pathbook.ledger.queries import Insight, Path, Queries, Step
from pathbook.ledger.refusals import Reason, Refusal
from pathbook.ledger.store.views.snapshot import ViewsRebuildingError
from pathbook.ledger.store.views.tables import REFILL
from pathbook.ledger.values import TransferStatus, Unit, UnitRange, UnitState
from tests.queries.written import ladder_of, reason, transfers_at


def the_path(queries: Queries, number: int, as_of: int = 0, *, corrections: bool = False) -> Path:
    """Return the path of a unit of batch 1."""
    path = queries.path("book", Unit(1, number), as_of, corrections=corrections)
    assert isinstance(path, Path), path
    return path


def text_of(step: Step) -> str:
    """Return a step as a short text."""
    moved = step.movement
    paid = moved.price_paid or (moved.terms and moved.terms.unit_price)
    price = f" at {paid.amount_minor}" if paid else ""
    both = moved.giver and moved.receiver
    sides = f" {moved.giver} > {moved.receiver}" if both else moved.giver or moved.receiver
    mark = " (corrected)" if step.corrected else ""
    return f"{step.position} {moved.kind.name.lower()} {sides.strip()}{price}{mark}"


def test_a_path_shows_every_hop_once(query_story: Callable[[str], Queries]) -> None:
    """An accepted offer is one hop, at its acceptance, and sale and confirmation end the path."""
    queries = query_story("""
        offer 1:0-49 acme > ann at 15000 as first
        accept first by ann but short 1:40-49
        record 1:0-9 ann > ben at 18000 later
        deliver 1:0-9 ann > ben
        sell 1:3 ben > wei at 29900
        confirm 1:3 by wei at 29900
    """)
    path = the_path(queries, 3)
    assert [text_of(step) for step in path.steps] == [
        "9 commissioned acme",
        "11 transferred acme > ann at 15000",
        "12 transferred ann > ben at 18000",
        "13 delivered ann > ben",
        "14 sold ben > consumer:wei at 29900",
        "15 confirmed consumer:wei at 29900",
    ]
    assert [
        step.movement.terms and step.movement.terms.authority(1).receiver_tier for step in path.steps
    ] == [
        None,
        1,
        2,
        None,
        None,
        None,
    ]
    assert path.run.range == UnitRange(1, 3, 3)
    assert (path.run.owner, path.run.state) == ("consumer:wei", UnitState.CONFIRMED)
    assert (path.product.name, path.batch.row.lot, path.as_of_position) == ("mask", "L1", 15)
    (offer,) = transfers_at(queries, 10)
    assert (offer.row.status, offer.row.units, offer.row.accepted_units, offer.row.answered_position) == (
        *(TransferStatus.ACCEPTED_IN_PART, 50, 40, 11),
    )
    short = the_path(queries, 45, corrections=True)
    assert [text_of(step) for step in short.steps] == [
        "9 commissioned acme",
        "10 offered acme > ann at 15000",
        "11 released acme > ann",
    ]
    assert short.run.range == UnitRange(1, 40, 49)
    assert [text_of(step) for step in the_path(queries, 45).steps] == ["9 commissioned acme"]


def test_a_path_shows_the_open_offer(query_story: Callable[[str], Queries]) -> None:
    """A path shows the offer that waits for an answer, and the unaccepted offers only on request."""
    queries = query_story("""
        offer 1:0-9 acme > ann at 15000 as first
        decline first by ann
        offer 1:0-9 acme > ben at 16000 as second
    """)
    assert [text_of(step) for step in the_path(queries, 0).steps] == [
        "9 commissioned acme",
        "12 offered acme > ben at 16000",
    ]
    assert [step.movement.kind.name for step in the_path(queries, 0, corrections=True).steps] == [
        "COMMISSIONED",
        "OFFERED",
        "RELEASED",
        "OFFERED",
    ]
    assert [text_of(step) for step in the_path(queries, 0, as_of=10).steps][1:] == [
        "10 offered acme > ann at 15000"
    ]


def test_a_past_run_ends_at_the_cuts_of_its_time(query_story: Callable[[str], Queries]) -> None:
    """As of a position, a run ends where earlier events had cut it, and later events do not matter."""
    queries = query_story("""
        record 1:10-19 acme > ann at 15000
        record 1:15-19 ann > ben at 18000
        record 1:40-49 acme > ann at 15000
        record 1:25 acme > cat at 15000
    """)
    ranges = [the_path(queries, 25, as_of).run.range for as_of in range(9, 14)]
    assert [(part.first, part.last) for part in ranges] == [(0, 99), (20, 99), (20, 99), (20, 39), (25, 25)]
    assert the_path(queries, 30, as_of=12).run.range == UnitRange(1, 20, 39)


def test_a_reversed_transfer_is_shown_as_corrected(query_story: Callable[[str], Queries]) -> None:
    """A path omits a reversed transfer and its reversal, and shows both with a mark on request."""
    queries = query_story("""
        offer 1:0-9 acme > ann at 15000 as first
        accept first by ann
        record 1:0-9 ann > ben at 18000 as second
        reverse second by ann
        reverse second by ben
    """)
    assert [text_of(step) for step in the_path(queries, 5).steps] == [
        "9 commissioned acme",
        "11 transferred acme > ann at 15000",
    ]
    assert [text_of(step) for step in the_path(queries, 5, corrections=True).steps] == [
        "9 commissioned acme",
        "10 offered acme > ann at 15000",
        "11 transferred acme > ann at 15000",
        "12 transferred ann > ben at 18000 (corrected)",
        "14 reversed ben > ann at 18000 (corrected)",
    ]
    assert [text_of(step) for step in the_path(queries, 5, as_of=13).steps][2:] == [
        "12 transferred ann > ben at 18000"
    ]
    (line,) = transfers_at(queries, 12)
    assert (line.row.status, line.row.reversal_asked_by) == (TransferStatus.REVERSED, "ann")


@pytest.mark.parametrize(
    ("deliveries", "shown", "custodian"),
    [
        ("deliver 1:0 acme > ann", ["delivered acme > ann"], "ann"),
        ("deliver 1:0 acme > ann\ndeliver 1:0 ann > acme", [], "acme"),
        ("deliver 1:0 acme > ann as d\ndeclare d an error by acme", [], "acme"),
    ],
)
def test_a_delivery_outlives_the_reversal_of_a_transfer_on_paper(
    query_story: Callable[[str], Queries], deliveries: str, shown: list[str], custodian: str
) -> None:
    """Goods that were delivered meanwhile stay there. So the delivery is in force, unless they came back."""
    queries = query_story(f"""
        record 1:0 acme > ann at 15000 later as paper
        {deliveries}
        reverse paper by ann
        reverse paper by acme
    """)
    path = the_path(queries, 0)
    assert [text_of(step).partition(" ")[2] for step in path.steps[1:]] == shown
    assert (path.run.owner, path.run.custodian) == ("acme", custodian)


def test_a_return_goes_back_to_the_giver(query_story: Callable[[str], Queries]) -> None:
    """Each line of a return gives back units of one transfer or sale, at the price that was paid."""
    queries = query_story("""
        record 1:0-4 acme > ann at 15000
        record 1:5-9 acme > ann at 16000
        return 1:3-6 by ann
        sell 1:0 ann > wei at 20000
        return 1:0 by consumer:wei
    """)
    path = the_path(queries, 3)
    assert text_of(path.steps[-1]) == "12 returned ann > acme at 15000"
    undone = path.steps[-1].movement.terms
    assert undone is not None
    (authority,) = undone.authorities
    assert (authority.giver_tier, authority.receiver_tier, undone.ranges) == (0, 1, (UnitRange(1, 3, 4),))
    assert text_of(the_path(queries, 0).steps[-1]) == "14 returned consumer:wei > ann at 20000"
    first, second = transfers_at(queries, 12)
    assert (first.row.line, first.row.giver, first.row.receiver, first.row.units) == (0, "ann", "acme", 2)
    assert (first.row.returns_transfer, first.ranges) == (10, (UnitRange(1, 3, 4),))
    assert (second.row.returns_transfer, second.row.amount_minor) == (11, 16000)
    ladder = ladder_of(queries, 1)
    assert isinstance(ladder, Insight)
    assert [(rung.tier, rung.units, rung.sum_minor) for rung in ladder.found.rungs] == [
        (1, 6, 3 * 15000 + 3 * 16000)
    ]


def test_a_path_names_the_outermost_case_of_the_unit(query_story: Callable[[str], Queries]) -> None:
    """A path names the outermost case or pallet of its unit, and none after unpacking or for a lost unit."""
    inner, pallet = "106141412345678908", "106141412345678915"
    packed = f"pack {inner} with 1:10-19 by acme\npack {pallet} with 1:20 and case {inner} by acme\n"
    queries = query_story(packed + "write off 1:12 by acme as lost")
    assert [the_path(queries, number).run.sscc for number in (9, 10, 12, 19, 20, 21)] == [
        *("", pallet, "", pallet, pallet, "")
    ]
    assert the_path(queries, 10, as_of=10).run.sscc == ""
    case = queries.case("book", pallet)
    assert not isinstance(case, Refusal)
    assert (case.row.outer, case.ranges, case.cases, case.row.position) == (
        None,
        (UnitRange(1, 20, 20),),
        (inner,),
        11,
    )
    unpacked = query_story(packed + f"unpack {pallet} by acme")
    assert [the_path(unpacked, number).run.sscc for number in (10, 20)] == [inner, ""]
    assert reason(unpacked.case("book", pallet)) is Reason.CASE_UNKNOWN


def test_the_run_of_a_path_ends_where_the_case_ends(query_story: Callable[[str], Queries]) -> None:
    """A case of 1:0-1 and the path of a unit agree: no run holds units in the case and others."""
    case = "106141412345678908"
    queries = query_story("pack 106141412345678908 with 1:0-1 by acme")
    for number, first, last, sscc in ((0, 0, 1, case), (1, 0, 1, case), (2, 2, 99, ""), (5, 2, 99, "")):
        run = the_path(queries, number).run
        assert (run.range, run.sscc) == (UnitRange(1, first, last), sscc)


def test_runs_end_before_within_between_and_after_packed_ranges(
    query_story: Callable[[str], Queries],
) -> None:
    """Each packed range is a run of its own, also if adjacent ranges are in different cases of one pallet."""
    one, two, pallet = "106141412345678908", "106141412345678915", "106141412345678922"
    queries = query_story(f"""
        pack {one} with 1:10-19 1:30-39 by acme
        pack {two} with 1:40-49 by acme
        pack {pallet} with case {one} case {two} by acme
    """)
    expected = [
        (0, 9, ""),
        (10, 19, pallet),
        (20, 29, ""),
        (30, 39, pallet),
        (40, 49, pallet),
        (50, 99, ""),
    ]
    for first, last, sscc in expected:
        for number in (first, (first + last) // 2, last):
            run = the_path(queries, number).run
            assert (run.range, run.sscc) == (UnitRange(1, first, last), sscc)


def test_a_run_of_its_own_past_is_cut_by_a_case_only_where_it_lies_in_it(
    query_story: Callable[[str], Queries],
) -> None:
    """A run is the part with the same past of what is in the same case."""
    case = "106141412345678908"
    queries = query_story(f"""
        record 1:0-9 acme > ann at 15000 later
        deliver 1:5-9 acme > ann
        pack {case} with 1:7-8 by ann
    """)
    found = {
        (run.range.first, run.range.last, run.sscc)
        for number in range(12)
        for run in (the_path(queries, number).run,)
    }
    assert found == {(0, 4, ""), (5, 6, ""), (7, 8, case), (9, 9, ""), (10, 99, "")}


def test_a_written_off_unit_of_a_case_is_in_none(query_story: Callable[[str], Queries]) -> None:
    """Units written off in and beside a case are one run in no case, and the case does not name them either."""
    case = "106141412345678908"
    queries = query_story(f"pack {case} with 1:10-19 1:30-39 by acme\nwrite off 1:5-12 1:35 by acme as lost")
    for number, first, last, sscc in (
        (4, 0, 4, ""),
        (5, 5, 12, ""),
        (12, 5, 12, ""),
        (13, 13, 19, case),
        (20, 20, 29, ""),
        (34, 30, 34, case),
        (35, 35, 35, ""),
        (36, 36, 39, case),
    ):
        run = the_path(queries, number).run
        assert (run.range, run.sscc) == (UnitRange(1, first, last), sscc)
    shown = queries.case("book", case)
    assert not isinstance(shown, Refusal)
    assert shown.ranges == (UnitRange(1, 13, 19), UnitRange(1, 30, 34), UnitRange(1, 36, 39))
    for part in shown.ranges:
        assert the_path(queries, part.first).run.range == part


def test_a_case_of_written_off_units_is_empty(query_story: Callable[[str], Queries]) -> None:
    """A case whose units were all written off names none of them, and is still packed."""
    case = "106141412345678908"
    queries = query_story(f"pack {case} with 1:10-19 by acme\nwrite off 1:0-50 by acme as destroyed")
    shown = queries.case("book", case)
    assert not isinstance(shown, Refusal)
    assert (shown.ranges, shown.row.sscc) == ((), case)
    assert the_path(queries, 15).run.range == UnitRange(1, 0, 50)


def test_after_unpacking_and_in_the_past_no_case_cuts_a_run(query_story: Callable[[str], Queries]) -> None:
    """A case cuts runs only while it is packed, and only in an answer that names cases."""
    case = "106141412345678908"
    packed = f"record 1:0-99 acme > ann at 15000\npack {case} with 1:0-1 by ann\n"
    queries = query_story(packed + "agent zoe")
    for number in (0, 5):
        past = the_path(queries, number, as_of=10).run
        assert (past.range, past.sscc) == (UnitRange(1, 0, 99), "")
        late = the_path(queries, number, as_of=11).run
        assert (late.range, late.sscc) == (UnitRange(1, 0, 99), "")
    now = the_path(queries, 5, as_of=12).run
    assert now.range == UnitRange(1, 2, 99)
    unpacked = query_story(packed + f"unpack {case} by ann")
    for number in (0, 5):
        assert the_path(unpacked, number).run.range == UnitRange(1, 0, 99)


def test_a_path_shows_the_recalls_of_its_unit(query_story: Callable[[str], Queries]) -> None:
    """A path shows each recall that names its unit, with the range that holds it, even as of an earlier position."""
    queries = query_story("""
        record 1:0-9 acme > ann at 15000
        recall batch 1 units 1:5-9 by acme
    """)
    for as_of in (0, 10):
        batch = the_path(queries, 7, as_of).batch
        (recall,) = batch.recalls
        assert (recall.row.position, recall.row.ranges, batch.goes_on) == (11, "[[5,9]]", False)
    batch = the_path(queries, 0).batch
    assert (batch.recalls, batch.goes_on) == ((), True)


def test_views_that_are_being_rebuilt_answer_no_path(query_story: Callable[[str], Queries]) -> None:
    """A query for a path fails while the views are being rebuilt, because its steps could be incomplete."""
    queries = query_story("record 1:0-9 acme > ann at 15000")
    assert len(the_path(queries, 5).steps) == 2
    with queries._views._engine.begin() as connection:
        connection.execute(REFILL.update().values(through=11))
    with pytest.raises(ViewsRebuildingError):
        the_path(queries, 5)
