"""How a replay moves units."""

from collections.abc import Iterator

from pathbook.v1 import events_pb2, paths_pb2, transfers_pb2, values_pb2
from tests.contract.book import Book
from tests.contract.parts import (
    BOTH,
    CONFIRMED,
    IN_STOCK,
    OFFERED,
    RECORDED,
    SOLD,
    Case,
    Hop,
    Unit,
    authority_of,
    count,
    each,
    is_consumer,
    stated,
)


class Movements(Book):
    """The part of a replay with transfers, sales, returns, write-offs, errors and cases."""

    def _transfer_offered(self, it: events_pb2.TransferOffered) -> None:
        transfer = self._begin(it.terms, transfers_pb2.TRANSFER_KIND_TRANSFER)
        transfer.status = values_pb2.TRANSFER_STATUS_OFFERED
        transfer.extra_allowed = it.terms.extra_allowed
        if it.HasField("deadline"):
            transfer.deadline.CopyFrom(it.deadline)
        for unit, terms in self._of(it.terms):
            unit.state, unit.offer = OFFERED, self.position
            self._step(unit, paths_pb2.PATH_STEP_KIND_OFFERED, terms.giver, terms.receiver, terms=terms)

    def _transfer_accepted(self, it: events_pb2.TransferAccepted) -> None:
        transfer = self.transfers[it.transfer][0]
        transfer.status = (
            values_pb2.TRANSFER_STATUS_ACCEPTED_IN_PART
            if it.discrepancies
            else values_pb2.TRANSFER_STATUS_ACCEPTED
        )
        transfer.answered_position = self.position
        transfer.accepted_units = count(it.terms.ranges)
        transfer.discrepancies.extend(it.discrepancies)
        transfer.extra.extend(it.extra)
        transfer.attestation = BOTH
        for sscc in it.unpacked:
            self._unpack(sscc)
        for discrepancy in it.discrepancies:
            for key in each(discrepancy.ranges):
                unit = self.units[key]
                unit.state, unit.offer = IN_STOCK, 0
                self._step(unit, paths_pb2.PATH_STEP_KIND_RELEASED, it.terms.giver, it.terms.receiver)
        self._push(it.transfer, it.terms, paths_pb2.PATH_STEP_KIND_TRANSFERRED, BOTH)

    def _transfer_declined(self, it: events_pb2.TransferDeclined) -> None:
        self._release(it, values_pb2.TRANSFER_STATUS_DECLINED)

    def _transfer_withdrawn(self, it: events_pb2.TransferWithdrawn) -> None:
        self._release(it, values_pb2.TRANSFER_STATUS_WITHDRAWN)

    def _transfer_lapsed(self, it: events_pb2.TransferLapsed) -> None:
        self._release(it, values_pb2.TRANSFER_STATUS_LAPSED)

    def _transfer_recorded(self, it: events_pb2.TransferRecorded) -> None:
        transfer = self._begin(it.terms, transfers_pb2.TRANSFER_KIND_TRANSFER)
        transfer.status = values_pb2.TRANSFER_STATUS_ACCEPTED
        transfer.accepted_units = transfer.units
        transfer.answered_position = self.position
        self._push(self.position, it.terms, paths_pb2.PATH_STEP_KIND_TRANSFERRED)

    def _units_sold(self, it: events_pb2.UnitsSold) -> None:
        transfer = self._begin(it.terms, transfers_pb2.TRANSFER_KIND_SALE)
        transfer.status = values_pb2.TRANSFER_STATUS_ACCEPTED
        transfer.accepted_units = transfer.units
        transfer.answered_position = self.position
        self._push(self.position, it.terms, paths_pb2.PATH_STEP_KIND_SOLD)

    def _transfer_attested(self, it: events_pb2.TransferAttested) -> None:
        transfer = self.transfers[it.transfer][0]
        transfer.attestation = BOTH
        for key in each(it.ranges):
            unit = self.units[key]
            for step in unit.steps:
                if step.position == it.transfer:
                    step.attestation = BOTH
            self._step(unit, paths_pb2.PATH_STEP_KIND_ATTESTED, receiver=it.party)

    def _reversal_asked(self, it: events_pb2.ReversalAsked) -> None:
        self.transfers[it.transfer][0].reversal_asked_by = it.party
        self.reversals_asked[it.transfer] = self.position

    def _transfer_reversed(self, it: events_pb2.TransferReversed) -> None:
        self.transfers[it.transfer][0].status = values_pb2.TRANSFER_STATUS_REVERSED
        for unit, hop, terms in self._pop(it.transfer, it.terms):
            came_back = unit.custodian == hop.custodian_before
            for step in unit.steps[unit.steps.index(hop.step) :]:
                if came_back or step.kind != paths_pb2.PATH_STEP_KIND_DELIVERED:
                    step.corrected = True
            self._step(
                unit,
                paths_pb2.PATH_STEP_KIND_REVERSED,
                terms.receiver,
                terms.giver,
                terms=terms,
                corrected=True,
            )

    def _units_returned(self, it: events_pb2.UnitsReturned) -> None:
        for line in it.lines:
            transfer = self._begin(line.terms, transfers_pb2.TRANSFER_KIND_RETURN)
            transfer.giver, transfer.receiver = line.terms.receiver, line.terms.giver
            transfer.status = values_pb2.TRANSFER_STATUS_ACCEPTED
            transfer.accepted_units = transfer.units
            transfer.answered_position = self.position
            transfer.returns_transfer = line.transfer
            for unit, _, terms in self._pop(line.transfer, line.terms):
                self._step(unit, paths_pb2.PATH_STEP_KIND_RETURNED, terms.receiver, terms.giver, terms=terms)

    def _units_delivered(self, it: events_pb2.UnitsDelivered) -> None:
        for key in each(it.ranges):
            unit = self.units[key]
            unit.custodian = it.receiver
            self._step(unit, paths_pb2.PATH_STEP_KIND_DELIVERED, it.custodian, it.receiver)

    def _purchase_confirmed(self, it: events_pb2.PurchaseConfirmed) -> None:
        for key in each(it.ranges):
            unit = self.units[key]
            unit.state = CONFIRMED
            self._step(
                unit,
                paths_pb2.PATH_STEP_KIND_CONFIRMED,
                receiver=it.consumer,
                price_paid=stated(it.price_paid),
            )

    def _units_written_off(self, it: events_pb2.UnitsWrittenOff) -> None:
        for key in each(it.ranges):
            unit = self.units[key]
            unit.state = it.state
            self._step(unit, paths_pb2.PATH_STEP_KIND_WRITTEN_OFF, it.party)

    def _error_declared(self, it: events_pb2.ErrorDeclared) -> None:
        self.declared.add(it.position)
        kind = it.WhichOneof("declared")
        if kind == "reversal_asked":
            self.transfers[it.reversal_asked.transfer][0].reversal_asked_by = ""
            del self.reversals_asked[it.reversal_asked.transfer]
            return
        assert kind is not None
        ranges = getattr(it, kind).ranges
        confirmed = set(each(it.units_written_off.confirmed))
        for key in each(ranges):
            unit = self.units[key]
            if kind == "units_written_off":
                unit.state = CONFIRMED if key in confirmed else SOLD if is_consumer(unit.owner) else IN_STOCK
            elif kind == "purchase_confirmed":
                unit.state = SOLD
            else:
                unit.custodian = it.units_delivered.custodian
            for step in unit.steps:
                if step.position == it.position:
                    step.corrected = True
            self._step(
                unit,
                paths_pb2.PATH_STEP_KIND_ERROR_DECLARED,
                it.party,
                corrected=True,
                declared_position=it.position,
            )

    def _case_packed(self, it: events_pb2.CasePacked) -> None:
        self.cases[it.sscc] = Case(it.sscc, self.position, list(it.ranges), list(it.cases))
        for key in each(it.ranges):
            self.units[key].case = it.sscc
        for sscc in it.cases:
            self.cases[sscc].outer = it.sscc

    def _case_unpacked(self, it: events_pb2.CaseUnpacked) -> None:
        self._unpack(it.sscc)

    # The parts of the rules.

    def _unpack(self, sscc: str) -> None:
        case = self.cases.pop(sscc)
        for key in each(case.ranges):
            self.units[key].case = ""
        for inner in case.cases:
            if inner in self.cases:
                self.cases[inner].outer = ""
        if case.outer:
            self.cases[case.outer].cases.remove(sscc)

    def _of(self, terms: events_pb2.Terms) -> Iterator[tuple[Unit, events_pb2.Terms]]:
        """Yield each unit of some terms, with the terms as its step states them."""
        for item in terms.ranges:
            own = events_pb2.Terms()
            own.CopyFrom(terms)
            own.unit_price.CopyFrom(stated(terms.unit_price))
            del own.ranges[:]
            own.ranges.append(item)
            authority = authority_of(terms, item.batch)
            del own.authorities[:]
            own.authorities.append(authority)
            del own.authorities[0].batches[:]
            for key in each([item]):
                yield self.units[key], own

    def _begin(
        self, terms: events_pb2.Terms, kind: transfers_pb2.TransferKind.ValueType
    ) -> transfers_pb2.Transfer:
        transfer = transfers_pb2.Transfer(
            transfer=self.position,
            kind=kind,
            giver=terms.giver,
            receiver=terms.receiver,
            unit_price=stated(terms.unit_price),
            units=count(terms.ranges),
            ranges=terms.ranges,
            occurred_at=self._occurred(),
            recorded_at=self.event.recorded_at,
            reference=terms.reference,
            attestation=RECORDED,
            extra_allowed=terms.extra_allowed,
        )
        self.transfers.setdefault(self.position, []).append(transfer)
        return transfer

    def _push(
        self,
        position: int,
        terms: events_pb2.Terms,
        kind: paths_pb2.PathStepKind.ValueType,
        attestation: values_pb2.Attestation.ValueType = RECORDED,
    ) -> None:
        for unit, own in self._of(terms):
            moved_from, before = "", unit.custodian
            if terms.delivery != values_pb2.DELIVERY_LATER:
                moved_from = unit.custodian if unit.custodian != terms.receiver else ""
                unit.custodian = terms.receiver
            unit.owner, unit.offer = terms.receiver, 0
            unit.state = SOLD if kind == paths_pb2.PATH_STEP_KIND_SOLD else IN_STOCK
            step = self._step(unit, kind, terms.giver, terms.receiver, terms=own)
            step.attestation = attestation
            unit.hops.append(Hop(position, terms, step, moved_from, before))

    def _pop(self, position: int, terms: events_pb2.Terms) -> Iterator[tuple[Unit, Hop, events_pb2.Terms]]:
        for unit, own in self._of(terms):
            hop = unit.hops.pop()
            assert hop.transfer == position, (hop, position)
            unit.owner, unit.state = terms.giver, IN_STOCK
            if hop.moved_from and unit.custodian == terms.receiver:
                unit.custodian = hop.moved_from
            yield unit, hop, own

    def _release(
        self,
        it: events_pb2.TransferDeclined | events_pb2.TransferWithdrawn | events_pb2.TransferLapsed,
        status: values_pb2.TransferStatus.ValueType,
    ) -> None:
        transfer = self.transfers[it.transfer][0]
        transfer.status = status
        transfer.answered_position = self.position
        for key in each(it.ranges):
            unit = self.units[key]
            unit.state, unit.offer = IN_STOCK, 0
            self._step(unit, paths_pb2.PATH_STEP_KIND_RELEASED, it.giver, it.receiver)
