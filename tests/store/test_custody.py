"""Custody in the store: its tables go from seal to seal, and have the roots and the paths of the naive model."""

from collections.abc import Callable
from random import Random
from typing import Final

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from pathbook.ledger.chains import Chain, ChainHead, extended, links
from pathbook.ledger.command_fields import OPERATOR
from pathbook.ledger.events import PartyRegistered, RecordedEvent, Sealed
from pathbook.ledger.proofs.custody import batch_leaf, custody_root, party_leaf, unit_leaf
from pathbook.ledger.proofs.tree import root_of_inclusion, root_of_multiproof
from pathbook.ledger.store.custody.reading import CustodyReader, CustodySnapshot
from pathbook.ledger.store.custody.tables import CUSTODY, TILE, empty_custody, unpacked_runs
from pathbook.ledger.store.database.engine import Purpose, reading
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.custody_steps import ContradictedSealError, Step, next_step
from pathbook.ledger.store.views.follower import Follower
from tests.custody_model import SealedBook, custody_of
from tests.projections.synthetic import SyntheticBook

BOOK: Final = "book"
Connect = Callable[[Purpose], Engine]


def append(stream: Stream, book: SyntheticBook, through: int | None = None) -> None:
    """Append the entries of a book up to a position that are not in the log."""
    head = stream.head(BOOK)
    stream.append(BOOK, head, book.entries[head:through])


def follow(stream: Stream, views: Engine) -> None:
    """Update the views to the log."""
    Follower(stream, views).catch_up(BOOK)


def take_steps(stream: Stream, views: Engine, touched_max: int = 10_000, at_once: int = 500) -> list[Step]:
    """Take all steps to seals of the log. Return them, and the step to a new seal that is not written."""
    steps: list[Step] = []
    while (step := next_step(views, stream, BOOK, touched_max, at_once)) is not None:
        steps.append(step)
        if not step.position and not step.is_part:
            break
        assert step.write(views, step.position)
    return steps


def rows(views: Engine) -> dict[str, list[tuple[object, ...]]]:
    """Return all rows of custody, by table."""
    with reading(views) as connection:
        return {
            table.name: [
                tuple(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key))
            ]
            for table in CUSTODY.sorted_tables
        }


def last_seal(recorded: list[RecordedEvent]) -> tuple[Sealed, int]:
    """Return the last seal of a book, and its position."""
    seals = [(item.event, item.position) for item in recorded if isinstance(item.event, Sealed)]
    return seals[-1]


@pytest.mark.parametrize("seed", [1, 4])
def test_the_tables_go_from_seal_to_seal(stream: Stream, connect: Connect, seed: int) -> None:
    """Whether they take each seal as it comes or all at once, in large or small steps, the rows are the same."""
    book, views = SealedBook(seed, 400), connect("views")
    covers = 0
    for position in [*range(30, len(book.entries), 30), len(book.entries)]:
        append(stream, book, position)
        follow(stream, views)
        steps = take_steps(stream, views)
        for step in steps:
            assert step.sealed == custody_of(book.recorded, step.sealed.covers)
            if step.position:
                covers = step.sealed.covers
            else:
                assert step.after == covers
    expected = rows(views)
    sealed, position = last_seal(book.recorded)
    assert expected["custody"] == [(BOOK, covers, position, sealed.batches, sealed.parties, sealed.root)]
    with views.begin() as connection:
        empty_custody(connection)
    small = take_steps(stream, views, touched_max=5, at_once=3)
    assert any(step.is_part for step in small)
    assert rows(views) == expected


@pytest.mark.parametrize("seed", [2, 3])
def test_all_paths_hold(stream: Stream, connect: Connect, seed: int) -> None:
    """The snapshot of a seal leads from each unit, batch and party to the root of the seal."""
    book, views, random = SealedBook(seed, 300), connect("views"), Random(seed)
    append(stream, book)
    follow(stream, views)
    take_steps(stream, views)
    sealed, position = last_seal(book.recorded)
    heads: dict[object, bytes] = {}
    known: dict[Chain, ChainHead] = {}
    for item in book.recorded[: sealed.covers]:
        known.update(extended(known, item))
    heads.update({chain: head.head for chain, head in known.items()})
    with CustodyReader(views).open(BOOK) as custody:
        assert custody is not None
        assert (custody.seal.covers, custody.seal.position, custody.seal.root) == (
            sealed.covers,
            position,
            sealed.root,
        )
        for number in range(1, sealed.batches + 1):
            check_batch(custody, number, sealed, heads[number], random)
        for name in {name for name in heads if isinstance(name, str)}:
            party = custody.party(name)
            assert party is not None
            assert party.head == heads[name]
            numbers, leaves = [party.number], [party_leaf(party.head)]
            path = custody.parties_proof(numbers)
            assert root_of_multiproof(numbers, leaves, sealed.parties, path) == custody.parties_root()
        assert custody_root(custody.batches_root(), custody.parties_root()) == sealed.root
        assert custody.batch(sealed.batches + 1) is None
        assert custody.party("nemo") is None


def test_the_operator_is_the_first_party(stream: Stream, connect: Connect) -> None:
    """It has number 0, and its keys extend its chain. The parties follow as they were registered."""
    book, views = SealedBook(5, 300), connect("views")
    append(stream, book)
    follow(stream, views)
    take_steps(stream, views)
    of_operator = [
        item.position for item in book.recorded if OPERATOR in {link.chain for link in links(item.event)}
    ]
    with CustodyReader(views).open(BOOK) as custody:
        assert custody is not None
        names = [item.event.party for item in book.recorded if isinstance(item.event, PartyRegistered)]
        for number, name in enumerate([OPERATOR, *names][: custody.seal.parties]):
            party = custody.party(name)
            assert party is not None
            assert party.number == number
        covered = [position for position in of_operator if position <= custody.seal.covers]
        assert custody.links_of_parties([0])[0] == covered
        assert len(covered) > 1


