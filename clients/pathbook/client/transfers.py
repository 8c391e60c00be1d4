"""Calls that move units in one step: transfers, reversals, deliveries, sales, returns, write-offs."""

import datetime
import functools

from pathbook.client.calls import Caller, request_id_or_new
from pathbook.client.values import Price, money, timestamp
from pathbook.v1 import transfers_pb2, transfers_pb2_grpc
from pathbook.v1.values_pb2 import DELIVERY_WITH_TITLE, Delivery, Selection, UnitState


class Transfers(Caller):
    """The TransferService of a book: what moves units in one step."""

    @functools.cached_property
    def _transfers(self) -> transfers_pb2_grpc.TransferServiceStub:
        return transfers_pb2_grpc.TransferServiceStub(self._channel)

    def record_transfer(
        self,
        *,
        giver: str,
        receiver: str,
        units: Selection,
        unit_price: Price,
        delivery: Delivery.ValueType = DELIVERY_WITH_TITLE,
        occurred_at: datetime.datetime | None = None,
        request_id: str = "",
    ) -> transfers_pb2.RecordTransferResponse:
        """Record an agreed or historic transfer in one step."""
        request = transfers_pb2.RecordTransferRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            occurred_at=timestamp(occurred_at),
            giver=giver,
            receiver=receiver,
            units=units,
            unit_price=money(unit_price),
            delivery=delivery,
        )
        return self._write(self._transfers.RecordTransfer, request)

    def reverse_transfer(
        self,
        transfer: int,
        *,
        party: str,
        note: str = "",
        occurred_at: datetime.datetime | None = None,
        request_id: str = "",
    ) -> transfers_pb2.ReverseTransferResponse:
        """Ask to reverse an accepted transfer, or agree to the other side's asking."""
        request = transfers_pb2.ReverseTransferRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            occurred_at=timestamp(occurred_at),
            party=party,
            transfer=transfer,
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
        """Hand over goods without their title."""
        request = transfers_pb2.DeliverUnitsRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            occurred_at=timestamp(occurred_at),
            custodian=custodian,
            receiver=receiver,
            units=units,
        )
        return self._write(self._transfers.DeliverUnits, request)

    def sell_units(
        self,
        *,
        seller: str,
        consumer: str,
        units: Selection,
        unit_price: Price,
        delivery: Delivery.ValueType = DELIVERY_WITH_TITLE,
        occurred_at: datetime.datetime | None = None,
        request_id: str = "",
    ) -> transfers_pb2.SellUnitsResponse:
        """Sell units to a consumer, known by a pseudonym."""
        request = transfers_pb2.SellUnitsRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            occurred_at=timestamp(occurred_at),
            seller=seller,
            consumer=consumer,
            units=units,
            unit_price=money(unit_price),
            delivery=delivery,
        )
        return self._write(self._transfers.SellUnits, request)

    def confirm_purchase(
        self,
        *,
        consumer: str,
        units: Selection,
        price_paid: Price,
        occurred_at: datetime.datetime | None = None,
        request_id: str = "",
    ) -> transfers_pb2.ConfirmPurchaseResponse:
        """Confirm, as the consumer, that units were bought, and what was paid for each."""
        request = transfers_pb2.ConfirmPurchaseRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            occurred_at=timestamp(occurred_at),
            consumer=consumer,
            units=units,
            price_paid=money(price_paid),
        )
        return self._write(self._transfers.ConfirmPurchase, request)

    def return_units(
        self,
        *,
        owner: str,
        units: Selection,
        note: str = "",
        occurred_at: datetime.datetime | None = None,
        request_id: str = "",
    ) -> transfers_pb2.ReturnUnitsResponse:
        """Give units back the way they came, at the price paid, as a party or "consumer:" and a pseudonym."""
        request = transfers_pb2.ReturnUnitsRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            occurred_at=timestamp(occurred_at),
            owner=owner,
            units=units,
            note=note,
        )
        return self._write(self._transfers.ReturnUnits, request)

    def write_off_units(
        self,
        *,
        party: str,
        units: Selection,
        state: UnitState.ValueType,
        note: str = "",
        occurred_at: datetime.datetime | None = None,
        request_id: str = "",
    ) -> transfers_pb2.WriteOffUnitsResponse:
        """Say that units in one's hands are lost, damaged, destroyed or defaced."""
        request = transfers_pb2.WriteOffUnitsRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            occurred_at=timestamp(occurred_at),
            party=party,
            units=units,
            state=state,
            note=note,
        )
        return self._write(self._transfers.WriteOffUnits, request)
