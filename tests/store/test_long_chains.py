"""Chains of any length: the views keep the last hop of each run, and find the hops before it when it is undone."""

import itertools
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from pathbook.ledger import commands
from pathbook.ledger.commands import Command, RecordTransfer, ReturnUnits, ReverseTransfer
from pathbook.ledger.hops import NOT_LOADED, Hop, chain
from pathbook.ledger.refusals import Reason, Refusal
from pathbook.ledger.run import Run
from pathbook.ledger.store.database.damage import DatabaseDamagedError
from pathbook.ledger.store.database.engine import reading, writing
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.earlier_hops import load_earlier
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.views.run_lookups import load_partition
from pathbook.ledger.store.views.tables import RUN
from pathbook.ledger.values import PartyKind, Price, Selection, UnitRange
from tests.books import BEGINNING, ask, engine, open_books, positions
from tests.examples import examples
from tests.queries.written import WrittenStory
from tests.store.follower_process import Connect, Rows, rows_at_once, rows_of
from tests.store.plans import plans_of, scans_in, searches_in
from tests.store.test_lookups import fill

OPENING = """
brand acme
agent ann
agent ben
authorize ann tier 1 by acme
authorize ben tier 2 by ann
product mask 30000 CNY of acme
batch L1 of mask size 3 made 2025-12-01 by acme
"""

BEGUN = len(OPENING.split("\n")[1:-1]) + 1
"""The position of the batch."""

OTHER_SIDE = {"acme": "ann", "ann": "ben", "ben": "ann"}

Tokens = list[tuple[int, str, int, int]]
"""The fields of hops, newest first."""


class Shuttle(WrittenStory):
    """A story in which three units go back and forth between two agents, alone or together."""

    def __init__(self) -> None:
        """Open a book with a batch of three units."""
        super().__init__(OPENING)

    def onward(self, first: int, last: int) -> None:
        """Pass on units to the other agent, if they have one owner."""
        owner = self._owner(first)
        self.ask(transfer(self.request(), owner, OTHER_SIDE[owner], first, last))

    def back(self, first: int, last: int) -> None:
        """Return units by their last hops, if they have one owner and came by a hop."""
        units = Selection(ranges=(UnitRange(1, first, last),))
        self.ask(ReturnUnits(request_id=self.request(), owner=self._owner(first), units=units))

    def _owner(self, number: int) -> str:
        (run,) = self.state.partitions[1].overlapping(number, number)
        return run.owner


def transfer(request_id: str, giver: str, receiver: str, first: int = 0, last: int = 0) -> RecordTransfer:
    """Return the command that records a transfer of units of batch 1."""
    return RecordTransfer(
        request_id=request_id,
        giver=giver,
        receiver=receiver,
        units=Selection(ranges=(UnitRange(1, first, last),)),
        unit_price=Price(15000, "CNY"),
    )


def hops_of(run: Run) -> Tokens:
    """Return what the chain of a run says of each hop, newest first."""
    return [(hop.transfer, hop.moved_from, hop.position, hop.origin) for hop in chain(run.last_hop)]


def read_back(views: Engine, book: str) -> list[Tokens]:
    """Return the hops of each run of batch 1 as they are found in the views, one after the other."""
    with reading(views) as connection:
        partition = load_partition(connection, book, 1)
        assert partition is not None
        ends = [run.last_hop for run in partition.runs if run.last_hop is not None]
        while ends:
            assert all(hop.earlier is NOT_LOADED for hop in ends)
            assert load_earlier(connection, book, [(1, hop) for hop in ends])
            ends = [hop.earlier for hop in ends if isinstance(hop.earlier, Hop)]
    return [hops_of(run) for run in partition.runs]


def project(stream: Stream, views: Engine, events_at_once: int) -> Rows:
    """Project the book in groups of so many events, and return the rows."""
    Follower(stream, views, events_at_once).catch_up("book")
    return rows_of(views)


moves = st.lists(
    st.tuples(
        st.sampled_from([Shuttle.onward, Shuttle.onward, Shuttle.back]), st.integers(0, 2), st.integers(0, 2)
    ),
    max_size=80,
)


