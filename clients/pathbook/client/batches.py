"""Calls about products, batches and the codes to print on them."""

import datetime
import functools
from collections.abc import Iterator

from pathbook.client.calls import Caller, request_id_or_new
from pathbook.client.values import Price, iso_date, price, unit_ranges
from pathbook.v1 import batches_pb2, batches_pb2_grpc


class Batches(Caller):
    """The BatchService of a book: products, batches, codes."""

    @functools.cached_property
    def _batches(self) -> batches_pb2_grpc.BatchServiceStub:
        return batches_pb2_grpc.BatchServiceStub(self._channel)

    def register_product(
        self, gtin: str, *, brand: str, name: str, suggested_price: Price, request_id: str = ""
    ) -> batches_pb2.RegisterProductResponse:
        """Register a product of a brand.

        Args:
            gtin: GTIN of the product: 8, 12, 13 or 14 digits with a right check digit.
            brand: Id of the brand that makes it.
            name: What it is called, 1 to 200 characters.
            suggested_price: Price suggested to consumers for one unit (see ``price``): (30000, "CNY") is 300.00 yuan.
                It is compared and reported, never enforced.
            request_id: Your own id for this write, 1 to 128 printable ASCII characters. A repeat with the same id
                returns the first answer and records nothing. "" lets the client make one.

        Returns:
            A response with ``gtin`` as 14 digits, and ``receipt.position``.

        Raises:
            RefusedError: PARTY_UNKNOWN, NOT_A_BRAND, GTIN_CHECK_DIGIT, PRODUCT_EXISTS, VALUE_MISSING (no name); or
                a reason of every write, price and text (see ``Client``).
            UnreachableError: No answer came in time.

        Example:
            >>> client.register_product(
            ...     "4006381333931", brand="acme", name="Mask, box of 50", suggested_price=(30000, "CNY")
            ... ).gtin
            '04006381333931'
        """
        request = batches_pb2.RegisterProductRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            brand=brand,
            gtin=gtin,
            name=name,
            suggested_price=price(suggested_price),
        )
        return self._write(self._batches.RegisterProduct, request)

    def get_product(self, gtin: str, *, at_least_position: int | None = None) -> batches_pb2.Product:
        """Return a product.

        Args:
            gtin: GTIN of the product: 8, 12, 13 or 14 digits.
            at_least_position: The answer includes all events up to this position; the server waits for them. None
                means this client's last write, 0 means no waiting.

        Returns:
            A Product with ``gtin`` (14 digits), ``brand``, ``name``, ``suggested_price`` and ``position``.

        Raises:
            RefusedError: VALUE_MISSING (no GTIN), GTIN_CHECK_DIGIT, PRODUCT_UNKNOWN; or a reason of every read
                (see ``Client``).
            UnreachableError: No answer came in time.

        Example:
            >>> client.get_product("4006381333931").name
            'Mask, box of 50'
        """
        request = batches_pb2.GetProductRequest(
            book=self.book, gtin=gtin, at_least_position=self._at_least(at_least_position)
        )
        return self._call(self._batches.GetProduct, request).product

    def list_products(
        self, *, page_size: int = 0, at_least_position: int | None = None
    ) -> Iterator[batches_pb2.Product]:
        """Yield all products in the order of their GTINs.

        Args:
            page_size: Products fetched in one call, at most 1,000. 0 means the server's choice.
            at_least_position: The answer includes all events up to this position; the server waits for them. None
                means this client's last write, 0 means no waiting.

        Yields:
            A Product with ``gtin`` (14 digits), ``brand``, ``name``, ``suggested_price`` and ``position``.

        Raises:
            RefusedError: A reason of every list and read (see ``Client``).
            UnreachableError: No answer came in time.

        Example:
            >>> [product.gtin for product in client.list_products()]
            ['04006381333931']
        """

        def page(token: str) -> batches_pb2.ListProductsResponse:
            request = batches_pb2.ListProductsRequest(
                book=self.book,
                page_size=page_size,
                page_token=token,
                at_least_position=self._at_least(at_least_position),
            )
            return self._call(self._batches.ListProducts, request)

        for response in self._pages(page):
            yield from response.products

    def commission_batch(
        self,
        gtin: str,
        *,
        brand: str,
        lot: str,
        size: int,
        made_on: datetime.date,
        expires_on: datetime.date | None = None,
        suggested_price: Price | None = None,
        request_id: str = "",
    ) -> batches_pb2.CommissionBatchResponse:
        """Record that a brand made a lot of units; the brand owns them and has them in its hands.

        Args:
            gtin: GTIN of the product: 8, 12, 13 or 14 digits.
            brand: Id of the brand that the product belongs to.
            lot: Lot number as printed (GS1 AI 10): 1 to 20 of GS1's 82 characters. A product has each lot once.
            size: How many units, 1 to 268,435,456. Their numbers are 0 to size - 1.
            made_on: Day of making, not in the future.
            expires_on: Last day of shelf life. None means that the units never expire.
            suggested_price: Price suggested to consumers for one unit (see ``price``). None means the product's.
            request_id: Your own id for this write, 1 to 128 printable ASCII characters. A repeat with the same id
                returns the first answer and records nothing. "" lets the client make one.

        Returns:
            A response with ``batch``, the number of the batch in the book, and ``receipt.position``.

        Raises:
            RefusedError: PARTY_UNKNOWN, NOT_A_BRAND, GTIN_CHECK_DIGIT, PRODUCT_UNKNOWN, NOT_THE_BRAND,
                LOT_MALFORMED, BATCH_EXISTS, BATCH_SIZE_OUT_OF_BOUNDS, OCCURRED_IN_FUTURE (``made_on``),
                EXPIRES_BEFORE_MADE, BOOK_FULL, CODE_KEYS_UNUSABLE; or a reason of every write and price (see
                ``Client``).
            UnreachableError: No answer came in time.

        Example:
            >>> made_on, expires_on = datetime.date(2026, 1, 5), datetime.date(2029, 1, 5)
            >>> client.commission_batch(
            ...     "4006381333931", brand="acme", lot="L1", size=1000, made_on=made_on, expires_on=expires_on
            ... ).batch
            1
        """
        request = batches_pb2.CommissionBatchRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            brand=brand,
            gtin=gtin,
            lot=lot,
            size=size,
            made_on=iso_date(made_on),
            expires_on=iso_date(expires_on),
            suggested_price=price(suggested_price),
        )
        return self._write(self._batches.CommissionBatch, request)

    def get_batch(
        self, batch: int = 0, *, gtin: str = "", lot: str = "", at_least_position: int | None = None
    ) -> batches_pb2.Batch:
        """Return a batch with its recalls, by its number or by GTIN and lot.

        Args:
            batch: Number of the batch in the book. 0 means that GTIN and lot name it.
            gtin: GTIN of the product, 8, 12, 13 or 14 digits. It is read only if ``batch`` is 0.
            lot: Lot number as printed. It is read only if ``batch`` is 0.
            at_least_position: The answer includes all events up to this position; the server waits for them. None
                means this client's last write, 0 means no waiting.

        Returns:
            A Batch with ``batch``, ``gtin``, ``brand``, ``lot``, ``size``, ``made_on`` and ``expires_on``
            (YYYY-MM-DD, "" for never), ``suggested_price``, ``position``, ``corrected_position`` (0: never) and
            ``recalls``, oldest first.

        Raises:
            RefusedError: BATCH_UNKNOWN, VALUE_MISSING (neither number nor GTIN), GTIN_CHECK_DIGIT; or a reason of
                every read (see ``Client``).
            UnreachableError: No answer came in time.

        Example:
            >>> client.get_batch(gtin="4006381333931", lot="L1").expires_on
            '2029-01-05'
        """

        def page(token: str) -> batches_pb2.GetBatchResponse:
            request = batches_pb2.GetBatchRequest(
                book=self.book,
                batch=batch,
                gtin=gtin,
                lot=lot,
                page_token=token,
                at_least_position=self._at_least(at_least_position),
            )
            return self._call(self._batches.GetBatch, request)

        def join(whole: batches_pb2.GetBatchResponse, other: batches_pb2.GetBatchResponse) -> None:
            whole.batch.recalls.extend(other.batch.recalls)
            whole.batch.ClearField("recalls_left_out")

        whole = self._whole(page, join)
        return whole.batch

    def list_batches(
        self, *, gtin: str = "", page_size: int = 0, at_least_position: int | None = None
    ) -> Iterator[batches_pb2.Batch]:
        """Yield the batches of one product, or of all, in the order of their numbers.

        Args:
            gtin: GTIN of the product, 8, 12, 13 or 14 digits. "" means all products.
            page_size: Batches fetched in one call, at most 1,000. 0 means the server's choice.
            at_least_position: The answer includes all events up to this position; the server waits for them. None
                means this client's last write, 0 means no waiting.

        Yields:
            A Batch, as ``get_batch`` returns it. Of very many recalls, it has the first ones, and
            ``recalls_left_out`` is set.

        Raises:
            RefusedError: GTIN_CHECK_DIGIT, PRODUCT_UNKNOWN; or a reason of every list and read (see ``Client``).
            UnreachableError: No answer came in time.

        Example:
            >>> [(batch.batch, batch.lot, batch.size) for batch in client.list_batches()]
            [(1, 'L1', 1000)]
        """

        def page(token: str) -> batches_pb2.ListBatchesResponse:
            request = batches_pb2.ListBatchesRequest(
                book=self.book,
                gtin=gtin,
                page_size=page_size,
                page_token=token,
                at_least_position=self._at_least(at_least_position),
            )
            return self._call(self._batches.ListBatches, request)

        for response in self._pages(page):
            yield from response.batches

    def list_codes(
        self, batch: int, first: int, last: int, *, at_least_position: int | None = None
    ) -> Iterator[batches_pb2.ListCodesResponse]:
        """Yield the codes to print on a range of units, up to 2,000 in each response.

        Args:
            batch: Number of the batch in the book.
            first: Number of the first unit, from 0.
            last: Number of the last unit, included.
            at_least_position: The answer includes all events up to this position; the server waits for them. None
                means this client's last write, 0 means no waiting.

        Returns:
            An iterator of responses. Each has ``first``, the number of its first unit; ``serials``, one of 20
            characters (GS1 AI 21) for each unit in order; and the ``gtin`` and ``lot`` of all of them.

        Raises:
            RefusedError: BATCH_UNKNOWN, RANGE_REVERSED, RANGE_BEYOND_BATCH, CODE_KEY_MISSING; or a reason of every read
                (see ``Client``).
            UnreachableError: No answer came in time.

        Example:
            >>> for codes in client.list_codes(1, 0, 9):
            ...     print(codes.first, len(codes.serials), codes.lot)
            0 10 L1
        """
        at_least = self._at_least(at_least_position)

        def request(after: int) -> batches_pb2.ListCodesRequest | None:
            if first <= last <= after:
                return None
            (units,) = unit_ranges([(batch, after + 1, last)])
            return batches_pb2.ListCodesRequest(book=self.book, range=units, at_least_position=at_least)

        def through(response: batches_pb2.ListCodesResponse) -> int:
            return response.first + len(response.serials) - 1

        return self._resume(self._batches.ListCodes, request, first - 1, through)
