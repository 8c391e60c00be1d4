"""What every phase of a bench has at hand: the server, the load, the model, and the figures so far."""

import contextlib
import datetime
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Final, Protocol

from pathbook.bench.figures import Figures, Usage
from pathbook.bench.load import Load
from pathbook.bench.model import MismatchError, Model
from pathbook.bench.moves import BRAND, CURRENCY, FIRST_PRICE_MINOR, TIERS, Goods, agents, parties
from pathbook.bench.plan import Plan
from pathbook.bench.processes import ECHO, PATHBOOK, Listener, Process
from pathbook.client import Client
from pathbook.v1.values_pb2 import PARTY_KIND_AGENT, PARTY_KIND_BRAND

BOOK: Final = "bench"
"""The book that is recorded."""

GTIN: Final = "06901234500011"
"""The product that is moved about."""

SEED: Final = 20_260_101
"""What is drawn is the same on every machine."""

VIEWS_POLL_INTERVAL_S: Final = 0.02
"""How often the server is asked whether the views know what was recorded."""

VIEWS_TIMEOUT_S: Final = 600.0
"""How long they may take."""

Progress = Callable[[str], Callable[[int, int | None], None]]
"""Given what is being done, returns what is told how much of it is done, and of how much."""

TimedPath = tuple[float, str, int]
"""A path that was asked for: how many seconds that took, who owns the unit at its end, and after how many hops."""


class Inside(Protocol):
    """What is measured inside the store, where no client reaches."""

    @property
    def kind(self) -> str:
        """What sort of database it is, such as SQLite."""

    @property
    def floors(self) -> Sequence[str]:
        """The ways in which the bare database is given rows, that which every driver has first."""

    def floor(self, way: str, book: str, rows: int, group: int) -> list[float]:
        """Write rows that hold the events of a book, in groups of so many; return the seconds of each group."""

    def paths(self, book: str, units: Sequence[tuple[int, int]]) -> list[TimedPath]:
        """Ask the queries for the paths of units (batch, number); in this order."""

    def sizes(self) -> tuple[int, int]:
        """Return how many bytes the log takes on the disk, and how many the views."""

    def rebuild(self, progress: Callable[[int, int], None]) -> int:
        """Make all views anew, with no server running; return from how many events."""


class Bench:
    """One bench. ``start`` it, and ``close`` it."""

    def __init__(self, plan: Plan, books: Path, database: str, inside: Inside, progress: Progress) -> None:
        """Measure servers on a directory of books, which are in a database if one is named (else "")."""
        self.plan, self.inside, self.progress = plan, inside, progress
        self.model = Model(parties())
        self.random = Random(SEED)  # noqa: S311 - the same goods every time, no secrets
        self.load_before = os.getloadavg()[0]
        self.figures = Figures()
        self.usage = Usage()
        self.load = Load()
        self.head = 0
        self.recorded_by: dict[int, str] = {}
        self.events = self.log_bytes = self.views_bytes = 0
        self.memory: dict[str, dict[str, int]] = {}
        self.start_seconds: list[float] = []
        self.phase, self._since = "start", time.perf_counter()
        self.took: dict[str, float] = {}
        self._books, self._database = books, database
        self._open = contextlib.ExitStack()
        self._open.callback(self.load.close)

    def doing(self, phase: str, turn: int, turns: int) -> None:
        """Note which phase takes its turn: 0 is the first."""
        now = time.perf_counter()
        self.took[self.phase] = self.took.get(self.phase, 0.0) + now - self._since
        self.phase, self._since = phase, now
        self.progress(phase)(turn + 1, turns)

    def start(self) -> None:
        """Start an echo and a server, and begin a book with everybody in it."""
        self.echo = self._open.enter_context(Listener(ECHO, self._log("echo")))
        self.start_server()
        self._register()

    def start_server(self) -> float:
        """Start a server on the books as they are, and a follower; return the seconds until the first answer."""
        began = time.perf_counter()
        books = ["--data", str(self._books)]
        # in the environment nobody else on the machine reads its password
        environment = {"PATHBOOK_DATABASE": self._database}
        serve = [*PATHBOOK, "serve", *books, "--listen", "127.0.0.1:0", "--no-follow"]
        self.server = self._open.enter_context(Listener(serve, self._log("server"), environment))
        self.client = Client(self.server.address, book=BOOK)
        if self.head:
            self.client.get_head()
        seconds = time.perf_counter() - began
        follow = [*PATHBOOK, "views", "follow", *books]
        self.follower = self._open.enter_context(Process(follow, self._log("follower"), environment))
        return seconds

    def stop_server(self) -> None:
        """Stop the server and the follower, which finish what they are doing."""
        self.client.close()
        self.load.leave(self.server.address)
        self.server.stop()
        self.follower.stop()

    def close(self) -> None:
        """End all processes."""
        self._open.close()

    @property
    def processes(self) -> dict[str, Process]:
        """What is measured, by what it is called."""
        return {"server": self.server, "follower": self.follower}

    def commission(self, goods: Goods, phase: str) -> None:
        """Make a batch of goods, in the book and in the model, for a phase that then moves them."""
        self.recorded_by[goods.batch] = phase
        made = self.client.commission_batch(
            GTIN, brand=BRAND, lot=f"L{goods.batch}", size=goods.size, made_on=_days_ago(30)
        )
        self.model.commission(goods.batch, goods.size)
        self.head += 1
        if (made.batch, made.receipt.position) != (goods.batch, self.head):
            raise MismatchError(phase, f"batch {made.batch} at {made.receipt.position}, not at {self.head}")
        self.wait_for_views()  # nobody is busy when the clock starts

    def wait_for_views(self) -> float:
        """Wait until the views know all that was recorded; return the moment (time.perf_counter)."""
        until = time.monotonic() + VIEWS_TIMEOUT_S
        while (head := self.client.get_head()).views_position < head.position:
            self.follower.require_running()
            if time.monotonic() > until:
                raise MismatchError(
                    "views", f"they stand at {head.views_position} of {head.position}, and wait"
                )
            time.sleep(VIEWS_POLL_INTERVAL_S)
        return time.perf_counter()

    def _log(self, name: str) -> Path:
        return self._books.with_name(f"{name}.log")

    def _register(self) -> None:
        client = self.client
        client.register_party(BRAND, PARTY_KIND_BRAND)
        price = (2 * FIRST_PRICE_MINOR, CURRENCY)
        client.register_product(GTIN, brand=BRAND, name="Mask", suggested_price=price)
        for tier in range(1, TIERS + 1):
            upline = agents(tier - 1)[0] if tier > 1 else BRAND
            for agent in agents(tier):
                client.register_party(agent, PARTY_KIND_AGENT)
                client.authorize_party(agent, upline=upline, tier=tier)
        self.head = client.position


def _days_ago(days: int) -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date() - datetime.timedelta(days)
