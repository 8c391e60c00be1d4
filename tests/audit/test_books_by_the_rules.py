"""Books that the rules made are without a difference, whatever happened in them, and their seals are computed again."""

import random
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathbook.audit import custody
from pathbook.audit.auditor import Auditor, Replayed
from pathbook.audit.differences import DifferenceError, UncheckableError
from pathbook.ledger import commands
from pathbook.ledger.chains import Chain, ChainHead, extended
from pathbook.ledger.codec import leaf_hash
from pathbook.ledger.commands import Command
from pathbook.ledger.proofs.checkpoint import Checkpoint
from pathbook.ledger.proofs.tree import root_of
from pathbook.ledger.rules.state import State, evolve
from pathbook.ledger.runs import Run
from tests.projections.synthetic import SyntheticBook
from tests.proofs.prover import bytes_of, leaf, root, sha256

LENGTH: Final = 120
SEEDS: Final = st.integers(0, 10_000)


def doubled(head: bytes, size: int) -> bytes:
    """Return the root over ``size`` units with one head, as RFC 6962 defines it."""
    if size == 1:
        return leaf(head)
    split = 1 << (size - 1).bit_length() - 1
    left, power = leaf(head), 1
    while power < split:
        left, power = sha256(b"\x01" + left + left), power * 2
    return sha256(b"\x01" + left + (left if size == 2 * split else doubled(head, size - split)))


def tree(runs: list[Run], first: int, size: int) -> bytes:
    """Return the root over the units of runs from one on, as RFC 6962 defines it."""
    inside = [run for run in runs if run.last >= first and run.first < first + size]
    if len(inside) == 1:
        return doubled(inside[0].head, size)
    split = 1 << (size - 1).bit_length() - 1
    return sha256(b"\x01" + tree(inside, first, split) + tree(inside, first + split, size - split))


class SealedBook(SyntheticBook):
    """A synthetic book whose seals have the custody roots of the positions that they cover."""

    def seal(self) -> Command:
        """Return the command that seals one of the last positions."""
        covers = max(1, self.state.position - self.random.randrange(3))
        state, heads = State("book"), dict[Chain, ChainHead]()
        for recorded in self.recorded[:covers]:
            evolve(state, recorded)
            heads |= extended(heads, recorded)
        batches = []
        for number, batch in sorted(state.batches.items()):
            assert batch is not None
            size = batch.commissioned.size
            units = tree(state.partitions[number].runs, 0, size)
            batches.append(leaf(units + size.to_bytes(8, "big") + heads[number].head))
        parties = [leaf(heads[name].head) for name in state.parties]
        return commands.Seal(
            request_id=f"~seal/{covers}",
            covers=covers,
            covers_recorded_at=self.recorded[covers - 1].recorded_at,
            batches=len(batches),
            parties=len(parties),
            root=sha256(b"\x01" + root(batches) + root(parties)),
        )


def replayed(log: list[bytes], *checkpoints: Checkpoint) -> Replayed:
    """Return what an auditor found of a log without a difference."""
    auditor = Auditor(checkpoints)
    for data in log:
        auditor.take(data)
    return auditor.finish()


@given(seed=SEEDS)
def test_a_book_by_the_rules_is_without_a_difference(seed: int) -> None:
    """Its tree is that over its events, and each of its seals is computed again."""
    book = SealedBook(seed, LENGTH)
    log = [data for _, data in book.entries]
    found = replayed(log)
    assert (found.events, found.root) == (len(log), root_of(map(leaf_hash, log)))
    assert found.covers == book.state.last_covers


def test_tiles_may_be_brought_up_to_date_at_any_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a book without seals they are, after some changes, so that those need not be kept."""
    monkeypatch.setattr(custody, "CHANGED_MAX", 3)
    seals = 0
    for seed in range(10):
        book = SealedBook(seed, LENGTH)
        seals += replayed([data for _, data in book.entries]).seals
    assert seals > 5


@given(seed=SEEDS)
def test_no_event_may_stand_in_another_place(seed: int) -> None:
    """An event is put in the place of another one, or between two. An auditor that has the checkpoint accepts none."""
    book, chosen = SealedBook(seed, 60), random.Random(seed)
    log = [data for _, data in book.entries]
    checkpoint = Checkpoint("pathbook/book", len(log), root_of(map(leaf_hash, log)))
    for _ in range(20):
        item, place = chosen.choice(book.recorded), chosen.randrange(len(log))
        changed = list(log)
        data = bytes_of(item.event, book.recorded[place])
        changed[place : place + chosen.randrange(2)] = [data]
        if changed == log:
            continue
        with pytest.raises((DifferenceError, UncheckableError)):
            replayed(changed, checkpoint)
