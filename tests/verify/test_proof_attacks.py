"""No attack on a proof is accepted, and without any one of its guards the verifier would accept one."""

import pytest

from pathbook.ledger.proofs import ed25519, signed_note
from pathbook.ledger.proofs.policy import Policy
from pathbook.ledger.proofs.text import MalformedTextError
from pathbook.verify import batch_chain, party_chains, proof, replay, sealed, signatures, trust
from pathbook.verify.corrections import CorrectedBatch
from pathbook.verify.guards import Guard, require
from pathbook.verify.verdicts import Verdict
from tests.verify.attacking import FILE, Attempt, ask, run
from tests.verify.attacks import ATTACKS, MODULES

LEAST: dict[str, int] = {
    "each bit of the file flipped": 8 * len(FILE),
    "the file cut off at each line, and a line left out, repeated or swapped": 4 * FILE.count(b"\n"),
}
"""How many attempts some attacks have at least."""

OPERATOR = "by the operator: "
CAUGHT_BY = {
    Guard.LOG_KEY: "the key of another log, or another origin",
    Guard.SIGNED: "the key of another log, or another origin",
    Guard.COSIGNED: "cosignatures that are missing, false, or of another checkpoint",
    Guard.LAST_LEAF: "a stale Sealed event under a fresh checkpoint",
    Guard.INCLUDED: "a price changed, and everything below the checkpoint computed again",
    Guard.SEALED: "by the operator, signed and cosigned: a Sealed event that cannot be",
    Guard.BATCH_CHAIN: f"{OPERATOR}a chain that is not of its batch or party",
    Guard.PARTY_CHAIN: f"{OPERATOR}a chain that is not of its batch or party",
    Guard.ONE_PARTY: f"{OPERATOR}a chain that is not of its batch or party",
    Guard.CUSTODY_ROOT: "a recall, a correction or a revocation withheld",
    Guard.COVERED: f"{OPERATOR}events after the covered position, or of a later time",
    Guard.CODE: "another unit's genuine proof",
    Guard.FILED: "a signature of filed statements bent, left out, or added",
    Guard.ONE_ORDER: f"{OPERATOR}two events at one position, or times that run backwards",
}
"""For each guard, the attack that would be accepted without it. Two guards have tests of their own: the form of the
file in tests/proofs/test_unit_proof.py, and a batch without its commissioning in test_proofs.py."""


def test_the_genuine_proof_is_verified() -> None:
    """The attacks begin with a proof that holds."""
    assert MODULES
    assert ask(Attempt(FILE)).verdict is Verdict.VERIFIED


@pytest.mark.parametrize("name", ATTACKS)
def test_no_attack_is_accepted(name: str) -> None:
    """No attempt is verified. What shows the same facts does so for a known reason."""
    row = run(name)
    assert row.tried >= LEAST.get(name, 1)
    assert row.accepted == 0, row


def accepted(name: str) -> bool:
    """Tell whether an attack is accepted. A verifier without a guard may also fail, which is not accepting."""
    facts = ask(Attempt(FILE))
    for attempt in ATTACKS[name]():
        try:
            report = ask(attempt)
        except (AssertionError, MalformedTextError, AttributeError, KeyError, ValueError):
            continue
        if report.verdict is Verdict.VERIFIED and not (attempt.cause and report == facts):
            return True
    return False


@pytest.mark.parametrize("guard", CAUGHT_BY)
def test_without_a_guard_an_attack_is_accepted(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each guard is needed, so a verifier that lost one would be seen."""

    def lenient(asked: Guard, holds: bool, otherwise: str) -> None:
        if asked is not guard:
            require(asked, holds, otherwise)

    for module in (trust, sealed, proof, signatures):
        monkeypatch.setattr(module, "require", lenient)
    assert accepted(CAUGHT_BY[guard])


def test_every_guard_is_tried() -> None:
    """A new guard needs an attack that it stops."""
    assert set(Guard) - set(CAUGHT_BY) == {Guard.FORM, Guard.COMMISSIONED}


def test_without_a_quorum_missing_cosignatures_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The quorum of the policy is what refuses them."""
    monkeypatch.setattr(Policy, "is_met", lambda *_: True)
    assert accepted("cosignatures that are missing, false, or of another checkpoint")


def test_without_a_judgement_of_keys_a_weak_one_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list of weak keys is what refuses them, because a library may accept a signature of theirs."""
    for module in (ed25519, signed_note):
        monkeypatch.setattr(module, "is_weak", lambda _: False)
    monkeypatch.setattr(signed_note, "is_signed", lambda key, signature, _: signature[:32] == key)
    assert accepted("a weak log key, under which one signature fits every message")


def test_without_an_age_a_stale_seal_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of the covered position is what refuses it, not that of the checkpoint."""
    monkeypatch.setattr(proof, "_age", lambda *_: 0)
    assert accepted("a stale Sealed event under a fresh checkpoint")
    assert accepted(f"{OPERATOR}a seal that claims a time to come")


def test_without_the_chains_a_false_authority_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The authority in the terms is compared with the chains."""
    monkeypatch.setattr(party_chains, "check_terms", lambda *_: None)
    assert accepted(f"{OPERATOR}an authority that no chain gives")


def test_without_the_brands_products_a_false_brand_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The brand must have registered the product before it made the batch."""
    name = f"{OPERATOR}an authority that no chain gives"
    monkeypatch.setattr(party_chains, "_check_brand", lambda *_: set())
    assert accepted(name)


def test_without_the_replay_an_impossible_path_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each event must follow from those before it."""
    monkeypatch.setattr(replay, "problem", lambda *_: "")
    assert accepted(f"{OPERATOR}a path that no book would have recorded")


def test_without_the_replay_of_the_batch_a_false_lift_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recalls and their lifting are replayed, too."""
    monkeypatch.setattr(proof, "past_of", lambda made, *_: batch_chain.BatchPast(CorrectedBatch(made), {}))
    assert accepted(f"{OPERATOR}a path that no book would have recorded")
