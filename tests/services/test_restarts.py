"""Servers that stop, are killed and restart: no acknowledged write is lost, and none is done twice."""

import contextlib
import threading
from pathlib import Path

from pathbook.client import Client, UnreachableError
from pathbook.v1.transfers_pb2 import RecordTransferRequest
from pathbook.v1.values_pb2 import PARTY_KIND_AGENT, Price
from tests.services.masks import BEGUN, BOOK, begin, boxes, yuan
from tests.services.process import served

PRICE = Price(amount_minor=15_000, currency_code="CNY")


def test_a_subscription_goes_on_across_a_restart(data: Path) -> None:
    """A subscription that a stop ended goes on with the next server on the port, with each event once."""
    positions: list[int] = []

    def follow(port: int) -> None:
        with Client(f"127.0.0.1:{port}", book=BOOK, retry_seconds=30) as follower:
            for batch in follower.subscribe():
                positions.extend(range(batch.first_position, batch.first_position + len(batch.events)))
                if batch.next_after_position == BEGUN + 3:
                    return

    with served(data) as first:
        with Client(first.target, book=BOOK) as client:
            begin(client)
            thread = threading.Thread(target=follow, args=(first.port,))
            thread.start()
            client.register_party("agent-7", PARTY_KIND_AGENT)
        assert first.terminate() == 0
        assert first.entries()[-1]["event"] == "stopped"
    with served(data, first.port) as second, Client(second.target, book=BOOK) as client:
        client.register_party("agent-8", PARTY_KIND_AGENT)
        client.register_party("agent-9", PARTY_KIND_AGENT)
        thread.join(30)
    assert positions == list(range(1, BEGUN + 4))


def test_a_killed_server_keeps_acknowledged_writes_and_a_retry_adds_the_rest(data: Path) -> None:
    """After kill -9 during many writes, a repeat of all of them records exactly the missing ones."""
    batches = [
        [
            RecordTransferRequest(
                request_id=f"box {number}",
                giver="acme",
                receiver="ann",
                units=boxes(number, number),
                unit_price=PRICE,
            )
            for number in range(first, first + 20)
        ]
        for first in range(0, 1_000, 20)
    ]
    acknowledged = 0
    with served(data) as first, Client(first.target, book=BOOK, retry_seconds=0) as client:
        begin(client)
        answers = client.record_transfers(batches)
        for _ in range(10):
            acknowledged += len(next(answers))
        first.kill()
        with contextlib.suppress(UnreachableError):
            acknowledged += sum(map(len, answers))
    with served(data, first.port) as second, Client(second.target, book=BOOK) as client:
        kept = client.get_head().position - BEGUN
        again = [result.receipt.duplicate for batch in client.record_transfers(batches) for result in batch]
        assert acknowledged <= kept < 1_000
        assert again.count(True) == kept
        assert client.get_head().position == BEGUN + 1_000
        (stock,) = client.list_stock("ann")
        assert stock.owned == 1_000
        (rung,) = client.get_ladder(1).rungs
        assert (rung.units, rung.sum_minor) == (1_000, 1_000 * 15_000)


def test_a_call_waits_for_a_starting_server(data: Path) -> None:
    """A write that finds no server is retried, and recorded once when a server is back."""
    with served(data) as first, Client(first.target, book=BOOK) as client:
        begin(client)
    restarted = threading.Event()

    def write() -> None:
        with Client(first.target, book=BOOK, retry_seconds=30) as late:
            late.record_transfer(giver="acme", receiver="ann", units=boxes(0, 0), unit_price=yuan(150))
            restarted.set()

    thread = threading.Thread(target=write)
    thread.start()
    with served(data, first.port) as second, Client(second.target, book=BOOK) as client:
        assert restarted.wait(30)
        thread.join(30)
        assert client.get_head().position == BEGUN + 1


def test_two_servers_may_serve_the_same_books(data: Path) -> None:
    """Events written through one server are streamed and read through the other, and both may write."""
    with contextlib.ExitStack() as open_now:
        targets = [open_now.enter_context(served(data)).target for _ in range(2)]
        left, right = (open_now.enter_context(Client(target, book=BOOK)) for target in targets)
        begin(left)
        batches = right.subscribe(BEGUN)
        for number in range(10):
            giving = left if number % 2 else right
            giving.record_transfer(
                giver="acme", receiver="ann", units=boxes(number, number), unit_price=yuan(150)
            )
        positions: list[int] = []
        while len(positions) < 10:
            batch = next(batches)
            positions += range(batch.first_position, batch.first_position + len(batch.events))
        assert positions == list(range(BEGUN + 1, BEGUN + 11))
        right.position = left.get_head().position
        (stock,) = right.list_stock("ann")
        assert stock.owned == 10