def test_a_snapshot_stays_at_its_seal(stream: Stream, connect: Connect) -> None:
    """What the sealer writes while a proof is gathered is seen only by the next one."""
    book, views = SealedBook(5, 300), connect("views")
    half = len(book.entries) // 2
    append(stream, book, half)
    follow(stream, views)
    take_steps(stream, views)
    reader = CustodyReader(views)
    with reader.open(BOOK) as custody:
        assert custody is not None
        append(stream, book)
        follow(stream, connect("views"))
        take_steps(stream, connect("views"))
        batches, parties = custody.batches_root(), custody.parties_root()
        assert custody_root(batches, parties) == custody.seal.root
        assert custody.seal.covers < half
    with reader.open(BOOK) as custody:
        assert custody is not None
        assert custody.seal.position == last_seal(book.recorded)[1] > half


def check_batch(custody: CustodySnapshot, number: int, sealed: Sealed, head: bytes, random: Random) -> None:
    """Check the paths of a batch, and of some of its units."""
    batch = custody.batch(number)
    assert batch is not None
    assert batch.head == head
    leaf = batch_leaf(batch.root, batch.size, batch.head)
    path = custody.batch_path(number)
    assert root_of_inclusion(leaf, number - 1, sealed.batches, path) == custody.batches_root()
    units = {0, batch.size - 1, *(random.randrange(min(batch.size, 100)) for _ in range(5))}
    for unit in units:
        run = custody.run(batch, unit)
        assert run.first <= unit <= run.last
        path = custody.unit_path(batch, unit)
        assert root_of_inclusion(unit_leaf(run.head), unit, batch.size, path) == batch.root
    with pytest.raises(ValueError, match="has no leaf"):
        custody.unit_path(batch, batch.size)


def test_a_wrong_seal_is_found(stream: Stream, connect: Connect) -> None:
    """A seal whose root is not that of its events is named with its position, and the tables stay before it."""
    book, views = SyntheticBook(1, 400), connect("views")  # its seals have roots that no tree has
    append(stream, book)
    follow(stream, views)
    first = next(item for item in book.recorded if isinstance(item.event, Sealed))
    with pytest.raises(
        ContradictedSealError, match=rf"position {first.position} of book book says another .*root"
    ) as wrong:
        next_step(views, stream, BOOK)
    assert wrong.value.position == first.position
    assert rows(views)["custody"] == []


def test_nothing_is_sealed_when_only_seals_came(stream: Stream, connect: Connect) -> None:
    """A book that has nothing but seals after its last seal needs no other."""
    book, views = SealedBook(1, 0), connect("views")
    for covers in (book.state.position, book.state.position + 1):
        book.ask(book.seal_at(covers))
        append(stream, book)
        follow(stream, views)
        (step,) = take_steps(stream, views)
        assert (step.sealed.covers, step.position) == (covers, covers + 1)
        assert next_step(views, stream, BOOK) is None
    assert next_step(views, stream, "other") is None


def test_only_one_of_two_processes_writes_a_step(stream: Stream, connect: Connect) -> None:
    """Of two that computed the same step, the second finds it written."""
    book, views, others = SyntheticBook(1, 0), connect("views"), connect("views")
    append(stream, book)
    follow(stream, views)
    first, second = next_step(views, stream, BOOK), next_step(others, stream, BOOK)
    assert first is not None
    assert second is not None
    assert first.sealed == second.sealed
    assert first.write(views, 99)
    assert not second.write(others, 99)


def test_a_million_units_that_nobody_moved_cost_nothing(stream: Stream, connect: Connect) -> None:
    """A new batch of a million units has one run and no tile."""
    book, views = SyntheticBook(1, 0), connect("views")
    append(stream, book)
    follow(stream, views)
    (step,) = take_steps(stream, views)
    assert step.write(views, 99)
    with reading(views) as connection:
        tiles = connection.execute(sa.select(TILE.c.tree)).scalars().all()
    assert set(tiles) <= {0, -1}
    ends = []
    for _, batch, block, first, runs in rows(views)["custody_block"]:
        assert isinstance(runs, bytes)
        ends += [(batch, block, first, run.first, run.last) for run in unpacked_runs(runs)]
    assert ends == [(1, 0, 0, 0, 7), (2, 0, 0, 0, 39), (3, 0, 0, 0, 999_999)]


def test_a_step_takes_no_more_than_it_may(stream: Stream, connect: Connect) -> None:
    """A backlog is sealed in several steps, each of which ends at a seal of its own."""
    book, views = SyntheticBook(6, 0), connect("views")
    append(stream, book)
    follow(stream, views)
    step = next_step(views, stream, BOOK, touched_max=1, events_at_once=1)
    assert step is not None
    assert step.sealed.covers == 1
    assert step.changes.touched == 1


def test_custody_is_emptied_with_the_views(stream: Stream, connect: Connect) -> None:
    """When the views are rebuilt, custody is filled again from the log, and each seal is compared again."""
    book, views = SealedBook(1, 200), connect("views")
    append(stream, book)
    follower = Follower(stream, views)
    follower.catch_up(BOOK)
    take_steps(stream, views)
    expected = rows(views)
    follower.rebuild()
    assert not any(rows(views).values())
    assert next_step(views, stream, BOOK) is not None
    take_steps(stream, views)
    assert rows(views) == expected
