"""Signatures in proofs: who signed a hop is shown and counted, and each guard of their checks is needed."""

from collections.abc import Iterator
from functools import cache
from typing import Final

import msgspec
import pytest

from pathbook.ledger.values import Attestation, Unit
from pathbook.verify.proof import check_proof
from pathbook.verify.verdicts import Number, Policy, Report, Result, Verdict
from tests.audit.guards import GuardOf, guards, without
from tests.proofs.prover import Ledger, stored
from tests.verify.attacking import NOW, TRUST, Attempt, ask, printed
from tests.verify.attacks import ATTACKS
from tests.verify.signed_attacks import FILE, HONEST, TOLD
from tests.verify.signed_story import SigningStory, begun, told
from tests.verify.test_proofs import STORIES
from tests.verify.test_proofs import check as check_file
from tests.verify.written_paths import MASKS, found

MODULES_OF_KEYS: Final = ("signed_attacks", "answer_attacks", "key_attacks", "path_attacks")
"""Where the attacks on signatures, keys and paths are."""

MODULES: Final = (
    "pathbook.ledger.proofs.key_chain",
    "pathbook.verify.statements",
    "pathbook.verify.signatures",
)
"""The modules whose guards are removed one by one."""

OF_AUDITORS: Final = {"party is None", "len(party.keys) >= MAX_KEYS_EVER"}
"""Guards that only an auditor needs, because every chain in a proof begins with the registration of its party; and the
limit of a thousand keys. Both are tried in tests/proofs/test_key_chain.py."""

LARGE: Final = ("each bit of a sig", "a signature of filed statements bent")
"""The beginnings of attacks with many attempts, which are left out when guards are removed."""


def check(data: bytes, policy: Policy | None = None) -> Report:
    """Check a proof file."""
    return check_file(data, policy=policy or Policy())


def said(data: bytes, policy: Policy | None = None) -> str:
    """Return the finding on signatures."""
    return found(check(data, policy), Number.SIGNATURES).detail


def test_the_signatures_of_each_hop_are_counted() -> None:
    """Of the four hops of the unit, one was offered and accepted, and the others were recorded or sold by the giver."""
    report = check(FILE)
    assert report.verdict is Verdict.VERIFIED
    assert found(report, Number.SIGNATURES).result is Result.OK
    assert said(FILE) == "1 of 4 hops is signed by both sides; 3 of 4 hops are signed by the giver"
    assert said(printed(HONEST.prove(2, 0))) == "1 of 1 hops is signed by both sides"
    assert said(printed(HONEST.prove(1, 30))) == "there is no hop yet"
    _, path = check_proof(FILE, None, TRUST, NOW, Policy())
    assert path is not None
    by_giver, by_both = Attestation.SIGNED_BY_GIVER, Attestation.SIGNED_BY_BOTH
    assert [step.attestation for step in path.steps] == [
        by_giver, by_giver, by_giver, by_both, by_giver, by_giver, Attestation.RECORDED,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("unit", "most"), [(Unit(1, 0), 1), (Unit(1, 4), 1), (Unit(2, 0), 2), (Unit(1, 30), 2)]
)
def test_a_caller_may_demand_signatures(unit: Unit, most: int) -> None:
    """Of each hop in force. A unit that never moved has none to lack."""
    data = printed(HONEST.prove(unit.batch, unit.number))
    for count in (0, 1, 2):
        report = check(data, Policy(min_signatures=count, allow_recalled=True))
        assert report.verdict is (Verdict.VERIFIED if count <= most else Verdict.AGAINST_POLICY)
    assert most > 1 or said(data, Policy(min_signatures=2)).startswith(
        "you demand more signatures of position"
    )


def test_a_sale_needs_one_signature_at_most() -> None:
    """A consumer has no key, so a caller who demands two can still buy from a shop."""
    story = begun()
    story.tell("sell 1:0 acme > wei at 29900")
    data = printed(Ledger(story).append_seal().prove())
    assert check(data, Policy(min_signatures=2)).verdict is Verdict.VERIFIED


def test_units_that_the_book_chose_are_said() -> None:
    """A statement may name a quantity, or cases. The units are then not what was signed."""
    story = told()
    story.tell(
        "pack 106141411234567897 with 1:20-21 by acme\nrecord case 106141411234567897 acme > ann at 15000"
    )
    book = Ledger(story).append_seal()
    for number, words in (
        (10, "whose units the book chose"),
        (20, "whose units lay in cases, by the book's word"),
    ):
        data = printed(book.prove(1, number))
        assert said(data).endswith(f"; 1 statement {words}")
        report = check(data, Policy(min_signatures=1))
        assert report.verdict is Verdict.VERIFIED
        assert found(report, Number.SIGNATURES).result is Result.NOTED


