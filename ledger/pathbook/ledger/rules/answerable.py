"""What later commands answer, as a state holds it: transfers, and events that may be declared errors."""

import msgspec

from pathbook.ledger.command_fields import AnsweringFields
from pathbook.ledger.events import DeclarableEvent
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import TransferStatus


class Transfer(msgspec.Struct, gc=False):
    """A transfer or sale: its status and its terms. Once it is accepted, the terms have the accepted units.

    ``leaf`` is the leaf hash of the event that has these terms. ``reversal_asked_at`` is the position at which a side
    asked to reverse it, or 0. ``attested`` says whether its receiver accepted or reported it.
    """

    status: TransferStatus
    terms: Terms
    leaf: bytes
    deadline: int | None = None
    reversal_asked_by: str = ""
    reversal_asked_at: int = 0
    attested: bool = False


class Declarable(msgspec.Struct):
    """An event that may be declared an error, its leaf hash, and whether it was declared one."""

    event: DeclarableEvent
    leaf: bytes
    is_declared: bool = False


def refuse_other(command: AnsweringFields, leaf: bytes) -> Refusal | None:
    """Refuse a command that answers another event than the one at its position, which has this leaf hash."""
    if command.answered_leaf in (b"", leaf):
        return None
    said, position = command.answered_leaf, command.answered
    return refuse(Reason.ANSWERED_EVENT_DIFFERS, position=position, leaf=leaf, said=said)
