"""Calls about consumers: sales, confirmed purchases, and returns."""

import datetime
import functools
from operator import index

from pathbook.client.calls import Caller, request_id_or_new
from pathbook.client.values import Price, price, timestamp
from pathbook.ledger.values import Delivery
from pathbook.v1 import transfers_pb2, transfers_pb2_grpc, values_pb2
from pathbook.v1.values_pb2 import Selection


class Sales(Caller):
    """The TransferService of a book: sales, confirmed purchases, returns."""

    @functools.cached_property
    def _sales(self) -> transfers_pb2_grpc.TransferServiceStub:
        return transfers_pb2_grpc.TransferServiceStub(self._channel)

    def sell_units(
        self,
        *,
        seller: str,
        consumer: str,
        units: Selection,
        unit_price: Price,
        delivery: Delivery | values_pb2.Delivery.ValueType = Delivery.WITH_TITLE,
        reference: str = "",
        occurred_at: datetime.datetime | None = None,
        request_id: str = "",
    ) -> transfers_pb2.SellUnitsResponse:
        """Record a sale to a consumer, who is known by a pseudonym and needs no registration.

        Args:
            seller: Id of the party that owns the units.
            consumer: Pseudonym of the buyer, without "consumer:": 1 to 64 letters, digits, dots, dashes or
                underscores. Use no personal data.
            units: Which units, as ``select(...)`` returns them. A quantity takes none expired or recalled.
            unit_price: Price of one unit: (30000, "CNY") is 300.00 yuan, and (125, "CNY", 100)
                is 1.25 yuan for 100 units (see ``price``).
            delivery: ``Delivery.WITH_TITLE`` moves the goods with the title. ``Delivery.LATER`` leaves the goods
                where they lie.
            reference: Number of a document, such as a receipt: 1 to 64 printable characters. A seller uses it for one
                sale to the consumer. "" means none.
            occurred_at: When it happened, a timezone-aware datetime, at most 5 minutes ahead of the server's clock.
                None means the moment it is recorded.
            request_id: Your own id for this write, 1 to 128 printable ASCII characters. A repeat with the same id
                returns the first answer and records nothing. "" lets the client make one.

        Returns:
            A response with ``receipt.position``, the id of the sale, and ``ranges``, the units sold.

        Raises:
            RefusedError: PARTY_UNKNOWN, CONSUMER_MALFORMED, PARTY_LOOKS_PERSONAL, UNITS_NOT_OWNED,
                UNITS_RESERVED, UNITS_SOLD, UNITS_WRITTEN_OFF, UNITS_IN_CASE, UNITS_RECALLED, OCCURRED_BEFORE_MADE,
                REFERENCE_MALFORMED, REFERENCE_USED, VALUE_MISSING (an unknown delivery); or a reason of ``select``,
                and of every write, price and time (see ``Client``).
            UnreachableError: No answer came in time.
            ValueError: The datetime has no time zone.

        Example:
            >>> sale = client.sell_units(
            ...     seller="bob", consumer="c-7", units=select(ranges=[(1, 0, 1)]), unit_price=(30000, "CNY")
            ... )
        """
        request = transfers_pb2.SellUnitsRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            occurred_at=timestamp(occurred_at),
            seller=seller,
            consumer=consumer,
            units=units,
            unit_price=price(unit_price),
            delivery=values_pb2.Delivery.ValueType(index(delivery)),
            reference=reference,
        )
        return self._write(self._sales.SellUnits, request)

    def confirm_purchase(
        self,
        *,
        consumer: str,
        units: Selection,
        price_paid: Price,
        occurred_at: datetime.datetime | None = None,
        request_id: str = "",
    ) -> transfers_pb2.ConfirmPurchaseResponse:
        """Confirm, as the consumer, that units were bought, and what was paid for each.

        It is never signed: a consumer has no key.

        Args:
            consumer: Pseudonym of the buyer, without "consumer:", as the sale names it.
            units: Which units, as ``select(...)`` returns them. A quantity takes the units that the consumer
                bought first and has not confirmed.
            price_paid: What was paid for one unit: (30000, "CNY") is 300.00 yuan, and (125, "CNY", 100)
                is 1.25 yuan for 100 units (see ``price``).
                It may differ from the price of the sale.
            occurred_at: When it happened, a timezone-aware datetime, at most 5 minutes ahead of the server's clock.
                None means the moment it is recorded.
            request_id: Your own id for this write, 1 to 128 printable ASCII characters. A repeat with the same id
                returns the first answer and records nothing. "" lets the client make one.

        Returns:
            A response with ``ranges``, the units confirmed, and ``receipt.position``.

        Raises:
            RefusedError: CONSUMER_MALFORMED, UNITS_NOT_SOLD, NOT_THE_BUYER, PURCHASE_ALREADY_CONFIRMED,
                UNITS_WRITTEN_OFF, OCCURRED_BEFORE_MADE; or a reason of ``select``, and of every write, price and time
                (see ``Client``).
            UnreachableError: No answer came in time.
            ValueError: The datetime has no time zone.

        Example:
            >>> code = next(client.list_codes(1, 0, 0)).serials[0]
            >>> response = client.confirm_purchase(
            ...     consumer="c-7", units=select(codes=[code]), price_paid=(30000, "CNY")
            ... )
        """
        request = transfers_pb2.ConfirmPurchaseRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            occurred_at=timestamp(occurred_at),
            consumer=consumer,
            units=units,
            price_paid=price(price_paid),
        )
        return self._write(self._sales.ConfirmPurchase, request)

    def return_units(
        self,
        *,
        owner: str,
        units: Selection,
        note: str = "",
        occurred_at: datetime.datetime | None = None,
        request_id: str = "",
    ) -> transfers_pb2.ReturnUnitsResponse:
        """Return units to the party they came from, at the price paid.

        Args:
            owner: Id of the party that owns the units, or "consumer:" and a pseudonym.
            units: Which units, as ``select(...)`` returns them. A quantity takes units in the owner's stock, or those
                that a consumer bought first.
            note: Why, in at most 200 characters. "" means no note. It may be erased later.
            occurred_at: When it happened, a timezone-aware datetime, at most 5 minutes ahead of the server's clock.
                None means the moment it is recorded.
            request_id: Your own id for this write, 1 to 128 printable ASCII characters. A repeat with the same id
                returns the first answer and records nothing. "" lets the client make one.

        Returns:
            A response with ``receipt.position``, the id of the return, and ``ranges``, the units returned.
            ``get_transfer`` shows its lines, one for each transfer or sale they came by.

        Raises:
            RefusedError: PARTY_UNKNOWN, UNITS_NOT_OWNED, UNITS_RESERVED, UNITS_WRITTEN_OFF, UNITS_IN_CASE,
                NOTHING_TO_RETURN, OCCURRED_BEFORE_MADE; or a reason of ``select``, and of every write, time and text
                (see ``Client``).
            UnreachableError: No answer came in time.
            ValueError: The datetime has no time zone.

        Example:
            >>> units = select(ranges=[(1, 1, 1)])
            >>> returned = client.return_units(owner="consumer:c-7", units=units, note="too small")
            >>> [line.receiver for line in client.get_transfer(returned.receipt.position)]
            ['bob']
        """
        request = transfers_pb2.ReturnUnitsRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            occurred_at=timestamp(occurred_at),
            owner=owner,
            units=units,
            note=note,
        )
        return self._write(self._sales.ReturnUnits, request)
