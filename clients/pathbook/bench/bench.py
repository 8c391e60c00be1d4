"""The state that all phases of a bench share: the server, the load, the model, and the figures so far."""

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
from pathbook.client import Client, FailureReason, RefusedError, Signer
from pathbook.v1.events_pb2 import Event
from pathbook.v1.values_pb2 import PARTY_KIND_AGENT, PARTY_KIND_BRAND

BOOK: Final = "bench"
"""The name of the book that is recorded."""

GTIN: Final = "06901234500011"
"""The product whose units are moved."""

SEED: Final = 20_260_101
"""The seed of all random choices, so that they are the same on every machine."""

VIEWS_POLL_INTERVAL_S: Final = 0.02
"""How often the bench asks the server for the position of the views."""

VIEWS_TIMEOUT_S: Final = 600.0
"""How long the views may take to reach the head."""

Progress = Callable[[str], Callable[[int, int | None], None]]
"""A function that takes the name of a task and returns a callback for its progress: (done, total or None)."""

TimedPath = tuple[float, str, int]
"""The result of a query for a path: the seconds it took, the owner at its end, and the number of hops."""


Followed = tuple[list[float], dict[str, str]]
"""What it took to follow a book: the seconds of each group, and fingerprints of what is kept, by its name."""


class Inside(Protocol):
    """Measurements inside the store, which a client cannot make."""

    @property
    def kind(self) -> str:
        """The kind of database, such as SQLite."""

    @property
    def floors(self) -> Sequence[str]:
        """The ways to write rows to the bare database. The first is the one that every driver has."""

    def floor(self, way: str, book: str, rows: int, group: int) -> list[float]:
        """Write rows that hold the events of a book, in groups of this size; return the seconds of each group."""

    def paths(self, book: str, units: Sequence[tuple[int, int]]) -> list[TimedPath]:
        """Query the paths of units (batch, number), in this order."""

    def proofs(self, book: str, unit: tuple[int, int], count: int) -> list[float]:
        """Make the proof of a unit (batch, number) this often; return the CPU seconds of each."""

    def follow(self, book: str, events: int, group: int, *, with_reports: bool) -> Followed:
        """Follow a copy of the first events of a book as it grows by groups, in a place that is removed."""

    def follow_apart(self, book: str, events: int, group: int) -> tuple[float, float, dict[str, str]]:
        """Follow a copy of the first events of a book in groups while another process builds the reports.

        Return the seconds until the views have them, those until the reports do, too, and the fingerprints.
        """

    def certificate(self, directory: Path) -> tuple[Path, Path]:
        """Make a certificate for 127.0.0.1; return its file and that of its key, in PEM."""

    def sizes(self) -> tuple[int, int]:
        """Return how many bytes the log takes on the disk, and how many the views take."""

    def rebuild(self, progress: Callable[[int, int], None]) -> int:
        """Rebuild all views while no server runs; return from how many events."""


