"""Reading the log in batches, and waiting for its end to move: once a book, however many callers follow it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Final

from ledger.store.follower import Follower
from ledger.store.stream import StoredEntry, Stream
from services.doors import Doors

MAX_EVENTS: Final = 1_000
"""The most events of one batch."""

BATCH_BYTES: Final = 256 * 1024
"""How many bytes of events make a batch: larger ones do not travel faster, and wait longer in memory."""

FIRST_EVENTS: Final = 100
"""How many events are read first; from their size follows how many are read next."""

IDLE_SECONDS: Final = 15.0
"""How long a caller who follows a book hears nothing before it is told that there is nothing."""


class Following:
    """The log as streams of batches. Callers at the same place share one read, and one waiting for more."""

    def __init__(self, doors: Doors, stream: Stream, follower: Follower) -> None:
        self._doors = doors
        self._stream = stream
        self._follower = follower
        self._heads: dict[str, int] = {}
        self._waits: dict[str, asyncio.Task[None]] = {}
        self._reads: dict[tuple[str, int, int, int], asyncio.Task[list[StoredEntry]]] = {}

    async def batches(self, book: str, after: int, through: int) -> AsyncIterator[Sequence[StoredEntry]]:
        """Yield the entries after a position, up to another that the book has reached."""
        wanted = FIRST_EVENTS
        while after < through:
            entries = await self._read(book, after, wanted, through)
            for batch in cut(entries):
                yield batch
            after = entries[-1].position
            size = sum(len(entry.data) for entry in entries)
            wanted = max(1, min(MAX_EVENTS, BATCH_BYTES * len(entries) // size))

    async def head_beyond(self, book: str, after: int) -> int:
        """Return the head as soon as it is beyond a position, or as it was known after IDLE_SECONDS."""
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                while self._heads.get(book, 0) <= after:
                    await self._moved(book)
        except TimeoutError:
            pass
        return max(after, self._heads.get(book, 0))

    async def _moved(self, book: str) -> None:
        if book not in self._waits:
            wait = self._waits[book] = asyncio.create_task(self._wait(book))
            wait.add_done_callback(lambda _: self._waits.pop(book))
        await asyncio.shield(self._waits[book])

    async def _wait(self, book: str) -> None:
        """Learn the head, or where it is known, the next. Who hears of an event finds it in the views."""
        head = await self._doors.head(book)
        if head == self._heads.get(book):
            with contextlib.suppress(Exception):  # where the views cannot go on, the log can still be read
                await asyncio.wrap_future(await self._doors.run(self._follower.reached, book, head + 1))
            head = await self._doors.head(book)
        self._heads[book] = head

    async def _read(self, book: str, after: int, limit: int, through: int) -> list[StoredEntry]:
        key = (book, after, limit, through)
        if key not in self._reads:
            read = self._reads[key] = asyncio.create_task(
                self._doors.run(self._stream.read, book, after, limit, through)
            )
            read.add_done_callback(lambda _: self._reads.pop(key))
        return await asyncio.shield(self._reads[key])


def cut(entries: Sequence[StoredEntry]) -> Iterator[Sequence[StoredEntry]]:
    """Yield entries in batches of about BATCH_BYTES, each with at least one."""
    begin = size = 0
    for place, entry in enumerate(entries):
        if size and size + len(entry.data) > BATCH_BYTES:
            yield entries[begin:place]
            begin, size = place, 0
        size += len(entry.data)
    yield entries[begin:]
