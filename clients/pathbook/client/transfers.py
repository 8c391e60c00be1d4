"""Calls that move title or goods between parties in one step: transfers, reversals, deliveries, write-offs."""

import datetime
import functools
from operator import index

from pathbook.client.calls import Caller, request_id_or_new
from pathbook.client.values import Price, price, timestamp
from pathbook.ledger.values import Delivery, UnitState
from pathbook.v1 import transfers_pb2, transfers_pb2_grpc, values_pb2
from pathbook.v1.values_pb2 import Selection


class Transfers(Caller):
    """The TransferService of a book: moves in one step."""

    @functools.cached_property
    def _transfers(self) -> transfers_pb2_grpc.TransferServiceStub:
        return transfers_pb2_grpc.TransferServiceStub(self._channel)

    def record_transfer(  # noqa: PLR0913 - an argument for each field
        self,
        *,
        giver: str,
        receiver: str,
        units: Selection,
        unit_price: Price,
        delivery: Delivery | values_pb2.Delivery.ValueType = Delivery.WITH_TITLE,
        reference: str = "",
        reported_by: str = "",
        occurred_at: datetime.datetime | None = None,
        request_id: str = "",
    ) -> transfers_pb2.RecordTransferResponse:
        """Record a transfer that both sides have agreed on, now or in the past, in one step.

        The giver reports it. The receiver may report the same transfer too, on equal terms and with the same
        reference. It is recorded once, and both sides then attest it.

        Args:
            giver: Id of the party that owns the units.
            receiver: Id of the party that owns them afterwards.
            units: Which units, as ``select(...)`` returns them. A quantity takes the giver's, none expired or recalled.
            unit_price: Price of one unit: (15000, "CNY") is 150.00 yuan, and (125, "CNY", 100)
                is 1.25 yuan for 100 units (see ``price``).
            delivery: ``Delivery.WITH_TITLE`` moves the goods with the title. ``Delivery.LATER`` leaves the goods
                where they lie (cloud stock).
            reference: Number of a document by which both sides know the transfer, such as a delivery note: 1 to 64
                printable characters. A giver and a receiver use it for one transfer. "" means none.
            reported_by: Id of the side that reports it: the giver, or the receiver of a transfer with this
                reference that the giver has reported. "" means the giver.
            occurred_at: When it happened, a timezone-aware datetime, at most 5 minutes ahead of the server's clock.
                None means the moment it is recorded.
            request_id: Your own id for this write, 1 to 128 printable ASCII characters. A repeat with the same id
                returns the first answer and records nothing. "" lets the client make one.

        Returns:
            A response with ``receipt.position``, the id of the transfer, and ``ranges``, the units moved. For the
            report of a receiver, the position is that of the report, and the units are those of the transfer.

        Raises:
            RefusedError: PARTY_UNKNOWN, SELF_TRANSFER, UNITS_NOT_OWNED, UNITS_RESERVED, UNITS_SOLD,
                UNITS_WRITTEN_OFF, UNITS_IN_CASE, UNITS_RECALLED, OCCURRED_BEFORE_MADE, REFERENCE_MALFORMED,
                REFERENCE_USED, VALUE_MISSING (an unknown delivery, or no reference of a receiver's report);
                REPORTER_NOT_A_SIDE, TRANSFER_NOT_REPORTED, TRANSFER_NOT_ACCEPTED, REFERENCE_CONTRADICTS,
                TRANSFER_ALREADY_ATTESTED; or a reason of ``select``, and of every write, price and time (see
                ``Client``).
            UnreachableError: No answer came in time.
            ValueError: The datetime has no time zone.

        Example:
            >>> moved = client.record_transfer(
            ...     giver="ann", receiver="bob", units=select(quantities=[(10, "4006381333931")]),
            ...     unit_price=(18000, "CNY"), delivery=Delivery.LATER, request_id="invoice 17",
            ... )
            >>> moved.ranges[0].first, moved.ranges[0].last
            (0, 9)
            >>> sheet = {
            ...     "giver": "acme", "receiver": "bob", "units": select(ranges=[(1, 210, 219)]),
            ...     "unit_price": (16000, "CNY"), "reference": "note 4711",
            ... }
            >>> sent = client.record_transfer(**sheet)
            >>> same = client.record_transfer(**sheet, reported_by="bob")
            >>> (shown,) = client.get_transfer(sent.receipt.position)
            >>> shown.reference, shown.attestation == values_pb2.ATTESTATION_REPORTED_BY_BOTH
            ('note 4711', True)
        """
        request = transfers_pb2.RecordTransferRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            occurred_at=timestamp(occurred_at),
            giver=giver,
            receiver=receiver,
            units=units,
            unit_price=price(unit_price),
            delivery=values_pb2.Delivery.ValueType(index(delivery)),
            reference=reference,
            reported_by=reported_by,
        )
        return self._write(self._transfers.RecordTransfer, request)

    def resolve_units(
        self, owner: str, units: Selection, *, at_least_position: int | None = None
    ) -> transfers_pb2.ResolveUnitsResponse:
        """Return which units of an owner a selection means now. It reserves none.

        A statement may name units by quantity: its event then says which they were. To sign the units themselves, ask
        for them first, look at them, and name their ranges.

        Args:
            owner: Id of the owner. A quantity takes its units that are free to move, none expired or recalled.
            units: The selection, as ``select(...)`` returns it.
            at_least_position: The answer includes all events up to this position; the server waits for them. None
                means this client's last write, 0 means no waiting.

        Returns:
            A response with ``ranges``, the units in order, and ``position``, as of which these are the units.

        Raises:
            RefusedError: PARTY_UNKNOWN; or a reason of ``select``, and of every read (see ``Client``).
            UnreachableError: No answer came in time.

        Example:
            >>> meant = client.resolve_units("acme", select(quantities=[(10, 1)]))
            >>> sum(part.last - part.first + 1 for part in meant.ranges)
            10
        """
        request = transfers_pb2.ResolveUnitsRequest(
            book=self.book, owner=owner, units=units, at_least_position=self._at_least(at_least_position)
        )
        return self._call(self._transfers.ResolveUnits, request)

    def reverse_transfer(
        self,
        transfer: int,
        *,
        party: str,
        note: str = "",
        occurred_at: datetime.datetime | None = None,
        answered_leaf: bytes = b"",
        request_id: str = "",
    ) -> transfers_pb2.ReverseTransferResponse:
        """Ask to reverse a transfer, or agree with the other side that asked; both sides must call this.

        Args:
            transfer: Position at which the transfer was offered or recorded. It must be accepted, and its units must
                not have moved on.
            party: Id of the side that asks or agrees: the giver or the receiver.
            note: Why, in at most 200 characters. "" means no note. It may be erased later.
            occurred_at: When it happened, a timezone-aware datetime, at most 5 minutes ahead of the server's clock.
                None means the moment it is recorded.
            answered_leaf: Leaf hash of what agreed the transfer as you read it (see ``get_event``). Then no other is
                answered. b"" lets a client with a signer read the event itself, as it signs.
            request_id: Your own id for this write, 1 to 128 printable ASCII characters. A repeat with the same id
                returns the first answer and records nothing. "" lets the client make one.

        Returns:
            A response with ``reversed``, whether both sides have now agreed, and ``receipt.position``.

        Raises:
            RefusedError: TRANSFER_UNKNOWN, SALE_IS_RETURNED, NOT_A_SIDE, TRANSFER_NOT_ACCEPTED,
                TRANSFER_BUILT_UPON, UNITS_IN_CASE, REVERSAL_ALREADY_ASKED; or a reason of every write, time and text
                (see ``Client``).
            UnreachableError: No answer came in time.
            ValueError: The datetime has no time zone.

        Example:
            >>> mistake = client.record_transfer(
            ...     giver="ann", receiver="bob", units=select(ranges=[(1, 20, 29)]), unit_price=(1800, "CNY")
            ... )
            >>> client.reverse_transfer(mistake.receipt.position, party="ann", note="wrong price").reversed
            False
            >>> client.reverse_transfer(mistake.receipt.position, party="bob").reversed
            True
        """
        request = transfers_pb2.ReverseTransferRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            occurred_at=timestamp(occurred_at),
            party=party,
            transfer=transfer,
            answered_leaf=answered_leaf,
            note=note,
        )
        return self._write(self._transfers.ReverseTransfer, request)

    def deliver_units(
        self,
        *,
        custodian: str,
        receiver: str,
        units: Selection,
        occurred_at: datetime.datetime | None = None,
        request_id: str = "",
    ) -> transfers_pb2.DeliverUnitsResponse:
        """Record that goods changed hands while their title stays; sold units may be delivered too.

        Args:
            custodian: Id of the party that has the goods, or "consumer:" and a pseudonym.
            receiver: Id of the party that has them afterwards, or "consumer:" and a pseudonym.
            units: Which units, as ``select(...)`` returns them. A quantity takes units that the receiver owns and
                the custodian has.
            occurred_at: When it happened, a timezone-aware datetime, at most 5 minutes ahead of the server's clock.
                None means the moment it is recorded.
            request_id: Your own id for this write, 1 to 128 printable ASCII characters. A repeat with the same id
                returns the first answer and records nothing. "" lets the client make one.

        Returns:
            A response with ``ranges``, the units delivered, and ``receipt.position``.

        Raises:
            RefusedError: PARTY_UNKNOWN, PARTY_LOOKS_PERSONAL (a consumer), SELF_TRANSFER,
                UNITS_NOT_IN_CUSTODY, UNITS_RESERVED, UNITS_WRITTEN_OFF, UNITS_IN_CASE, UNITS_RECALLED (unless the
                receiver is a brand), OCCURRED_BEFORE_MADE; or a reason of ``select``, and of every write
                and time (see ``Client``).
            UnreachableError: No answer came in time.
            ValueError: The datetime has no time zone.

        Example:
            >>> units = select(quantities=[(10, 1)])
            >>> client.deliver_units(custodian="ann", receiver="bob", units=units).ranges[0].last
            9
        """
        request = transfers_pb2.DeliverUnitsRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            occurred_at=timestamp(occurred_at),
            custodian=custodian,
            receiver=receiver,
            units=units,
        )
        return self._write(self._transfers.DeliverUnits, request)

    def write_off_units(
        self,
        *,
        party: str,
        units: Selection,
        state: UnitState | values_pb2.UnitState.ValueType,
        note: str = "",
        occurred_at: datetime.datetime | None = None,
        request_id: str = "",
    ) -> transfers_pb2.WriteOffUnitsResponse:
        """Record that units are lost, damaged, destroyed or defaced; they never move again.

        Args:
            party: Id of the party that has the goods, or "consumer:" and a pseudonym.
            units: Which units, as ``select(...)`` returns them. A quantity takes units that the party owns and has.
            state: ``UnitState.LOST``, ``UnitState.DAMAGED``, ``UnitState.DESTROYED`` or ``UnitState.DEFACED``.
            note: More about it, in at most 200 characters. "" means no note. It may be erased later.
            occurred_at: When it happened, a timezone-aware datetime, at most 5 minutes ahead of the server's clock.
                None means the moment it is recorded.
            request_id: Your own id for this write, 1 to 128 printable ASCII characters. A repeat with the same id
                returns the first answer and records nothing. "" lets the client make one.

        Returns:
            A response with ``ranges``, the units written off, and ``receipt.position``.

        Raises:
            RefusedError: PARTY_UNKNOWN, VALUE_MISSING (no state of these four), UNITS_NOT_IN_CUSTODY,
                UNITS_RESERVED, UNITS_SOLD (unless the consumer calls), UNITS_WRITTEN_OFF, OCCURRED_BEFORE_MADE; or a
                reason of ``select``, and of every write, time and text (see ``Client``).
            UnreachableError: No answer came in time.
            ValueError: The datetime has no time zone.

        Example:
            >>> damaged, units = UnitState.DAMAGED, select(ranges=[(1, 9, 9)])
            >>> response = client.write_off_units(party="bob", units=units, state=damaged, note="wet")
        """
        request = transfers_pb2.WriteOffUnitsRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            occurred_at=timestamp(occurred_at),
            party=party,
            units=units,
            state=values_pb2.UnitState.ValueType(index(state)),
            note=note,
        )
        return self._write(self._transfers.WriteOffUnits, request)
