"""Calls about cases and recalls."""

import datetime
import functools
from collections.abc import Iterable

from pathbook.client.calls import Caller, request_id_or_new
from pathbook.client.values import Range, timestamp, unit_ranges
from pathbook.v1 import batches_pb2, batches_pb2_grpc
from pathbook.v1.values_pb2 import Selection


class Cases(Caller):
    """The BatchService of a book: cases, and recalls."""

    @functools.cached_property
    def _cases(self) -> batches_pb2_grpc.BatchServiceStub:
        return batches_pb2_grpc.BatchServiceStub(self._channel)

    def pack_case(
        self,
        sscc: str,
        *,
        party: str,
        units: Selection,
        occurred_at: datetime.datetime | None = None,
        request_id: str = "",
    ) -> batches_pb2.PackCaseResponse:
        """Pack units and cases in a case or on a pallet."""
        request = batches_pb2.PackCaseRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            occurred_at=timestamp(occurred_at),
            party=party,
            sscc=sscc,
            units=units,
        )
        return self._write(self._cases.PackCase, request)

    def unpack_case(
        self, sscc: str, *, party: str, occurred_at: datetime.datetime | None = None, request_id: str = ""
    ) -> batches_pb2.UnpackCaseResponse:
        """Unpack a case: what was in it moves on its own again."""
        request = batches_pb2.UnpackCaseRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            occurred_at=timestamp(occurred_at),
            party=party,
            sscc=sscc,
        )
        return self._write(self._cases.UnpackCase, request)

    def get_case(self, sscc: str, *, at_least_position: int | None = None) -> batches_pb2.GetCaseResponse:
        """Return what a packed case holds."""
        request = batches_pb2.GetCaseRequest(
            book=self.book, sscc=sscc, at_least_position=self._known(at_least_position)
        )
        return self._ask(self._cases.GetCase, request)

    def recall_units(
        self,
        batch: int,
        *,
        brand: str,
        ranges: Iterable[Range] = (),
        note: str = "",
        occurred_at: datetime.datetime | None = None,
        request_id: str = "",
    ) -> batches_pb2.RecallUnitsResponse:
        """Recall ranges of a batch, or (no ranges) all of it."""
        request = batches_pb2.RecallUnitsRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            occurred_at=timestamp(occurred_at),
            brand=brand,
            batch=batch,
            ranges=unit_ranges(ranges),
            note=note,
        )
        return self._write(self._cases.RecallUnits, request)

    def lift_recall(
        self, recall: int, *, brand: str, occurred_at: datetime.datetime | None = None, request_id: str = ""
    ) -> batches_pb2.LiftRecallResponse:
        """Lift the recall made at a position."""
        request = batches_pb2.LiftRecallRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            occurred_at=timestamp(occurred_at),
            brand=brand,
            recall=recall,
        )
        return self._write(self._cases.LiftRecall, request)
