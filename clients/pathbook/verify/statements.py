"""The statements on which events rest, compared with their events, without the signatures and the keys that count.

A path shows one unit (pathbook.verify.signatures), a whole book all of them (pathbook.audit). The rules are the same.
"""

import datetime
from collections.abc import Iterable, Sequence
from typing import Final

from pathbook.ledger.codec.commands import command_of, committed_note
from pathbook.ledger.codec.statements import (
    MalformedStatementError,
    NewerStatementError,
    Statement,
    read_statement,
)
from pathbook.ledger.command_fields import AnsweringFields, named
from pathbook.ledger.commands import ReverseTransfer
from pathbook.ledger.events import (
    BatchCommissioned,
    PartyAuthorized,
    RecordedEvent,
    TransferAccepted,
    TransferReversed,
)
from pathbook.ledger.proofs.stated import Compared, Known, difference
from pathbook.ledger.refusals import RefusedRequestError
from pathbook.ledger.terms import Terms
from pathbook.ledger.values import CLOCK_TOLERANCE, STATEMENT_AGE, is_consumer
from pathbook.verify.replay import ContradictionError, NewerPathError, ReplayedStep, terms_of

_MICROSECOND: Final = datetime.timedelta(microseconds=1)
_TOLERANCE: Final = CLOCK_TOLERANCE // _MICROSECOND
_AGE: Final = STATEMENT_AGE // _MICROSECOND


class FalseStatementError(ContradictionError):
    """An event is not what its statement asks, or the statement was not signed with a key that counted."""


class KnownPath(Known):
    """What a path tells of other events: its batch, the transfers of its unit, and the authorizations in chains."""

    def __init__(
        self, made: BatchCommissioned, steps: Sequence[ReplayedStep], shown: Iterable[RecordedEvent] = ()
    ) -> None:
        """Take the commissioning of the batch, the steps of the unit, and the events of all other chains."""
        self._made = made
        self._leaves = {item.position: item.leaf for item in (*(step.recorded for step in steps), *shown)}
        self._agreed_at = {
            step.event.transfer: step.recorded.position
            for step in steps
            if isinstance(step.event, TransferAccepted)
        }
        self._begins = {
            (item.event.party, item.position): item.event.valid_from
            for item in shown
            if isinstance(item.event, PartyAuthorized)
        }
        self._agreed = {
            step.transfer: terms
            for step in steps
            if step.transfer and (terms := terms_of(step.event)) is not None
        }

    def product(self, batch: int) -> str | None:
        """Return the GTIN of the batch."""
        return self._made.product if batch == self._made.batch else None

    def size(self, batch: int) -> int | None:
        """Return how many units the batch has."""
        return self._made.size if batch == self._made.batch else None

    def agreed(self, transfer: int) -> Terms | None:
        """Return the terms of a transfer of the unit."""
        return self._agreed.get(transfer)

    def answered(self, command: AnsweringFields) -> bytes | None:
        """Return the leaf hash of the event that a command answers. Of an extra unit, the offer is not shown."""
        position = command.answered
        if isinstance(command, ReverseTransfer):
            position = self._agreed_at.get(position, position)
        return self._leaves.get(position)

    def begins(self, party: str, authorization: int) -> int | None:
        """Return when an authorization of a party begins, which the chain of the party has."""
        return self._begins.get((party, authorization))


def read_stated(recorded: RecordedEvent) -> Statement:
    """Return the statement on which an event rests. It has one.

    Raises:
        FalseStatementError: it is malformed.
        NewerPathError: it is newer than this program.
    """
    assert recorded.signed is not None, recorded.position
    where = f"the statement of position {recorded.position}"
    try:
        return read_statement(recorded.signed.statement)
    except NewerStatementError as error:
        raise NewerPathError(f"{where} is newer than this program: {error}") from None
    except MalformedStatementError as error:
        raise FalseStatementError(f"{where} is malformed: {error}") from None


def compared(recorded: RecordedEvent, statement: Statement, origin: str, known: Known) -> Compared:
    """Return the first difference between an event and its statement, which must be for the book with an origin."""
    if statement.origin != origin:
        return Compared(f"its statement is for the book {statement.origin}")
    if not -_TOLERANCE <= recorded.recorded_at - statement.signed_at <= _AGE:
        return Compared("its statement was signed at another time")
    try:
        command = command_of(statement.request)
    except RefusedRequestError as error:
        return Compared(f"its statement cannot be read: {error}")
    if command.actor != statement.party:
        return Compared(f"{named(statement.party)} signed what {named(command.actor)} asks")
    if is_consumer(statement.party):
        return Compared(f"{statement.party} signed it, but consumers have no keys")
    found = difference(recorded, command, known)
    if found.difference:
        return Compared(f"the event is not what its statement asks: {found.difference}")
    # an agreement to a reversal has no note, because the request of the other side has it
    if not isinstance(recorded.event, TransferReversed) and (
        committed_note(statement.request) != recorded.note_commitment
    ):
        return Compared("the event is not what its statement asks: it has another note")
    return found
