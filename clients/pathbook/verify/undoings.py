"""Returns and reversals of hops that a receiver signed. It owned the units, so it must sign their undoing, too."""

from collections.abc import Container, Sequence
from typing import Final

import msgspec

from pathbook.ledger.events import TransferReversed
from pathbook.ledger.steps import StepKind, attestations
from pathbook.ledger.values import Attestation
from pathbook.verify.replay import ReplayedStep

_BY_RECEIVER: Final = (Attestation.SIGNED_BY_BOTH, Attestation.SIGNED_BY_RECEIVER)


class Undoing(msgspec.Struct, frozen=True):
    """A step that undid a hop, which the receiver of the hop signed, and of which its own signature is not shown.

    ``words`` tell a person so.
    """

    position: int
    words: str


def unsigned_undoings(steps: Sequence[ReplayedStep], counted: Container[int]) -> list[Undoing]:
    """Return what undid a hop without the signature of the party that lost the unit by it.

    A hop counts as signed even if the key is not proven, because a file may leave out the chain of the party that
    lost. The undoing counts as signed only if its position is in ``counted``. A reversal has the signature of the side
    that agreed. That the other side asked for it earlier is in no chain of the unit.
    """
    signed = [step.recorded.signed is not None for step in steps]
    by = attestations([step.movement for step in steps], signed)
    by_receiver = {
        step.transfer
        for step, attestation in zip(steps, by, strict=True)
        if step.transfer and attestation in _BY_RECEIVER
    }
    return [
        Undoing(step.recorded.position, _words(step))
        for step in steps
        if _undone(step) in by_receiver and not (step.recorded.position in counted and _is_by_loser(step))
    ]


def _undone(step: ReplayedStep) -> int:
    """Return the transfer that a return or reversal undid, or 0 for all other steps."""
    if step.movement.kind not in (StepKind.RETURNED, StepKind.REVERSED):
        return 0
    assert step.before is not None, step
    assert step.before.last_hop is not None, step
    return step.before.last_hop.transfer


def _is_by_loser(step: ReplayedStep) -> bool:
    """Tell whether the party acted that lost the unit. A return is always by the owner."""
    return not isinstance(step.event, TransferReversed) or step.event.party == step.movement.giver


def _words(step: ReplayedStep) -> str:
    words = f"a hop was undone by the operator's word at position {step.recorded.position}"
    return words if _is_by_loser(step) else f"{words}: that {step.movement.giver} asked for it is not shown"