class Bench:
    """One run of the bench. ``start`` it, and ``close`` it at the end."""

    def __init__(self, plan: Plan, books: Path, database: str, inside: Inside, progress: Progress) -> None:
        """Prepare to measure servers on a directory of books. The books are in the database, if one is named."""
        self.plan, self.inside, self.progress = plan, inside, progress
        self.model = Model(parties())
        self.random = Random(SEED)  # noqa: S311 - the choices must repeat, and are no secrets
        self.load_before = os.getloadavg()[0]
        self.figures = Figures()
        self.usage = Usage()
        self.load = Load()
        self.head = 0
        self.phase_of_batch: dict[int, str] = {}
        self.scattered: list[tuple[int, int]] = []
        self.seals = False
        self.brand_key: Signer | None = None
        self.proof_bytes: dict[str, int] = {}
        self.events = self.log_bytes = self.views_bytes = 0
        self.memory: dict[str, dict[str, int]] = {}
        self.start_seconds: list[float] = []
        self.phase, self._since = "start", time.perf_counter()
        self.phase_seconds: dict[str, float] = {}
        self.books = books
        # other users of the machine cannot read the environment, which may hold a password
        self._environment = {"PATHBOOK_DATABASE": database}
        self._open = contextlib.ExitStack()
        self._open.callback(self.load.close)

    def begin_phase(self, phase: str, turn: int, turns: int) -> None:
        """Note that a phase begins its turn; the first turn is 0."""
        now = time.perf_counter()
        self.phase_seconds[self.phase] = self.phase_seconds.get(self.phase, 0.0) + now - self._since
        self.phase, self._since = phase, now
        self.progress(phase)(turn + 1, turns)

    def start(self) -> None:
        """Start an echo and a server, and open a book with all parties."""
        self.echo = self._open.enter_context(Listener(ECHO, self._log("echo")))
        self.start_server()
        self._register()

    def start_server(self) -> float:
        """Start a server, a follower, and what builds reports; return the seconds until the server's first answer."""
        began = time.perf_counter()
        self.server = self.serve("server", "--open")
        self.client = Client(self.server.address, book=BOOK)
        if self.head:
            self.client.get_head()
        seconds = time.perf_counter() - began
        self.start_follower(seals=False)
        self.reports = self._follow("reports", "--only-reports")
        return seconds

    def serve(self, name: str, *options: str) -> Listener:
        """Start a server on the books, which does not update the views."""
        serve = [
            *PATHBOOK,
            "serve",
            "--data",
            str(self.books),
            "--listen",
            "127.0.0.1:0",
            "--no-follow",
            *options,
        ]
        return self._open.enter_context(Listener(serve, self._log(name), self._environment))

    def start_follower(self, *, seals: bool) -> float:
        """Start a follower, which seals the book too, if asked to. Return the time (time.perf_counter)."""
        self.seals, now = seals, time.perf_counter()
        self.follower = self._follow("follower", "--no-reports", *([] if seals else ["--no-seal"]))
        return now

    def _follow(self, name: str, *options: str) -> Process:
        """Start a process that follows the books."""
        follow = [*PATHBOOK, "views", "follow", "--data", str(self.books), *options]
        return self._open.enter_context(Process(follow, self._log(name), self._environment))

    def stop_server(self) -> None:
        """Stop the server and what follows it. They finish open calls and transactions first."""
        self.client.close()
        self.load.disconnect(self.server.address)
        self.server.stop()
        self.follower.stop()
        self.reports.stop()

    def close(self) -> None:
        """End all processes."""
        self._open.close()

    @property
    def processes(self) -> dict[str, Process]:
        """The measured processes, by name."""
        return {"server": self.server, "follower": self.follower, "reports": self.reports}

    def commission(self, goods: Goods, phase: str, client: Client | None = None) -> None:
        """Commission the batch of goods that a phase will move, in the book and in the model, by a client if named."""
        self.phase_of_batch[goods.batch] = phase
        made = (
            (client or self.client)
            .with_options(signer=self.brand_key)
            .commission_batch(GTIN, brand=BRAND, lot=f"L{goods.batch}", size=goods.size, made_on=days_ago(30))
        )
        self.model.commission(goods.batch, goods.size)
        self.head += 1
        if (made.batch, made.receipt.position) != (goods.batch, self.head):
            raise MismatchError(
                phase,
                f"batch {made.batch} was recorded at position {made.receipt.position},"
                f" not batch {goods.batch} at {self.head}",
            )
        self.wait_for_views()  # so that the follower is idle when the clock starts

    def wait_for_views(self, client: Client | None = None) -> float:
        """Wait until the views of a book have reached its head; return the time of that (time.perf_counter)."""
        until, asked = time.monotonic() + VIEWS_TIMEOUT_S, client or self.client
        while (head := asked.get_head()).views_position < head.position:
            self.follower.require_running()
            if time.monotonic() > until:
                raise MismatchError(
                    "views",
                    f"they reached only position {head.views_position} of {head.position}"
                    f" in {VIEWS_TIMEOUT_S:.0f} s",
                )
            time.sleep(VIEWS_POLL_INTERVAL_S)
        return time.perf_counter()

    def wait_for_seal(self) -> float:
        """Wait until the checkpoint of a seal has all events; return the time of that (time.perf_counter).

        The head is that seal then.
        """
        until = time.monotonic() + VIEWS_TIMEOUT_S
        while (head := self.client.get_head().position) != self._sealed() or not self._is_covered(head):
            self.follower.require_running()
            if time.monotonic() > until:
                raise MismatchError("seals", f"position {head} is not sealed in {VIEWS_TIMEOUT_S:.0f} s")
            time.sleep(VIEWS_POLL_INTERVAL_S)
        self.head = head
        return time.perf_counter()

    def _is_covered(self, head: int) -> bool:
        """Tell whether the head is a seal of all events before it but other seals."""
        (batch,) = self.client.read(head - 1, limit=1)
        last = Event.FromString(batch.events[0])
        newer = (
            self.client.read(last.sealed.covers, limit=head - last.sealed.covers)
            if last.sealed.covers
            else ()
        )
        kinds = {Event.FromString(data).WhichOneof("kind") for batch in newer for data in batch.events}
        return kinds == {"sealed"}

    def _sealed(self) -> int:
        """Return the size of the newest checkpoint, 0 if there is none."""
        try:
            return self.client.get_checkpoint().size
        except RefusedError as refused:
            if refused.reason != FailureReason.CHECKPOINT_MISSING:
                raise
            return 0

    def _log(self, name: str) -> Path:
        return self.books.with_name(f"{name}.log")

    def _register(self) -> None:
        register(self.client)
        self.head = self.client.position


def register(client: Client) -> None:
    """Open a client's book, with all parties of the bench and the product whose units are moved."""
    client.open_book()
    client.register_party(BRAND, PARTY_KIND_BRAND)
    price = (2 * FIRST_PRICE_MINOR, CURRENCY)
    client.register_product(GTIN, brand=BRAND, name="Mask", suggested_price=price)
    for tier in range(1, TIERS + 1):
        upline = agents(tier - 1)[0] if tier > 1 else BRAND
        for agent in agents(tier):
            client.register_party(agent, PARTY_KIND_AGENT)
            client.authorize_party(agent, upline=upline, tier=tier)


def days_ago(days: int) -> datetime.date:
    """Return the day that was so many days ago."""
    return datetime.datetime.now(datetime.UTC).date() - datetime.timedelta(days)
