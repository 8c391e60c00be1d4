"""Reading the log in batches, and waiting for its end to move: once a book, however many callers follow it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Final

import msgspec

from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.follower import Follower
from pathbook.services.gateway import Gateway
from pathbook.v1 import events_pb2

BATCH_MAX_BYTES: Final = 256 * 1024
"""How many bytes of events make a batch: larger ones travel hardly faster, and wait longer in memory."""

BATCH_MAX_EVENTS: Final = 5_000
"""The most events of one batch, however small they are."""

FIRST_READ_EVENTS: Final = 100
"""How many events of a book are read first; from their size follows how many are read next."""

CACHED_BATCHES_MAX: Final = 32
"""How many batches are kept for callers who come to the same place a little later: some 8 MiB."""

BATCH_GATHER_TIMEOUT_S: Final = 0.05
"""How long a book's followers are left alone once they heard of it: what is written in quick succession is heard
together. An event after a longer silence is heard at once."""

VIEWS_WAIT_TIMEOUT_S: Final = 2.0
"""How long events wait to be heard of for views that do not know them yet; the log goes before its views."""

IDLE_CHECKPOINT_INTERVAL_S: Final = 15.0
"""How long a caller who follows a book hears nothing before it is told that there is nothing."""


class Batch(msgspec.Struct, frozen=True):
    """Consecutive events up to a position, as the serialised response that every caller gets."""

    last: int
    response: bytes


class EventBatches:
    """The log as streams of batches. Callers at the same place share one read, and one waiting for more."""

    def __init__(self, gateway: Gateway, stream: Stream, follower: Follower) -> None:
        self._gateway = gateway
        self._stream = stream
        self._follower = follower
        self._heads: dict[str, int] = {}
        self._waits: dict[str, asyncio.Task[None]] = {}
        self._limits: dict[str, int] = {}
        self._reads: dict[tuple[str, int], tuple[int, asyncio.Task[Batch]]] = {}

    async def batches(self, book: str, after: int, through: int) -> AsyncIterator[Batch]:
        """Yield the events after a position, up to another that the book has reached."""
        while after < through:
            batch = await asyncio.shield(self._batch(book, after, through))
            after = batch.last
            if after < through:
                self._batch(book, after, through)  # is read while this one is sent
            yield batch

    async def head_beyond(self, book: str, after: int) -> int:
        """Return the head as soon as it is beyond a position, or as it was known after IDLE_CHECKPOINT_INTERVAL_S."""
        try:
            async with asyncio.timeout(IDLE_CHECKPOINT_INTERVAL_S):
                while self._heads.get(book, 0) <= after:
                    await self._moved(book)
        except TimeoutError:
            pass
        return max(after, self._heads.get(book, 0))

    async def _moved(self, book: str) -> None:
        if book not in self._waits:
            self._waits[book] = asyncio.create_task(self._wait(book))
        await asyncio.shield(self._waits[book])

    async def _wait(self, book: str) -> None:
        """Learn the head, or where it is known, the next. Who hears of an event mostly finds it in the views."""
        try:
            head = await self._gateway.head(book)
            if head == self._heads.get(book):
                await asyncio.sleep(BATCH_GATHER_TIMEOUT_S)
                await self._views_reach(book, head + 1)
                head = await self._gateway.head(book)
            self._heads[book] = head
        finally:
            # Not in a callback of the task: who joins one that is done is not suspended, and a loop of such
            # callers would never let the callback run.
            del self._waits[book]

    async def _views_reach(self, book: str, position: int) -> None:
        with contextlib.suppress(Exception):  # where the views cannot go on, the log can still be read
            async with asyncio.timeout(VIEWS_WAIT_TIMEOUT_S):
                await asyncio.wrap_future(await self._gateway.run(self._follower.reached, book, position))

    def _batch(self, book: str, after: int, through: int) -> asyncio.Task[Batch]:
        """Return what reads, or has read, a batch after a position and not beyond another."""
        kept = self._reads.get((book, after))
        if kept is not None and kept[0] <= through:
            return kept[1]
        read = asyncio.create_task(self._read(book, after, through))
        self._reads[book, after] = through, read
        if len(self._reads) > CACHED_BATCHES_MAX:
            del self._reads[next(iter(self._reads))]
        return read

    async def _read(self, book: str, after: int, through: int) -> Batch:
        try:
            return await self._gateway.run(self._load, book, after, through)
        except BaseException:
            self._reads.pop((book, after), None)  # the next caller tries again
            raise

    def _load(self, book: str, after: int, through: int) -> Batch:
        """Read a batch and serialise it, on a reader's thread."""
        read = self._stream.data(book, after, self._limits.get(book, FIRST_READ_EVENTS), through)
        assert read, f"Book {book} has nothing after {after}, though it goes on to {through}."
        self._limits[book] = max(1, min(BATCH_MAX_EVENTS, BATCH_MAX_BYTES * len(read) // sum(map(len, read))))
        events = fitting(read)
        last = after + len(events)
        # These bytes are a SubscribeResponse, too: it has the same fields.
        response = events_pb2.ReadResponse(first_position=after + 1, events=events, next_after_position=last)
        return Batch(last, response.SerializeToString())


def fitting(events: Sequence[bytes]) -> Sequence[bytes]:
    """Return as many of the first events as fit into BATCH_MAX_BYTES, and at least one."""
    count, size = len(events), sum(map(len, events))
    while size > BATCH_MAX_BYTES and count > 1:
        count -= 1
        size -= len(events[count])
    return events[:count]
