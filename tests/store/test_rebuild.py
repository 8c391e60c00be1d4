"""Making views anew: in one process or two, killed, overtaken, or over a log that cannot be read."""

import multiprocessing
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pathbook.ledger.codec import MalformedEventError
from pathbook.ledger.store.database.fast_read import ReaderPool
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views import follower as followers
from pathbook.ledger.store.views import tables
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.views.rebuild_worker import FoldedGroup, RebuildWorker
from pathbook.ledger.store.views.snapshot import ViewsRebuildingError, open_snapshot
from tests.books import PATIENCE
from tests.projections.synthetic import SyntheticBook
from tests.store.followed import Connect, child, followed, kill_after, rows_of


@pytest.fixture(scope="module")
def large_book() -> SyntheticBook:
    """A book of which a third is larger than what lies ready between two processes."""
    return SyntheticBook(11, 20_000)


@pytest.fixture
def always_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have even a short log folded by a process of its own: after the first events it is waited for."""
    monkeypatch.setattr(followers, "REBUILD_WORKER_MIN_EVENTS", 0)
    monkeypatch.setattr(RebuildWorker, "ready", lambda process: process._pipe.poll(PATIENCE))


@pytest.fixture
def started(
    always_apart: None, long_book: SyntheticBook, stream: Stream, connect: Connect
) -> Iterator[Follower]:
    """A follower that is at work in a thread of its own, ten events at once."""
    stream.append("book", 0, long_book.entries)
    follower = Follower(stream, connect("views"), 10)
    follower.start()
    yield follower
    follower.close()


@pytest.fixture(params=["folded apart", "done before the process has started", "alone"])
def apart(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Tell whether a process of its own folds."""
    apart = bool(request.param == "folded apart")
    if apart:
        request.getfixturevalue("always_apart")
    elif request.param != "alone":
        monkeypatch.setattr(followers, "REBUILD_WORKER_MIN_EVENTS", 0)
    return apart


def test_a_rebuild_that_was_killed_goes_on_where_it_was(
    long_book: SyntheticBook,
    stream: Stream,
    connect: Connect,
    place: Path,
    tmp_path: Path,
    apart: bool,
) -> None:
    """Until a rebuild is finished its views answer nothing; asked for again, it goes on and ends alike."""
    total = len(long_book.entries)
    stream.append("book", 0, long_book.entries)
    views = connect("views")
    Follower(stream, views).catch_up("book")
    kill_after(child(place, "rebuild", 5, apart=apart), 3, 0)
    follower = Follower(stream, views)
    stood = follower.position("book")
    with pytest.raises(ViewsRebuildingError), open_snapshot(ReaderPool(views), "book"):
        pass
    told: list[tuple[int, int]] = []
    follower.rebuild(lambda done, of: told.append((done, of)))
    assert told[0] == (stood, total)
    assert told[-1] == (total, total)
    with open_snapshot(ReaderPool(views), "book") as whole:
        assert whole.position == total
    assert rows_of(views) == followed(stream, tmp_path)


@pytest.mark.usefixtures("apart")
def test_a_rebuild_begins_every_book_anew(stream: Stream, connect: Connect, tmp_path: Path) -> None:
    """A finished rebuild is begun again by the next, drops what does not belong, and counts all books."""
    views = connect("views")
    follower = Follower(stream, views)
    for name, seed in (("one", 1), ("two", 2)):
        stream.append(name, 0, SyntheticBook(seed, 30).entries)
        follower.catch_up(name)
    with views.begin() as connection:
        connection.execute(tables.PARTY.insert().values(book="one", party="nobody", kind=1, position=1))
    told: list[tuple[int, int]] = []
    follower.rebuild(lambda done, of: told.append((done, of)))
    total = stream.head("one") + stream.head("two")
    assert told[0] == (0, total)
    assert told[-1] == (total, total)
    assert told == sorted(told)
    assert rows_of(views) == followed(stream, tmp_path, "one", "two")


