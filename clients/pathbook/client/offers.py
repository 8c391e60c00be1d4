"""Calls about offers: making and answering them, and looking transfers up."""

import datetime
import functools
from collections.abc import Iterable, Iterator

from pathbook.client.calls import Caller, request_id_or_new
from pathbook.client.values import Price, money, timestamp
from pathbook.v1 import transfers_pb2, transfers_pb2_grpc
from pathbook.v1.values_pb2 import (
    DELIVERY_WITH_TITLE,
    TRANSFER_STATUS_UNSPECIFIED,
    Delivery,
    Selection,
    TransferStatus,
)


class Offers(Caller):
    """The TransferService of a book: offers and their answers, and looking transfers up."""

    @functools.cached_property
    def _offers(self) -> transfers_pb2_grpc.TransferServiceStub:
        return transfers_pb2_grpc.TransferServiceStub(self._channel)

    def offer_transfer(
        self,
        *,
        giver: str,
        receiver: str,
        units: Selection,
        unit_price: Price,
        delivery: Delivery.ValueType = DELIVERY_WITH_TITLE,
        deadline: datetime.datetime | None = None,
        occurred_at: datetime.datetime | None = None,
        request_id: str = "",
    ) -> transfers_pb2.OfferTransferResponse:
        """Offer units at a price; they are reserved until the offer is answered or lapses at its deadline."""
        request = transfers_pb2.OfferTransferRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            occurred_at=timestamp(occurred_at),
            giver=giver,
            receiver=receiver,
            units=units,
            unit_price=money(unit_price),
            delivery=delivery,
            deadline=timestamp(deadline),
        )
        return self._write(self._offers.OfferTransfer, request)

    def accept_transfer(
        self,
        transfer: int,
        *,
        receiver: str,
        discrepancies: Iterable[transfers_pb2.DiscrepancyClaim] = (),
        occurred_at: datetime.datetime | None = None,
        request_id: str = "",
    ) -> transfers_pb2.AcceptTransferResponse:
        """Accept the offer at a position, wholly or less the discrepancies."""
        request = transfers_pb2.AcceptTransferRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            occurred_at=timestamp(occurred_at),
            receiver=receiver,
            transfer=transfer,
            discrepancies=discrepancies,
        )
        return self._write(self._offers.AcceptTransfer, request)

    def decline_transfer(
        self,
        transfer: int,
        *,
        receiver: str,
        note: str = "",
        occurred_at: datetime.datetime | None = None,
        request_id: str = "",
    ) -> transfers_pb2.DeclineTransferResponse:
        """Decline the offer at a position."""
        request = transfers_pb2.DeclineTransferRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            occurred_at=timestamp(occurred_at),
            receiver=receiver,
            transfer=transfer,
            note=note,
        )
        return self._write(self._offers.DeclineTransfer, request)

    def withdraw_transfer(
        self,
        transfer: int,
        *,
        giver: str,
        occurred_at: datetime.datetime | None = None,
        request_id: str = "",
    ) -> transfers_pb2.WithdrawTransferResponse:
        """Withdraw an offer of one's own."""
        request = transfers_pb2.WithdrawTransferRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            occurred_at=timestamp(occurred_at),
            giver=giver,
            transfer=transfer,
        )
        return self._write(self._offers.WithdrawTransfer, request)

    def get_transfer(
        self, transfer: int, *, at_least_position: int | None = None
    ) -> list[transfers_pb2.Transfer]:
        """Return a transfer, sale or return; a return has one entry for each of its lines."""
        request = transfers_pb2.GetTransferRequest(
            book=self.book, transfer=transfer, at_least_position=self._known(at_least_position)
        )
        return list(self._ask(self._offers.GetTransfer, request).transfers)

    def list_transfers(
        self,
        party: str,
        *,
        status: TransferStatus.ValueType = TRANSFER_STATUS_UNSPECIFIED,
        page_size: int = 0,
        at_least_position: int | None = None,
    ) -> Iterator[transfers_pb2.Transfer]:
        """Yield the transfers of a party or consumer, all or those that stand so, newest first, page by page."""

        def page(token: str) -> transfers_pb2.ListTransfersResponse:
            request = transfers_pb2.ListTransfersRequest(
                book=self.book,
                party=party,
                status=status,
                page_size=page_size,
                page_token=token,
                at_least_position=self._known(at_least_position),
            )
            return self._ask(self._offers.ListTransfers, request)

        for answer in self._pages(page):
            yield from answer.transfers
