"""Reports that need the past of units: however events are cut and stories are cached, their rows are the same."""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from pathbook.ledger import events
from pathbook.ledger.projections.registers import corrected_batch
from pathbook.ledger.reports.adding import Adding, Key, folding
from pathbook.ledger.reports.report import Column, ColumnKind, Report, SumRow
from pathbook.ledger.reports.story import BatchStory, ToldEvent, batches_told, told
from pathbook.ledger.reports.sums import fold_together
from pathbook.ledger.reports.wanted import added_up
from pathbook.ledger.run import Run
from pathbook.ledger.store.database.engine import Purpose, reading
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views import follower as followers
from pathbook.ledger.store.views import report_follower, story_cache
from pathbook.ledger.store.views.batch_positions import BATCH_POSITIONS
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.views.rebuild_worker import RebuildWorker
from pathbook.ledger.store.views.story_cache import StoryCache, load_stories
from tests.books import PATIENCE
from tests.examples import examples
from tests.projections.synthetic import SyntheticBook
from tests.store.test_reports import GIVEN, rebuilt, rows


class Held:
    """Counts units by owner, the last hop by which they came, the price of the first one, and how many there were."""

    def __init__(self) -> None:
        self.adding = Adding(1)

    def add(self, told: ToldEvent) -> None:
        """Count the units of all runs that an event changed, cut or made."""
        for change in told.changes:
            story = told.stories[change.batch]
            if change.before is not None:
                self._count(story, change.before, -1)
            for run in (change.changed, *change.remainders):
                self._count(story, run, 1)

    def _count(self, story: BatchStory, run: Run, sign: int) -> None:
        self.adding.add(self.key(story, run), sign * (run.last - run.first + 1))

    def key(self, story: BatchStory, run: Run) -> Key:
        """Return the key of a run's units."""
        came = list(story.hops(run))
        transfer, first = (came[0].transfer, came[-1].unit_price.amount_minor) if came else (0, 0)
        return story.batch, run.owner, transfer, first, len(came)


class Owned(Held):
    """Counts units by owner alone."""

    def key(self, story: BatchStory, run: Run) -> Key:
        """Return the first columns of the key."""
        return super().key(story, run)[:2]


HELD = Report(
    "held",
    1,
    (
        Column("batch", ColumnKind.BATCH),
        Column("owner", ColumnKind.PARTY),
        Column("transfer", ColumnKind.NUMBER),
        Column("first_minor", ColumnKind.NUMBER),
        Column("hops", ColumnKind.SMALL),
    ),
    ("units",),
    folding(Held),
    needs_stories=True,
)
"""A report that looks at every hop of every run that an event changes."""

OWNED = Report("owned", 1, HELD.key[:2], ("units",), folding(Owned), needs_stories=True)
"""A second such report, which shares the telling of the first one."""

BOTH = (HELD, GIVEN, OWNED)


def folded(report: Report, events_told: Iterable[ToldEvent]) -> list[SumRow]:
    """Return the rows of a report that folds all events at once."""
    return sorted(report.folded(events_told))


def in_book(found: Iterable[SumRow]) -> list[SumRow]:
    """Return rows as they are stored, with their book."""
    return [("book", *row) for row in found]


@pytest.fixture(scope="module", params=[1, *(pytest.param(seed, marks=pytest.mark.heavy) for seed in (2, 3))])
def book(request: pytest.FixtureRequest) -> SyntheticBook:
    """A book with every kind of event."""
    return SyntheticBook(request.param, 400)


def test_a_story_has_every_hop_in_force(book: SyntheticBook) -> None:
    """What is told of the runs adds up to the runs of the writer: each unit with its owner and its last hop."""
    expected: Counter[SumRow] = Counter()
    for batch, partition in book.state.partitions.items():
        for run in partition.runs:
            transfer = run.last_hop.transfer if run.last_hop is not None else 0
            expected[batch, run.owner, transfer] += run.last - run.first + 1
    found: Counter[SumRow] = Counter()
    for *key, _, _, units in folded(HELD, told(book.recorded)):
        assert isinstance(units, int)
        found[tuple(key)] += units
    assert found == expected


