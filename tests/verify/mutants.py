"""Verifiers that lost a guard. `python -m tests.verify.mutants` prints for each an attack that it would accept."""

import itertools
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import pytest

from pathbook.ledger.codec import records
from pathbook.ledger.proofs import ed25519, signed_note
from pathbook.ledger.proofs.key_chain import KeyChains
from pathbook.ledger.proofs.policy import Policy
from pathbook.ledger.proofs.stated import Compared
from pathbook.ledger.proofs.text import MalformedTextError
from pathbook.verify import batch_chain, party_chains, proof, replay, sealed, signatures, trust
from pathbook.verify.corrections import CorrectedBatch
from pathbook.verify.guards import Guard, require
from pathbook.verify.verdicts import Verdict
from tests.verify.attacking import FILE, Attempt, ask
from tests.verify.attacks import ATTACKS, MODULES

OPERATOR: Final = "by the operator: "
QUORUM: Final = "cosignatures that are missing, false, or of another checkpoint"
STALE: Final = "a stale Sealed event under a fresh checkpoint"
CHAIN: Final = f"{OPERATOR}a chain that is not of its batch or party"
PATH: Final = f"{OPERATOR}a path that no book would have recorded"
AUTHORITY: Final = f"{OPERATOR}an authority that no chain gives"

Patch = tuple[object, str, object]
"""Where a name stands, the name, and what stands there instead."""


class Mutant(NamedTuple):
    """A verifier without a guard: an attack that it accepts, and what is other in it."""

    attack: str
    patches: tuple[Patch, ...]


def _without(guard: Guard) -> tuple[Patch, ...]:
    def lenient(asked: Guard, holds: bool, otherwise: str) -> None:
        if asked is not guard:
            require(asked, holds, otherwise)

    return tuple((module, "require", lenient) for module in (trust, sealed, proof, signatures))


def _answering(answer: object) -> Callable[..., object]:
    return lambda *_: answer


CAUGHT_BY: Final = {
    Guard.LOG_KEY: "the key of another log, or another origin",
    Guard.SIGNED: "the key of another log, or another origin",
    Guard.COSIGNED: QUORUM,
    Guard.LAST_LEAF: STALE,
    Guard.INCLUDED: "a price changed, and everything below the checkpoint computed again",
    Guard.SEALED: "by the operator, signed and cosigned: a Sealed event that cannot be",
    Guard.BATCH_CHAIN: CHAIN,
    Guard.PARTY_CHAIN: CHAIN,
    Guard.ONE_PARTY: CHAIN,
    Guard.CUSTODY_ROOT: "a recall, a correction or a revocation withheld",
    Guard.COVERED: f"{OPERATOR}events after the covered position, or of a later time",
    Guard.CODE: "another unit's genuine proof",
    Guard.FILED: "a signature of filed statements bent, left out, or added",
    Guard.ONE_ORDER: f"{OPERATOR}two events at one position, or times that run backwards",
}
"""For each guard, the attack that would be accepted without it. Two guards have tests of their own: the form of the
file in tests/proofs/test_unit_proof.py, and a batch without its commissioning in test_proofs.py."""

MUTANTS: Final[Mapping[str, Mutant]] = {
    **{
        f"guard {guard.value}, {guard.name}": Mutant(attack, _without(guard))
        for guard, attack in sorted(CAUGHT_BY.items())
    },
    "the quorum of the policy": Mutant(QUORUM, ((Policy, "is_met", _answering(answer=True)),)),
    "the list of weak keys": Mutant(
        "a weak log key, under which one signature fits every message",
        (
            (ed25519, "is_weak", _answering(answer=False)),
            (signed_note, "is_weak", _answering(answer=False)),
            (signed_note, "is_signed", lambda key, signature, _: signature[:32] == key),
        ),
    ),
    "the age of a seal": Mutant(STALE, ((proof, "_age", _answering(0)),)),
    "the time of a seal": Mutant(
        f"{OPERATOR}a seal that claims a time to come", ((proof, "_age", _answering(0)),)
    ),
    "authority by the chains": Mutant(AUTHORITY, ((party_chains, "check_terms", _answering(None)),)),
    "the products of the brand": Mutant(AUTHORITY, ((party_chains, "_check_brand", _answering(set())),)),
    "what may follow an event": Mutant(PATH, ((replay, "problem", _answering("")),)),
    "the past of the batch": Mutant(
        PATH,
        ((proof, "past_of", lambda made, *_: batch_chain.BatchPast(CorrectedBatch(made), {})),),
    ),
    "the one form of an event": Mutant(
        f"{OPERATOR}an event of two kinds, and other bytes that programs read in two ways",
        ((records, "_require_one_way", _answering(None)),),
    ),
    "the comparison with statements": Mutant(
        f"{OPERATOR}other terms than a party signed",
        ((signatures, "compared", _answering(Compared(""))),),
    ),
    "the signatures of statements": Mutant(
        f"{OPERATOR}another price than a party signed",
        (
            (signatures, "compared", _answering(Compared(""))),
            (signatures, "is_statement_signed", _answering(answer=True)),
        ),
    ),
    "the keys that count": Mutant(
        f"{OPERATOR}a key that was revoked, not registered yet, of another party, or of no party",
        ((KeyChains, "problem", _answering("")),),
    ),
    "one event for a request": Mutant(
        f"{OPERATOR}a statement that counts for another request, another event, or twice",
        ((signatures, "_require_one_event_a_request", _answering(None)),),
    ),
    "the signatures that a key demands": Mutant(
        f"{OPERATOR}a hop without a signature, of a party that has a key",
        ((signatures, "_require_signed", _answering(None)),),
    ),
}
"""What a verifier lost, by its name in the table."""


def accepted(mutant: Mutant) -> int:
    """Return which attempt of its attack a mutant accepts first, from 1, or 0. One that fails did not accept it."""
    facts = ask(Attempt(FILE))
    with pytest.MonkeyPatch.context() as changed:
        for where, name, instead in mutant.patches:
            changed.setattr(where, name, instead)
        for number, attempt in zip(itertools.count(1), ATTACKS[mutant.attack](), strict=False):
            try:
                report = ask(attempt)
            except (AssertionError, MalformedTextError, AttributeError, KeyError, ValueError):
                continue
            if report.verdict is Verdict.VERIFIED and not (attempt.cause and report == facts):
                return number
    return 0


def main() -> None:
    """Print the table."""
    assert MODULES
    print("a verifier without | accepts of the attack | attempt")  # noqa: T201 - it is a program
    for name, mutant in MUTANTS.items():
        print(f"{name} | {mutant.attack} | {accepted(mutant) or 'none'}")  # noqa: T201 - it is a program


if __name__ == "__main__":
    main()
