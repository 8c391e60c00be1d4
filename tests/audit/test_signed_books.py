"""An auditor finds every edit of a book whose parties sign, from its events alone, and needs each guard for that."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

import pytest
from msgspec.structs import replace

from pathbook.audit.auditor import Auditor
from pathbook.audit.differences import Difference, Rule
from pathbook.ledger import events
from pathbook.ledger.key_events import KeyRegistered, StatementsFiled
from pathbook.ledger.proofs.checkpoint import Checkpoint
from tests.audit.edited_books import run
from tests.audit.guards import GuardOf, guards, without
from tests.audit.honest_book import Edited, audit
from tests.audit.signed_books import ATTACKS, BOOK, CHECKPOINT, LOG, edited

MODULES: Final = (
    "pathbook.ledger.proofs.key_chain",
    "pathbook.verify.statements",
    "pathbook.audit.statements",
)
"""The modules whose guards are removed one by one."""

TRIED_ALONE: Final = {"party is None", "len(party.keys) >= MAX_KEYS_EVER"}
"""Guards that no edit of this book meets first: its parties are registered, and have few keys. They are tried in
tests/proofs/test_key_chain.py."""

LARGE: Final = "a bit of a signature or statement flipped"
"""The attack with many edits, of which few are tried when guards are removed."""

BY_A_SEAL: Final = "other fields than were signed"
"""The attack with some edits that no statement tells of: what it leaves to the book."""

Outcome = tuple[int, str, str] | str


def test_the_honest_book_is_without_a_difference() -> None:
    """Its parties must sign, and sign alone and many at once. A key was rotated, and one revoked."""
    auditor = Auditor([CHECKPOINT])
    for data in LOG:
        auditor.take(data)
    assert auditor.finish().seals == 2
    assert sum(item.signed is not None for item in BOOK) > 25
    assert sum(isinstance(item.event, StatementsFiled) for item in BOOK) == 3


@pytest.mark.parametrize("name", ATTACKS)
def test_no_edit_is_accepted(name: str) -> None:
    """Each is found from the events alone, and nothing before it is called a difference."""
    row = run(name, ATTACKS, LOG, CHECKPOINT)
    assert (row.found, row.accepted, row.early) == (row.tried, 0, 0), row
    assert row.tried >= 2
    assert (row.rules[Rule.SEAL_ROOT] > 0) is (name == BY_A_SEAL), row


def _outcome(log: tuple[bytes, ...]) -> Outcome:
    try:
        found = audit(log)
    except Exception as error:  # noqa: BLE001 - without a guard, what comes after it may fail in any way
        return type(error).__name__
    return (found.position, found.rule, found.found) if isinstance(found, Difference) else str(found)


@cache
def distinct() -> list[tuple[Edited, Outcome]]:
    """Return some edits for each sentence that the auditor says of signatures, by the attacks."""
    found: dict[tuple[str, str], list[tuple[Edited, Outcome]]] = {}
    for name, attack in ATTACKS.items():
        for changed in list(attack())[:: 9 if name == LARGE else 1]:
            outcome = _outcome(changed.log)
            if not isinstance(outcome, str):
                said = re.sub(r"\d+|acme|ann|ben|cat|dan|the operator", "", f"{outcome[1]} {outcome[2]}")
                found.setdefault((name, said), []).append((changed, outcome))
    return [edit for edits in found.values() for edit in (edits[0], edits[len(edits) // 2], edits[-1])]


@pytest.mark.heavy
@pytest.mark.parametrize(
    "guard",
    [guard for guard in guards(MODULES) if guard.condition not in TRIED_ALONE],
    ids=lambda guard: f"{guard.module.split('.')[-1]} {guard.number}",
)
def test_without_a_guard_an_edit_is_found_elsewhere(guard: GuardOf) -> None:
    """Each condition is needed: without it, an edit is found elsewhere, otherwise, or not at all."""
    assert next(changed_by(guard), None) is not None, guard.condition


def changed_by(guard: GuardOf) -> Iterator[Outcome]:
    """Yield what comes of edits without a guard, if it is another outcome."""
    edits = distinct()
    with without(guard, (*MODULES, "pathbook.audit.auditor")):
        for changed, outcome in edits:
            if (found := _outcome(changed.log)) != outcome:
                yield found


def test_the_rule_and_the_position_are_named() -> None:
    """Each of the new rules finds an edit at its own position."""
    filing = next(item for item in BOOK if isinstance(item.event, StatementsFiled))
    key = next(item for item in BOOK if isinstance(item.event, KeyRegistered))
    hop = next(item for item in BOOK if isinstance(item.event, events.TransferOffered))
    assert hop.signed is not None
    for changed, rule in (
        (edited(filing, event=replace(filing.event, root=bytes(32))), Rule.FILING),
        (edited(key, event=replace(key.event, endorsement=bytes(64))), Rule.KEY),
        (edited(hop, signed=replace(hop.signed, signature=bytes(64))), Rule.SIGNATURE),
        (edited(hop, request=bytes(16)), Rule.STATEMENT),
        (edited(hop, signed=None), Rule.UNSIGNED),
    ):
        found = audit(changed.log)
        assert isinstance(found, Difference)
        assert (found.position, found.rule) == (changed.position, rule)


def test_a_checkpoint_of_another_book_is_not_this_book() -> None:
    """The origin that parties sign is the one that the log signs."""
    found = audit(LOG, Checkpoint("other.example/book", CHECKPOINT.size, CHECKPOINT.root))
    assert isinstance(found, Difference)
    assert found.rule is Rule.CHECKPOINT_ORIGIN


def main() -> None:
    """Print for each guard what comes of an edit without it."""
    for guard in guards(MODULES):
        found = list(changed_by(guard))
        ends = "no difference" if "None" in found else f"found elsewhere: {found[0]}"
        print(f"{guard.module.split('.')[-1]} {guard.number}: {guard.condition} | {ends}")


if __name__ == "__main__":
    main()
