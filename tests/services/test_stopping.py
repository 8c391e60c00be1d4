"""A server that is told to stop ends in a bounded time, however busy it is, and loses nothing that it acknowledged."""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from grpc import StatusCode

from pathbook.client import Client, RefusedError, UnreachableError, select
from pathbook.ledger.book import BookStoppingError
from pathbook.services.clock import MachineClock, now
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import DRAIN_TIMEOUT_S, Settings
from pathbook.services.run.signals import END_TIMEOUT_S
from pathbook.v1.transfers_pb2 import RecordTransferRequest
from pathbook.v1.values_pb2 import PARTY_KIND_AGENT, Price
from tests.books import BEGINNING, PATIENCE, PausableClock, ask, open_books, positions, record
from tests.services.masks import BEGUN, BOOK, begin, moved
from tests.services.process import ServerProcess, followed, served

PIECES = 4_000
"""In how many single boxes a batch lies: a quantity of it takes a while to decide."""

CALLERS = 4
BATCHES = 4
ENTRIES = 500
SMALL_WRITES = 10

STOP_SECONDS = DRAIN_TIMEOUT_S + END_TIMEOUT_S
"""How long a server may take to stop. The commands of these tests would take the writer a multiple of it."""

MARGIN_SECONDS = 10
"""How much longer a test waits, because the machine may be busy."""


def scattered(client: Client) -> None:
    """Begin the book with a batch of which acme owns every other box."""
    begin(client, 2 * PIECES)
    every_other = select(ranges=[(1, number, number) for number in range(0, 2 * PIECES, 2)])
    client.record_transfer(giver="acme", receiver="ann", units=every_other, unit_price=(1, "CNY"))


def slow_batches(caller: int) -> Iterator[list[RecordTransferRequest]]:
    """Yield batches of requests that are legal, take long to decide, and are refused in the end."""
    more_than_there_are = select(quantities=[(PIECES + 1, 1)])
    for batch in range(BATCHES):
        yield [
            RecordTransferRequest(
                request_id=f"slow {caller} {batch} {entry}",
                giver="acme",
                receiver="ann",
                units=more_than_there_are,
                unit_price=Price(amount_minor=1, currency_code="CNY"),
            )
            for entry in range(ENTRIES)
        ]


def keep_busy(target: str, caller: int) -> str:
    """Send slow batches, and return the reason why they were not answered, "" if they were."""
    with Client(target, book=BOOK, retry_seconds=0) as client:
        try:
            return "" if list(client.record_transfers(slow_batches(caller))) else "nothing"
        except RefusedError as refusal:
            return f"{refusal.code.name}: {refusal.reason}"


def wait_until_busy(server: ServerProcess) -> int:
    """Return when small writes are answered between the slow ones, and how many were answered."""
    with Client(server.target, book=BOOK, retry_seconds=0, timeout=5) as client:
        for number in range(SMALL_WRITES):
            try:
                client.register_party(f"late-{number}", PARTY_KIND_AGENT)
            except UnreachableError:
                return number
    return SMALL_WRITES


@pytest.mark.parametrize("options", [(), pytest.param(("--workers", "2"), marks=pytest.mark.heavy)])
def test_a_busy_server_ends_in_time(options: tuple[str, ...], tmp_path: Path) -> None:
    """After SIGTERM a server with minutes of work in its queue ends in time, says so to callers, and loses nothing."""
    place = tmp_path / "data"
    with (
        ThreadPoolExecutor(CALLERS) as threads,
        served(place, 0, *options) as server,
        Client(server.target, book=BOOK) as client,
    ):
        scattered(client)
        last = moved(client, 1, 1)
        busy = [threads.submit(keep_busy, server.target, caller) for caller in range(CALLERS)]
        acknowledged = last + wait_until_busy(server)
        server.stop()
        assert server.wait(STOP_SECONDS * (2 if options else 1) + MARGIN_SECONDS) == 0
        told = {future.result(PATIENCE) for future in busy}
        # a machine that is very busy may end calls before their answers are sent
        assert "UNAVAILABLE: SERVER_STOPPING" in told
        assert "" not in told
    with served(place) as again, Client(again.target, book=BOOK) as client:
        head = client.get_head().position
        # the last small write may have been recorded without an answer
        assert head in {acknowledged, acknowledged + 1}
        assert client.get_path((1, 1)).steps[-1].position == last


