"""Streams: stored bytes in batches of bounded size, and reads that see the caller's own writes."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from grpc import StatusCode

from pathbook.client import Client, RefusedError, select
from pathbook.ledger.codec import decode
from pathbook.ledger.reports.ladder import LADDER
from pathbook.ledger.requests import request_of
from pathbook.ledger.serials import parse_book_key, print_serial
from pathbook.ledger.store.views import retries
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.views.report_follower import ReportFollower
from pathbook.services import event_batches, gateway
from pathbook.services.clock import now
from pathbook.services.key_file import KEY_FILE
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from pathbook.services.storage import Storage
from pathbook.v1.transfers_pb2 import RecordTransferRequest
from pathbook.v1.values_pb2 import PARTY_KIND_AGENT, Price
from tests.books import PATIENCE
from tests.services.masks import BEGUN, BOOK, MADE_ON, MASK, begin, boxes, refused
from tests.services.process import served

PRICE = Price(amount_minor=15_000, currency_code="CNY")


def transfers_of(numbers: range) -> list[RecordTransferRequest]:
    """Return a request for a transfer of each box."""
    return [
        RecordTransferRequest(
            request_id=f"box {number}",
            giver="acme",
            receiver="ann",
            units=boxes(number, number),
            unit_price=PRICE,
        )
        for number in numbers
    ]


def test_the_stream_has_every_event_once(client: Client) -> None:
    """The bytes of the stream are the events of the book in order, without a gap."""
    begin(client)
    list(client.record_transfers([transfers_of(range(1_000))]))
    events = [event for batch in client.read() for event in batch.events]
    recorded = [decode(position, event) for position, event in enumerate(events, 1)]
    assert [item.request for item in recorded[BEGUN:]] == [
        request_of("acme", f"box {number}") for number in range(1_000)
    ]
    assert recorded[-1].position == client.get_head().position


def test_a_client_reads_its_own_writes(client: Client) -> None:
    """Right after each write, the path of its unit ends with that write."""
    begin(client)
    for number in range(50):
        moved = client.record_transfer(
            giver="acme", receiver="ann", units=boxes(number, number), unit_price=(15_000, "CNY")
        )
        path = client.get_path((1, number))
        assert path.steps[-1].position == moved.receipt.position
        assert path.as_of_position >= moved.receipt.position


def test_a_code_can_be_used_right_after_its_batch_is_recorded(client: Client, data: Path) -> None:
    """A write may name a unit by its code immediately after the batch is commissioned."""
    begin(client)
    key = parse_book_key((data / KEY_FILE).read_text())
    for lot in range(20):
        made = client.commission_batch(MASK, brand="acme", lot=f"M{lot}", size=1, made_on=MADE_ON)
        units = select(codes=[print_serial(key, BOOK, made.batch, 0)])
        client.record_transfer(giver="acme", receiver="ann", units=units, unit_price=(1, "CNY"))


def test_many_subscribers_get_each_event_once(data: Path) -> None:
    """Twenty subscribers at different positions all get the same events, each once and in order."""
    positions: list[list[int]] = [[] for _ in range(20)]
    begun = threading.Barrier(21)

    def follow(target: str, after: int, into: list[int]) -> None:
        with Client(target, book=BOOK) as other:
            batches = other.subscribe(after)
            begun.wait(PATIENCE)
            for batch in batches:
                into += range(batch.first_position, batch.first_position + len(batch.events))
                if batch.next_after_position == BEGUN + 100:
                    return

    with served(data) as server, Client(server.target, book=BOOK) as client:
        begin(client)
        followers = [
            threading.Thread(target=follow, args=(client.target, after % BEGUN, into), daemon=True)
            for after, into in enumerate(positions)
        ]
        for one in followers:
            one.start()
        begun.wait(PATIENCE)
        for first in range(0, 100, 10):
            list(client.record_transfers([transfers_of(range(first, first + 10))]))
        until = time.monotonic() + PATIENCE
        for one in followers:
            one.join(max(0.0, until - time.monotonic()))
    assert positions == [list(range(after % BEGUN + 1, BEGUN + 101)) for after in range(20)]


def test_an_idle_subscription_sends_checkpoints(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """An idle subscription sends empty batches with the position to resume from."""
    begin(client)
    monkeypatch.setattr(event_batches, "IDLE_CHECKPOINT_INTERVAL_S", 0.05)
    batches = client.subscribe(BEGUN)
    for _ in range(2):
        batch = next(batches)
        assert (batch.first_position, list(batch.events), batch.next_after_position) == (0, [], BEGUN)


def test_results_arrive_while_more_batches_are_sent(client: Client) -> None:
    """A caller that generates batches gets the first results before it generates the last batch."""
    begin(client)
    made: list[int] = []

    def batches() -> Iterator[Sequence[RecordTransferRequest]]:
        for begin_at in range(0, 1_000, 50):
            made.append(begin_at)
            yield transfers_of(range(begin_at, begin_at + 50))

    seen = []
    for results in client.record_transfers(batches()):
        seen.append(len(made))
        assert all(not result.receipt.duplicate for result in results)
    assert seen[0] < len(made) == 20
    assert client.position == client.get_head().position == BEGUN + 1_000


def test_two_calls_at_once_record_each_write_once(client: Client) -> None:
    """Two clients send the same writes at the same time, and each write is recorded once."""
    begin(client)
    outcomes: list[list[bool]] = []

    def send() -> None:
        with Client(client.target, book=BOOK) as other:
            sent = (transfers_of(range(first, first + 20)) for first in range(0, 400, 20))
            outcomes.append(
                [r.receipt.duplicate for results in other.record_transfers(sent) for r in results]
            )

    senders = [threading.Thread(target=send) for _ in range(2)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(60)
    assert client.get_head().position == BEGUN + 400
    assert [sorted(pair) for pair in zip(*outcomes, strict=True)] == [[False, True]] * 400


def test_a_stopping_server_ends_subscriptions_with_a_reason(data: Path) -> None:
    """A subscription ends as unavailable when the server stops, and does not delay the stop."""
    settings = Settings(data=data, listen="127.0.0.1:0")
    with contextlib.ExitStack() as server:
        target = f"127.0.0.1:{server.enter_context(running(settings))}"
        with Client(target, book=BOOK, retry_seconds=0) as client:
            begin(client)
            batches = client.subscribe()
            assert next(batches).next_after_position == BEGUN
            server.close()
            with refused("SERVER_STOPPING", StatusCode.UNAVAILABLE):
                next(batches)


def test_a_read_does_not_wait_forever_for_lagging_views(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read that needs a position the views do not reach in time is refused as behind."""
    monkeypatch.setattr(gateway, "VIEWS_WAIT_TIMEOUT_S", 0.05)
    monkeypatch.setattr(
        Follower, "catch_up", stalled
    )  # before there are events that a catch_up may be reading
    begin(client)
    client.register_party("zoe", PARTY_KIND_AGENT)
    with refused("VIEWS_BEHIND", StatusCode.DEADLINE_EXCEEDED):
        client.get_party("zoe")


