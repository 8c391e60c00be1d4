"""Heads of parties and batches in the views: for any grouping of events, in any process, and in bounded memory."""

import time
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import pytest
import sqlalchemy as sa

from pathbook.ledger import commands
from pathbook.ledger.chains import Chain, ChainHead, extended
from pathbook.ledger.command_fields import OPERATOR
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.store.database.engine import reading
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views import follower as followers
from pathbook.ledger.store.views import rebuild_worker
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.views.head_cache import HEADS_PER_STATEMENT_MAX, HeadCache, load_heads
from pathbook.ledger.store.views.rebuild_worker import FoldedGroup, RebuildWorker
from pathbook.ledger.store.views.rebuild_worker import _run_worker as run_worker
from pathbook.ledger.values import PartyKind
from tests.books import PATIENCE
from tests.projections.synthetic import SyntheticBook
from tests.store.follower_process import Connect, rows_at_once, rows_of


def heads_after(recorded: list[RecordedEvent]) -> dict[Chain, ChainHead]:
    """Return the heads of the chains of all parties and batches after the events of a book, folded one by one."""
    heads: dict[Chain, ChainHead] = {}
    for item in recorded:
        heads |= extended(heads, item, without=OPERATOR)
    return heads


def book_of_parties(count: int) -> SyntheticBook:
    """Return a book with many parties, each of which is authorized long after it was registered, twice."""
    book = SyntheticBook(3, 0)
    names = [f"p{number}" for number in range(count)]
    for name in names:
        book.ask(commands.RegisterParty(request_id=f"register {name}", party=name, kind=PartyKind.AGENT))
    for occasion in ("first", "second"):
        for name in names:
            book.ask(
                commands.AuthorizeParty(request_id=f"{occasion} {name}", upline="acme", party=name, tier=1)
            )
    return book


def test_the_views_hold_the_head_of_every_party_and_batch(
    long_book: SyntheticBook, stream: Stream, connect: Connect
) -> None:
    """Each party and each batch has the head to which its own events lead, and the position of the last of them."""
    views, expected = connect("views"), heads_after(long_book.recorded)
    stream.append("book", 0, long_book.entries)
    Follower(stream, views, 7).catch_up("book")
    with reading(views) as connection:
        assert load_heads(connection, "book", [*expected, "nobody", 999]) == expected
    assert {type(chain) for chain in expected} == {str, int}
    assert any(head.head_position > 9 for chain, head in expected.items() if isinstance(chain, int))


@pytest.mark.parametrize("limit", [0, 3, pytest.param(1_000_000, marks=pytest.mark.heavy)])
def test_heads_do_not_depend_on_what_is_cached(
    limit: int, stream: Stream, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rebuild in two processes, with heads evicted before they are needed again, ends with the same rows."""
    monkeypatch.setattr(followers, "REBUILD_WORKER_MIN_EVENTS", 0)
    monkeypatch.setattr(RebuildWorker, "ready", lambda process: process._pipe.poll(PATIENCE))
    book, views = book_of_parties(40), connect("views")
    stream.append("book", 0, book.entries)
    follower = Follower(stream, views, 6)
    follower._projector.cache.heads = HeadCache(limit)
    assert follower.catch_up("book") == len(book.entries)
    incremental = rows_of(views)
    follower.rebuild()
    assert rows_of(views) == incremental == rows_at_once(stream, tmp_path)
    with reading(views) as connection:
        assert load_heads(connection, "book", ["p0", "p39"]).items() <= heads_after(book.recorded).items()


def work_with_few_heads(
    pipe: Pipe, events_url: str, views_url: str, version: str, book: str, group_size: int
) -> None:
    """Fold as a rebuild worker does, with a cache of two heads."""
    HeadCache.__init__.__defaults__ = (2,)
    run_worker(pipe, events_url, views_url, version, book, group_size)


def test_a_worker_ahead_of_the_views_waits_for_a_head_that_it_evicted(
    stream: Stream, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The views may still hold an older head. The worker waits until they have caught up, and goes to the end."""
    monkeypatch.setattr(followers, "REBUILD_WORKER_MIN_EVENTS", 0)
    monkeypatch.setattr(RebuildWorker, "ready", lambda process: process._pipe.poll(PATIENCE))
    monkeypatch.setattr(rebuild_worker, "_run_worker", work_with_few_heads)
    book, views, reached = book_of_parties(12), connect("views"), list[int]()
    stream.append("book", 0, book.entries)
    write = Follower._write_group

    def write_slowly(follower: Follower, name: str, folded: FoldedGroup) -> bool:
        time.sleep(0.02)  # so that the worker is ahead
        reached.append(folded.last)
        return write(follower, name, folded)

    monkeypatch.setattr(Follower, "_write_group", write_slowly)
    Follower(stream, views, 5).rebuild()
    assert reached[-1] == len(book.entries)
    assert rows_of(views) == rows_at_once(stream, tmp_path)


def test_heads_are_loaded_many_at_once_and_kept_in_bounded_memory(stream: Stream, connect: Connect) -> None:
    """A group of events takes few statements however many parties it names, and the cache keeps those used last."""
    count = HEADS_PER_STATEMENT_MAX + 1
    book, views = book_of_parties(count), connect("views")
    stream.append("book", 0, book.entries)
    position = Follower(stream, views).catch_up("book")
    names = [f"p{number}" for number in range(count)]
    cache, statements = HeadCache(limit=10), list[str]()
    sa.event.listen(views, "before_cursor_execute", lambda *seen: statements.append(seen[2]))
    with reading(views) as connection:
        heads = cache.take(connection, "book", position, [*names, "nobody"])
        assert heads.keys() == set(names)
        assert sum("FROM" in statement for statement in statements) == 2
        cache.give_back("book", position, heads)
        assert cache.has_all("book", names[-10:])
        assert not cache.has_all("book", names[-11:])
        cache.give_back("book", position + 1, {names[-10]: ChainHead(b"later", position + 1)})
        cache.give_back("book", position + 2, {names[0]: heads[names[0]]})
        assert cache.has_all("book", [names[-10], names[0]])
        assert not cache.has_all("book", [names[-9]])
        found = cache.take(connection, "book", position + 2, [names[-10], names[1]])
        assert found == {names[-10]: ChainHead(b"later", position + 1), names[1]: heads[names[1]]}


def test_heads_of_another_position_are_never_used(stream: Stream, connect: Connect) -> None:
    """If another follower has moved the views, what is cached is loaded again."""
    book, views = SyntheticBook(8, 0), connect("views")
    stream.append("book", 0, book.entries)
    position = Follower(stream, views).catch_up("book")
    cache = HeadCache()
    with reading(views) as connection:
        cache.give_back("book", position, {"acme": ChainHead(b"stale", 1)})
        cache.give_back("other", 1, {"acme": ChainHead(b"other", 1)})
        assert cache.take(connection, "book", position, ["acme"]) == {"acme": ChainHead(b"stale", 1)}
        later = cache.take(connection, "book", position + 1, ["acme"])
        assert later == {"acme": heads_after(book.recorded)["acme"]}
        assert cache.take(connection, "other", 1, ["acme"]) == {"acme": ChainHead(b"other", 1)}
