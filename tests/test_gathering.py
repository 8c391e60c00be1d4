"""Callers that share a transaction: the writer waits briefly for many of them, and not for a few."""

import time
from concurrent.futures import Future
from pathlib import Path

import pytest

from pathbook.ledger.book import Outcome, group, writer
from pathbook.ledger.books import Books
from tests.books import BEGINNING, PATIENCE, PausableClock, ask, open_books, positions, record

MANY = group.GATHER_MIN_CALLERS


def submit_apart(opened: Books, names: range) -> list[Future[list[Outcome]]]:
    """Submit transfers one after the other, with a short pause after each."""
    futures = []
    for name in names:
        futures.append(opened.submit("masks", [record(str(name))]))
        time.sleep(0.02)
    return futures


def answer_together(opened: Books, clock: PausableClock) -> None:
    """Have the writer answer one caller, and then MANY callers with one transaction."""
    clock.running.clear()
    before = clock.reads
    waiting = submit_apart(opened, range(10, 11))
    until = time.monotonic() + PATIENCE
    while clock.reads == before:
        assert time.monotonic() < until
        time.sleep(0.001)
    waiting += submit_apart(opened, range(11, 11 + MANY))
    clock.running.set()
    assert [positions(one.result(PATIENCE)) for one in waiting] == [[6 + n] for n in range(1 + MANY)]
    assert clock.reads == before + 2


def test_many_callers_answered_together_share_a_transaction_again(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer waits until as many callers wait again, and a writer that was idle does not wait."""
    monkeypatch.setattr(group, "GATHER_TIMEOUT_S", PATIENCE)
    monkeypatch.setattr(writer, "IDLE_CHECK_INTERVAL_S", 2.0)
    clock = PausableClock()
    with open_books(place, clock) as opened:
        ask(opened, *BEGINNING)
        answer_together(opened, clock)
        before, began = clock.reads, time.monotonic()
        again = submit_apart(opened, range(100, 100 + MANY))
        assert len({positions(one.result(PATIENCE))[0] for one in again}) == MANY
        assert clock.reads == before + 1
        time.sleep(2.5)
        ask(opened, record("alone"))
        assert time.monotonic() - began < PATIENCE / 2


def test_a_writer_that_waits_for_callers_ends_when_it_is_closed(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The callers that wait already are answered before the writer ends."""
    monkeypatch.setattr(group, "GATHER_TIMEOUT_S", PATIENCE)
    clock = PausableClock()
    with open_books(place, clock) as opened:
        ask(opened, *BEGINNING)
        answer_together(opened, clock)
        began = time.monotonic()
        last = opened.submit("masks", [record("last")])
    assert positions(last.result(0)) == [7 + MANY]
    assert time.monotonic() - began < PATIENCE / 2
