"""No attack on a proof is accepted, and without any one of its guards the verifier would accept one."""

import pytest

from pathbook.verify.guards import Guard
from pathbook.verify.verdicts import Verdict
from tests.examples import examples
from tests.verify.attacking import FILE, Attempt, ask, run
from tests.verify.attacks import ATTACKS, MODULES
from tests.verify.mutants import CAUGHT_BY, MUTANTS, accepted

FLIPPED = "each bit of the file flipped"

STEP = examples(5, 1)
"""Of how many bits one is flipped. A few steps meet each of the eight bits of a byte in turn."""

LEAST: dict[str, int] = {
    FLIPPED: 8 * len(FILE) // STEP,
    "the file cut off at each line, and a line left out, repeated or swapped": 4 * FILE.count(b"\n"),
}
"""How many attempts some attacks have at least."""


def test_the_genuine_proof_is_verified() -> None:
    """The attacks begin with a proof that holds."""
    assert MODULES
    assert ask(Attempt(FILE)).verdict is Verdict.VERIFIED


@pytest.mark.parametrize("name", ATTACKS)
def test_no_attack_is_accepted(name: str) -> None:
    """No attempt is verified. What shows the same facts does so for a known reason."""
    row = run(name, STEP if name == FLIPPED else 1)
    assert row.tried >= LEAST.get(name, 1)
    assert row.accepted == 0, row


@pytest.mark.parametrize("name", MUTANTS)
def test_without_a_guard_an_attack_is_accepted(name: str) -> None:
    """Each guard is needed, so a verifier that lost one would be seen."""
    assert accepted(MUTANTS[name])


def test_every_guard_is_tried() -> None:
    """A new guard needs an attack that it stops."""
    assert set(Guard) - set(CAUGHT_BY) == {Guard.FORM, Guard.COMMISSIONED}
