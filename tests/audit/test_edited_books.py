"""An auditor finds every edit of a book, and without any one of its guards it names another difference, or none."""

import re
from collections.abc import Iterator
from functools import cache

import pytest

from pathbook.audit import auditor
from pathbook.audit.differences import Difference, DifferenceError, Rule, UncheckableError
from pathbook.ledger import events
from pathbook.ledger.codec import leaf_hash
from pathbook.ledger.events import Sealed
from pathbook.ledger.proofs.checkpoint import Checkpoint
from pathbook.ledger.proofs.tree import root_of
from pathbook.ledger.values import Price, UnitRange
from tests.audit.edited_books import ATTACKS, run
from tests.audit.guards import GuardOf, guards, without
from tests.audit.honest_book import BOOK, CHECKPOINT, LOG, Edited, at, audit, with_fields

LEAST = {"a bit of an event flipped": 400, "another event in its place": 800, "other units": 150}
"""How many edits some attacks have at least. All have ten."""

LATER = {"a bit of an event flipped", "another event in its place", "an event at another position"}
"""The attacks with many edits, which are left out when guards are removed."""

Outcome = tuple[int, str, str] | str


def test_the_honest_book_is_without_a_difference() -> None:
    """All edits begin with a book that holds, whose seals cover earlier positions."""
    found = auditor.Auditor([CHECKPOINT, CHECKPOINT])
    for data in LOG:
        found.take(data, leaf_hash(data))
    replayed = found.finish()
    assert (replayed.origin, replayed.events, replayed.root) == (CHECKPOINT.origin, len(LOG), CHECKPOINT.root)
    assert (replayed.seals, replayed.covers) == (2, len(LOG) - 1)
    assert replayed.recorded_at == BOOK[-1].recorded_at


@pytest.mark.parametrize("name", ATTACKS)
def test_no_edit_is_accepted(name: str) -> None:
    """With the checkpoint of the honest book, each edit is found, and nothing before it is called a difference."""
    row = run(name)
    assert (row.accepted, row.early) == (0, 0), row
    assert row.tried >= LEAST.get(name, 10)


DIRECTED: list[tuple[Edited, Rule]] = [
    (Edited(LOG[1:], 1), Rule.OPENING),
    (Edited((*LOG, LOG[0]), len(LOG) + 1), Rule.TIME),
    (Edited((*LOG[:3], LOG[2], *LOG[3:]), 4), Rule.REQUEST),
    (Edited((*LOG[:3], b"\x0a", *LOG[4:]), 4), Rule.FORM),
    (with_fields(at(events.PartyRegistered, 1), party="acme"), Rule.REGISTER),
    (with_fields(at(events.PartyAuthorized, 1), upline="cat"), Rule.AUTHORIZATION),
    (with_fields(at(events.AuthorizationRevoked), upline="acme"), Rule.AUTHORIZATION),
    (with_fields(at(events.TransferRecorded), giver="ann"), Rule.MOVEMENT),
    (with_fields(at(events.TransferRecorded), receiver="cat"), Rule.AUTHORITY),
    (with_fields(at(events.TransferRecorded), ranges=(UnitRange(9, 0, 0),)), Rule.UNITS),
    (with_fields(at(events.TransferRecorded), ranges=(UnitRange(1, 0, 20),)), Rule.UNITS),
    (with_fields(at(events.CaseUnpacked), sscc="106141411234567880"), Rule.CASE),
    (with_fields(at(Sealed), covers=1, covers_recorded_at=BOOK[0].recorded_at), Rule.SEAL_COUNTS),
    (with_fields(at(Sealed), root=bytes(32)), Rule.SEAL_ROOT),
    (with_fields(at(Sealed, 1), covers=2), Rule.SEAL),
]
"""Edits, and the rule that must find each at its own position."""


@pytest.mark.parametrize(("edited", "rule"), DIRECTED)
def test_the_rule_and_the_position_are_named(edited: Edited, rule: Rule) -> None:
    """Without any checkpoint, the difference is named where it is."""
    found = audit(edited.log)
    assert isinstance(found, Difference)
    assert (found.position, found.rule) == (edited.position, rule)


def test_a_price_is_found_by_the_seal_that_covers_it() -> None:
    """A price that was changed follows from what was before. But the heads of its units are another."""
    found = audit(with_fields(at(events.TransferRecorded, 1), unit_price=Price(1, "CNY")).log)
    assert isinstance(found, Difference)
    assert (found.position, found.rule) == (at(Sealed), Rule.SEAL_ROOT)


