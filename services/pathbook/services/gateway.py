"""The gateway from the event loop to books and views: it runs writes and reads on threads."""

import asyncio
import functools
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Concatenate, Final, ParamSpec, TypeVar

from pathbook.ledger.book import Answer, Outcome, Preview, Submitted
from pathbook.ledger.codec.requests import ranges, ranges_alone, selection
from pathbook.ledger.codes import PrintedCode
from pathbook.ledger.commands import AnyCommand
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.queries import Insight
from pathbook.ledger.queries.fingerprints import Pause
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.reports.report import Report
from pathbook.ledger.store.database.failures import is_lost
from pathbook.ledger.store.log.event_hashes import read_event
from pathbook.ledger.store.log.incarnation import Incarnations
from pathbook.ledger.store.views.snapshot import ReportBuildingError, ViewsRebuildingError
from pathbook.ledger.values import Ranges, Selection, UnitRange
from pathbook.services.callers import CALLER
from pathbook.services.codes import Codes
from pathbook.services.loop_futures import LoopFutures
from pathbook.services.metrics import ANSWERED, Metrics
from pathbook.services.rates import Rates
from pathbook.services.storage import Storage
from pathbook.services.translate import requests
from pathbook.services.translate.statuses import CallFailedError, Failure, RefusedCallError, failed
from pathbook.services.turns import Turns, in_context
from pathbook.v1 import values_pb2

WRITE_THREADS: Final = 4
"""How many books can be looked up and loaded at once, for a first write. A loaded book needs no thread of these."""

CHECK_THREADS: Final = 2
"""How many batches of statements or single ones are read and checked at once. Few, because threads compute in turns."""

LONG_READ_PAUSE_S: Final = 0.001
"""How long a query that takes seconds lets others compute, each time that it has read some rows."""

VIEWS_WAIT_TIMEOUT_S: Final = 10.0
"""How long a read waits for the views to reach its position. They are seldom 0.1 s behind."""

MISSES: Final = (
    Reason.CODE_UNKNOWN,
    Reason.CODE_OTHER_BOOK,
    Reason.CODE_KEY_RETIRED,
    Reason.CODE_CHECK_CHARACTER,
)
"""The refusals of a code that a caller may have guessed."""

Params = ParamSpec("Params")
Result = TypeVar("Result")
Message = TypeVar("Message")
Item = TypeVar("Item")