@given(st.data())
@settings(max_examples=examples(8, 20), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_stories_are_told_again_where_they_are_not_cached(
    book: SyntheticBook, followed: StoryCache, data: st.DataObject
) -> None:
    """Wherever the events are cut, and whatever the cache holds, two reports that share a telling get the same rows."""
    sums: dict[Report, list[SumRow]] = {HELD: [], OWNED: []}
    followed._limit = data.draw(st.sampled_from([0, 1, 20, 300, 10**6]))
    after, head = 0, len(book.recorded)
    while after < head:
        last = data.draw(st.integers(after + 1, min(head, after + 150)))
        telling = followed.told("book", after, book.recorded[after:last])
        for report, added in fold_together([HELD, OWNED], telling).items():
            assert not isinstance(added, Exception), added
            sums[report] += added
        assert followed.size <= followed._limit
        after = last
        if data.draw(st.booleans()):
            followed.clear()
    for report, found in sums.items():
        columns = [column.name for column in report.key]
        assert sorted(added_up(report, found, columns)) == folded(report, told(book.recorded))


@pytest.fixture
def followed(book: SyntheticBook, stream: Stream, connect: Callable[[Purpose], Engine]) -> StoryCache:
    """A cache over views that have all events of the book."""
    stream.append("book", 0, book.entries)
    views = connect("views")
    Follower(stream, views, reports=[]).catch_up("book")
    return StoryCache(stream, views)


def test_a_story_of_any_position_comes_from_the_log(
    book: SyntheticBook, followed: StoryCache, connect: Callable[[Purpose], Engine], stream: Stream
) -> None:
    """A story as of an old position is the one that was told up to there, although the views are far beyond it."""
    stories: dict[int, BatchStory] = {}
    for each in told(book.recorded, stories):
        position = each.recorded.position
        if position % 40:
            continue
        loaded = load_stories(stream, connect("views"), "book", range(1, 60), position)
        assert {batch: story.partition.runs for batch, story in loaded.items()} == {
            batch: story.partition.runs for batch, story in stories.items()
        }


def test_the_views_know_every_event_of_a_story(
    book: SyntheticBook, stream: Stream, connect: Callable[[Purpose], Engine]
) -> None:
    """Of each batch they give the positions of the events that its story goes on with, and of no others."""
    stream.append("book", 0, book.entries)
    views = connect("views")
    Follower(stream, views, reports=[]).catch_up("book")
    for batch in range(1, book.state.last_batch + 1):
        expected = [
            each.position
            for each in book.recorded
            if batch in batches_told(each.event)
            or (isinstance(each.event, events.BatchCommissioned) and each.event.batch == batch)
        ]
        for through in (expected[0], expected[len(expected) // 2], len(book.entries)):
            asked = {"book": "book", "batch": batch, "subject": corrected_batch(batch), "through": through}
            with reading(views) as connection:
                found = {
                    position
                    for lookup in BATCH_POSITIONS
                    for position in connection.execute(lookup, asked).scalars()
                }
            assert sorted(found) == [position for position in expected if position <= through]


@pytest.mark.parametrize("limit", [0, 50, story_cache.CACHED_STORIES_MAX])
def test_reports_that_are_followed_rebuilt_and_added_have_the_same_rows(
    book: SyntheticBook,
    stream: Stream,
    connect: Callable[[Purpose], Engine],
    tmp_path: Path,
    limit: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One is level from the start, one is added late and shares no stories until it is level, and one is rebuilt."""
    monkeypatch.setattr(report_follower, "GROUP_EVENTS", 70)
    views, half = connect("views"), len(book.entries) // 2
    first = Follower(stream, views, 13, reports=[HELD])
    for begin in range(0, half, 31):
        stream.append("book", begin, book.entries[begin : min(begin + 31, half)])
        first.catch_up("book")
    follower = Follower(stream, views, 13, reports=BOTH)
    follower.reports._stories._limit = limit
    for begin in range(half, len(book.entries), 31):
        stream.append("book", begin, book.entries[begin : begin + 31])
        follower.catch_up("book", with_reports=False)
        follower.reports.build("book")
    while follower.reports.build("book"):
        pass
    expected = [in_book(folded(HELD, told(book.recorded))), in_book(folded(OWNED, told(book.recorded)))]
    assert rows(views, HELD, OWNED) == expected
    assert rebuilt(stream, tmp_path, HELD, GIVEN, OWNED) == rows(views, *BOTH)
    follower.rebuild_report(OWNED)
    assert rows(views, HELD, OWNED) == expected


def test_a_worker_leaves_reports_with_stories_to_the_follower(
    book: SyntheticBook, stream: Stream, connect: Callable[[Purpose], Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rebuild with a second process ends with the same rows."""
    monkeypatch.setattr(followers, "REBUILD_WORKER_MIN_EVENTS", 0)
    monkeypatch.setattr(RebuildWorker, "ready", lambda process: process._pipe.poll(PATIENCE))
    stream.append("book", 0, book.entries)
    views = connect("views")
    Follower(stream, views, 50, reports=[HELD]).rebuild()
    assert rows(views, HELD) == [in_book(folded(HELD, told(book.recorded)))]


def test_a_report_that_fails_leaves_the_telling_to_the_others(
    book: SyntheticBook, stream: Stream, connect: Callable[[Purpose], Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report whose fold raises stays where it is. The one beside it has all rows, and the first can go on later."""
    monkeypatch.setattr(
        report_follower, "TURN_S", PATIENCE
    )  # the error is told with all its frames, which takes long

    class Broken(Held):
        def add(self, told: ToldEvent) -> None:
            if told.recorded.position > 100:
                raise ZeroDivisionError
            super().add(told)

    failing = Report("held", 1, HELD.key, HELD.sums, folding(Broken), needs_stories=True)
    views = connect("views")
    follower = Follower(stream, views, 50, reports=[failing, OWNED])
    stream.append("book", 0, book.entries)
    follower.catch_up("book", with_reports=False)
    assert follower.reports.position(failing, "book") == 100
    assert follower.reports.position(OWNED, "book") == len(book.entries)
    Follower(stream, views, 50, reports=[HELD, OWNED]).catch_up("book")
    assert rows(views, HELD, OWNED) == [in_book(folded(each, told(book.recorded))) for each in (HELD, OWNED)]
