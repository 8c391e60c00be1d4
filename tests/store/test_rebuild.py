"""Rebuilding views: in one process or two, killed, overtaken by a follower, or over an unreadable log."""

import multiprocessing
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pathbook.ledger.codec import MalformedEventError
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.store.database.fast_read import ReaderPool
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views import follower as followers
from pathbook.ledger.store.views import tables
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.views.rebuild_worker import FoldedGroup, RebuildWorker
from pathbook.ledger.store.views.snapshot import ViewsRebuildingError, open_snapshot
from tests.books import PATIENCE
from tests.projections.synthetic import SyntheticBook
from tests.store.follower_process import Connect, child, kill_after, rows_at_once, rows_of


@pytest.fixture(scope="module")
def large_book() -> SyntheticBook:
    """A book so large that a third of it does not fit into the pipe between two processes."""
    return SyntheticBook(11, 20_000)


@pytest.fixture
def always_with_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the rebuild worker even for a short log, and wait for it after the first events."""
    monkeypatch.setattr(followers, "REBUILD_WORKER_MIN_EVENTS", 0)
    monkeypatch.setattr(RebuildWorker, "ready", lambda process: process._pipe.poll(PATIENCE))


@pytest.fixture
def started(
    always_with_worker: None, long_book: SyntheticBook, stream: Stream, connect: Connect
) -> Iterator[Follower]:
    """A follower that runs in its own thread, with groups of ten events."""
    stream.append("book", 0, long_book.entries)
    follower = Follower(stream, connect("views"), 10)
    follower.start()
    yield follower
    follower.close()


@pytest.fixture(params=["with a worker", "done before the worker has started", "alone"])
def with_worker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Tell whether a rebuild worker applies the events."""
    with_worker = bool(request.param == "with a worker")
    if with_worker:
        request.getfixturevalue("always_with_worker")
    elif request.param != "alone":
        monkeypatch.setattr(followers, "REBUILD_WORKER_MIN_EVENTS", 0)
    return with_worker


def test_a_killed_rebuild_resumes(
    long_book: SyntheticBook,
    stream: Stream,
    connect: Connect,
    place: Path,
    tmp_path: Path,
    with_worker: bool,
) -> None:
    """The views of an unfinished rebuild answer nothing, and the next rebuild resumes and ends with the same rows."""
    total = len(long_book.entries)
    stream.append("book", 0, long_book.entries)
    views = connect("views")
    Follower(stream, views).catch_up("book")
    kill_after(child(place, "rebuild", 5, worker=with_worker), 3, 0)
    follower = Follower(stream, views)
    reached = follower.position("book")
    with pytest.raises(ViewsRebuildingError), open_snapshot(ReaderPool(views), "book"):
        pass
    progress: list[tuple[int, int]] = []
    follower.rebuild(lambda done, of: progress.append((done, of)))
    assert progress[0] == (reached, total)
    assert progress[-1] == (total, total)
    with open_snapshot(ReaderPool(views), "book") as snapshot:
        assert snapshot.position == total
    assert rows_of(views) == rows_at_once(stream, tmp_path)


@pytest.mark.usefixtures("with_worker")
def test_a_rebuild_projects_every_book_from_its_beginning(
    stream: Stream, connect: Connect, tmp_path: Path
) -> None:
    """A new rebuild starts from the beginning, drops foreign rows, and reports the progress over all books."""
    views = connect("views")
    follower = Follower(stream, views)
    for name, seed in (("one", 1), ("two", 2)):
        stream.append(name, 0, SyntheticBook(seed, 30).entries)
        follower.catch_up(name)
    with views.begin() as connection:
        connection.execute(
            tables.PARTY.insert().values(
                book="one", party="zoe", kind=1, position=1, head=b"", head_position=1
            )
        )
    progress: list[tuple[int, int]] = []
    follower.rebuild(lambda done, of: progress.append((done, of)))
    total = stream.head("one") + stream.head("two")
    assert progress[0] == (0, total)
    assert progress[-1] == (total, total)
    assert progress == sorted(progress)
    assert rows_of(views) == rows_at_once(stream, tmp_path, "one", "two")


