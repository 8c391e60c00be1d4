"""Sealing: which positions a book may still seal."""

from pathbook.ledger.commands import Seal
from pathbook.ledger.events import Sealed
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.rules.state import State


def seal(state: State, command: Seal) -> Sealed | Refusal:
    """Seal the custody as of a position that the book has reached, and that no seal covers yet.

    A seal after another one than the sealer knows is refused, because the sealer did not compare itself with that one.

    The root and the counts are taken as they are. The sealer of each process compares them with those of its own.
    """
    if command.covers <= state.last_covers or command.after not in (None, state.last_covers):
        return refuse(Reason.ALREADY_SEALED, covers=command.covers, sealed=state.last_covers)
    if command.covers > state.position:
        return refuse(Reason.SEALED_TOO_FAR, covers=command.covers, position=state.position)
    return Sealed(command.covers, command.covers_recorded_at, command.batches, command.parties, command.root)