class Gateway:
    """All services read and write through one gateway. If it raises CallFailedError, the call ends with that status."""

    def __init__(self, storage: Storage, metrics: Metrics | None = None, rates: Rates | None = None) -> None:
        self._storage = storage
        self.metrics, self._rates = metrics or Metrics(), rates or Rates()
        self._turns = Turns()
        self._write_threads = ThreadPoolExecutor(WRITE_THREADS, "writer")
        self._check_threads = ThreadPoolExecutor(CHECK_THREADS, "checker")
        self._outcomes: LoopFutures[list[Outcome]] = LoopFutures()
        # Views go back when they are rebuilt, and then a query raises ViewsRebuildingError. After a crash of
        # PostgreSQL they may lack their last commits. That ends the connections, so what was reached is forgotten.
        self._views_reached: dict[str, int] = {}
        self._losses_seen = 0
        self.codes = Codes(storage.keys, storage.queries)
        self.queries = storage.queries
        self.incarnations = Incarnations(storage.stream)

    def close(self) -> None:
        """End the threads; call this when no call is left. A read whose caller is gone is not waited for."""
        self._turns.close()
        self._write_threads.shutdown(wait=False, cancel_futures=True)
        self._check_threads.shutdown(wait=False, cancel_futures=True)

    async def write(self, book: str, command: AnyCommand) -> Answer:
        """Write a command to a book, and return the answer. Raises RefusedCallError."""
        (outcome,) = await (await self.submit(book, [command]))
        if isinstance(outcome, Refusal):
            raise RefusedCallError(outcome)
        return outcome

    async def submit(
        self, book: str, commands: Sequence[Submitted], *, all_or_nothing: bool = False
    ) -> asyncio.Future[list[Outcome]]:
        """Put commands in the book's queue. The returned future is done when the accepted ones are on disk.

        If the caller cancels its call, the commands stay in the queue. What one task submits is decided in its order.
        """
        books, call = self._storage.books, asyncio.current_task()
        if books.is_loaded(book):
            return self._outcomes.expect(
                books.submit(book, commands, all_or_nothing=all_or_nothing, lane=call)
            )
        submit = functools.partial(books.submit, book, commands, all_or_nothing=all_or_nothing, lane=call)
        return self._outcomes.expect(await in_context(self._write_threads, submit))

    async def ask(
        self,
        at_least_position: int,
        query: Callable[Concatenate[str, Params], Result | Refusal],
        book: str,
        *args: Params.args,
        **kwargs: Params.kwargs,
    ) -> Result:
        """Return the result of a query, once the views of the book have reached a position. Raises CallFailedError."""
        return await self._at(at_least_position, book, lambda: query(book, *args, **kwargs), self.run)

    async def _at(
        self,
        at_least_position: int,
        book: str,
        query: Callable[[], Result | Refusal],
        read: Callable[[Callable[[], Result | Refusal]], Awaitable[Result | Refusal]],
    ) -> Result:
        """Return the result of a query that is read in a way, once the views have reached a position."""
        self._storage.require_views()
        position = requests.position(at_least_position, "at_least_position")
        await self.wait_for_views(book, position)
        try:
            found = await read(query)
            if self._losses_seen != self.queries.losses and position:
                await self.wait_for_views(book, position)
                found = await read(query)
        except (ViewsRebuildingError, ReportBuildingError) as error:
            if (damage := self._storage.follower.damage(book)) is not None:
                raise damage.again() from None  # they will not be whole
            at = {"book": book, "position": error.position, "through": error.through}
            if isinstance(error, ReportBuildingError):
                raise failed(Failure.REPORT_BUILDING, report=error.report, **at) from None
            raise failed(Failure.VIEWS_NOT_WHOLE, **at) from None
        if isinstance(found, Refusal):
            raise RefusedCallError(found)
        return found

    async def answer(
        self,
        at_least_position: int,
        message_of: Callable[[Result], Message],
        query: Callable[Concatenate[str, Params], Result | Refusal],
        book: str,
        *args: Params.args,
        **kwargs: Params.kwargs,
    ) -> Message:
        """Return the message for the result of a query, as `ask` and `answered`."""
        return await self.ask(at_least_position, answered(query, message_of), book, *args, **kwargs)

    async def ask_reports(
        self,
        reports: Sequence[Report],
        at_least_position: int,
        book: str,
        question: Callable[[Pause], Insight[Item] | Refusal],
        *,
        is_long: bool,
    ) -> Insight[Item]:
        """Return what reports answer, once all have reached a position: in a slice, or as `ask_long` does."""
        gone = threading.Event()

        def pause() -> None:
            if is_long and gone.wait(LONG_READ_PAUSE_S):
                raise asyncio.CancelledError

        read = self._long if is_long else self.slice
        try:
            found = await self._at(at_least_position, book, lambda: question(pause), read)
            if found.position >= at_least_position:
                return found
            for report in reports:
                reached = await self.run(
                    self._storage.follower.reports.reached, report, book, at_least_position
                )
                about = {"report": report.name, "book": book, "position": at_least_position}
                await _in_time(reached, Failure.REPORT_BEHIND, **about)
            return await self._at(at_least_position, book, lambda: question(pause), read)
        finally:
            gone.set()

    async def ask_long(
        self,
        at_least_position: int,
        query: Callable[..., Result | Refusal],
        book: str,
        *args: object,
    ) -> Result:
        """Return the result of a query that may take seconds, as `ask`. Such queries wait for each other.

        The query gets a function as its last argument, which it calls every few milliseconds. It lets other threads
        compute, and ends the query if its caller is gone.
        """
        gone = threading.Event()

        def pause() -> None:
            if gone.wait(LONG_READ_PAUSE_S):
                raise asyncio.CancelledError

        try:
            return await self._at(at_least_position, book, lambda: query(book, *args, pause), self._long)
        finally:
            gone.set()

    async def run(
        self, work: Callable[Params, Result], *args: Params.args, **kwargs: Params.kwargs
    ) -> Result:
        """Run a function that reads on a reader's thread, and return its result.

        If it loses its connection to the database on the way, it is run once more, on a fresh one.
        """
        return await _again_if_lost(self._turns.small, functools.partial(work, *args, **kwargs))

    async def check(
        self, work: Callable[Params, Result], *args: Params.args, **kwargs: Params.kwargs
    ) -> Result:
        """Run a function that checks what was signed on a thread, and return its result. It may read, as in `run`."""
        turn = functools.partial(in_context, self._check_threads)
        return await _again_if_lost(turn, functools.partial(work, *args, **kwargs))

    async def slice(
        self, work: Callable[Params, Result], *args: Params.args, **kwargs: Params.kwargs
    ) -> Result:
        """Run a slice of a bulk read when it is its turn, and return its result. See `Turns`."""
        return await _again_if_lost(self._turns.slice, functools.partial(work, *args, **kwargs))

    async def _long(self, work: Callable[[], Result]) -> Result:
        """Run a read that may take seconds, and return its result. Such reads wait for each other."""
        return await _again_if_lost(self._turns.long, work)

    async def small_reads_first(self) -> None:
        """Wait for the small reads that have begun. A stream of many answers waits so before each of them."""
        await self._turns.small_reads_first()

    def event(self, book: str, position: int) -> RecordedEvent | None:
        """Return the event at a position, on a thread that reads, or None if there is none."""
        return next(
            (read_event(book, entry) for entry in self._storage.stream.read(book, position - 1, 1)), None
        )

    async def head(self, book: str) -> int:
        """Return the last position of a book. Raises RefusedCallError if there is no such book."""
        head = await self.run(self._storage.stream.head, book)
        if head == 0:
            raise RefusedCallError(refuse(Reason.BOOK_UNKNOWN, book=book))
        return head

    def origin(self, book: str) -> str:
        """Return the origin of a book, on a thread that reads. Raises RefusedCallError if there is no such book."""
        found = self.queries.book(book)
        if isinstance(found, Refusal):
            raise RefusedCallError(found)
        return found.opened.origin

    async def incarnation(self, book: str) -> str:
        """Return the incarnation of a book that has an event."""
        return (await self.run(self.incarnations.of, book)).present

    async def require_history(self, book: str, incarnation: str, after: int) -> None:
        """Refuse to go on after a position that the present incarnation of a book does not share with another one.

        Raises:
            CallFailedError: what the caller has read is another history from some position on.
        """
        if not incarnation:
            return
        shared = (await self.run(self.incarnations.of, book)).shared_with(incarnation)
        if shared is not None and after > shared:
            raise failed(Failure.ANOTHER_HISTORY, book=book, incarnation=incarnation, shared_position=shared)

    async def views_position(self, book: str) -> int:
        """Return the position that the views of a book have reached."""
        return await self.run(self._storage.follower.position, book)

    async def wait_for_views(self, book: str, position: int) -> None:
        """Wait until the views have reached a position.

        Raises:
            CallFailedError: the views do not reach it in time, or the book has no such position.
        """
        if self._losses_seen != (losses := self.queries.losses):
            self._losses_seen = losses
            self._views_reached.clear()
        if position <= self._views_reached.get(book, 0):
            return
        requests.within(book, position, await self.head(book))
        reached = await self.run(self._storage.follower.reached, book, position)
        self._views_reached[book] = await _in_time(
            reached, Failure.VIEWS_BEHIND, book=book, position=position
        )

    async def selection(self, book: str, message: values_pb2.Selection) -> Selection:
        """Return the selection in a message, with ranges in place of its codes. Raises CallFailedError."""
        if (alone := ranges_alone(message)) is not None:
            return Selection(ranges(alone))
        coded = await self.ranges(book, message.codes) if message.codes else ()
        return selection(message, coded)

    async def preview(
        self, at_least_position: int, book: str, owner: str, message: values_pb2.Selection
    ) -> Preview:
        """Return the units that a selection means to a transfer of an owner now. Raises CallFailedError."""
        position = requests.position(at_least_position, "at_least_position")
        units = await self.selection(book, message)
        self._storage.require_views()
        found = await self.slice(self._storage.previews.units, book, owner, units)
        if isinstance(found, Refusal):
            raise RefusedCallError(found)
        requests.within(book, position, found.position)
        return found

    async def ranges(self, book: str, codes: Sequence[str]) -> Ranges:
        """Return the units that printed codes name, as one range for each code. Raises CallFailedError."""
        return tuple(
            [UnitRange(code.batch, code.number, code.number) for code in await self.opened(book, codes)]
        )

    async def opened(self, book: str, codes: Sequence[str]) -> tuple[PrintedCode, ...]:
        """Return printed codes as read. Each was made for a unit of the book. Raises CallFailedError."""
        return await self.ask_by_code(0, self.codes.open, book, codes) if codes else ()

    async def ask_by_code(
        self,
        at_least_position: int,
        query: Callable[Concatenate[str, Params], Result | Refusal],
        book: str,
        *args: Params.args,
        **kwargs: Params.kwargs,
    ) -> Result:
        """Return the result of a query about printed codes. Raises CallFailedError.

        A batch that was just commissioned may not be in the views yet. So a code is unknown only at the head. A caller
        that asked for too many codes that were never printed gets no answer, whatever it asks.
        """
        caller = CALLER.get()
        self._rates.require_question(caller)
        try:
            try:
                return await self.ask(at_least_position, query, book, *args, **kwargs)
            except RefusedCallError as refused:
                if refused.refusal.reason is not Reason.CODE_UNKNOWN:
                    raise
            return await self.ask(await self.head(book), query, book, *args, **kwargs)
        except RefusedCallError as refused:
            if refused.refusal.reason in MISSES:
                self._rates.missed(caller)
            raise

    async def verified(self, answer: Awaitable[Result]) -> Result:
        """Return the answer to a question about a printed code, and count what came of it. Raises as the answer."""
        try:
            found = await answer
        except CallFailedError as error:
            self.metrics.verified(error.reason)
            raise
        self.metrics.verified(ANSWERED)
        return found


