"""What each kind of event means for the views, and what a sequence of events changes in them altogether."""

from collections import defaultdict
from collections.abc import Sequence
from typing import assert_never

from ledger.events import (
    AuthorizationRevoked,
    BatchCommissioned,
    CasePacked,
    CaseUnpacked,
    PartyAuthorized,
    PartyRegistered,
    ProductRegistered,
    PurchaseConfirmed,
    RecallLifted,
    RecordedEvent,
    ReversalAsked,
    TransferAccepted,
    TransferDeclined,
    TransferLapsed,
    TransferOffered,
    TransferRecorded,
    TransferReversed,
    TransferWithdrawn,
    UnitsDelivered,
    UnitsRecalled,
    UnitsReturned,
    UnitsSold,
    UnitsWrittenOff,
)
from ledger.projections import cases, ladders, registers, stock, transfers
from ledger.projections.runs import RunChanges
from ledger.projections.transfers import TransferKind
from ledger.runs import Change
from ledger.values import TransferStatus

Row = (
    registers.PartyRow
    | registers.AuthorizationRow
    | registers.AuthorizationEnd
    | registers.ProductRow
    | registers.BatchRow
    | registers.RecallRow
    | registers.RecallEnd
    | registers.RequestRow
    | transfers.TransferRow
    | transfers.TransferAnswer
    | transfers.TransferReversal
    | transfers.ReversalRequest
    | cases.CaseStep
    | ladders.LadderStep
)
"""What a projection returns, but for runs and stock, which follow from the changes of runs."""


def rows(recorded: RecordedEvent) -> Sequence[Row]:
    """Return what one event means for each view, in order; the request it answers is remembered besides."""
    position, event = recorded.position, recorded.event
    match event:
        case TransferRecorded(terms):
            transfer = transfers.recorded_at_once(recorded, TransferKind.TRANSFER, terms)
            return [transfer, *ladders.paid(terms)]
        case UnitsSold(terms):
            sale = transfers.recorded_at_once(recorded, TransferKind.SALE, terms)
            return [sale, *ladders.paid(terms)]
        case TransferOffered(terms, deadline):
            return [transfers.offered(recorded, terms, deadline)]
        case TransferAccepted(terms=terms, unpacked=unpacked):
            answer = transfers.accepted(event, position)
            return [answer, *ladders.paid(terms), *cases.unpacked(*unpacked)]
        case TransferDeclined(transfer):
            return [transfers.closed(transfer, TransferStatus.DECLINED, position)]
        case TransferWithdrawn(transfer):
            return [transfers.closed(transfer, TransferStatus.WITHDRAWN, position)]
        case TransferLapsed(transfer):
            return [transfers.closed(transfer, TransferStatus.LAPSED, position)]
        case ReversalAsked(transfer, party):
            return [transfers.reversal_asked(transfer, party)]
        case TransferReversed(transfer, terms):
            return [transfers.reversed_by_both(transfer), *ladders.unpaid(terms)]
        case UnitsReturned(lines=lines):
            back = [step for line in lines for step in ladders.unpaid(line.terms)]
            return [*transfers.returned(recorded, event), *back]
        case PartyRegistered():
            return [registers.party(event, position)]
        case PartyAuthorized():
            return [registers.authorization(event, position)]
        case AuthorizationRevoked():
            return [registers.authorization_end(event)]
        case ProductRegistered():
            return [registers.product(event, position)]
        case BatchCommissioned():
            return [registers.batch(event, position)]
        case UnitsRecalled():
            return [registers.recall(event, recorded)]
        case RecallLifted():
            return [registers.recall_end(event, position)]
        case CasePacked():
            return cases.packed(event, position)
        case CaseUnpacked(sscc):
            return cases.unpacked(sscc)
        case UnitsDelivered() | PurchaseConfirmed() | UnitsWrittenOff():
            return []  # these change runs and stock only
        case _:
            assert_never(event)


class ViewChanges:
    """What a sequence of events changes in the views; however a book is cut into sequences, the views come out alike.

    ``rows`` holds the rows to insert or amend by their type, each type in order; ``cases`` the steps of cases in
    order; ``ladder`` and ``stock`` what is to be added, by (batch, tier, currency, amount) and (party, batch).
    """

    def __init__(self) -> None:
        self.rows: defaultdict[type[Row], list[Row]] = defaultdict(list)
        self.cases: list[cases.CaseStep] = []
        self.runs = RunChanges()
        self.ladder: defaultdict[tuple[int, int, str, int], int] = defaultdict(int)
        self.stock: dict[tuple[str, int], tuple[int, int, int]] = {}

    def add(self, recorded: RecordedEvent, changes: Sequence[Change]) -> None:
        """Take in the next event, with what `ledger.runs.apply` returned for it."""
        self.rows[registers.RequestRow].append(registers.request(recorded))
        for row in rows(recorded):
            if isinstance(row, ladders.LadderStep):
                self.ladder[row[:4]] += row.units
            elif isinstance(row, cases.CaseStep):
                self.cases.append(row)
            else:
                self.rows[type(row)].append(row)
        self.runs.add(changes, recorded.position)
        for party, batch, owned, in_custody, reserved in stock.moved(changes):
            before = self.stock.get((party, batch), (0, 0, 0))
            self.stock[party, batch] = (before[0] + owned, before[1] + in_custody, before[2] + reserved)
