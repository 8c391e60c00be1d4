"""Many one-step writes on one call: batches sent ahead, results in order, nothing done twice."""

import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from queue import SimpleQueue
from typing import Final, TypeAlias

import grpc

from pathbook.client.calls import Caller, request_id_or_new
from pathbook.client.errors import UnreachableError
from pathbook.v1 import transfers_pb2, transfers_pb2_grpc
from pathbook.v1.transfers_pb2 import RECORD_TRANSFERS_MODE_ALL_OR_NOTHING, RECORD_TRANSFERS_MODE_EACH

BATCHES_AHEAD: Final = 4
"""How many batches may be under way: while one is written to disk, the next is read and decided."""

RETURN: Final = "return"
"""The field of a return, whose name is a keyword of Python."""

Entry: TypeAlias = (
    transfers_pb2.RecordTransferRequest | transfers_pb2.SellUnitsRequest | transfers_pb2.ReturnUnitsRequest
)
"""One write. Its book is that of the call; a request id is made where it has none."""


class Bulk(Caller):
    """The TransferService of a book: importing, and whatever else comes in masses."""

    def record_transfers(
        self, batches: Iterable[Sequence[Entry]], *, all_or_nothing: bool = False
    ) -> Iterator[Sequence[transfers_pb2.RecordTransfersResult]]:
        """Yield for each batch its results, one an entry, in order.

        A batch holds at most 1,000 entries and 4 MiB; each entry is recorded or refused on its own. With
        ``all_or_nothing``, none of a batch is recorded where one of it is refused; what was recorded before is a
        duplicate. Batches are taken from the iterable a few ahead of the results. Where the connection breaks,
        those not yet answered are sent again: what of them was recorded is answered as a duplicate.

        Raises:
            RefusedError: a batch as a whole was refused.
            UnreachableError: the server was away for longer than is waited for.
        """
        mode = RECORD_TRANSFERS_MODE_ALL_OR_NOTHING if all_or_nothing else RECORD_TRANSFERS_MODE_EACH
        requests = (self._request(batch, mode) for batch in batches)
        under_way: deque[transfers_pb2.RecordTransfersRequest] = deque(
            itertools.islice(requests, BATCHES_AHEAD)
        )
        patience = self._retry_policy()
        stub = transfers_pb2_grpc.TransferServiceStub(self._channel)
        while under_way:
            sending: SimpleQueue[transfers_pb2.RecordTransfersRequest | None] = SimpleQueue()
            for request in under_way:
                sending.put(request)
            answers = stub.RecordTransfers(iter(sending.get, None))
            try:
                for answer in answers:
                    under_way.popleft()
                    for request in itertools.islice(requests, 1):
                        under_way.append(request)
                        sending.put(request)
                    self._remember(answer)
                    yield answer.results
                    patience.renew()
                    if not under_way:
                        sending.put(None)  # the server ends the call in its turn
            except grpc.RpcError as error:
                patience.wait(error)
            else:
                if under_way:
                    raise UnreachableError(
                        self.target, "it ended the call too soon", grpc.StatusCode.UNAVAILABLE
                    )
            finally:
                sending.put(None)
                answers.cancel()

    def _request(
        self, batch: Sequence[Entry], mode: transfers_pb2.RecordTransfersMode.ValueType
    ) -> transfers_pb2.RecordTransfersRequest:
        return transfers_pb2.RecordTransfersRequest(book=self.book, entries=map(as_entry, batch), mode=mode)

    def _remember(self, answer: transfers_pb2.RecordTransfersResponse) -> None:
        positions = (result.receipt.position for result in answer.results)
        self.position = max(self.position, *positions, 0)


def as_entry(write: Entry) -> transfers_pb2.RecordTransfersEntry:
    """Return one write as an entry of a batch, with a request id of its own."""
    write.request_id = request_id_or_new(write.request_id)
    match write:
        case transfers_pb2.RecordTransferRequest():
            return transfers_pb2.RecordTransfersEntry(transfer=write)
        case transfers_pb2.SellUnitsRequest():
            return transfers_pb2.RecordTransfersEntry(sale=write)
        case transfers_pb2.ReturnUnitsRequest():
            entry = transfers_pb2.RecordTransfersEntry()
            getattr(entry, RETURN).CopyFrom(write)
            return entry