def _outcome(log: tuple[bytes, ...], *checkpoints: Checkpoint) -> Outcome:
    try:
        found = audit(log, *checkpoints)
    except Exception as error:  # noqa: BLE001 - without a guard, what comes after it may fail in any way
        return type(error).__name__
    return (found.position, found.rule, found.found) if isinstance(found, Difference) else str(found)


def _edits() -> Iterator[Edited]:
    for name, attack in ATTACKS.items():
        if name not in LATER:
            yield from attack()


@cache
def distinct() -> list[tuple[Edited, Outcome]]:
    """Return an edit for each sentence that the auditor says, with different numbers and names left out."""
    found: dict[str, list[tuple[Edited, Outcome]]] = {}
    for edited in _edits():
        outcome = _outcome(edited.log)
        if not isinstance(outcome, str):
            said = re.sub(r"\d+|acme|ann|ben|cat|eve|nobody", "", f"{outcome[1]} {outcome[2]}")
            found.setdefault(said, []).append((edited, outcome))
    return [edit for edits in found.values() for edit in (edits[0], edits[-1])]


def likely_first(guard: GuardOf) -> list[tuple[Edited, Outcome]]:
    """Return the edits of `distinct`, first those whose sentence shares most words with what the guard says."""
    written = set(_words(guard.consequence))

    def shared(edit: tuple[Edited, Outcome]) -> float:
        said = _words(edit[1][2])
        return sum(word in written for word in said) / (len(said) or 1)

    return sorted(distinct(), key=shared, reverse=True)


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text)


OF_ANOTHER_BOOK = Checkpoint("pathbook/other", CHECKPOINT.size, CHECKPOINT.root)

ONLY_WITH_A_CHECKPOINT = {
    "self._expected": "the end cut off",
    "checkpoint.root !=": "another time",
}
"""Guards that need a checkpoint, by their beginning, with an attack that would be accepted."""


@pytest.mark.parametrize("guard", guards(), ids=lambda guard: f"{guard.module.split('.')[-1]} {guard.number}")
def test_without_a_guard_an_edit_is_not_found(guard: GuardOf) -> None:
    """Each condition of the auditor is needed: without it, an edit is found elsewhere, otherwise, or not at all."""
    if "published" in guard.condition:
        assert _unpublished() is Rule.LEAF
        with without(guard):
            assert _unpublished() is None
        return
    if "origin" in guard.condition:
        assert isinstance(found := audit(LOG, OF_ANOTHER_BOOK), Difference)
        assert (found.position, found.rule) == (1, Rule.CHECKPOINT_ORIGIN)
        with without(guard):
            assert audit(LOG, OF_ANOTHER_BOOK) is None
        return
    if "Sealed" in guard.condition and "recorded.event" in guard.condition:
        unsealed = Checkpoint(CHECKPOINT.origin, 3, root_of(map(leaf_hash, LOG[:3])))
        with without(guard):
            assert audit(LOG, unsealed) is None
        return
    for begin, name in ONLY_WITH_A_CHECKPOINT.items():
        if guard.condition.strip("()").startswith(begin):
            with without(guard):
                assert run(name).accepted > 0
            return
    edits = likely_first(guard)
    with without(guard):
        assert any(_outcome(edited.log) != outcome for edited, outcome in edits), guard.condition


def _unpublished() -> Rule | None:
    found = auditor.Auditor()
    try:
        for data in LOG:
            found.take(data, leaf_hash(LOG[0]))
    except DifferenceError as error:
        return error.difference.rule
    return None


def test_the_last_event_of_a_checkpoint_is_a_seal() -> None:
    """A log that signs after another event may prove what is not complete."""
    for size in range(1, len(LOG) + 1):
        checkpoint = Checkpoint(CHECKPOINT.origin, size, root_of(map(leaf_hash, LOG[:size])))
        found = audit(LOG, checkpoint)
        if isinstance(BOOK[size - 1].event, Sealed):
            assert found is None
        else:
            assert isinstance(found, Difference)
            assert (found.position, found.rule) == (size, Rule.CHECKPOINT_SEAL)


def test_a_seal_of_the_far_past_cannot_be_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded: of the events before a seal, only the last are kept to compute what it must say."""
    monkeypatch.setattr(auditor, "LOOK_BACK", 3)
    edited = with_fields(at(Sealed), covers=10, covers_recorded_at=BOOK[9].recorded_at)
    assert isinstance(audit(edited.log, CHECKPOINT), UncheckableError)
    assert audit(LOG, CHECKPOINT) is None


def test_a_log_without_events_is_no_book() -> None:
    """Nothing is said of nothing."""
    found = audit(())
    assert isinstance(found, Difference)
    assert (found.position, found.rule) == (1, Rule.OPENING)
