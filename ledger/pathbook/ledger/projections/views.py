"""What each kind of event changes in the views, and the changes of a whole sequence of events."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import assert_never

from pathbook.ledger import chains, events, key_events
from pathbook.ledger.chains import Chain, ChainHead
from pathbook.ledger.command_fields import OPERATOR
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.projections import cases, keys, registers, transfers
from pathbook.ledger.projections.registers import RequestRow
from pathbook.ledger.projections.runs import RunChanges
from pathbook.ledger.projections.stock import StockChanges
from pathbook.ledger.projections.transfers import TransferRow
from pathbook.ledger.run import Change
from pathbook.ledger.values import TransferStatus

Row = (
    registers.PartyRow
    | registers.AuthorizationRow
    | registers.AuthorizationEnd
    | registers.ProductRow
    | registers.BatchRow
    | registers.PartyCorrection
    | registers.ProductCorrection
    | registers.BatchCorrection
    | registers.CorrectionRow
    | registers.RecallRow
    | registers.RecallEnd
    | registers.SealRow
    | keys.KeyRow
    | keys.KeyEnd
    | RequestRow
    | TransferRow
    | transfers.TransferAnswer
    | transfers.TransferAttestation
    | transfers.TransferReversal
    | transfers.ReversalRequest
)
"""A row to insert, or a change of an existing row."""


def heads_before(recorded: Sequence[RecordedEvent]) -> set[Chain]:
    """Return the chains whose heads `ViewChanges` needs: those that began before a sequence that extends them."""
    return chains.begun_before(recorded) - {OPERATOR}


class ViewChanges:
    """What a sequence of events changes in the views. The views do not depend on how a book is cut into sequences.

    ``rows`` has, by type, the fields of the rows to insert and to change. ``cases`` has the changes of cases. Both are
    in order. For runs and stock only the net changes of the sequence are kept. ``heads`` has the heads of all chains
    that the sequence extends, as they are at its end. The operator is no party and has no row, so its head is not kept.
    """

    def __init__(self, heads: Mapping[Chain, ChainHead]) -> None:
        """Begin with the heads of the chains that the sequence extends and that began before it."""
        self.heads = dict(heads)
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
        self.heads.update(chains.extended(self.heads, recorded, without=OPERATOR))
        self._project(recorded)

    def moved_heads(self) -> dict[Chain, ChainHead]:
        """Return the heads of the chains whose rows have to change. A row to insert may have its last head already."""
        kinds = (registers.PartyRow, registers.BatchRow)
        inserted = {row[0]: row[-1] for kind in kinds for row in self.rows.get(kind, ())}
        return {
            chain: head for chain, head in self.heads.items() if inserted.get(chain) != head.head_position
        }

    def _put(self, row: Row) -> None:
        self.rows[type(row)].append(row)

    def _correct(self, subject: str, position: int) -> None:
        self._put(registers.CorrectionRow(subject, position))

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
                self._put(transfers.accepted(event, recorded))
                self.cases += cases.unpacked(*unpacked)
            case events.TransferDeclined(transfer):
                self._put(transfers.closed(transfer, TransferStatus.DECLINED, position))
            case events.TransferWithdrawn(transfer):
                self._put(transfers.closed(transfer, TransferStatus.WITHDRAWN, position))
            case events.TransferLapsed(transfer):
                self._put(transfers.closed(transfer, TransferStatus.LAPSED, position))
            case events.ReversalAsked(transfer, party):
                self._put(transfers.reversal_asked(transfer, party, position))
            case events.TransferAttested(transfer):
                self._put(transfers.attested(transfer, recorded))
            case events.ErrorDeclared(earlier, declared=declared):
                self._correct(registers.corrected_event(earlier), position)
                if isinstance(declared, events.ReversalAsked):
                    self._put(transfers.reversal_asked(declared.transfer, "", None))
            case events.ProductCorrected(gtin):
                self._put(registers.product_correction(event, position))
                self._correct(registers.corrected_product(gtin), position)
            case events.BatchCorrected(batch):
                self._put(registers.batch_correction(event, position))
                self._correct(registers.corrected_batch(batch), position)
            case events.PartyCorrected(party):
                self._put(registers.party_correction(event, position))
                self._correct(registers.corrected_party(party), position)
            case events.Sealed(covers):
                self._put(registers.SealRow(covers, position))
            case key_events.KeyRegistered(replaced_key=replaced):
                self._put(keys.registered(event, recorded))
                if replaced:
                    self._put(keys.ended(replaced, recorded))
            case key_events.KeyRevoked(key=key):
                self._put(keys.ended(key, recorded))
            case events.TransferReversed(transfer):
                self._put(transfers.reversed_by_both(transfer))
            case events.UnitsReturned(lines=lines):
                for number, line in enumerate(lines):
                    self._transfers.append(transfers.returned(recorded, number, line))
            case events.PartyRegistered():
                self._put(registers.party(event, position, self.heads[event.party]))
            case events.PartyAuthorized():
                self._put(registers.authorization(event, position))
            case events.AuthorizationRevoked():
                self._put(registers.authorization_end(event))
            case events.ProductRegistered():
                self._put(registers.product(event, position))
            case events.BatchCommissioned():
                self._put(registers.batch(event, position, self.heads[event.batch]))
            case events.UnitsRecalled():
                self._put(registers.recall(event, recorded))
            case events.RecallLifted():
                self._put(registers.recall_end(event, recorded))
            case events.CasePacked():
                self.cases += cases.packed(event, position)
            case events.CaseUnpacked(sscc):
                self.cases += cases.unpacked(sscc)
            case events.UnitsDelivered() | events.PurchaseConfirmed() | events.UnitsWrittenOff():
                pass  # these change runs and stock only
            case events.BookOpened() | key_events.StatementsFiled():
                pass  # the log answers for them
            case _:
                assert_never(event)