@pytest.mark.usefixtures("always_apart")
def test_a_rebuild_goes_on_without_the_process_that_folds(
    long_book: SyntheticBook,
    stream: Stream,
    connect: Connect,
    tmp_path: Path,
) -> None:
    """Where it is killed, or another follower goes ahead of it, the rebuild finds out by itself what events mean."""
    stream.append("book", 0, long_book.entries[:-1])
    views = connect("views")
    rebuild_worker: list[int] = []

    def kill(done: int, _of: int) -> None:
        rebuild_worker.append(done if multiprocessing.active_children() else -1)
        if done > 0:
            for process in multiprocessing.active_children():
                process.kill()

    Follower(stream, views, 10).rebuild(kill)
    assert rebuild_worker[:2] == [0, 20]  # starting, and at work since 10
    assert -1 in rebuild_worker[2:]
    assert stream.head("book") == len(long_book.entries) - 1
    assert rows_of(views) == followed(stream, tmp_path)
    follower, ahead = Follower(stream, views, 10), Follower(stream, connect("views"), 7)

    def go_ahead(done: int, _of: int) -> None:
        if done == 40:
            stream.append("book", len(long_book.entries) - 1, long_book.entries[-1:])
            ahead.catch_up("book")

    follower.rebuild(go_ahead)
    assert stream.head("book") == len(long_book.entries)
    assert rows_of(views) == followed(stream, tmp_path)
    assert not multiprocessing.active_children()


@pytest.mark.usefixtures("always_apart")
def test_a_rebuild_goes_on_where_a_process_ends_amid_what_it_says(
    large_book: SyntheticBook,
    stream: Stream,
    connect: Connect,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A group may be larger than what lies ready between two processes: half of it is as good as none."""
    stream.append("book", 0, large_book.entries)
    views, killed = connect("views"), []
    write = Follower._write_group

    def write_and_kill(follower: Follower, name: str, folded: FoldedGroup) -> bool:
        written = write(follower, name, folded)
        time.sleep(0.5)  # by then the next group is being sent
        for process in multiprocessing.active_children():
            process.kill()
            process.join()
            killed.append(folded.last)
        return written

    monkeypatch.setattr(Follower, "_write_group", write_and_kill)
    Follower(stream, views, len(large_book.entries) // 3).rebuild()
    assert len(killed) == 1
    assert rows_of(views) == followed(stream, tmp_path)


@pytest.mark.usefixtures("always_apart")
def test_a_rebuild_is_done_alone_where_no_process_can_be_started(
    long_book: SyntheticBook,
    stream: Stream,
    connect: Connect,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the system refuses another process, the one that writes folds, too."""

    def refused(_self: object) -> None:
        raise BlockingIOError

    monkeypatch.setattr(multiprocessing.process.BaseProcess, "start", refused)
    stream.append("book", 0, long_book.entries)
    views = connect("views")
    Follower(stream, views, 500).rebuild()
    assert rows_of(views) == followed(stream, tmp_path)


def test_the_thread_that_follows_leaves_a_rebuild_alone(
    started: Follower, stream: Stream, connect: Connect, tmp_path: Path
) -> None:
    """It goes on when the rebuild is done: going ahead of it would only end the process that folds."""
    started.reached("book", stream.head("book")).result(PATIENCE)
    told: list[int] = []

    def wake(done: int, _of: int) -> None:
        told.append(done)
        started.reached("book", done + 1)

    started.rebuild(wake)
    assert told[:4] == [0, 20, 30, 40]
    started.close()
    assert rows_of(connect("views")) == followed(stream, tmp_path)


def test_the_thread_that_follows_leaves_off_for_a_rebuild(
    started: Follower, stream: Stream, connect: Connect, tmp_path: Path
) -> None:
    """It may be at work as the rebuild begins; the process that folds goes on to the end all the same."""
    started.reached("book", 50).result(PATIENCE)
    at_work: list[bool] = []
    started.rebuild(lambda _done, _of: at_work.append(bool(multiprocessing.active_children())))
    assert at_work.count(True) > 20  # of some 80; it may end before the last groups are written
    started.close()
    assert rows_of(connect("views")) == followed(stream, tmp_path)


@pytest.mark.usefixtures("always_apart")
def test_a_rebuild_tells_of_an_event_that_cannot_be_read(stream: Stream, connect: Connect) -> None:
    """What ends the process that folds is met again, and raised, by the one that writes."""
    stream.append("book", 0, [*SyntheticBook(5, 10).entries[:4], ("Nothing.v1", b"nothing")])
    with pytest.raises(MalformedEventError):
        Follower(stream, connect("views"), 1).rebuild()
