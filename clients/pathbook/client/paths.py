"""Calls that ask what the book knows: paths, price ladders, stock."""

import functools
from collections.abc import Iterator

from pathbook.client.calls import Caller
from pathbook.v1 import paths_pb2, paths_pb2_grpc


class Paths(Caller):
    """The PathService of a book."""

    @functools.cached_property
    def _paths(self) -> paths_pb2_grpc.PathServiceStub:
        return paths_pb2_grpc.PathServiceStub(self._channel)

    def get_path(
        self,
        unit: str | tuple[int, int],
        *,
        as_of_position: int = 0,
        corrections: bool = False,
        at_least_position: int | None = None,
    ) -> paths_pb2.GetPathResponse:
        """Return the path of a unit, named by its printed code, or by batch and number."""
        request = paths_pb2.GetPathRequest(
            book=self.book,
            as_of_position=as_of_position,
            corrections=corrections,
            at_least_position=self._known(at_least_position),
        )
        if isinstance(unit, str):
            request.code = unit
        else:
            request.unit.batch, request.unit.number = unit
        return self._ask(self._paths.GetPath, request)

    def get_ladder(
        self, of: int | str, *, at_least_position: int | None = None
    ) -> paths_pb2.GetLadderResponse:
        """Return the price ladder of a batch, by its number, or of a product, by its GTIN."""
        request = paths_pb2.GetLadderRequest(
            book=self.book,
            at_least_position=self._known(at_least_position),
        )
        if isinstance(of, str):
            request.gtin = of
        else:
            request.batch = of
        return self._ask(self._paths.GetLadder, request)

    def list_stock(
        self, party: str, *, page_size: int = 0, at_least_position: int | None = None
    ) -> Iterator[paths_pb2.Stock]:
        """Yield what a party has of each batch, soonest to expire first, read page by page."""

        def page(token: str) -> paths_pb2.ListStockResponse:
            request = paths_pb2.ListStockRequest(
                book=self.book,
                party=party,
                page_size=page_size,
                page_token=token,
                at_least_position=self._known(at_least_position),
            )
            return self._ask(self._paths.ListStock, request)

        for answer in self._pages(page):
            yield from answer.stock
