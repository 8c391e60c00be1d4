"""Many writes on one call: batches are read ahead, and decided in the order sent."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, TypeAlias, TypeVar

from pathbook.ledger.book import Outcome, Submitted
from pathbook.ledger.commands import Command, RecordTransfer, ReturnUnits, SellUnits
from pathbook.ledger.refusals import Reason, refuse
from pathbook.ledger.values import MAX_RANGES, Selection
from pathbook.services.drain import Drain
from pathbook.services.gateway import Gateway
from pathbook.services.translate import requests
from pathbook.services.translate.statuses import Failure, RefusedCallError, failed
from pathbook.v1.transfers_pb2 import (
    RECORD_TRANSFERS_MODE_ALL_OR_NOTHING,
    RECORD_TRANSFERS_MODE_EACH,
    RECORD_TRANSFERS_MODE_UNSPECIFIED,
    RecordTransferRequest,
    RecordTransfersEntry,
    RecordTransfersMode,
    RecordTransfersRequest,
    ReturnUnitsRequest,
    SellUnitsRequest,
)

MAX_ENTRIES: Final = 1_000
"""The most writes of one batch: the book decides this many together without a long wait for the answer."""

BATCHES_IN_FLIGHT: Final = 4
"""How many batches of a call are in the book's queue at once: one is written, the next decided, more are read."""

_ALL_OR_NOTHING: Final = {
    RECORD_TRANSFERS_MODE_UNSPECIFIED: False,
    RECORD_TRANSFERS_MODE_EACH: False,
    RECORD_TRANSFERS_MODE_ALL_OR_NOTHING: True,
}

_Request = RecordTransferRequest | SellUnitsRequest | ReturnUnitsRequest

Batch = TypeVar("Batch")

Submit: TypeAlias = "Callable[[Batch], Awaitable[Awaitable[list[Outcome]]]]"
"""A function that puts a batch in the book's queue. What it returns is done when the accepted writes are on disk."""


def recording(request: RecordTransferRequest, units: Selection) -> RecordTransfer:
    """Return the command to record a transfer. Raises RefusedCallError."""
    return RecordTransfer(
        request_id=request.request_id,
        occurred_at=requests.time_or_now(request),
        giver=request.giver,
        receiver=request.receiver,
        units=units,
        unit_price=requests.price(request, "unit_price"),
        delivery=requests.delivery(request.delivery),
        reference=request.reference,
        reported_by=request.reported_by,
    )


def selling(request: SellUnitsRequest, units: Selection) -> SellUnits:
    """Return the command to sell units. Raises RefusedCallError."""
    return SellUnits(
        request_id=request.request_id,
        occurred_at=requests.time_or_now(request),
        seller=request.seller,
        consumer=request.consumer,
        units=units,
        unit_price=requests.price(request, "unit_price"),
        delivery=requests.delivery(request.delivery),
        reference=request.reference,
    )


def returning(request: ReturnUnitsRequest, units: Selection) -> ReturnUnits:
    """Return the command to return units. Raises RefusedCallError."""
    return ReturnUnits(
        request_id=request.request_id,
        occurred_at=requests.time_or_now(request),
        owner=request.owner,
        units=units,
        note=request.note,
        note_salt=requests.note_salt(request.note),
    )


def _command(request: _Request, units: Selection) -> Command:
    match request:
        case RecordTransferRequest():
            return recording(request, units)
        case SellUnitsRequest():
            return selling(request, units)
        case ReturnUnitsRequest():
            return returning(request, units)


def _request(entry: RecordTransfersEntry) -> _Request:
    """Return the write that an entry holds. Raises RefusedCallError if it holds none."""
    kind = entry.WhichOneof("entry")
    if kind is None:
        raise RefusedCallError(refuse(Reason.VALUE_MISSING, field="entry"))
    request: _Request = getattr(entry, kind)
    return request


def require_few(entries: int) -> None:
    """Raise CallFailedError if a batch has more entries than one may have."""
    if entries > MAX_ENTRIES:
        raise failed(Failure.TOO_MANY_ENTRIES, count=entries, limit=MAX_ENTRIES)


def _all_or_nothing(mode: RecordTransfersMode.ValueType) -> bool:
    if mode not in _ALL_OR_NOTHING:
        raise RefusedCallError(refuse(Reason.VALUE_MISSING, field="mode"))
    return _ALL_OR_NOTHING[mode]


class Bulk:
    """Keeps a few batches of a call in the book's queue, and returns their answers in order."""

    def __init__(self, gateway: Gateway, drain: Drain) -> None:
        self._gateway = gateway
        self._drain = drain

    def outcomes(self, batches: AsyncIterator[RecordTransfersRequest]) -> AsyncIterator[list[Outcome]]:
        """Yield the outcomes of each batch of transfers, in order. Raises CallFailedError as `answered`."""
        return self.answered(batches, self._submit)

    async def answered(
        self, batches: AsyncIterator[Batch], submit: "Submit[Batch]"
    ) -> AsyncIterator[list[Outcome]]:
        """Yield the outcomes of each batch, in order.

        Raises:
            CallFailedError: a whole batch is refused, or the server stops. The batches before are answered first.
        """
        queue: asyncio.Queue[Awaitable[list[Outcome]] | Exception | None] = asyncio.Queue(BATCHES_IN_FLIGHT)
        reader = asyncio.create_task(self._read(batches, submit, queue))
        try:
            while (item := await queue.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                yield await item
        finally:
            reader.cancel()

    async def _read(
        self,
        batches: AsyncIterator[Batch],
        submit: "Submit[Batch]",
        queue: asyncio.Queue[Awaitable[list[Outcome]] | Exception | None],
    ) -> None:
        """Submit each batch as it arrives. While the queue is full, nothing is read, so the caller has to wait."""
        try:
            with contextlib.suppress(StopAsyncIteration):
                while True:
                    batch = await self._drain.unless_begun(anext(batches))
                    await queue.put(await submit(batch))
            await queue.put(None)
        except Exception as error:  # noqa: BLE001 - it ends the call, after the batches before it are answered
            await queue.put(error)

    async def _submit(self, batch: RecordTransfersRequest) -> Awaitable[list[Outcome]]:
        """Put a batch in the book's queue. An entry that cannot be read is replaced by its refusal."""
        book, all_or_nothing = requests.book_name(batch.book), _all_or_nothing(batch.mode)
        require_few(len(batch.entries))
        submitted: list[Submitted] = []
        named = 0
        for entry in batch.entries:
            try:
                request = _request(entry)
                units = requests.selected_of_many(request)
                named += requests.named_in(units)
                if named > MAX_RANGES:
                    continue  # the whole batch is refused below, once its ranges are counted
                # without codes, nothing is awaited: an await takes as long as all the rest here
                coded = await self._gateway.ranges(book, units.codes) if units.codes else ()
                submitted.append(_command(request, requests.selection(units, coded)))
            except RefusedCallError as refused:
                submitted.append(refused.refusal)
        requests.bounded(named)
        return await self._gateway.submit(book, submitted, all_or_nothing=all_or_nothing)