@pytest.mark.usefixtures("always_with_worker")
def test_a_rebuild_goes_on_without_its_worker(
    long_book: SyntheticBook,
    stream: Stream,
    connect: Connect,
    tmp_path: Path,
) -> None:
    """If the worker is killed, or another follower overtakes it, the rebuild applies the events itself."""
    stream.append("book", 0, long_book.entries[:-1])
    views = connect("views")
    seen: list[int] = []

    def kill(done: int, _of: int) -> None:
        seen.append(done if multiprocessing.active_children() else -1)
        if done > 0:
            for process in multiprocessing.active_children():
                process.kill()

    Follower(stream, views, 10).rebuild(kill)
    assert seen[:2] == [0, 20]  # the worker starts at 0, and works from 10
    assert -1 in seen[2:]
    assert stream.head("book") == len(long_book.entries) - 1
    assert rows_of(views) == rows_at_once(stream, tmp_path)
    follower, ahead = Follower(stream, views, 10), Follower(stream, connect("views"), 7)

    def go_ahead(done: int, _of: int) -> None:
        if done == 40:
            stream.append("book", len(long_book.entries) - 1, long_book.entries[-1:])
            ahead.catch_up("book")

    follower.rebuild(go_ahead)
    assert stream.head("book") == len(long_book.entries)
    assert rows_of(views) == rows_at_once(stream, tmp_path)
    assert not multiprocessing.active_children()


@pytest.mark.usefixtures("always_with_worker")
def test_a_rebuild_goes_on_after_a_partial_message_of_its_worker(
    large_book: SyntheticBook,
    stream: Stream,
    connect: Connect,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A group that was sent only in part, because it is larger than the pipe, is ignored."""
    stream.append("book", 0, large_book.entries)
    views, killed = connect("views"), []
    write = Follower._write_group

    def write_and_kill(follower: Follower, name: str, folded: FoldedGroup) -> bool:
        written = write(follower, name, folded)
        time.sleep(0.5)  # so that the worker is in the middle of the next group
        for process in multiprocessing.active_children():
            process.kill()
            process.join()
            killed.append(folded.last)
        return written

    monkeypatch.setattr(Follower, "_write_group", write_and_kill)
    Follower(stream, views, len(large_book.entries) // 3).rebuild()
    assert len(killed) == 1
    assert rows_of(views) == rows_at_once(stream, tmp_path)


@pytest.mark.usefixtures("always_with_worker")
def test_a_rebuild_runs_alone_if_no_worker_can_start(
    long_book: SyntheticBook,
    stream: Stream,
    connect: Connect,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If the system refuses another process, the writing process also applies the events."""

    def refused(_self: object) -> None:
        raise BlockingIOError

    monkeypatch.setattr(multiprocessing.process.BaseProcess, "start", refused)
    stream.append("book", 0, long_book.entries)
    views = connect("views")
    Follower(stream, views, 500).rebuild()
    assert rows_of(views) == rows_at_once(stream, tmp_path)


def test_a_following_thread_does_not_interfere_with_a_rebuild(
    started: Follower, stream: Stream, connect: Connect, tmp_path: Path
) -> None:
    """The thread waits until the rebuild is done, because overtaking it would only end the worker."""
    started.reached("book", stream.head("book")).result(PATIENCE)
    progress: list[int] = []

    def wake(done: int, _of: int) -> None:
        progress.append(done)
        started.reached("book", done + 1)

    started.rebuild(wake)
    assert progress[:4] == [0, 20, 30, 40]
    started.close()
    assert rows_of(connect("views")) == rows_at_once(stream, tmp_path)


@pytest.mark.usefixtures("always_with_worker")
def test_a_following_thread_stops_for_a_rebuild(
    long_book: SyntheticBook,
    stream: Stream,
    connect: Connect,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A thread that is at work when the rebuild begins does not overtake the worker: each of its groups is written."""
    stream.append("book", 0, long_book.entries)
    follower, head = Follower(stream, connect("views"), 10), len(long_book.entries)
    project, write_group = follower._project, follower._write_group
    groups: list[tuple[int, bool]] = []

    def project_during_rebuild(book: str, after: int, events: list[RecordedEvent]) -> int:
        until = time.monotonic() + PATIENCE
        while after == 50 and not follower._rebuilding:
            assert time.monotonic() < until
            time.sleep(0.001)
        return project(book, after, events)

    def note_group(book: str, folded: FoldedGroup) -> bool:
        groups.append((folded.last, write_group(book, folded)))
        return groups[-1][1]

    monkeypatch.setattr(follower, "_project", project_during_rebuild)
    monkeypatch.setattr(follower, "_write_group", note_group)
    follower.start()
    follower.reached("book", 50).result(PATIENCE)
    follower.rebuild()
    follower.close()
    assert groups
    assert groups == [(last, True) for last in (*range(groups[0][0], head, 10), head)]
    assert groups[0][0] <= 90
    assert rows_of(connect("views")) == rows_at_once(stream, tmp_path)


@pytest.mark.usefixtures("always_with_worker")
def test_a_rebuild_raises_the_error_of_an_unreadable_event(stream: Stream, connect: Connect) -> None:
    """The writing process meets the event that ended the worker, and raises its error."""
    stream.append("book", 0, [*SyntheticBook(5, 10).entries[:4], ("Nothing.v1", b"nothing")])
    with pytest.raises(MalformedEventError):
        Follower(stream, connect("views"), 1).rebuild()
