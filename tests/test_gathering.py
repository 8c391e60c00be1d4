"""Callers that share a transaction: many are given a moment to ask again, a few are not kept waiting."""

import time
from concurrent.futures import Future
from pathlib import Path

import pytest

from pathbook.ledger.book import Outcome, writer
from pathbook.ledger.books import Books
from tests.books import BEGINNING, PATIENCE, HeldClock, ask, library, positions, record

MANY = writer.GATHER_MIN_CALLERS


def asked_apart(opened: Books, names: range) -> list[Future[list[Outcome]]]:
    """Submit transfers as callers do who each take a moment."""
    futures = []
    for name in names:
        futures.append(opened.submit("masks", [record(str(name))]))
        time.sleep(0.02)
    return futures


def answered_together(opened: Books, clock: HeldClock) -> None:
    """Have the writer answer MANY callers with one transaction, and one before them."""
    clock.goes.clear()
    before = clock.asked
    held = asked_apart(opened, range(10, 11))
    until = time.monotonic() + PATIENCE
    while clock.asked == before:
        assert time.monotonic() < until
        time.sleep(0.001)
    held += asked_apart(opened, range(11, 11 + MANY))
    clock.goes.set()
    assert [positions(one.result(PATIENCE)) for one in held] == [[5 + n] for n in range(1 + MANY)]
    assert clock.asked == before + 2


def test_many_who_were_answered_together_share_a_transaction_again(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer waits until as many have asked, and no longer; when it has been idle, it waits for nobody."""
    monkeypatch.setattr(writer, "GATHER_TIMEOUT_S", PATIENCE)
    monkeypatch.setattr(writer, "IDLE_CHECK_INTERVAL_S", 2.0)
    clock = HeldClock()
    with library(place, clock) as opened:
        ask(opened, *BEGINNING)
        answered_together(opened, clock)
        before, began = clock.asked, time.monotonic()
        again = asked_apart(opened, range(100, 100 + MANY))
        assert len({positions(one.result(PATIENCE))[0] for one in again}) == MANY
        assert clock.asked == before + 1
        time.sleep(2.5)
        ask(opened, record("alone"))
        assert time.monotonic() - began < PATIENCE / 2


def test_a_writer_that_waits_for_callers_ends_when_it_is_closed(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asked already is answered first."""
    monkeypatch.setattr(writer, "GATHER_TIMEOUT_S", PATIENCE)
    clock = HeldClock()
    with library(place, clock) as opened:
        ask(opened, *BEGINNING)
        answered_together(opened, clock)
        began = time.monotonic()
        last = opened.submit("masks", [record("last")])
    assert positions(last.result(0)) == [6 + MANY]
    assert time.monotonic() - began < PATIENCE / 2