def test_several_statements_that_leave_their_units_to_the_book_are_counted() -> None:
    """They are of hops in force. Another one, which was returned, is not counted."""
    story = begun()
    story.tell("record 5 of 1 acme > ann at 15000\nreturn 1:0-4 by ann\nrecord 5 of 1 acme > ann at 15000")
    story.tell("record 5 of 1 ann > ben at 16000")
    assert said(printed(Ledger(story).append_seal().prove())).endswith(
        "; 2 statements whose units the book chose"
    )


def test_a_chain_that_is_left_out_is_named() -> None:
    """The keys that rest on it do not count, and neither do their signatures."""
    kept = tuple(name for name in HONEST.parties if name != "ann")
    report = check(printed(HONEST.prove(parties=kept)))
    assert report.verdict is Verdict.VERIFIED
    assert found(report, Number.SIGNATURES).result is Result.NOTED
    assert (
        found(report, Number.SIGNATURES).detail
        == (
            "2 of 4 hops are signed by the giver; 2 of 4 hops are not signed, by the operator's word"
            "; the file leaves out the chain of ann, so some keys are not proven"
        )
        or "leaves out the chain of ann" in found(report, Number.SIGNATURES).detail
    )
    assert "the operator" in said(printed(HONEST.prove(parties=("acme", "ann", "ben", "cat"))))


@pytest.mark.parametrize("name", STORIES)
@pytest.mark.parametrize("must_sign", [False, True])
def test_every_kind_of_event_may_be_signed(name: str, must_sign: bool) -> None:
    """Each event of an honest book whose parties sign is what its statement asks."""
    story = SigningStory(MASKS + STORIES[name], must_sign=must_sign)
    assert sum(item.signed is not None for item in story.recorded) > len(story.recorded) // 2
    book = Ledger(story).append_seal()
    for batch, number in book.units:
        report = check(printed(book.prove(batch, number)), Policy(allow_recalled=True))
        written_off = "written off" in found(report, Number.RECALL).detail
        assert report.verdict is (Verdict.AGAINST_POLICY if written_off else Verdict.VERIFIED), report
        assert found(report, Number.SIGNATURES).result is Result.OK, report


def test_a_statement_that_this_program_does_not_know_is_not_refuted() -> None:
    """A newer party may have signed a field that this program cannot compare."""
    changed = Ledger(TOLD)
    position = changed.units[1, 0][2].position
    item = changed.recorded[position - 1]
    assert item.signed is not None
    newer = msgspec.structs.replace(
        item.signed, statement=item.signed.statement + b"\x9a\x06\x00"
    )  # field 99
    changed.units[1, 0][2] = stored(msgspec.structs.replace(item, signed=newer))
    assert check(printed(changed.append_seal().prove())).verdict is Verdict.COULD_NOT_CHECK
    assert check(printed(changed.prove(note=HONEST.checkpoint()))).verdict is Verdict.PROOF_REFUTED


def _outcome(attempt: Attempt) -> tuple[Verdict, str]:
    report = ask(attempt)
    return report.verdict, "; ".join(check.detail for check in report.checks if check.result is Result.FAILED)


@cache
def attempts() -> list[tuple[str, Attempt, tuple[Verdict, str]]]:
    """Return the attempts on signatures, with what comes of each."""
    return [
        (name, attempt, _outcome(attempt))
        for name, attack in ATTACKS.items()
        if attack.__module__.endswith(MODULES_OF_KEYS) and not name.startswith(LARGE)
        for attempt in attack()
    ]


def changed_by(guard: GuardOf) -> Iterator[tuple[str, bool]]:
    """Yield the attacks that end otherwise without a guard, and whether an attempt is then accepted."""
    honest = attempts()
    with without(guard, MODULES):
        for name, attempt, outcome in honest:
            try:
                found = _outcome(attempt)
            except (AssertionError, AttributeError, KeyError, TypeError):
                found = None  # a verifier without a guard may also fail, which is not accepting
            if found != outcome:
                yield name, found is not None and found[0] is Verdict.VERIFIED


@pytest.mark.heavy
@pytest.mark.parametrize(
    "guard",
    [guard for guard in guards(MODULES) if guard.condition not in OF_AUDITORS],
    ids=lambda guard: f"{guard.module.split('.')[-1]} {guard.number}",
)
def test_without_a_guard_an_attack_ends_otherwise(guard: GuardOf) -> None:
    """Each condition is needed: without it, an attack is accepted, or found elsewhere."""
    assert next(changed_by(guard), None) is not None, guard.condition


def main() -> None:
    """Print for each guard the attack that is accepted without it, or that is then found elsewhere."""
    print("guard | caught by | without it")
    for guard in guards(MODULES):
        ends = list(changed_by(guard))
        name, accepted = max(ends, key=lambda end: end[1], default=("nothing", False))
        module = guard.module.split(".")[-1]
        ending = "accepted" if accepted else "found elsewhere"
        print(f"{module} {guard.number}: {guard.condition} | {name} | {ending}")


if __name__ == "__main__":
    main()