async def _again_if_lost(
    turn: Callable[[Callable[[], Result]], Awaitable[Result]], work: Callable[[], Result]
) -> Result:
    """Do some work in its turn, and once more, on a fresh connection, if it lost the one to the database."""
    try:
        return await turn(work)
    except Exception as error:
        if not is_lost(error):
            raise
    return await turn(work)


async def _in_time(reached: Future[int], late: Failure, **about: object) -> int:
    """Return the position that views or a report have reached. Raises CallFailedError if they do not in time."""
    try:
        async with asyncio.timeout(VIEWS_WAIT_TIMEOUT_S):
            return await asyncio.wrap_future(reached)
    except TimeoutError:
        raise failed(late, seconds=VIEWS_WAIT_TIMEOUT_S, **about) from None


def answered(
    query: Callable[Concatenate[str, Params], Result | Refusal], message_of: Callable[[Result], Message]
) -> Callable[Concatenate[str, Params], Message | Refusal]:
    """Return a query that returns the message for the result of another one.

    So the message is made on a reader's thread, too. A page has up to a thousand entries, and to make their messages
    takes longer than the loop may be kept.
    """

    def ask(book: str, /, *args: Params.args, **kwargs: Params.kwargs) -> Message | Refusal:
        found = query(book, *args, **kwargs)
        return found if isinstance(found, Refusal) else message_of(found)

    return ask
