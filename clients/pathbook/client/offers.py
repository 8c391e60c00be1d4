"""Calls about offers: making and answering them, and looking transfers up."""

import datetime
import functools
from collections.abc import Iterable
from operator import index

from pathbook.client.calls import Caller, request_id_or_new
from pathbook.client.values import Price, Range, price, timestamp, unit_ranges
from pathbook.ledger.values import Delivery
from pathbook.v1 import transfers_pb2, transfers_pb2_grpc, values_pb2
from pathbook.v1.values_pb2 import Selection


class Offers(Caller):
    """The TransferService of a book: offers, their answers, and looking transfers up."""

    @functools.cached_property
    def _offers(self) -> transfers_pb2_grpc.TransferServiceStub:
        return transfers_pb2_grpc.TransferServiceStub(self._channel)

    def offer_transfer(  # noqa: PLR0913 - an argument for each field
        self,
        *,
        giver: str,
        receiver: str,
        units: Selection,
        unit_price: Price,
        delivery: Delivery | values_pb2.Delivery.ValueType = Delivery.WITH_TITLE,
        deadline: datetime.datetime | None = None,
        reference: str = "",
        extra_allowed: int = 0,
        occurred_at: datetime.datetime | None = None,
        request_id: str = "",
    ) -> transfers_pb2.OfferTransferResponse:
        """Offer units to another party; they are reserved until the offer is answered, withdrawn or lapses.

        Args:
            giver: Id of the party that owns the units.
            receiver: Id of the party they are offered to.
            units: Which units, as ``select(...)`` returns them. A quantity takes the giver's, none expired or recalled.
            unit_price: Price of one unit: (15000, "CNY") is 150.00 yuan, and (125, "CNY", 100)
                is 1.25 yuan for 100 units (see ``price``).
            delivery: ``Delivery.WITH_TITLE`` moves the goods with the title. ``Delivery.LATER`` leaves the goods
                where they lie (cloud stock).
            deadline: When the offer lapses, a timezone-aware datetime after now. None means never.
            reference: Number of a document by which both sides know the transfer, such as a delivery note: 1 to 64
                printable characters. A giver and a receiver use it for one transfer. "" means none.
            extra_allowed: How many units of the giver the receiver may accept beyond those offered, because it finds
                them in the delivery: 0 to 1,000,000. They move at the price of the offer. The giver does not name them.
            occurred_at: When it happened, a timezone-aware datetime, at most 5 minutes ahead of the server's clock.
                None means the moment it is recorded.
            request_id: Your own id for this write, 1 to 128 printable ASCII characters. A repeat with the same id
                returns the first answer and records nothing. "" lets the client make one.

        Returns:
            A response with ``receipt.position``, the id of the transfer, and ``ranges``, the units offered.

        Raises:
            RefusedError: PARTY_UNKNOWN, SELF_TRANSFER, DEADLINE_PASSED, UNITS_NOT_OWNED, UNITS_RESERVED,
                UNITS_SOLD, UNITS_WRITTEN_OFF, UNITS_IN_CASE, UNITS_RECALLED, OCCURRED_BEFORE_MADE, REFERENCE_MALFORMED,
                REFERENCE_USED, EXTRA_OUT_OF_BOUNDS, VALUE_MISSING (an unknown delivery); or a reason of ``select``,
                and of every write, price and time (see ``Client``).
            UnreachableError: No answer came in time.
            ValueError: A datetime has no time zone.

        Example:
            >>> offer = client.offer_transfer(
            ...     giver="acme", receiver="ann", units=select(quantities=[(100, 1)]), unit_price=(15000, "CNY")
            ... )
            >>> offer.ranges[0].first, offer.ranges[0].last
            (0, 99)
        """
        request = transfers_pb2.OfferTransferRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            occurred_at=timestamp(occurred_at),
            giver=giver,
            receiver=receiver,
            units=units,
            unit_price=price(unit_price),
            delivery=values_pb2.Delivery.ValueType(index(delivery)),
            deadline=timestamp(deadline),
            reference=reference,
            extra_allowed=extra_allowed,
        )
        return self._write(self._offers.OfferTransfer, request)

    def accept_transfer(
        self,
        transfer: int,
        *,
        receiver: str,
        discrepancies: Iterable[transfers_pb2.DiscrepancyClaim] = (),
        extra: Iterable[Range] = (),
        extra_codes: Iterable[str] = (),
        occurred_at: datetime.datetime | None = None,
        answered_leaf: bytes = b"",
        request_id: str = "",
    ) -> transfers_pb2.AcceptTransferResponse:
        """Accept an offer, without units that are short, damaged or wrong, and with extra units that arrived.

        Args:
            transfer: Position at which the offer was recorded.
            receiver: Id of the party it was made to.
            discrepancies: What is not accepted and stays with the giver, at most 20 ``DiscrepancyClaim``. Each has a
                ``kind`` (SHORT, DAMAGED, WRONG_ITEM) and ``ranges``, ``codes``, or a ``count`` from the last unit
                offered. Empty means that all is accepted.
            extra: Units that were not offered, but arrived and are accepted at the same price, as (batch, first, last).
                They belong to the giver, whose offer allows so many (``extra_allowed``).
            extra_codes: The same, named by their printed codes.
            occurred_at: When it happened, a timezone-aware datetime, at most 5 minutes ahead of the server's clock.
                None means the moment it is recorded.
            answered_leaf: Leaf hash of the offer as you read it (see ``get_event``). Then no other event is
                answered. b"" lets a client with a signer read the event itself, as it signs.
            request_id: Your own id for this write, 1 to 128 printable ASCII characters. A repeat with the same id
                returns the first answer and records nothing. "" lets the client make one.

        Returns:
            A response with ``ranges``, the units accepted, and ``receipt.position``.

        Raises:
            RefusedError: TRANSFER_UNKNOWN, NOT_THE_RECEIVER, TRANSFER_ANSWERED, TRANSFER_LAPSED, UNITS_RECALLED,
                OCCURRED_BEFORE_MADE; for the discrepancies NOTHING_ACCEPTED, DISCREPANCY_NOT_OFFERED,
                QUANTITY_NOT_POSITIVE, RANGE_REVERSED, RANGES_OVERLAP, TOO_MANY_RANGES, VALUE_MISSING (no kind), or a
                reason of ``select`` for codes; for extra units EXTRA_NOT_ALLOWED, EXTRA_OTHER_PRODUCT,
                UNITS_NOT_OWNED, UNITS_RESERVED, UNITS_SOLD, UNITS_WRITTEN_OFF, UNITS_IN_CASE, or a reason of
                ``select``; or a reason of every write and time (see ``Client``).
            UnreachableError: No answer came in time.
            ValueError: The datetime has no time zone.

        Example:
            >>> short = transfers_pb2.DiscrepancyClaim(kind=values_pb2.DISCREPANCY_KIND_SHORT, count=2)
            >>> accepted = client.accept_transfer(offer.receipt.position, receiver="ann", discrepancies=[short])
            >>> accepted.ranges[0].first, accepted.ranges[0].last
            (0, 97)
            >>> pair = client.offer_transfer(
            ...     giver="acme",
            ...     receiver="ann",
            ...     units=select(ranges=[(1, 200, 201)]),
            ...     unit_price=(15000, "CNY"),
            ...     extra_allowed=1,
            ... )
            >>> accepted = client.accept_transfer(pair.receipt.position, receiver="ann", extra=[(1, 202, 202)])
            >>> accepted.ranges[0].first, accepted.ranges[0].last
            (200, 202)
        """
        request = transfers_pb2.AcceptTransferRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            occurred_at=timestamp(occurred_at),
            receiver=receiver,
            transfer=transfer,
            answered_leaf=answered_leaf,
            discrepancies=discrepancies,
            extra=unit_ranges(extra),
            extra_codes=extra_codes,
        )
        return self._write(self._offers.AcceptTransfer, request)

    def decline_transfer(
        self,
        transfer: int,
        *,
        receiver: str,
        note: str = "",
        occurred_at: datetime.datetime | None = None,
        answered_leaf: bytes = b"",
        request_id: str = "",
    ) -> transfers_pb2.DeclineTransferResponse:
        """Decline an offer as its receiver; its units are free again.

        Args:
            transfer: Position at which the offer was recorded.
            receiver: Id of the party it was made to.
            note: Why, in at most 200 characters. "" means no note. It may be erased later.
            occurred_at: When it happened, a timezone-aware datetime, at most 5 minutes ahead of the server's clock.
                None means the moment it is recorded.
            answered_leaf: Leaf hash of the offer as you read it (see ``get_event``). Then no other event is
                answered. b"" lets a client with a signer read the event itself, as it signs.
            request_id: Your own id for this write, 1 to 128 printable ASCII characters. A repeat with the same id
                returns the first answer and records nothing. "" lets the client make one.

        Returns:
            A response with ``receipt.position`` and ``receipt.recorded_at``.

        Raises:
            RefusedError: TRANSFER_UNKNOWN, NOT_THE_RECEIVER, TRANSFER_ANSWERED, TRANSFER_LAPSED; or a reason of
                every write, time and text (see ``Client``).
            UnreachableError: No answer came in time.
            ValueError: The datetime has no time zone.

        Example:
            >>> dear = client.offer_transfer(
            ...     giver="ann", receiver="bob", units=select(ranges=[(1, 0, 9)]), unit_price=(29900, "CNY")
            ... )
            >>> response = client.decline_transfer(dear.receipt.position, receiver="bob", note="too dear")
        """
        request = transfers_pb2.DeclineTransferRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            occurred_at=timestamp(occurred_at),
            receiver=receiver,
            transfer=transfer,
            answered_leaf=answered_leaf,
            note=note,
        )
        return self._write(self._offers.DeclineTransfer, request)

    def withdraw_transfer(
        self,
        transfer: int,
        *,
        giver: str,
        occurred_at: datetime.datetime | None = None,
        answered_leaf: bytes = b"",
        request_id: str = "",
    ) -> transfers_pb2.WithdrawTransferResponse:
        """Withdraw an open offer as its giver; its units are free again.

        Args:
            transfer: Position at which the offer was recorded.
            giver: Id of the party that made it.
            occurred_at: When it happened, a timezone-aware datetime, at most 5 minutes ahead of the server's clock.
                None means the moment it is recorded.
            answered_leaf: Leaf hash of the offer as you read it (see ``get_event``). Then no other event is
                answered. b"" lets a client with a signer read the event itself, as it signs.
            request_id: Your own id for this write, 1 to 128 printable ASCII characters. A repeat with the same id
                returns the first answer and records nothing. "" lets the client make one.

        Returns:
            A response with ``receipt.position`` and ``receipt.recorded_at``.

        Raises:
            RefusedError: TRANSFER_UNKNOWN, NOT_THE_GIVER, TRANSFER_ANSWERED, TRANSFER_LAPSED; or a reason of every
                write and time (see ``Client``).
            UnreachableError: No answer came in time.
            ValueError: The datetime has no time zone.

        Example:
            >>> tomorrow = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
            >>> cheap = client.offer_transfer(
            ...     giver="ann", receiver="bob", units=select(ranges=[(1, 0, 9)]), unit_price=(100, "CNY"),
            ...     deadline=tomorrow,
            ... )
            >>> response = client.withdraw_transfer(cheap.receipt.position, giver="ann")
        """
        request = transfers_pb2.WithdrawTransferRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            occurred_at=timestamp(occurred_at),
            giver=giver,
            transfer=transfer,
            answered_leaf=answered_leaf,
        )
        return self._write(self._offers.WithdrawTransfer, request)

    def get_transfer(
        self, transfer: int, *, at_least_position: int | None = None
    ) -> list[transfers_pb2.Transfer]:
        """Return a transfer or sale as a list of one, or a return as a list of its lines.

        Args:
            transfer: Position at which it was offered or recorded.
            at_least_position: The answer includes all events up to this position; the server waits for them. None
                means this client's last write, 0 means no waiting.

        Returns:
            Each Transfer with ``kind``, ``status``, ``giver``, ``receiver``, ``unit_price``, ``units`` (offered),
            ``accepted_units``, ``ranges``, ``discrepancies``, ``extra``, ``extra_allowed``, ``reference``,
            ``attestation``, ``occurred_at``, ``recorded_at``, ``deadline`` and ``answered_position`` (0 while it is
            open). A line of a return has ``returns_transfer``.

        Raises:
            RefusedError: TRANSFER_UNKNOWN; or a reason of every read (see ``Client``).
            UnreachableError: No answer came in time.

        Example:
            >>> (transfer,) = client.get_transfer(offer.receipt.position)
            >>> transfer.units, transfer.accepted_units
            (100, 98)
        """
        request = transfers_pb2.GetTransferRequest(
            book=self.book, transfer=transfer, at_least_position=self._at_least(at_least_position)
        )
        return list(self._call(self._offers.GetTransfer, request).transfers)
