"""Deadlines that pass while a server is away or idle: the offers lapse without a write."""

import datetime
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from pathbook.client import Client
from pathbook.ledger.codec import decode
from pathbook.ledger.events import RecordedEvent, TransferLapsed
from pathbook.ledger.store.log.stream import Stream
from pathbook.v1.values_pb2 import TRANSFER_STATUS_LAPSED
from tests.books import PATIENCE, engine
from tests.services.masks import BEGUN, begin, boxes, yuan
from tests.services.process import Running, ServerProcess, followed, kill, served

BOOKS = ("masks", "gloves")
SECOND_US = 1_000_000
OFFER = BEGUN + 1
"""The position of the offer in each book."""

TIMELY_S = 5.0
"""How late an offer may lapse here. It is due within a second, but the machine may be busy."""


def offer(target: str, deadline: Callable[[], int]) -> int:
    """Begin books, with an offer in each, and wait until the views hold the offers. Return when they lapse.

    The deadline is asked for once the books are there, because a busy machine takes long for them.
    """
    for book in BOOKS:
        with Client(target, book=book) as client:
            begin(client)
    lapse = deadline()
    for book in BOOKS:
        with Client(target, book=book) as client:
            offered = client.offer_transfer(
                giver="acme",
                receiver="ann",
                units=boxes(0, 9),
                unit_price=yuan(150),
                deadline=datetime.datetime.fromtimestamp(lapse / SECOND_US, datetime.UTC),
            )
            assert offered.receipt.position == OFFER
            assert client.get_transfer(OFFER)
    return lapse


def now() -> int:
    """Return the time in microseconds."""
    return time.time_ns() // 1_000


def lapses(place: Path, seconds: float) -> dict[str, RecordedEvent]:
    """Return the event after the offer of each book, and fail if it does not come in time."""
    events = engine(place, "events")
    stream = Stream(events)
    found: dict[str, RecordedEvent] = {}
    until = time.monotonic() + seconds
    try:
        while len(found) < len(BOOKS):
            for book in BOOKS:
                for entry in stream.at(book, [OFFER + 1]):
                    found[book] = decode(entry.position, entry.data)
                    assert isinstance(found[book].event, TransferLapsed)
            assert time.monotonic() < until, found
            time.sleep(0.02)
        assert [stream.head(book) for book in BOOKS] == [OFFER + 1] * len(BOOKS)
    finally:
        stream.close()
        events.dispose()
    return found


def killed_with_offers(place: Path, *options: str) -> int:
    """Kill the processes of a server (kill -9) that holds an offer in each book. Return the deadline, still ahead."""
    with served(place, 0, *options) as server:
        deadline = offer(server.target, lambda: now() + 3 * SECOND_US)
        pids = [server.pid(name) for name in ("worker 1", "worker 2", "follower")] if options else []
        server.kill()
        for pid in pids:
            try:
                kill(pid)
            except ProcessLookupError:
                continue  # it ended with its parent
        assert now() < deadline, "the machine is too slow for this test"
    return deadline


def pass_by(deadline: int) -> None:
    """Sleep until a deadline has passed."""
    time.sleep(max(0, deadline - now()) / SECOND_US + 0.05)


def served_by_workers(place: Path) -> AbstractContextManager[ServerProcess]:
    """Serve a place with two workers and a follower."""
    return served(place, 0, "--workers", "2")


@pytest.mark.parametrize(
    ("options", "start"),
    [
        ((), served),
        ((), followed),
        pytest.param(("--workers", "2"), served_by_workers, marks=pytest.mark.heavy),
    ],
    ids=["one server", "the follower alone", "workers"],
)
def test_an_offer_lapses_after_a_kill_although_nobody_writes(
    place: Path, options: tuple[str, ...], start: Callable[[Path], AbstractContextManager[Running]]
) -> None:
    """After kill -9 and a start beyond the deadline, the offers of every book lapse without a write."""
    pass_by(killed_with_offers(place, *options))
    with start(place) as process:
        if isinstance(process, ServerProcess):
            ready = time.monotonic()
        else:
            process.wait_for("following")
            ready = time.monotonic()
        lapses(place, ready + TIMELY_S - time.monotonic())
        if isinstance(process, ServerProcess):
            for book in BOOKS:
                with Client(process.target, book=book) as client:
                    client.position = OFFER + 1
                    (shown,) = client.get_transfer(OFFER)
                    assert shown.status == TRANSFER_STATUS_LAPSED
                    (stock,) = client.list_stock("acme")
                    assert stock.reserved == 0


def test_a_single_command_on_a_directory_finds_the_offer_lapsed(place: Path) -> None:
    """With ``--data``, even a command that only reads and ends at once shows that the offer lapsed."""
    pass_by(killed_with_offers(place))
    for book in BOOKS:
        shown = Running(place, "--book", book, "transfer", "show", str(OFFER))
        assert shown.wait() == 0
        assert "lapsed" in shown.out.read_text()
    lapses(place, TIMELY_S)


@pytest.mark.parametrize(
    "start", [served, followed, pytest.param(served_by_workers, marks=pytest.mark.heavy)]
)
def test_a_deadline_that_passes_while_everything_idles_is_kept(
    place: Path, start: Callable[[Path], AbstractContextManager[Running]]
) -> None:
    """A process that was started before the deadline, and that no caller calls, ends the offers at the deadline."""
    deadline = killed_with_offers(place)
    with start(place):
        found = lapses(place, PATIENCE)
        for lapse in found.values():
            assert deadline <= lapse.recorded_at
            assert lapse.recorded_at <= max(deadline, now()) + TIMELY_S * SECOND_US
