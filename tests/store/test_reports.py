"""Reports: added to a book that is written to, changed, broken and interrupted, they end as a rebuild makes them."""

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from structlog.testing import capture_logs

from pathbook.ledger import events
from pathbook.ledger.book import Outcome
from pathbook.ledger.commands import RecordTransfer
from pathbook.ledger.reports.adding import Adding, folding
from pathbook.ledger.reports.holdings import HOLDINGS
from pathbook.ledger.reports.ladder import LADDER
from pathbook.ledger.reports.report import Column, ColumnKind, Report
from pathbook.ledger.reports.story import ToldEvent
from pathbook.ledger.store.database.engine import Purpose, open_engine, reading
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.reports.positions import positions as report_positions
from pathbook.ledger.store.reports.tables import table_of
from pathbook.ledger.store.views import report_follower, rests
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.values import Price, Selection, UnitRange
from tests.books import BEGINNING, PATIENCE, Clock, ask, engine, open_books, positions
from tests.projections.synthetic import SyntheticBook
from tests.scenario import DAY, NOON

EVENTS = 8_000
"""How many transfers the book has before a report is added."""

CALLERS = 8


class GivenADay:
    """Counts the transfers and the units that were given in one step, by batch and day."""

    def __init__(self) -> None:
        self.adding = Adding(2)

    def add(self, told: ToldEvent) -> None:
        """Count the ranges of a transfer."""
        each = told.recorded
        if isinstance(each.event, events.TransferRecorded):
            for part in each.event.terms.ranges:
                self.adding.add((part.batch, each.recorded_at // DAY), 1, part.count)


KEY = (Column("batch", ColumnKind.BATCH), Column("day", ColumnKind.DAY))
GIVEN = Report("given", 1, KEY, ("transfers", "units"), folding(GivenADay))
"""A second report, which no program has yet."""


def give(unit: int) -> RecordTransfer:
    """Return the command that records the transfer of one unit from acme to ann."""
    return RecordTransfer(
        request_id=f"unit {unit}",
        giver="acme",
        receiver="ann",
        units=Selection((UnitRange(1, unit, unit),)),
        unit_price=Price(15_000 + unit % 7, "CNY"),
    )


def rows(views: Engine, *reports: Report) -> list[list[tuple[object, ...]]]:
    """Return all rows of reports, in order."""
    with reading(views) as connection:
        return [sorted(map(tuple, connection.execute(sa.select(table_of(report))))) for report in reports]


def rebuilt(stream: Stream, directory: Path, *reports: Report) -> list[list[tuple[object, ...]]]:
    """Return all rows of reports that are built from a log at once."""
    views = open_engine(directory / "rebuilt.sqlite", purpose="views")
    follower = Follower(stream, views, reports=reports)
    follower.rebuild()
    made = rows(views, *reports)
    views.dispose()
    return made


def test_no_write_is_refused_while_a_report_is_added(place: Path, tmp_path: Path) -> None:
    """Eight callers write to a long book while a report is added: all are answered, and their views do not wait."""
    before = (LADDER, HOLDINGS)
    with open_books(place, reports=before) as opened:
        positions(ask(opened, *BEGINNING))
        for first in range(0, EVENTS, 500):
            positions(ask(opened, *map(give, range(first, first + 500))))
        opened._follower.reached("masks", EVENTS + len(BEGINNING)).result(PATIENCE)
    both = (*before, GIVEN)
    with open_books(place, Clock(NOON + DAY), reports=both) as opened:
        follower, added = opened._follower, threading.Event()
        answered: list[Outcome] = []
        beside: list[bool] = []

        def write(caller: int) -> None:
            unit = EVENTS + caller
            while not added.is_set():
                outcomes = ask(opened, give(unit))
                answered.extend(outcomes)
                (position,) = positions(outcomes)
                behind = follower.reports.position(GIVEN, "masks")
                follower.reached("masks", position).result(PATIENCE)
                beside.append(behind < EVENTS)
                assert follower.reports.position(GIVEN, "masks") <= follower.position("masks")
                unit += CALLERS

        callers = [threading.Thread(target=write, args=(caller,)) for caller in range(CALLERS)]
        for caller in callers:
            caller.start()
        follower.reports.reached(GIVEN, "masks", EVENTS).result(PATIENCE)
        added.set()
        for caller in callers:
            caller.join()
        head = EVENTS + len(BEGINNING) + len(answered)
        assert sorted(positions(answered)) == list(range(EVENTS + len(BEGINNING) + 1, head + 1))
        assert any(beside)  # views reached a write while the report was being built
        for report in both:
            assert follower.reports.reached(report, "masks", head).result(PATIENCE) == head
    log, views = engine(place, "events"), engine(place, "views")
    assert rows(views, *both) == rebuilt(Stream(log), tmp_path, *both)
    ((_, _, _, transfers, units), *later) = rows(views, GIVEN)[0]
    assert transfers == units == EVENTS
    assert sum(row[3] for row in later if isinstance(row[3], int)) == len(answered)
    log.dispose()
    views.dispose()


@pytest.fixture
def books(stream: Stream, long_book: SyntheticBook) -> Stream:
    """A log with a long book."""
    stream.append("book", 0, long_book.entries)
    return stream


def test_a_report_of_a_new_version_is_built_beside_the_old_one(
    books: Stream, connect: Callable[[Purpose], Engine], tmp_path: Path
) -> None:
    """The old version is removed at the first start after the new one is built, and a rollback builds it again."""
    views = connect("views")
    second = Report("given", 2, KEY, ("transfers", "units"), folding(GivenADay))
    Follower(books, views, reports=[GIVEN]).catch_up("book")
    newer = Follower(books, views, reports=[second])
    assert versions(views) == {
        ("given", 1): len(books.at("book", [1])) and newer.position("book"),
        ("given", 2): 0,
    }
    old = Follower(books, views, reports=[GIVEN])  # a server of the old program, which starts again
    assert old.reports.position(GIVEN, "book") == newer.position("book")
    newer.catch_up("book")
    assert versions(views).keys() == {("given", 1), ("given", 2)}
    Follower(books, views, reports=[second])
    assert versions(views) == {("given", 2): newer.position("book")}
    assert not sa.inspect(views).has_table("report_given_1")
    again = Follower(books, views, reports=[GIVEN])
    again.catch_up("book")
    assert versions(views).keys() == {("given", 1), ("given", 2)}
    assert rows(views, GIVEN) == rows(views, second) == rebuilt(books, tmp_path, GIVEN)


def versions(views: Engine) -> dict[tuple[str, int], int]:
    """Return the position of each version of each report."""
    with reading(views) as connection:
        return {(at.report, at.version): at.position for at in report_positions(connection)}


def test_a_report_that_fails_stops_neither_the_views_nor_another_report(
    books: Stream, connect: Callable[[Purpose], Engine], tmp_path: Path
) -> None:
    """Its error is logged, its callers get it, and a program that is mended goes on where it stopped."""

    class Broken(GivenADay):
        def add(self, told: ToldEvent) -> None:
            if told.recorded.position > 500:
                raise ZeroDivisionError
            super().add(told)

    views = connect("views")
    failing = Report("given", 1, KEY, ("transfers", "units"), folding(Broken))
    follower = Follower(books, views, 100, reports=[failing, LADDER])
    waiting: Future[int] = follower.reports.reached(failing, "book", 501)
    head = books.head("book")
    with capture_logs() as logs:
        follower.start()
        assert isinstance(waiting.exception(PATIENCE), ZeroDivisionError)
        assert follower.reached("book", head).result(PATIENCE) == head
        assert follower.reports.reached(LADDER, "book", head).result(PATIENCE) == head
        follower.close()
    assert {line["event"] for line in logs} == {"updating the report given_1 failed"}
    assert versions(views) == {("given", 1): 500, ("ladder", 1): head}
    Follower(books, views, reports=[GIVEN]).catch_up("book")
    assert rows(views, GIVEN, LADDER) == rebuilt(books, tmp_path, GIVEN, LADDER)


def test_a_report_is_built_in_groups_of_its_own_and_rebuilt_alone(
    books: Stream, connect: Callable[[Purpose], Engine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report that is behind takes bounded groups from the log. To rebuild it leaves the views where they are."""
    monkeypatch.setattr(report_follower, "GROUP_EVENTS", 70)
    monkeypatch.setattr(report_follower, "FIRST_TURN_EVENTS", 70)
    monkeypatch.setattr(report_follower, "TURN_S", PATIENCE)
    views = connect("views")
    Follower(books, views, reports=[]).catch_up("book")
    follower, taken = Follower(books, views, reports=[GIVEN, LADDER]), list[int]()
    head = books.head("book")
    follower.reports.allow("book", head)
    while follower.reports.build("book"):
        taken.append(follower.reports.position(GIVEN, "book"))
    assert taken[:3] == [70, 140, 210]
    expected = rebuilt(books, tmp_path, GIVEN, LADDER)
    assert rows(views, GIVEN, LADDER) == expected
    progress: list[tuple[int, int]] = []
    follower.rebuild_report(GIVEN, lambda done, of: progress.append((done, of)))
    assert (progress[0], progress[-1]) == ((0, head), (head, head))
    assert rows(views, GIVEN, LADDER) == expected
    assert follower.position("book") == head


def test_a_turn_that_took_too_long_makes_the_next_ones_shorter(
    books: Stream, connect: Callable[[Purpose], Engine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The views wait for the end of a turn. Down to one event they wait less, and quick turns grow again."""
    monkeypatch.setattr(report_follower, "GROUP_EVENTS", 70)
    monkeypatch.setattr(report_follower, "FIRST_TURN_EVENTS", 70)
    views = connect("views")
    Follower(books, views, reports=[]).catch_up("book")
    follower, taken = Follower(books, views, reports=[GIVEN]), list[int]()
    follower.reports.allow("book", books.head("book"))
    for turn_s, turns in ((0.0, 3), (PATIENCE, 9)):
        monkeypatch.setattr(report_follower, "TURN_S", turn_s)
        for _ in range(turns):
            assert follower.reports.build("book")
            taken.append(follower.reports.position(GIVEN, "book"))
    assert taken == [70, 71, 72, 73, 75, 79, 87, 103, 135, 199, 269, 339]
    while follower.reports.build("book"):
        pass
    assert rows(views, GIVEN) == rebuilt(books, tmp_path, GIVEN)


def test_reports_that_another_follower_builds_are_the_same(
    books: Stream, connect: Callable[[Purpose], Engine], tmp_path: Path
) -> None:
    """One follower updates the views and no report, another the reports and no view, and both tell how far all are."""
    head, reports = books.head("book"), [GIVEN, LADDER, HOLDINGS]
    with contextlib.ExitStack() as stack:
        views = connect("views")
        projecting = stack.enter_context(
            contextlib.closing(Follower(books, views, 100, builds_reports=False, reports=reports))
        )
        projecting.start()
        assert projecting.reached("book", head).result(PATIENCE) == head
        assert [projecting.reports.position(report, "book") for report in reports] == [0, 0, 0]
        building = stack.enter_context(
            contextlib.closing(
                Follower(books, connect("views"), projects=False, builds_reports=True, reports=reports)
            )
        )
        building.start()
        for report in reports:
            for follower in (projecting, building):
                assert follower.reports.reached(report, "book", head).result(PATIENCE) == head
        assert rows(views, *reports) == rebuilt(books, tmp_path, *reports)
        assert building.position("book") == head


def every_turn_is_slow(monkeypatch: pytest.MonkeyPatch, rest_times: int = 1_000_000) -> None:
    """Let a book rest after each turn: so many times as long as the turn took, and a minute at most."""
    for name, value in {
        "SLOW_TURN_S": 0,
        "SLOW_EVENT_S": 0,
        "REST_TIMES": rest_times,
        "REST_MAX_S": 60,
    }.items():
        monkeypatch.setattr(rests, name, value)


def test_a_book_with_slow_turns_leaves_a_process_for_reports_to_other_books(
    books: Stream,
    long_book: SyntheticBook,
    connect: Callable[[Purpose], Engine],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It rests after a slow turn while another book has reports that are behind, and goes on while none has."""
    every_turn_is_slow(monkeypatch)
    books.append("other", 0, long_book.entries)
    views = connect("views")
    building = Follower(books, views, projects=False, builds_reports=True, reports=[GIVEN]).reports
    building.allow("book", books.head("book"))
    building.allow("other", 0)
    assert building.build_or_rest("book")
    building.allow("other", books.head("other"))
    assert not building.build_or_rest("book")
    assert not building.wants_turn("book")
    reached = building.position(GIVEN, "book")
    assert building.build_or_rest("other")  # it need not rest for a book that rests
    assert building.build_or_rest("other")
    assert not building.build_or_rest("book")
    assert building.position(GIVEN, "book") == reached


def test_a_follower_that_only_builds_reports_neither_rests_nor_waits_nor_runs_ahead(
    books: Stream, connect: Callable[[Purpose], Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No views share its process, so it goes on after slow turns, up to the position of views that are far behind."""
    every_turn_is_slow(monkeypatch)
    monkeypatch.setattr(report_follower, "VIEWS_NEARLY_LEVEL_EVENTS", 10)
    views, reached = connect("views"), books.head("book") - 100
    Follower(books, views, reached, builds_reports=False, reports=[GIVEN]).catch_up(
        "book", enough=lambda: True
    )
    building = Follower(books, connect("views"), projects=False, builds_reports=True, reports=[GIVEN])
    with contextlib.closing(building):
        building.start()
        assert building.reports.reached(GIVEN, "book", reached).result(PATIENCE) == reached


@pytest.mark.parametrize("rest_times", [0, 1_000_000])
def test_reports_rest_after_a_slow_turn(
    books: Stream, connect: Callable[[Purpose], Engine], rest_times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If stories do not fit in memory, the seal and other books get the process between two turns of the reports."""
    every_turn_is_slow(monkeypatch, rest_times)
    views, head = connect("views"), books.head("book")
    Follower(books, views, reports=[]).catch_up("book")
    follower = Follower(books, views, reports=[GIVEN])
    follower.start()
    try:
        assert follower.reached("book", head).result(PATIENCE) == head
        if rest_times:
            follower.reports.reached(GIVEN, "book", 1).result(PATIENCE)
            follower._wake("book")
            follower.reached("book", head).result(PATIENCE)
            assert follower.reports.position(GIVEN, "book") == report_follower.FIRST_TURN_EVENTS
            assert not follower.reports.wants_turn("book")  # so the views do not make room for one
        else:
            assert follower.reports.reached(GIVEN, "book", head).result(PATIENCE) == head
    finally:
        follower.close()


def test_a_report_waits_while_the_views_are_far_behind(
    books: Stream, connect: Callable[[Purpose], Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The views come first, because writes wait for them: a new report gets no turn until they are nearly level."""
    monkeypatch.setattr(report_follower, "VIEWS_NEARLY_LEVEL_EVENTS", 10)
    monkeypatch.setattr(report_follower, "FIRST_TURN_EVENTS", 100)
    views, head = connect("views"), books.head("book")
    follower = Follower(books, views, reports=[GIVEN])
    follower.reports.allow("book", head - 11)
    assert follower.reports.build("book")
    assert follower.reports.position(GIVEN, "book") == 0
    follower.reports.allow("book", head - 10)
    assert follower.reports.build("book")
    assert follower.reports.position(GIVEN, "book") == 100
