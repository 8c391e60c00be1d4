"""Many writes on one call: batches are read ahead, and decided in the order sent."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, TypeAlias, TypeVar

from pathbook.ledger.book import Outcome, Submitted
from pathbook.ledger.codec import requests as fields
from pathbook.ledger.codec import unit_commands
from pathbook.ledger.commands import Command
from pathbook.ledger.refusals import Reason, Refusal, RefusedRequestError, refuse
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

MAX_LISTED: Final = 4_000
"""The most GTINs that the authorizations of one batch list together, because each is decided on its own."""

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


def _command(request: _Request, units: Selection) -> Command:
    match request:
        case RecordTransferRequest():
            return unit_commands.record_transfer(request, units)
        case SellUnitsRequest():
            return unit_commands.sell_units(request, units)
        case ReturnUnitsRequest():
            return unit_commands.return_units(request, units, *requests.note(request))


def _request(entry: RecordTransfersEntry) -> _Request:
    """Return the write that an entry holds. Raises RefusedCallError if it holds none."""
    if entry.HasField("transfer"):  # nearly always, and it takes half the time
        return entry.transfer
    kind = entry.WhichOneof("entry")
    if kind is None:
        raise RefusedCallError(refuse(Reason.VALUE_MISSING, field="entry"))
    request: _Request = getattr(entry, kind)
    return request


def require_few(entries: int) -> None:
    """Raise CallFailedError if a batch has more entries than one may have."""
    if entries > MAX_ENTRIES:
        raise failed(Failure.TOO_MANY_ENTRIES, count=entries, limit=MAX_ENTRIES)


def require_few_listed(listed: int) -> None:
    """Raise RefusedCallError if the authorizations of a batch list more GTINs than they may."""
    if listed > MAX_LISTED:
        raise RefusedCallError(refuse(Reason.TOO_MANY_PRODUCTS, count=listed, limit=MAX_LISTED))


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
                outcomes = await item
                for outcome in outcomes:
                    if type(outcome) is Refusal:
                        self._gateway.metrics.refused(outcome.reason.name)
                yield outcomes
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
                units = fields.selected_of_many(request)
                alone = fields.ranges_alone(units)
                named += fields.named_in(units) if alone is None else len(alone)
                if named > MAX_RANGES:
                    continue  # the whole batch is refused below, once its ranges are counted
                if alone is None:
                    # without codes, nothing is awaited: an await takes as long as all the rest here
                    coded = await self._gateway.ranges(book, units.codes) if units.codes else ()
                    selection = fields.selection(units, coded)
                else:
                    selection = Selection(fields.ranges(alone))
                submitted.append(_command(request, selection))
            except RefusedRequestError as refused:
                submitted.append(refused.refusal)
        fields.bounded(named)
        return await self._gateway.submit(book, submitted, all_or_nothing=all_or_nothing)
