"""Books that the rules made are without a difference, whatever happened in them, and their seals are computed again."""

import random
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathbook.audit import custody
from pathbook.audit.auditor import Auditor, Replayed
from pathbook.audit.differences import DifferenceError, UncheckableError
from pathbook.ledger.codec import leaf_hash
from pathbook.ledger.proofs.checkpoint import Checkpoint
from pathbook.ledger.proofs.tree import root_of
from tests.audit.sealed_books import SealedBook
from tests.proofs.prover import bytes_of

LENGTH: Final = 120
SEEDS: Final = st.integers(0, 10_000)


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