def broken(*_: object, **__: object) -> int:
    """Fail like views that cannot be updated."""
    raise RuntimeError("no space left for views")


def stalled(*_: object, **__: object) -> int:
    """Make no progress, like views that are being rebuilt or that no follower updates."""
    return 0


@pytest.mark.parametrize("catch_up", [broken, stalled])
def test_a_subscription_does_not_need_the_views(
    client: Client, monkeypatch: pytest.MonkeyPatch, catch_up: Callable[..., int]
) -> None:
    """A subscriber gets new events even if the views fail or make no progress."""
    begin(client)
    batches = client.subscribe(BEGUN - 1)
    assert next(batches).next_after_position == BEGUN
    monkeypatch.setattr(retries, "BUG_RETRY_DELAY_S", 0.05)
    monkeypatch.setattr(event_batches, "VIEWS_WAIT_TIMEOUT_S", 0.05)
    monkeypatch.setattr(Follower, "catch_up", catch_up)
    client.register_party("zoe", PARTY_KIND_AGENT)
    assert next(batches).next_after_position == BEGUN + 1
    monkeypatch.undo()
    assert client.get_party("zoe").position == BEGUN + 1


def test_reads_are_refused_while_the_views_are_rebuilt(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads from the views are refused during a rebuild, and the log can still be read."""
    settings = Settings(data=data, listen="127.0.0.1:0", follows=False)
    with (
        running(settings) as port,
        Client(f"127.0.0.1:{port}", book=BOOK, retry_seconds=0) as client,
        contextlib.closing(Storage(data, now)) as directory,
    ):
        begin(client)
        assert directory.follower.catch_up(BOOK) == BEGUN
        monkeypatch.setattr(Follower, "catch_up", stalled)
        directory.follower.rebuild()
        with refused("VIEWS_NOT_WHOLE", StatusCode.UNAVAILABLE):
            client.get_party("ann", at_least_position=0)
        assert client.get_head().views_position == 0
        assert next(client.read()).next_after_position == BEGUN
        monkeypatch.undo()
        directory.follower.catch_up(BOOK)
        assert client.get_party("ann").party == "ann"


def test_a_report_that_is_being_built_says_so_and_nothing_else_waits(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its questions fail as being built, with how far it is and when to retry. Writes and other reads go on."""
    settings = Settings(data=data, listen="127.0.0.1:0", follows=False)
    with (
        running(settings) as port,
        Client(f"127.0.0.1:{port}", book=BOOK, retry_seconds=0) as client,
        contextlib.closing(Storage(data, now)) as directory,
    ):
        begin(client)
        directory.follower.catch_up(BOOK)
        assert client.get_ladder(1).as_of_position == BEGUN
        with monkeypatch.context() as patched:
            patched.setattr(ReportFollower, "catch_up", stalled)
            patched.setattr(ReportFollower, "build", stalled)
            patched.setattr(ReportFollower, "take", stalled)
            directory.follower.rebuild_report(LADDER)
            with pytest.raises(RefusedError) as failure:
                client.get_ladder(1)
            assert (failure.value.reason, failure.value.code) == ("REPORT_BUILDING", StatusCode.UNAVAILABLE)
            assert failure.value.retry_delay == 1.0
            assert failure.value.metadata["position"] == "0"
            assert failure.value.metadata["through"] == str(BEGUN)
            client.register_party("zoe", PARTY_KIND_AGENT)
            directory.follower.catch_up(BOOK)
            assert client.get_party("zoe").party == "zoe"
        directory.follower.catch_up(BOOK)
        assert client.get_ladder(1, at_least_position=BEGUN + 1).as_of_position == BEGUN + 1


def test_a_question_to_a_report_does_not_wait_forever(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that does not reach a position in time is refused as behind; without a minimum it answers as it is."""
    monkeypatch.setattr(gateway, "VIEWS_WAIT_TIMEOUT_S", 0.05)
    settings = Settings(data=data, listen="127.0.0.1:0", follows=False)
    with (
        running(settings) as port,
        Client(f"127.0.0.1:{port}", book=BOOK, retry_seconds=0) as client,
        contextlib.closing(Storage(data, now)) as directory,
    ):
        begin(client)
        directory.follower.catch_up(BOOK)
        with monkeypatch.context() as patched:
            for step in ("catch_up", "build", "take"):
                patched.setattr(ReportFollower, step, stalled)
            client.register_party("zoe", PARTY_KIND_AGENT)
            directory.follower.catch_up(BOOK)
            with refused("REPORT_BEHIND", StatusCode.DEADLINE_EXCEEDED):
                client.get_ladder(1, at_least_position=BEGUN + 1)
            assert client.get_ladder(1, at_least_position=0).as_of_position == BEGUN
