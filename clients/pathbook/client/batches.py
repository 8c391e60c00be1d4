"""Calls about products, batches and the codes to print on them."""

import datetime
import functools
from collections.abc import Iterator

from pathbook.client.calls import Caller, Stream, request_id_or_new
from pathbook.client.values import Price, day, money, unit_ranges
from pathbook.v1 import batches_pb2, batches_pb2_grpc


class Batches(Caller):
    """The BatchService of a book: where goods come from."""

    @functools.cached_property
    def _batches(self) -> batches_pb2_grpc.BatchServiceStub:
        return batches_pb2_grpc.BatchServiceStub(self._channel)

    def register_product(
        self, gtin: str, *, brand: str, name: str, suggested_price: Price, request_id: str = ""
    ) -> batches_pb2.RegisterProductResponse:
        """Register a brand's product."""
        request = batches_pb2.RegisterProductRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            brand=brand,
            gtin=gtin,
            name=name,
            suggested_price=money(suggested_price),
        )
        return self._write(self._batches.RegisterProduct, request)

    def get_product(self, gtin: str, *, at_least_position: int | None = None) -> batches_pb2.Product:
        """Return a product."""
        request = batches_pb2.GetProductRequest(
            book=self.book, gtin=gtin, at_least_position=self._known(at_least_position)
        )
        return self._ask(self._batches.GetProduct, request).product

    def list_products(
        self, *, page_size: int = 0, at_least_position: int | None = None
    ) -> Iterator[batches_pb2.Product]:
        """Yield the products in the order of their GTINs, read page by page."""

        def page(token: str) -> batches_pb2.ListProductsResponse:
            request = batches_pb2.ListProductsRequest(
                book=self.book,
                page_size=page_size,
                page_token=token,
                at_least_position=self._known(at_least_position),
            )
            return self._ask(self._batches.ListProducts, request)

        for answer in self._pages(page):
            yield from answer.products

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
        """Make a lot of units, however many, in one event. No suggested price means the product's."""
        request = batches_pb2.CommissionBatchRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            brand=brand,
            gtin=gtin,
            lot=lot,
            size=size,
            made_on=day(made_on),
            expires_on=day(expires_on),
            suggested_price=money(suggested_price),
        )
        return self._write(self._batches.CommissionBatch, request)

    def get_batch(
        self, batch: int = 0, *, gtin: str = "", lot: str = "", at_least_position: int | None = None
    ) -> batches_pb2.Batch:
        """Return a batch with its recalls, by its number or by GTIN and lot."""
        request = batches_pb2.GetBatchRequest(
            book=self.book,
            batch=batch,
            gtin=gtin,
            lot=lot,
            at_least_position=self._known(at_least_position),
        )
        return self._ask(self._batches.GetBatch, request).batch

    def list_batches(
        self, *, gtin: str = "", page_size: int = 0, at_least_position: int | None = None
    ) -> Iterator[batches_pb2.Batch]:
        """Yield the batches, all or a product's, in the order of their numbers, read page by page."""

        def page(token: str) -> batches_pb2.ListBatchesResponse:
            request = batches_pb2.ListBatchesRequest(
                book=self.book,
                gtin=gtin,
                page_size=page_size,
                page_token=token,
                at_least_position=self._known(at_least_position),
            )
            return self._ask(self._batches.ListBatches, request)

        for answer in self._pages(page):
            yield from answer.batches

    def list_codes(
        self, batch: int, first: int, last: int, *, at_least_position: int | None = None
    ) -> Iterator[batches_pb2.ListCodesResponse]:
        """Yield the codes of the units first .. last, batch by batch, each with its first unit's number."""
        known = self._known(at_least_position)

        def codes(after: int) -> Stream[batches_pb2.ListCodesResponse] | None:
            if first <= last <= after:
                return None
            (units,) = unit_ranges([(batch, after + 1, last)])
            request = batches_pb2.ListCodesRequest(book=self.book, range=units, at_least_position=known)
            return self._batches.ListCodes(request)

        return self._resumed(codes, first - 1, lambda answer: answer.first + len(answer.serials) - 1)