@pytest.mark.parametrize("options", [(), pytest.param(("--workers", "2"), marks=pytest.mark.heavy)])
@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.heavy)])
def test_a_second_signal_ends_a_server_at_once(
    number: signal.Signals, options: tuple[str, ...], tmp_path: Path
) -> None:
    """A server that is told to stop twice ends by the signal, and does not wait for its calls."""
    with (
        ThreadPoolExecutor(1) as threads,
        served(tmp_path / "data", 0, *options) as server,
        Client(server.target, book=BOOK) as client,
    ):
        scattered(client)
        busy = threads.submit(keep_busy, server.target, 0)
        wait_until_busy(server)
        server.stop(number)
        server.wait_for("stopping")
        server.stop(number)
        assert server.wait() == -number
        with pytest.raises(UnreachableError):
            busy.result(PATIENCE)
        # of two workers, the one without calls may have stopped before
        assert options or all(entry["event"] != "stopped" for entry in server.entries())


def test_a_follower_that_is_told_to_stop_ends(tmp_path: Path) -> None:
    """`views follow` ends with exit code 0 on SIGTERM while a server goes on to write."""
    place = tmp_path / "data"
    with served(place, 0, "--no-follow") as server, Client(server.target, book=BOOK) as client:
        begin(client)
        with followed(place) as follower:
            follower.wait_for("following")
            moved(client, 0, 0)
            assert follower.terminate() == 0
        assert client.get_head().position == BEGUN + 1


class StuckClock:
    """A clock that can be made to answer no writer any more, as a disk or a database that hangs."""

    def __init__(self) -> None:
        self.stuck, self.waits, self.goes_on = threading.Event(), threading.Event(), threading.Event()

    def read(self) -> int:
        """Return the time, or wait if this is a writer."""
        if self.stuck.is_set() and threading.current_thread().name.startswith("writer of"):
            self.waits.set()
            self.goes_on.wait()
        return now()


def test_a_writer_that_hangs_does_not_keep_its_server_from_stopping(data: Path) -> None:
    """A server whose writer does not come back stops, and its caller is told to retry."""
    clock = StuckClock()
    settings = Settings(data=data, listen="127.0.0.1:0", drain_seconds=0.1)
    with ThreadPoolExecutor(1) as threads, contextlib.ExitStack() as server:
        port = server.enter_context(running(settings, clock=MachineClock(wall=clock.read)))
        with Client(f"127.0.0.1:{port}", book=BOOK, retry_seconds=0) as client:
            begin(client)
            clock.stuck.set()
            written = threads.submit(moved, client, 0, 0)
            assert clock.waits.wait(PATIENCE)
            server.close()
            with pytest.raises(UnreachableError) as error:
                written.result(PATIENCE)
        assert error.value.code is StatusCode.UNAVAILABLE
    (closing,) = (thread for thread in threading.enumerate() if thread.name == "closing")
    clock.goes_on.set()
    closing.join(PATIENCE)


def test_books_that_give_up_record_nothing_more(place: Path) -> None:
    """What is being decided and what is queued fails, nothing of it is recorded, and what was answered stays."""
    clock = PausableClock()
    with open_books(place, clock) as opened:
        ask(opened, *BEGINNING)
        clock.running.clear()
        reads = clock.reads
        decided = opened.submit(BOOK, [record("5")])
        while clock.reads == reads:
            time.sleep(0.01)
        queued = opened.submit(BOOK, [record("6"), record("7")], all_or_nothing=True)
        opened.give_up()
        clock.running.set()
        for late in (decided, queued, opened.submit(BOOK, [record("8")])):
            with pytest.raises(BookStoppingError):
                late.result(PATIENCE)
    with open_books(place) as again:
        assert positions(ask(again, record("6"))) == [len(BEGINNING) + 1]
