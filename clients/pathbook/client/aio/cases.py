"""Calls about cases and recalls."""

# clients/generate_client.py wrote this from cases.py of the client: change that file.

import datetime
import functools
from collections.abc import Iterable

from pathbook.client.aio.calls import AsyncCaller, request_id_or_new
from pathbook.client.values import Range, timestamp, unit_ranges
from pathbook.v1 import batches_pb2, batches_pb2_grpc
from pathbook.v1.values_pb2 import Selection


class Cases(AsyncCaller):
    """The BatchService of a book: cases and recalls."""

    @functools.cached_property
    def _cases(self) -> "batches_pb2_grpc.BatchServiceAsyncStub":
        return batches_pb2_grpc.BatchServiceStub(self._channel)

    async def pack_case(
        self,
        sscc: str,
        *,
        party: str,
        units: Selection,
        occurred_at: datetime.datetime | None = None,
        request_id: str = "",
    ) -> batches_pb2.PackCaseResponse:
        """Pack units and whole cases in a case or on a pallet; they then move together.

        Args:
            sscc: Serial Shipping Container Code of the new case: 18 digits with a right check digit.
            party: Id of the party that has the units, or "consumer:" and a pseudonym.
            units: What goes in, as ``select(...)`` returns it. Name cases to pack them whole. A quantity takes
                units that the party owns and has. All units need one owner.
            occurred_at: When it happened, a timezone-aware datetime, at most 5 minutes ahead of the server's clock.
                None means the moment it is recorded.
            request_id: Your own id for this write, 1 to 128 printable ASCII characters. A repeat with the same id
                returns the first answer and records nothing. "" lets the client make one.

        Returns:
            A response with ``ranges``, the units packed outside of inner cases, and ``receipt.position``.

        Raises:
            RefusedError: PARTY_UNKNOWN, SSCC_CHECK_DIGIT, CASE_EXISTS, UNITS_NOT_IN_CUSTODY, UNITS_RESERVED,
                UNITS_SOLD, UNITS_WRITTEN_OFF, UNITS_IN_CASE, CASE_OF_SEVERAL_OWNERS, CASE_TOO_DEEP,
                OCCURRED_BEFORE_MADE; or a reason of ``select``, and of every write and time (see ``AsyncClient``).
            UnreachableError: No answer came in time.
            ValueError: The datetime has no time zone.

        Example:
            >>> units = select(ranges=[(1, 500, 599)])
            >>> response = await client.pack_case("340123450000000017", party="acme", units=units)
        """
        request = batches_pb2.PackCaseRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            occurred_at=timestamp(occurred_at),
            party=party,
            sscc=sscc,
            units=units,
        )
        return await self._write(self._cases.PackCase, request)

    async def unpack_case(
        self, sscc: str, *, party: str, occurred_at: datetime.datetime | None = None, request_id: str = ""
    ) -> batches_pb2.UnpackCaseResponse:
        """Unpack a case; its units and inner cases then move on their own.

        Args:
            sscc: SSCC of the case, 18 digits. It must lie in no other case.
            party: Id of the party that has the units, or "consumer:" and a pseudonym. An empty case is unpacked by
                the party that packed it.
            occurred_at: When it happened, a timezone-aware datetime, at most 5 minutes ahead of the server's clock.
                None means the moment it is recorded.
            request_id: Your own id for this write, 1 to 128 printable ASCII characters. A repeat with the same id
                returns the first answer and records nothing. "" lets the client make one.

        Returns:
            A response with ``receipt.position`` and ``receipt.recorded_at``.

        Raises:
            RefusedError: PARTY_UNKNOWN, CASE_UNKNOWN, CASE_IN_CASE, NOT_THE_PACKER, UNITS_NOT_IN_CUSTODY,
                UNITS_RESERVED; or a reason of every write and time (see ``AsyncClient``).
            UnreachableError: No answer came in time.
            ValueError: The datetime has no time zone.

        Example:
            >>> response = await client.unpack_case("340123450000000017", party="acme")
        """
        request = batches_pb2.UnpackCaseRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            occurred_at=timestamp(occurred_at),
            party=party,
            sscc=sscc,
        )
        return await self._write(self._cases.UnpackCase, request)

    async def get_case(
        self, sscc: str, *, at_least_position: int | None = None
    ) -> batches_pb2.GetCaseResponse:
        """Return what a packed case holds.

        Args:
            sscc: SSCC of the case, 18 digits.
            at_least_position: The answer includes all events up to this position; the server waits for them. None
                means this client's last write, 0 means no waiting.

        Returns:
            A response with ``ranges`` (units outside of inner cases), ``cases`` (SSCCs of inner cases), ``outer``
            (SSCC of the case around it, "" for none), and ``position``, where it was packed.

        Raises:
            RefusedError: CASE_UNKNOWN; or a reason of every read (see ``AsyncClient``).
            UnreachableError: No answer came in time.

        Example:
            >>> case = await client.get_case("340123450000000017")
            >>> case.ranges[0].first, case.ranges[0].last
            (500, 599)
        """

        async def page(token: str) -> batches_pb2.GetCaseResponse:
            request = batches_pb2.GetCaseRequest(
                book=self.book,
                sscc=sscc,
                page_token=token,
                at_least_position=self._at_least(at_least_position),
            )
            return await self._call(self._cases.GetCase, request)

        def join(whole: batches_pb2.GetCaseResponse, other: batches_pb2.GetCaseResponse) -> None:
            for part in other.ranges:
                last = whole.ranges[-1] if whole.ranges else None
                if last is not None and (last.batch, last.last + 1) == (part.batch, part.first):
                    last.last = part.last
                else:
                    whole.ranges.append(part)

        return await self._whole(page, join)

    async def recall_units(
        self,
        batch: int,
        *,
        brand: str,
        ranges: Iterable[Range] = (),
        note: str = "",
        occurred_at: datetime.datetime | None = None,
        request_id: str = "",
    ) -> batches_pb2.RecallUnitsResponse:
        """Recall units of a batch: they may go back the way they came, but not onward.

        Args:
            batch: Number of the batch in the book.
            brand: Id of the brand that made it.
            ranges: Ranges of the batch, each (batch, first unit, last unit) with both ends included. Empty means
                the whole batch.
            note: Why, in at most 200 characters. "" means no note. It may be erased later.
            occurred_at: From when the recall holds, a timezone-aware datetime, at most 5 minutes ahead of the
                server's clock. None means the moment it is recorded.
            request_id: Your own id for this write, 1 to 128 printable ASCII characters. A repeat with the same id
                returns the first answer and records nothing. "" lets the client make one.

        Returns:
            A response whose ``receipt.position`` is the id of the recall.

        Raises:
            RefusedError: PARTY_UNKNOWN, NOT_A_BRAND, BATCH_UNKNOWN, NOT_THE_BRAND, TOO_MANY_RANGES,
                RANGE_REVERSED, RANGE_BEYOND_BATCH, RANGES_OVERLAP; or a reason of every write, time and text (see
                ``AsyncClient``).
            UnreachableError: No answer came in time.
            ValueError: The datetime has no time zone, or a range has not three numbers.

        Example:
            >>> recall = await client.recall_units(1, brand="acme", ranges=[(1, 900, 909)], note="torn straps")
            >>> (await client.get_batch(1)).recalls[0].note.text
            'torn straps'
        """
        request = batches_pb2.RecallUnitsRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            occurred_at=timestamp(occurred_at),
            brand=brand,
            batch=batch,
            ranges=unit_ranges(ranges),
            note=note,
        )
        return await self._write(self._cases.RecallUnits, request)

    async def lift_recall(
        self,
        recall: int,
        *,
        brand: str,
        occurred_at: datetime.datetime | None = None,
        answered_leaf: bytes = b"",
        request_id: str = "",
    ) -> batches_pb2.LiftRecallResponse:
        """Lift a recall: its units may move onward again.

        Args:
            recall: Position at which the recall was made.
            brand: Id of the brand that made it.
            occurred_at: When it was lifted, a timezone-aware datetime, not before the recall and at most 5 minutes
                ahead of the server's clock. At the time of the recall, it never held. None means the moment it is
                recorded.
            answered_leaf: Leaf hash of the recall as you read it (see ``get_event``). Then no other event is
                answered. b"" lets a client with a signer read the event itself, as it signs.
            request_id: Your own id for this write, 1 to 128 printable ASCII characters. A repeat with the same id
                returns the first answer and records nothing. "" lets the client make one.

        Returns:
            A response with ``receipt.position`` and ``receipt.recorded_at``.

        Raises:
            RefusedError: PARTY_UNKNOWN, NOT_A_BRAND, RECALL_UNKNOWN, NOT_THE_BRAND, RECALL_ALREADY_LIFTED,
                LIFTED_BEFORE_RECALL; or a reason of every write and time (see ``AsyncClient``).
            UnreachableError: No answer came in time.
            ValueError: The datetime has no time zone.

        Example:
            >>> lifted = await client.lift_recall(recall.receipt.position, brand="acme")
            >>> (await client.get_batch(1)).recalls[0].lifted_position == lifted.receipt.position
            True
        """
        request = batches_pb2.LiftRecallRequest(
            book=self.book,
            request_id=request_id_or_new(request_id),
            occurred_at=timestamp(occurred_at),
            brand=brand,
            recall=recall,
            answered_leaf=answered_leaf,
        )
        return await self._write(self._cases.LiftRecall, request)
