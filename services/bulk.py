"""Many writes on one call: read ahead, decided in the order sent, each answered or refused on its own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from typing import Final, NamedTuple

from ledger.book import Outcome
from ledger.commands import Command, RecordTransfer, ReturnUnits, SellUnits
from ledger.refusals import Reason, Refusal, refuse
from ledger.values import MAX_RANGES
from pathbook.v1.transfers_pb2 import (
    RecordTransferRequest,
    RecordTransfersEntry,
    RecordTransfersRequest,
    ReturnUnitsRequest,
    SellUnitsRequest,
)
from services import requests
from services.doors import Doors
from services.drain import Drain
from services.statuses import Failure, Refused, failed

MAX_ENTRIES: Final = 1_000
"""The most writes of one batch: the book decides as many together, and an answer is not kept waiting."""

BATCHES_IN_FLIGHT: Final = 4
"""How many batches of a call are in the book's queue at once: one being written, the next decided, more read."""


async def recording(doors: Doors, book: str, request: RecordTransferRequest) -> RecordTransfer:
    """Return the command to record a transfer. Raises CallFailed."""
    return RecordTransfer(
        request_id=request.request_id,
        occurred_at=requests.time_or_now(request),
        giver=request.giver,
        receiver=request.receiver,
        units=await doors.selection(book, requests.selected(request)),
        unit_price=requests.money(request, "unit_price"),
        delivery=requests.delivery(request.delivery),
    )


async def selling(doors: Doors, book: str, request: SellUnitsRequest) -> SellUnits:
    """Return the command to sell units. Raises CallFailed."""
    return SellUnits(
        request_id=request.request_id,
        occurred_at=requests.time_or_now(request),
        seller=request.seller,
        consumer=request.consumer,
        units=await doors.selection(book, requests.selected(request)),
        unit_price=requests.money(request, "unit_price"),
        delivery=requests.delivery(request.delivery),
    )


async def returning(doors: Doors, book: str, request: ReturnUnitsRequest) -> ReturnUnits:
    """Return the command to return units. Raises CallFailed."""
    return ReturnUnits(
        request_id=request.request_id,
        occurred_at=requests.time_or_now(request),
        owner=request.owner,
        units=await doors.selection(book, requests.selected(request)),
        note=request.note,
    )


class _Submitted(NamedTuple):
    """A batch in the book's queue: what could not be read of it, and what the book makes of the rest."""

    unread: list[Refusal | None]
    decided: Awaitable[list[Outcome]]

    async def outcomes(self) -> list[Outcome]:
        """Return one outcome an entry, in order, when all is decided and on disk."""
        decided = iter(await self.decided)
        return [next(decided) if refusal is None else refusal for refusal in self.unread]


def _named(entry: RecordTransfersEntry) -> int:
    """Return how many ranges, codes, cases and quantities an entry names: they are what deciding it costs."""
    kind = entry.WhichOneof("entry")
    if kind is None:
        return 0
    request: RecordTransferRequest | SellUnitsRequest | ReturnUnitsRequest = getattr(entry, kind)
    units = request.units
    return len(units.ranges) + len(units.codes) + len(units.cases) + len(units.quantities)


class Bulk:
    """Keeps a few batches of a call in the book's queue while their answers go back in order."""

    def __init__(self, doors: Doors, drain: Drain) -> None:
        self._doors = doors
        self._drain = drain

    async def outcomes(self, batches: AsyncIterator[RecordTransfersRequest]) -> AsyncIterator[list[Outcome]]:
        """Yield the outcomes of batch after batch. Raises CallFailed.

        Where a batch as a whole cannot be taken, or the server stops, those before it are answered first.
        """
        queue: asyncio.Queue[_Submitted | Exception | None] = asyncio.Queue(BATCHES_IN_FLIGHT)
        reader = asyncio.create_task(self._read(batches, queue))
        try:
            while (taken := await queue.get()) is not None:
                if isinstance(taken, Exception):
                    raise taken
                yield await taken.outcomes()
        finally:
            reader.cancel()

    async def _read(
        self,
        batches: AsyncIterator[RecordTransfersRequest],
        queue: asyncio.Queue[_Submitted | Exception | None],
    ) -> None:
        """Submit batch after batch; the queue being full is what keeps the caller from sending on."""
        try:
            with contextlib.suppress(StopAsyncIteration):
                while True:
                    batch = await self._drain.unless_begun(anext(batches))
                    await queue.put(await self._submit(batch))
            await queue.put(None)
        except Exception as error:  # noqa: BLE001 - it ends the call, when what came before it is answered
            await queue.put(error)

    async def _submit(self, batch: RecordTransfersRequest) -> _Submitted:
        book = requests.book_name(batch.book)
        if len(batch.entries) > MAX_ENTRIES:
            raise failed(Failure.TOO_MANY_ENTRIES, count=len(batch.entries), limit=MAX_ENTRIES)
        named = sum(map(_named, batch.entries))
        if named > MAX_RANGES:
            raise Refused(refuse(Reason.TOO_MANY_RANGES, count=named, limit=MAX_RANGES))
        commands: list[Command] = []
        unread: list[Refusal | None] = []
        for entry in batch.entries:
            try:
                commands.append(await self._command(book, entry))
                unread.append(None)
            except Refused as refused:
                unread.append(refused.refusal)
        return _Submitted(unread, await self._doors.submit(book, commands))

    async def _command(self, book: str, entry: RecordTransfersEntry) -> Command:
        match entry.WhichOneof("entry"):
            case "transfer":
                return await recording(self._doors, book, entry.transfer)
            case "sale":
                return await selling(self._doors, book, entry.sale)
            case "return":
                return await returning(self._doors, book, getattr(entry, "return"))
            case _:
                raise Refused(refuse(Reason.VALUE_MISSING, field="entry"))
