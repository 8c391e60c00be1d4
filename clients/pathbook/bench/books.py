"""How writes grow over books: transfers to one book, to several at one server, and to several at a server each."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from pathbook.bench import checks, moves
from pathbook.bench.bench import GTIN, SEED, days_ago, register
from pathbook.bench.load import Load, Stream
from pathbook.bench.model import MismatchError, Model
from pathbook.bench.moves import BRAND, Goods, parties
from pathbook.bench.plan import MOST_ENTRIES
from pathbook.bench.processes import PATHBOOK, Listener, Process
from pathbook.bench.recording import RECORD_MANY, USUAL
from pathbook.client import Client, RefusedError
from pathbook.client.options import BATCHES_AHEAD

PHASE: Final = "transfers to several books"
"""The name of the phase, in messages."""


class Spread(NamedTuple):
    """The transfers that were recorded in so many books at once, at so many servers of one store.

    Attributes:
        servers: how many, each a process of its own.
        books: how many. Each is written by one caller.
        transfers: how many in all.
        seconds: from the first request to the last answer.
    """

    servers: int
    books: int
    transfers: int
    seconds: float

    @property
    def per_second(self) -> float:
        """The transfers of all books in a second."""
        return self.transfers / self.seconds


class _Book(NamedTuple):
    """A book that is written: a client of its server, what is moved, and who owns what."""

    client: Client
    target: str
    goods: Goods
    model: Model


class BooksBench:
    """Measures writes to books of a directory, or of a database if one is named."""

    def __init__(self, directory: Path, database: str, transfers: int) -> None:
        """Prepare to record so many transfers in each book."""
        self._directory, self._transfers = directory, transfers
        # other users of the machine cannot read the environment, which may hold a password
        self._environment = {"PATHBOOK_DATABASE": database}
        self._random = Random(SEED)  # noqa: S311 - the choices must repeat, and are no secrets

    def run(self, books: int, progress: Callable[[int, int | None], None]) -> list[Spread]:
        """Measure one book, then several at one server, and at a server for each. Every owner is checked.

        Raises:
            MismatchError: the result differs from the model, or the server refused a valid request.
            pathbook.client.UnreachableError: a server no longer answers.
            OSError: a process could not be started, or has ended.
        """
        plans = [(1, 1), (1, books), (books, books)] if books > 1 else [(1, 1)]
        found: list[Spread] = []
        for servers, count in plans:
            try:
                found.append(self._measure(servers, count))
            except RefusedError as error:
                message = f"the server refused what the model allows: {error}"
                raise MismatchError(PHASE, message) from error
            progress(len(found), len(plans))
        return found

    def _measure(self, servers: int, count: int) -> Spread:
        with self._serving(servers) as targets, contextlib.ExitStack() as stack:
            written = [
                self._begin(stack, targets[number % servers], f"bench-{servers}-{count}-{number}")
                for number in range(count)
            ]
            streams = [
                Stream(book.target, RECORD_MANY, self._requests(book), BATCHES_AHEAD) for book in written
            ]
            with contextlib.closing(Load()) as load:
                seconds, answers = load.streams(streams)
            for book, found in zip(written, answers, strict=True):
                receipts = checks.receipts_of_batches(PHASE, found)
                before = book.client.position
                head = checks.recorded(PHASE, book.model, book.goods.moves, receipts, before)
                book.client.position = head
                checks.stock(book.model, book.client, head, {book.goods.batch: PHASE})
        return Spread(servers, count, count * self._transfers, seconds)

    def _requests(self, book: _Book) -> list[bytes]:
        return moves.batched(book.client.book, book.goods.moves, MOST_ENTRIES, self._random)

    def _begin(self, stack: contextlib.ExitStack, target: str, name: str) -> _Book:
        client, model = stack.enter_context(Client(target, book=name)), Model(parties())
        register(client)
        goods = moves.draw(self._random, model.next_batch, USUAL, self._transfers)
        client.commission_batch(GTIN, brand=BRAND, lot="L1", size=goods.size, made_on=days_ago(30))
        model.commission(goods.batch, goods.size)
        return _Book(client, target, goods, model)

    @contextlib.contextmanager
    def _serving(self, servers: int) -> Iterator[list[str]]:
        """Run servers and what follows them on the books, and yield the addresses of the servers."""
        data = ["--data", str(self._directory)]
        serve = [*PATHBOOK, "serve", *data, "--listen", "127.0.0.1:0", "--no-follow", "--open"]
        with contextlib.ExitStack() as stack:
            listening = [
                stack.enter_context(Listener(serve, self._log(f"server-{number}"), self._environment))
                for number in range(servers)
            ]
            for name, options in (
                ("follower", ["--no-reports", "--no-seal"]),
                ("reports", ["--only-reports"]),
            ):
                follow = [*PATHBOOK, "views", "follow", *data, *options]
                stack.enter_context(Process(follow, self._log(name), self._environment))
            yield [server.address for server in listening]

    def _log(self, name: str) -> Path:
        return self._directory.with_name(f"{name}.log")