@settings(max_examples=examples(6, 30))
@given(moves, st.integers(1, 100))
def test_chains_of_any_length_are_read_back_equal(
    moves: list[tuple[Callable[[Shuttle, int, int], None], int, int]], events_at_once: int
) -> None:
    """Random hops, returns and cuts: the views hold the same chains as the state, in groups of any size."""
    story = Shuttle()
    for move, one, other in moves:
        move(story, min(one, other), max(one, other))
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        stream, views = Stream(engine(place, "events")), engine(place, "views")
        stream.append("book", 0, story.entries)
        rows = project(stream, views, events_at_once)
        assert read_back(views, "book") == [hops_of(run) for run in story.state.partitions[1].runs]
        assert rows == rows_at_once(stream, place)
        stream.close()


def long_story() -> Shuttle:
    """Return 220 hops forth, 150 returns, and 100 hops of one unit alone."""
    story = Shuttle()
    for _ in range(220):
        story.onward(0, 2)
    for _ in range(150):
        story.back(0, 2)
    for _ in range(100):
        story.onward(1, 1)
    return story


def test_rebuilt_views_of_long_chains_equal_those_that_were_followed(
    connect: Connect, stream: Stream, tmp_path: Path
) -> None:
    """The hops are in the rows alone, and the rows do not depend on how they were made."""
    story, views = long_story(), connect("views")
    for begin in range(0, len(story.entries), 60):
        stream.append("book", begin, story.entries[begin : begin + 60])
        Follower(stream, views, 7).catch_up("book")  # a new follower has no run in memory
    followed = rows_of(views)
    assert [len(hops) for hops in read_back(views, "book")] == [70, 170, 70]
    Follower(stream, views).rebuild()
    assert rows_of(views) == followed == rows_at_once(stream, tmp_path)


def bytes_of(rows: Rows) -> int:
    """Return the length of all values of some rows."""
    return sum(
        len(value) if isinstance(value, bytes) else len(str(value))
        for table in rows.values()
        for row in table
        for value in row
    )


def test_views_grow_linearly_with_the_hops_of_a_unit(connect: Connect, stream: Stream) -> None:
    """The second two hundred hops take as many bytes as the first, except for a digit in each number."""
    views, story = connect("views"), Shuttle()
    sizes = []
    for _ in range(3):
        stream.append("book", stream.head("book"), story.entries[stream.head("book") :])
        sizes.append(bytes_of(project(stream, views, 1_000)))
        for _ in range(200):
            story.onward(0, 0)
    assert sizes[2] - sizes[1] <= 1.1 * (sizes[1] - sizes[0])


@pytest.mark.parametrize("restart", [False, True])
def test_the_200th_hop_is_reversed_and_the_unit_moves_on(place: Path, restart: bool) -> None:
    """Both sides reverse it, the hops before it are returned, and the next ones go on from there."""
    agents: list[Command] = [
        commands.RegisterParty(request_id="5", party="ben", kind=PartyKind.AGENT),
        transfer("first", "acme", "ann"),
    ]
    with open_books(place) as opened:
        first = positions(ask(opened, *BEGINNING, *agents))[-1]
        sides = ["ann", "ben"] * 100
        moved: list[Command] = [
            transfer(f"{i}", *pair) for i, pair in enumerate(itertools.pairwise(sides), 10)
        ]
        last = positions(ask(opened, *moved))[-1]
        if not restart:
            _undo_and_move_on(lambda *asked: positions(ask(opened, *asked)), last)
    if restart:
        with open_books(place) as opened:
            _undo_and_move_on(lambda *asked: positions(ask(opened, *asked)), last)
    unit, rest = _followed(place)
    # 200 hops, one reversed, 40 returned, two more
    assert len(unit) == 200 - 1 - 40 + 2
    assert [hop[0] for hop in unit[::-1][:3]] == [first, first + 1, first + 2]
    assert rest == []


