"""The book's gateway for the event loop: writes, and reads that know at least a position, on threads of their own."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Concatenate, Final, ParamSpec, TypeVar

from pathbook.ledger.book import Answer, Outcome, Submitted
from pathbook.ledger.commands import Command
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.store.views.snapshot import ViewsRebuildingError
from pathbook.ledger.values import Ranges, Selection, Unit, UnitRange
from pathbook.services.codes import Codes
from pathbook.services.loop_futures import LoopFutures
from pathbook.services.storage import Storage
from pathbook.services.translate import requests
from pathbook.services.translate.statuses import Failure, RefusedCallError, failed
from pathbook.v1 import values_pb2

READ_THREADS: Final = 8
"""How many queries run at once; a path takes less than a millisecond, and more threads would only wait."""

WRITE_THREADS: Final = 4
"""How many books at once are looked for that were not written to before; others are handed their writes at once."""

VIEWS_WAIT_TIMEOUT_S: Final = 10.0
"""How long a read waits for views that do not know the position it asks for: they are seldom 0.1 s behind."""

Asked = ParamSpec("Asked")
Found = TypeVar("Found")


class Gateway:
    """Every service asks and writes through these. What raises CallFailedError ends the call with that status."""

    def __init__(self, directory: Storage) -> None:
        self._storage = directory
        self._reading = ThreadPoolExecutor(READ_THREADS, "reader")
        self._writing = ThreadPoolExecutor(WRITE_THREADS, "writer")
        self._written: LoopFutures[list[Outcome]] = LoopFutures()
        self._known: dict[str, int] = {}  # views never go back, but to be made anew, and then they say so
        self.codes = Codes(directory.key, directory.queries)
        self.queries = directory.queries

    def close(self) -> None:
        """Let the threads go, when no call is left."""
        self._reading.shutdown()
        self._writing.shutdown()

    async def write(self, book: str, command: Command) -> Answer:
        """Return what the book recorded. Raises RefusedCallError."""
        (outcome,) = await (await self.submit(book, [command]))
        if isinstance(outcome, Refusal):
            raise RefusedCallError(outcome)
        return outcome

    async def submit(
        self, book: str, commands: Sequence[Submitted], *, all_or_nothing: bool = False
    ) -> asyncio.Future[list[Outcome]]:
        """Put commands in the book's queue; what returns is done when what was accepted of them is on disk.

        A caller who goes away does not take them out of the queue again.
        """
        library = self._storage.library
        if library.is_open(book):
            return self._written.expect(library.submit(book, commands, all_or_nothing=all_or_nothing))
        outcomes = await self._run(
            self._writing, library.submit, book, commands, all_or_nothing=all_or_nothing
        )
        return self._written.expect(outcomes)

    async def ask(
        self,
        at_least_position: int,
        query: Callable[Concatenate[str, Asked], Found | Refusal],
        book: str,
        *args: Asked.args,
        **kwargs: Asked.kwargs,
    ) -> Found:
        """Return what a query finds in the views of a book that know at least a position. Raises CallFailedError."""
        await self.known(book, requests.position(at_least_position, "at_least_position"))
        try:
            found = await self.run(query, book, *args, **kwargs)
        except ViewsRebuildingError as views:
            raise failed(
                Failure.VIEWS_NOT_WHOLE, book=book, position=views.position, through=views.through
            ) from None
        if isinstance(found, Refusal):
            raise RefusedCallError(found)
        return found

    async def run(self, work: Callable[Asked, Found], *args: Asked.args, **kwargs: Asked.kwargs) -> Found:
        """Return what some work on a reader's thread returns."""
        return await self._run(self._reading, work, *args, **kwargs)

    async def head(self, book: str) -> int:
        """Return the last position of a book. Raises RefusedCallError for a book that has none."""
        head = await self.run(self._storage.stream.head, book)
        if head == 0:
            raise RefusedCallError(refuse(Reason.BOOK_UNKNOWN, book=book))
        return head

    async def views_position(self, book: str) -> int:
        """Return the position that the views of a book stand at."""
        return await self.run(self._storage.follower.position, book)

    async def known(self, book: str, position: int) -> None:
        """Wait until the views know a position. Raises CallFailedError for one that the book does not have."""
        if position <= self._known.get(book, 0):
            return
        requests.within(book, position, await self.head(book))
        reached = await self.run(self._storage.follower.reached, book, position)
        try:
            async with asyncio.timeout(VIEWS_WAIT_TIMEOUT_S):
                self._known[book] = await asyncio.wrap_future(reached)
        except TimeoutError:
            raise failed(
                Failure.VIEWS_BEHIND, book=book, position=position, seconds=VIEWS_WAIT_TIMEOUT_S
            ) from None

    async def selection(self, book: str, message: values_pb2.Selection) -> Selection:
        """Return which units a message names, with ranges in place of its codes. Raises CallFailedError."""
        coded = await self.ranges(book, message.codes) if message.codes else ()
        return requests.selection(message, coded)

    async def ranges(self, book: str, codes: Sequence[str]) -> Ranges:
        """Return the units that printed codes name, one range each. Raises CallFailedError."""
        return tuple(
            [UnitRange(unit.batch, unit.number, unit.number) for unit in await self.units(book, codes)]
        )

    async def units(self, book: str, codes: Sequence[str]) -> tuple[Unit, ...]:
        """Return the units that printed codes name. Raises CallFailedError."""
        if not codes:
            return ()
        try:
            return await self.ask(0, self.codes.open, book, codes)
        except RefusedCallError as refused:
            if refused.refusal.reason is not Reason.CODE_UNKNOWN:
                raise
        # a batch that was commissioned a moment ago may not be in the views yet
        return await self.ask(await self.head(book), self.codes.open, book, codes)

    async def _run(
        self,
        threads: ThreadPoolExecutor,
        work: Callable[Asked, Found],
        *args: Asked.args,
        **kwargs: Asked.kwargs,
    ) -> Found:
        return await asyncio.get_running_loop().run_in_executor(threads, lambda: work(*args, **kwargs))
