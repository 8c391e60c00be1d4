"""Paths of all units of synthetic books: as of any position, and with every event."""

from itertools import pairwise

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from pathbook.ledger.codec import leaf_hash
from pathbook.ledger.queries import Path, StepKind
from pathbook.ledger.run import EMPTY_HEAD, next_head
from pathbook.ledger.store.views.snapshot import read_history
from pathbook.ledger.values import WRITTEN_OFF, Unit, UnitRange
from tests.examples import examples
from tests.projections.synthetic import SyntheticBook
from tests.queries.written import open_queries


def same_case(book: SyntheticBook, number: int, unit: int) -> tuple[int, int]:
    """Return the first and last unit of a batch around a unit that are in the same packed range, or all in none."""
    batch = book.state.batches[number]
    assert batch is not None
    first, last = 0, batch.commissioned.size - 1
    for begin, end, _ in batch.packed:
        if begin <= unit <= end:
            return begin, end
        if end < unit:
            first = max(first, end + 1)
        else:
            last = min(last, begin - 1)
    return first, last


@settings(max_examples=examples(5, 12))
@given(seed=st.integers(0, 2**32), length=st.integers(20, 100), data=st.data())
def test_a_path_as_of_a_position_is_the_path_the_book_had_then(
    seed: int, length: int, data: st.DataObject
) -> None:
    """A path as of a position equals the path in a book that ends there, with its run and steps."""
    book = SyntheticBook(seed, length)
    as_of = data.draw(st.integers(10, len(book.entries)))
    with open_queries(book.entries) as now, open_queries(book.entries[:as_of]) as then:
        for batch, number in [(batch, number) for batch in (1, 3) for number in range(7)]:
            for corrections in (False, True):
                unit = Unit(batch, number)
                path = now.path("book", unit, as_of, corrections=corrections)
                expected = then.path("book", unit, corrections=corrections)
                assert isinstance(path, Path)
                assert isinstance(expected, Path)
                run = msgspec.structs.replace(expected.run, sscc=path.run.sscc)
                if as_of < len(book.entries):  # cases of the past are not told, and cut no run
                    history = read_history(then._views, "book", batch, number)
                    assert history is not None
                    run = msgspec.structs.replace(run, range=UnitRange(batch, *history.extent[:2]))
                assert (path.run, path.steps, path.as_of_position) == (run, expected.steps, as_of)


@settings(max_examples=examples(8, 20))
@given(seed=st.integers(0, 2**32), length=st.integers(20, 100))
def test_a_path_with_corrections_holds_every_event_of_the_unit(seed: int, length: int) -> None:
    """The head of each step hashes the previous head and the step's event, up to the head of the run."""
    book = SyntheticBook(seed, length)
    with open_queries(book.entries) as queries:
        for batch, partition in book.state.partitions.items():
            for run in partition.runs:
                path = queries.path("book", Unit(batch, run.first), corrections=True)
                assert isinstance(path, Path)
                heads = [EMPTY_HEAD, *(step.head for step in path.steps)]
                for (before, after), step in zip(pairwise(heads), path.steps, strict=True):
                    assert after == next_head(before, leaf_hash(step.data), step.position)
                assert path.steps[0].movement.kind is StepKind.COMMISSIONED
                assert path.run.head == path.steps[-1].head == run.head
                last = run.last if run.state in WRITTEN_OFF else same_case(book, batch, run.first)[1]
                assert path.run.range == UnitRange(batch, run.first, min(run.last, last))
                assert (path.run.owner, path.run.custodian) == (run.owner, run.custodian)
                assert path.steps[-1].state is path.run.state is run.state
