"""What each kind of event changes in the views, and the changes of a whole sequence of events."""

from collections import defaultdict
from collections.abc import Sequence
from typing import assert_never

from pathbook.ledger import events
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.projections import cases, registers, transfers
from pathbook.ledger.projections.registers import RequestRow
from pathbook.ledger.projections.runs import RunChanges
from pathbook.ledger.projections.stock import StockChanges
from pathbook.ledger.projections.transfers import TransferRow
from pathbook.ledger.runs import Change
from pathbook.ledger.values import TransferStatus

Row = (
    registers.PartyRow
    | registers.AuthorizationRow
    | registers.AuthorizationEnd
    | registers.ProductRow
    | registers.BatchRow
    | registers.RecallRow
    | registers.RecallEnd
    | RequestRow
    | TransferRow
    | transfers.TransferAnswer
    | transfers.TransferReversal
    | transfers.ReversalRequest
)
"""A row to insert, or a change of an existing row."""


class ViewChanges:
    """What a sequence of events changes in the views. The views do not depend on how a book is cut into sequences.

    ``rows`` has, by type, the fields of the rows to insert and to change. ``cases`` has the changes of cases. Both are
    in order. For runs and stock only the net changes of the sequence are kept.
    """

    def __init__(self) -> None:
        self.rows: defaultdict[type[Row], list[tuple[object, ...]]] = defaultdict(list)
        self._requests, self._transfers = self.rows[RequestRow], self.rows[TransferRow]
        self.cases: list[cases.CaseStep] = []
        self.runs = RunChanges()
        self.stock = StockChanges()

    def add(self, recorded: RecordedEvent, changes: Sequence[Change]) -> None:
        """Add the next event, with the changes that `pathbook.ledger.runs.apply` returned for it."""
        self._requests.append(registers.request(recorded))
        self.runs.add(changes, recorded.position)
        self.stock.add(changes)
        self._project(recorded)

    def _put(self, row: Row) -> None:
        self.rows[type(row)].append(row)

    def _project(self, recorded: RecordedEvent) -> None:
        """Add the rows that follow from the event alone."""
        position, event = recorded.position, recorded.event
        match event:  # the most frequent kinds come first, because a match tries its cases in turn
            case events.TransferRecorded():
                self._transfers.append(transfers.transferred(recorded, event.terms))
            case events.UnitsSold():
                self._transfers.append(transfers.sold(recorded, event.terms))
            case events.TransferOffered(terms, deadline):
                self._transfers.append(transfers.offered(recorded, terms, deadline))
            case events.TransferAccepted(unpacked=unpacked):
                self._put(transfers.accepted(event, position))
                self.cases += cases.unpacked(*unpacked)
            case events.TransferDeclined(transfer):
                self._put(transfers.closed(transfer, TransferStatus.DECLINED, position))
            case events.TransferWithdrawn(transfer):
                self._put(transfers.closed(transfer, TransferStatus.WITHDRAWN, position))
            case events.TransferLapsed(transfer):
                self._put(transfers.closed(transfer, TransferStatus.LAPSED, position))
            case events.ReversalAsked(transfer, party):
                self._put(transfers.reversal_asked(transfer, party))
            case events.TransferReversed(transfer):
                self._put(transfers.reversed_by_both(transfer))
            case events.UnitsReturned(lines=lines):
                for number, line in enumerate(lines):
                    self._transfers.append(transfers.returned(recorded, number, line))
            case events.PartyRegistered():
                self._put(registers.party(event, position))
            case events.PartyAuthorized():
                self._put(registers.authorization(event, position))
            case events.AuthorizationRevoked():
                self._put(registers.authorization_end(event))
            case events.ProductRegistered():
                self._put(registers.product(event, position))
            case events.BatchCommissioned():
                self._put(registers.batch(event, position))
            case events.UnitsRecalled():
                self._put(registers.recall(event, recorded))
            case events.RecallLifted():
                self._put(registers.recall_end(event, position))
            case events.CasePacked():
                self.cases += cases.packed(event, position)
            case events.CaseUnpacked(sscc):
                self.cases += cases.unpacked(sscc)
            case events.UnitsDelivered() | events.PurchaseConfirmed() | events.UnitsWrittenOff():
                pass  # these change runs and stock only
            case events.BookOpened():
                pass  # the log answers for it
            case _:
                assert_never(event)
