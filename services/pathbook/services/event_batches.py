"""Reads the log in batches, and waits for new events: once for each book, for any number of subscribers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Final

import msgspec

from pathbook.ledger.codec import NewerEventError
from pathbook.ledger.store.log.damage import EventDamagedError
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.follower import Follower
from pathbook.services.gateway import Gateway
from pathbook.v1 import events_pb2

BATCH_MAX_BYTES: Final = 256 * 1024
"""The most bytes of events of one batch. Larger batches are hardly faster, and take memory for longer."""

BATCH_MAX_EVENTS: Final = 5_000
"""The most events of one batch, even if they are small."""

FIRST_READ_EVENTS: Final = 100
"""How many events of a book the first read takes. Their size decides how many the next read takes."""

CACHED_BATCHES_MAX: Final = 32
"""How many batches are kept for subscribers that are a little behind: some 8 MiB."""

BATCH_GATHER_TIMEOUT_S: Final = 0.05
"""The pause after subscribers got events: events that are written in quick succession are sent together. An event
after a longer pause is sent at once."""

VIEWS_WAIT_TIMEOUT_S: Final = 2.0
"""How long new events wait for the views to include them. Then they are sent without the views."""

UNFOLLOWED_POLL_INTERVAL_S: Final = 0.5
"""How often a book is polled for new events if it has an event that is newer than this program."""

IDLE_CHECKPOINT_INTERVAL_S: Final = 15.0
"""After how long without events a subscriber gets a checkpoint, which is a batch without events."""


class Batch(msgspec.Struct, frozen=True):
    """Consecutive events up to a position, as the serialized response that every caller gets."""

    last: int
    response: bytes


class EventBatches:
    """The log as streams of batches. Callers at the same position share one read, and one task that waits for more."""

    def __init__(self, gateway: Gateway, stream: Stream, follower: Follower) -> None:
        self._gateway = gateway
        self._stream = stream
        self._follower = follower
        self._heads: dict[str, int] = {}
        self._updates: dict[str, asyncio.Task[None]] = {}
        self._limits: dict[str, int] = {}
        self._reads: dict[tuple[str, int], tuple[int, asyncio.Task[Batch]]] = {}

    async def batches(self, book: str, after: int, through: int) -> AsyncIterator[Batch]:
        """Yield the events after a position, up to a position that the book has reached."""
        while after < through:
            batch = await asyncio.shield(self._batch(book, after, through))
            after = batch.last
            if after < through:
                self._batch(book, after, through)  # reads the next batch while this one is sent
            await self._gateway.small_reads_first()
            yield batch

    async def head_beyond(self, book: str, after: int) -> int:
        """Return the head as soon as it is beyond a position, or after IDLE_CHECKPOINT_INTERVAL_S the known head."""
        try:
            async with asyncio.timeout(IDLE_CHECKPOINT_INTERVAL_S):
                while self._heads.get(book, 0) <= after:
                    await self._wait_for_update(book)
        except TimeoutError:
            pass
        return max(after, self._heads.get(book, 0))

    async def _wait_for_update(self, book: str) -> None:
        """Wait for the one task of a book that updates its head; start the task if there is none."""
        if book not in self._updates:
            self._updates[book] = asyncio.create_task(self._update_head(book))
            self._updates[book].add_done_callback(_retrieve_error)
        await asyncio.shield(self._updates[book])

    async def _update_head(self, book: str) -> None:
        """Read the head; if it is known already, wait for the next event.

        The task also waits for the views, so that a subscriber mostly finds a new event in them.
        """
        try:
            head = await self._gateway.head(book)
            if head == self._heads.get(book):
                await asyncio.sleep(BATCH_GATHER_TIMEOUT_S)
                await self._wait_for_views(book, head + 1)
                head = await self._gateway.head(book)
            self._heads[book] = head
        finally:
            # Not in a callback of the task: a caller that awaits a finished task is not suspended, so a loop of
            # such callers would never let the callback run.
            del self._updates[book]

    async def _wait_for_views(self, book: str, position: int) -> None:
        with contextlib.suppress(Exception):  # if the views are broken, the log can still be read
            try:
                async with asyncio.timeout(VIEWS_WAIT_TIMEOUT_S):
                    await asyncio.wrap_future(await self._gateway.run(self._follower.reached, book, position))
            except NewerEventError:  # it comes at once, as nothing follows the book any more
                await asyncio.sleep(UNFOLLOWED_POLL_INTERVAL_S)

    def _batch(self, book: str, after: int, through: int) -> asyncio.Task[Batch]:
        """Return the task that reads, or has read, the batch after a position. It reads nothing beyond ``through``."""
        cached = self._reads.get((book, after))
        if cached is not None and cached[0] <= through:
            return cached[1]
        read = asyncio.create_task(self._read(book, after, through))
        # A read ahead may fail when its caller is gone already. The next caller reads again, and gets the error.
        read.add_done_callback(_retrieve_error)
        self._reads[book, after] = through, read
        if len(self._reads) > CACHED_BATCHES_MAX:
            del self._reads[next(iter(self._reads))]
        return read

    async def _read(self, book: str, after: int, through: int) -> Batch:
        try:
            return await self._gateway.slice(self._load, book, after, through)
        except BaseException:
            self._reads.pop((book, after), None)  # a failed read is not kept: the next caller reads again
            raise

    def _load(self, book: str, after: int, through: int) -> Batch:
        """Read a batch and serialize it, on a reader's thread."""
        limit = self._limits.get(book, FIRST_READ_EVENTS)
        try:
            read = self._stream.data(book, after, limit, through)
        except EventDamagedError as damage:
            if damage.position <= after + 1:
                raise
            read = self._stream.data(book, after, limit, damage.position - 1)  # those before it are whole
        assert read, f"Book {book} has nothing after {after}, though it goes on to {through}."
        self._limits[book] = max(1, min(BATCH_MAX_EVENTS, BATCH_MAX_BYTES * len(read) // sum(map(len, read))))
        events = fitting(read)
        last = after + len(events)
        # The bytes are also a valid SubscribeResponse, which has the same fields.
        response = events_pb2.ReadResponse(
            first_position=after + 1,
            events=events,
            next_after_position=last,
            incarnation=self._gateway.incarnations.of(book).present,
        )
        return Batch(last, response.SerializeToString())


def _retrieve_error(task: asyncio.Task[Batch] | asyncio.Task[None]) -> None:
    """Let a task fail although no caller waits for it any more. Python would print its traceback."""
    if not task.cancelled():
        task.exception()


def fitting(events: Sequence[bytes]) -> Sequence[bytes]:
    """Return as many of the first events as fit into BATCH_MAX_BYTES, but at least one."""
    count, size = len(events), sum(map(len, events))
    while size > BATCH_MAX_BYTES and count > 1:
        count -= 1
        size -= len(events[count])
    return events[:count]
