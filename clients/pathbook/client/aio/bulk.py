"""Many writes on one call: batches are sent ahead, results come in order, nothing is recorded twice."""

# clients/generate_client.py wrote this from bulk.py of the client: change that file.

import contextlib
import functools
from collections.abc import AsyncIterator, Iterable, Sequence

from pathbook.client.aio.calls import AsyncCaller, with_request_ids
from pathbook.client.bulk import Entry, as_entry
from pathbook.client.options import BATCHES_AHEAD
from pathbook.client.statements import recorded
from pathbook.v1 import transfers_pb2, transfers_pb2_grpc
from pathbook.v1.transfers_pb2 import RECORD_TRANSFERS_MODE_ALL_OR_NOTHING, RECORD_TRANSFERS_MODE_EACH


class Bulk(AsyncCaller):
    """The TransferService of a book: many writes at once."""

    @functools.cached_property
    def _bulk(self) -> "transfers_pb2_grpc.TransferServiceAsyncStub":
        return transfers_pb2_grpc.TransferServiceStub(self._channel)

    async def record_transfers(
        self, batches: Iterable[Sequence[Entry]], *, all_or_nothing: bool = False
    ) -> AsyncIterator[Sequence[transfers_pb2.RecordTransfersResult]]:
        """Record batches of transfers, sales and returns, and yield the results of each batch.

        Batches are taken from the iterable a few ahead of the results. When the connection breaks, batches without
        results are sent again; a write that was recorded before is answered as a duplicate.

        Args:
            batches: Batches of messages from ``transfers_pb2``: RecordTransferRequest, SellUnitsRequest or
                ReturnUnitsRequest. Build their fields with ``select``, ``price`` and ``timestamp``. A batch holds at
                most 1,000 entries, 4,000 ranges, codes, cases and quantities, and 4 MiB. An entry's ``book`` is
                ignored; an empty ``request_id`` is filled in.
            all_or_nothing: True records nothing of a batch if one of its entries is refused; entries that were
                recorded by an earlier call stay recorded. False decides each entry on its own. A client with a signer
                signs each batch once. Then all entries are of its party, without notes, and True raises ValueError.

        Yields:
            For each batch a sequence of results, one for each entry in order. ``result.WhichOneof("result")`` is
            "receipt" or "refusal". A recorded entry has ``ranges``, the units that the book chose, unless
            ``ranges_left_out`` says that the results before it have 100,000 ranges already. A refusal has
            ``reason``, ``message`` and ``metadata``. Its reason is one that ``record_transfer``, ``sell_units`` or
            ``return_units`` names, or OTHER_ENTRY_REFUSED: ``RefusalReason.numbered(refusal.reason)``.

        Raises:
            RefusedError: A whole batch is refused: TOO_MANY_ENTRIES, TOO_MANY_STATEMENTS (of a signed batch),
                TOO_MANY_RANGES, RESOURCE_EXHAUSTED (a message above 4 MiB); or a reason of every call (see
                ``AsyncClient``).
            UnreachableError: The stream broke, and no server answered for ``retry_seconds``.

        Example:
            >>> paid, units = price((30000, "CNY")), select(ranges=[(1, 50, 50)])
            >>> entry = transfers_pb2.SellUnitsRequest(seller="ann", consumer="c-8", units=units, unit_price=paid)
            >>> async for results in client.record_transfers([[entry]]):
            ...     print([(result.WhichOneof("result"), result.ranges[0].first) for result in results])
            [('receipt', 50)]
        """
        if self._signs:
            if all_or_nothing:
                raise ValueError("Signed entries are decided each on its own: leave all_or_nothing out.")
            async for signed in self._file_statements(map(with_request_ids, batches)):
                yield [recorded(result) for result in signed]
            return
        mode = RECORD_TRANSFERS_MODE_ALL_OR_NOTHING if all_or_nothing else RECORD_TRANSFERS_MODE_EACH
        requests = (self._request(batch, mode) for batch in batches)
        responses = self._exchange(self._bulk.RecordTransfers, requests, BATCHES_AHEAD)
        async with contextlib.aclosing(responses):  # the caller may stop before the end
            async for response in responses:
                self._wrote(max((result.receipt.position for result in response.results), default=0))
                yield response.results

    def _request(
        self, batch: Sequence[Entry], mode: transfers_pb2.RecordTransfersMode.ValueType
    ) -> transfers_pb2.RecordTransfersRequest:
        return transfers_pb2.RecordTransfersRequest(book=self.book, entries=map(as_entry, batch), mode=mode)