def _undo_and_move_on(ask_all: Callable[..., list[int]], last: int) -> None:
    ask_all(ReverseTransfer(request_id="one side", party="ann", transfer=last))
    ask_all(ReverseTransfer(request_id="other side", party="ben", transfer=last))
    ask_all(*(back(f"back {number}", owner) for number, owner in enumerate(["ann", "ben"] * 20)))
    ask_all(transfer("on", "ann", "ben"), transfer("and on", "ben", "ann"))


def back(request_id: str, owner: str) -> ReturnUnits:
    """Return the command that returns the first unit of batch 1."""
    units = Selection(ranges=(UnitRange(1, 0, 0),))
    return ReturnUnits(request_id=request_id, owner=owner, units=units)


def _followed(place: Path) -> list[Tokens]:
    """Update the views of a place, and return the hops of each run of batch 1."""
    events, views = engine(place, "events"), engine(place, "views")
    Follower(Stream(events), views).catch_up("masks")
    found = read_back(views, "masks")
    events.dispose()
    views.dispose()
    return found


def test_hops_that_another_writer_undid_are_found_in_the_views(place: Path) -> None:
    """A writer that loaded a run from the views learns from the log that another writer returned its units twice."""
    ben = commands.RegisterParty(request_id="5", party="ben", kind=PartyKind.AGENT)
    sides = [("acme", "ann"), ("ann", "ben"), ("ben", "ann")]
    hops: list[Command] = [transfer(f"{number}", *pair) for number, pair in enumerate(sides)]
    with open_books(place, follow=False) as opened:
        ask(opened, *BEGINNING, ben, *hops)
    _followed(place)
    with open_books(place, follow=False) as one, open_books(place, follow=False) as other:
        positions(ask(one, transfer("loads the batch", "acme", "ann", 5, 5)))
        positions(ask(other, back("back", "ann"), back("back again", "ben")))
        (refused,) = ask(one, transfer("too late", "ben", "ann"))
        assert isinstance(refused, Refusal)
        assert refused.reason is Reason.UNITS_NOT_OWNED
        positions(ask(one, back("once more", "ann"), transfer("onward", "acme", "ben")))
    unit, _, _, _ = _followed(place)
    assert len(unit) == 1


def test_a_hop_whose_row_is_missing_is_never_guessed(connect: Connect, stream: Stream) -> None:
    """The writer starts again, as while views are rebuilt, and the follower calls the views damaged."""
    views, story = connect("views"), Shuttle()
    for _ in range(5):
        story.onward(0, 2)
    stream.append("book", 0, story.entries)
    Follower(stream, views).catch_up("book")
    missing = RUN.delete().where(RUN.c.valid_from == BEGUN + 4)
    with writing(views, turn=None) as connection:
        connection.execute(missing)
        partition = load_partition(connection, "book", 1)
        assert partition is not None
        assert not load_earlier(
            connection, "book", [(1, run.last_hop) for run in partition.runs if run.last_hop]
        )
    story.back(0, 2)
    stream.append("book", len(story.entries) - 1, story.entries[-1:])
    with pytest.raises(DatabaseDamagedError, match="a run of book 'book' is missing"):
        Follower(stream, views).catch_up("book")


def test_hops_are_found_by_the_keys_of_their_runs(connect: Connect, stream: Stream) -> None:
    """However many runs a batch has, the hops before some of them are found by the whole primary key."""
    views = connect("views")
    Follower(stream, views)
    if views.dialect.name == "postgresql":
        fill(views)
    plans = plans_of(views)
    hops = [(1, Hop(5, "", 4, number, NOT_LOADED)) for number in range(150)]
    with reading(views) as connection:
        assert not load_earlier(connection, "book", hops)
    searches = searches_in(plans)
    assert searches, plans
    assert all("first" in step and "valid_from" in step for step in searches), plans
    assert not scans_in(plans), plans


def test_a_long_chain_is_freed_without_nested_calls() -> None:
    """A million hops are freed in a thread, which has less room for nested calls than the main thread."""

    def make_and_free() -> None:
        last: Hop | None = None
        for number in range(1_000_000):
            last = Hop(number, "", number, 0, last)

    thread = threading.Thread(target=make_and_free)
    thread.start()
    thread.join()
