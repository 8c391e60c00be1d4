"""Calls that list transfers: those of a party, its offers, and those under a reference."""

import datetime
import functools
from collections.abc import Iterator
from operator import index

from pathbook.client.calls import Caller
from pathbook.client.values import timestamp
from pathbook.ledger.values import TransferKind, TransferSide, TransferStatus
from pathbook.v1 import transfers_pb2, transfers_pb2_grpc, values_pb2
from pathbook.v1.transfers_pb2 import TRANSFER_KIND_UNSPECIFIED, TRANSFER_SIDE_UNSPECIFIED
from pathbook.v1.values_pb2 import TRANSFER_STATUS_UNSPECIFIED


class TransferLists(Caller):
    """The TransferService of a book: lists."""

    @functools.cached_property
    def _lists(self) -> transfers_pb2_grpc.TransferServiceStub:
        return transfers_pb2_grpc.TransferServiceStub(self._channel)

    def list_transfers(  # noqa: PLR0913 - an argument for each condition
        self,
        party: str,
        *,
        side: TransferSide | transfers_pb2.TransferSide.ValueType = TRANSFER_SIDE_UNSPECIFIED,
        counterparty: str = "",
        status: TransferStatus | values_pb2.TransferStatus.ValueType = TRANSFER_STATUS_UNSPECIFIED,
        kind: TransferKind | transfers_pb2.TransferKind.ValueType = TRANSFER_KIND_UNSPECIFIED,
        reference: str = "",
        batch: int = 0,
        gtin: str = "",
        receiver_tier: int | None = None,
        occurred_from: datetime.datetime | None = None,
        occurred_before: datetime.datetime | None = None,
        recorded_from: datetime.datetime | None = None,
        recorded_before: datetime.datetime | None = None,
        page_size: int = 0,
        at_least_position: int | None = None,
    ) -> Iterator[transfers_pb2.Transfer]:
        """Yield the transfers, sales and returns of a party or consumer, newest first.

        Those that meet all conditions are listed. A time has a time zone, and the end of an interval is not in it.

        Args:
            party: Id of the giver or receiver, or "consumer:" and a pseudonym.
            side: ``transfers_pb2.TRANSFER_SIDE_GIVER`` for what the party gave, ``TRANSFER_SIDE_RECEIVER`` for what
                it received. ``TRANSFER_SIDE_UNSPECIFIED`` means both.
            counterparty: Only those whose other side is this party or consumer. "" means any.
            status: Only those with this status, such as ``values_pb2.TRANSFER_STATUS_OFFERED``.
                ``TRANSFER_STATUS_UNSPECIFIED`` means all.
            kind: Only ``transfers_pb2.TRANSFER_KIND_TRANSFER``, ``TRANSFER_KIND_SALE`` or ``TRANSFER_KIND_RETURN``.
                ``TRANSFER_KIND_UNSPECIFIED`` means all.
            reference: Only those with this reference. "" means all.
            batch: Only those of units of this batch. 0 means all.
            gtin: Only those of units of this product: a GTIN of 8, 12, 13 or 14 digits. "" means all.
            receiver_tier: Only those whose receiver had this tier, 0 for brands, for one of the products. None means
                all.
            occurred_from: Only what occurred at this time or later. None means from the beginning.
            occurred_before: Only what occurred before this time. None means without end.
            recorded_from: Only what was recorded at this time or later. None means from the beginning.
            recorded_before: Only what was recorded before this time. None means without end.
            page_size: Transfers fetched in one call, at most 1,000. 0 means the server's choice.
            at_least_position: The answer includes all events up to this position; the server waits for them. None
                means this client's last write, 0 means no waiting.

        Yields:
            A Transfer with ``transfer`` (its position) and the fields that ``get_transfer`` names.

        Raises:
            RefusedError: PARTY_UNKNOWN, VALUE_MISSING (an unknown side, status or kind), REFERENCE_MALFORMED,
                BATCH_UNKNOWN, GTIN_CHECK_DIGIT, PRODUCT_UNKNOWN, TIER_OUT_OF_BOUNDS, INTERVAL_REVERSED; or a reason
                of every list, read and time (see ``Client``).
            UnreachableError: No answer came in time.
            ValueError: A datetime has no time zone.

        Example:
            >>> declined = values_pb2.TRANSFER_STATUS_DECLINED
            >>> [transfer.giver for transfer in client.list_transfers("bob", status=declined)]
            ['ann']
        """

        def page(token: str) -> transfers_pb2.ListTransfersResponse:
            request = transfers_pb2.ListTransfersRequest(
                book=self.book,
                party=party,
                side=transfers_pb2.TransferSide.ValueType(index(side)),
                counterparty=counterparty,
                status=values_pb2.TransferStatus.ValueType(index(status)),
                kind=transfers_pb2.TransferKind.ValueType(index(kind)),
                reference=reference,
                batch=batch,
                gtin=gtin,
                receiver_tier=receiver_tier,
                occurred_from=timestamp(occurred_from),
                occurred_before=timestamp(occurred_before),
                recorded_from=timestamp(recorded_from),
                recorded_before=timestamp(recorded_before),
                page_size=page_size,
                page_token=token,
                at_least_position=self._at_least(at_least_position),
            )
            return self._call(self._lists.ListTransfers, request)

        for response in self._pages(page):
            yield from response.transfers

    def list_transfers_by_reference(
        self,
        reference: str,
        *,
        giver: str = "",
        receiver: str = "",
        page_size: int = 0,
        at_least_position: int | None = None,
    ) -> Iterator[transfers_pb2.Transfer]:
        """Yield what was handed over under the number of a document, by giver, then receiver, then position.

        What both sides reported is one Transfer, whose ``attestation`` is ``ATTESTATION_REPORTED_BY_BOTH``. Returns of
        its units are listed, too.

        Args:
            reference: The number of the document.
            giver: Only transfers of this party or consumer. "" means all.
            receiver: Only transfers to this party or consumer. "" means all.
            page_size: Transfers fetched in one call, at most 1,000. 0 means the server's choice.
            at_least_position: The answer includes all events up to this position; the server waits for them. None
                means this client's last write, 0 means no waiting.

        Yields:
            A Transfer, as ``get_transfer`` returns it.

        Raises:
            RefusedError: VALUE_MISSING (no reference), REFERENCE_MALFORMED, PARTY_UNKNOWN; or a reason of every list
                and read (see ``Client``).
            UnreachableError: No answer came in time.

        Example:
            >>> [(found.giver, found.receiver) for found in client.list_transfers_by_reference("note 4711")]
            [('acme', 'bob')]
        """

        def page(token: str) -> transfers_pb2.ListTransfersByReferenceResponse:
            request = transfers_pb2.ListTransfersByReferenceRequest(
                book=self.book,
                reference=reference,
                giver=giver,
                receiver=receiver,
                page_size=page_size,
                page_token=token,
                at_least_position=self._at_least(at_least_position),
            )
            return self._call(self._lists.ListTransfersByReference, request)

        for response in self._pages(page):
            yield from response.transfers

    def list_offers(
        self,
        party: str,
        *,
        side: TransferSide | transfers_pb2.TransferSide.ValueType = TRANSFER_SIDE_UNSPECIFIED,
        status: TransferStatus | values_pb2.TransferStatus.ValueType = TRANSFER_STATUS_UNSPECIFIED,
        include_ended: bool = False,
        page_size: int = 0,
        at_least_position: int | None = None,
    ) -> Iterator[transfers_pb2.Transfer]:
        """Yield the offers that wait for a party, and those that it made, oldest first.

        Args:
            party: Id of the party.
            side: ``transfers_pb2.TRANSFER_SIDE_RECEIVER`` for offers to the party, ``TRANSFER_SIDE_GIVER`` for offers
                that it made. ``TRANSFER_SIDE_UNSPECIFIED`` means both.
            status: Only offers with this status. ``TRANSFER_STATUS_UNSPECIFIED`` means open ones.
            include_ended: True includes offers that were answered, withdrawn or reversed, or that lapsed, if no status
                is given.
            page_size: Offers fetched in one call, at most 1,000. 0 means the server's choice.
            at_least_position: The answer includes all events up to this position; the server waits for them. None
                means this client's last write, 0 means no waiting.

        Yields:
            A Transfer, as ``get_transfer`` returns it. ``deadline`` says when it lapses.

        Raises:
            RefusedError: PARTY_UNKNOWN, VALUE_MISSING (an unknown side or status); or a reason of every list and read
                (see ``Client``).
            UnreachableError: No answer came in time.

        Example:
            >>> [offer.units for offer in client.list_offers("bob", include_ended=True)]
            [10, 10]
        """

        def page(token: str) -> transfers_pb2.ListOffersResponse:
            request = transfers_pb2.ListOffersRequest(
                book=self.book,
                party=party,
                side=transfers_pb2.TransferSide.ValueType(index(side)),
                status=values_pb2.TransferStatus.ValueType(index(status)),
                include_ended=include_ended,
                page_size=page_size,
                page_token=token,
                at_least_position=self._at_least(at_least_position),
            )
            return self._call(self._lists.ListOffers, request)

        for response in self._pages(page):
            yield from response.offers
