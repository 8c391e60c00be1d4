"""Streams: what is read is what was stored, in batches of bounded size, and reads know what was written."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from grpc import StatusCode

from pathbook.client import Client, select
from pathbook.ledger.codec import decode
from pathbook.ledger.serials import parse_book_key, print_serial
from pathbook.ledger.store.views import follower
from pathbook.ledger.store.views.follower import Follower
from pathbook.services import event_batches, gateway
from pathbook.services.clock import now
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from pathbook.services.storage import KEY_FILE, Storage
from pathbook.v1.transfers_pb2 import RecordTransferRequest
from pathbook.v1.values_pb2 import PARTY_KIND_AGENT, Money
from tests.books import PATIENCE
from tests.services.masks import BOOK, MADE_ON, MASK, begin, boxes, refused
from tests.services.process import served

PRICE = Money(amount_minor=15_000, currency_code="CNY")


def gives(numbers: range) -> list[RecordTransferRequest]:
    """Return a transfer for each of these boxes."""
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


def test_what_is_read_is_what_was_hashed(client: Client) -> None:
    """The bytes of the stream are events that follow each other without a gap."""
    begin(client)
    list(client.record_transfers([gives(range(1_000))]))
    events = [event for batch in client.read() for event in batch.events]
    recorded = [decode(position, event) for position, event in enumerate(events, 1)]
    assert [item.request_id for item in recorded[6:]] == [f"box {number}" for number in range(1_000)]
    assert recorded[-1].position == client.get_head().position


def test_reads_know_what_the_same_client_wrote(client: Client) -> None:
    """Right after each of many writes, the path of the unit written about ends with that write."""
    begin(client)
    for number in range(50):
        moved = client.record_transfer(
            giver="acme", receiver="ann", units=boxes(number, number), unit_price=(15_000, "CNY")
        )
        path = client.get_path((1, number))
        assert path.steps[-1].position == moved.receipt.position
        assert path.as_of_position >= moved.receipt.position


def test_a_code_can_be_used_as_soon_as_its_batch_stands(client: Client, data: Path) -> None:
    """A write that names a unit of a batch of a moment ago, by its code, does not find the code unknown."""
    begin(client)
    key = parse_book_key((data / KEY_FILE).read_text())
    for lot in range(20):
        made = client.commission_batch(MASK, brand="acme", lot=f"M{lot}", size=1, made_on=MADE_ON)
        units = select(codes=[print_serial(key, BOOK, made.batch, 0)])
        client.record_transfer(giver="acme", receiver="ann", units=units, unit_price=(1, "CNY"))


def test_many_followers_hear_everything_once(data: Path) -> None:
    """Twenty followers at different places all hear the same events, each once and in order."""
    heard: list[list[int]] = [[] for _ in range(20)]
    begun = threading.Barrier(21)

    def follow(target: str, after: int, into: list[int]) -> None:
        with Client(target, book=BOOK) as other:
            batches = other.subscribe(after)
            begun.wait(PATIENCE)
            for batch in batches:
                into += range(batch.first_position, batch.first_position + len(batch.events))
                if batch.next_after_position == 106:
                    return

    with served(data) as server, Client(server.target, book=BOOK) as client:
        begin(client)
        followers = [
            threading.Thread(target=follow, args=(client.target, after % 6, into), daemon=True)
            for after, into in enumerate(heard)
        ]
        for one in followers:
            one.start()
        begun.wait(PATIENCE)
        for first in range(0, 100, 10):
            list(client.record_transfers([gives(range(first, first + 10))]))
        until = time.monotonic() + PATIENCE
        for one in followers:
            one.join(max(0.0, until - time.monotonic()))
    assert heard == [list(range(after % 6 + 1, 107)) for after in range(20)]


def test_a_follower_with_nothing_to_hear_is_told_so(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """An idle subscription sends an empty batch with the place to resume from."""
    begin(client)
    monkeypatch.setattr(event_batches, "IDLE_CHECKPOINT_INTERVAL_S", 0.05)
    batches = client.subscribe(6)
    for _ in range(2):
        batch = next(batches)
        assert (batch.first_position, list(batch.events), batch.next_after_position) == (0, [], 6)


def test_results_come_while_more_is_sent(client: Client) -> None:
    """A caller that makes batches as it goes gets the first results before it has made the last batch."""
    begin(client)
    made: list[int] = []

    def batches() -> Iterator[Sequence[RecordTransferRequest]]:
        for begin_at in range(0, 1_000, 50):
            made.append(begin_at)
            yield gives(range(begin_at, begin_at + 50))

    seen = []
    for results in client.record_transfers(batches()):
        seen.append(len(made))
        assert all(not result.receipt.duplicate for result in results)
    assert seen[0] < len(made) == 20
    assert client.position == client.get_head().position == 1_006


def test_two_calls_at_once_lose_and_double_nothing(client: Client) -> None:
    """Two clients that send the same writes at the same time have each recorded once."""
    begin(client)
    outcomes: list[list[bool]] = []

    def send() -> None:
        with Client(client.target, book=BOOK) as other:
            sent = (gives(range(first, first + 20)) for first in range(0, 400, 20))
            outcomes.append(
                [r.receipt.duplicate for results in other.record_transfers(sent) for r in results]
            )

    senders = [threading.Thread(target=send) for _ in range(2)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(60)
    assert client.get_head().position == 406
    assert [sorted(pair) for pair in zip(*outcomes, strict=True)] == [[False, True]] * 400


def test_a_server_that_stops_sends_its_followers_away_with_a_reason(data: Path) -> None:
    """A subscription ends at once as unavailable when the server stops, and does not hold it up."""
    settings = Settings(data=data, listen="127.0.0.1:0")
    with contextlib.ExitStack() as server:
        target = f"127.0.0.1:{server.enter_context(running(settings))}"
        with Client(target, book=BOOK, retry_seconds=0) as client:
            begin(client)
            batches = client.subscribe()
            assert next(batches).next_after_position == 6
            server.close()
            with refused("SERVER_STOPPING", StatusCode.UNAVAILABLE):
                next(batches)


def test_views_that_do_not_come_are_not_waited_for_for_ever(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read that asks for a position the views do not reach in time is told to ask again."""
    begin(client)
    monkeypatch.setattr(gateway, "VIEWS_WAIT_TIMEOUT_S", 0.05)
    monkeypatch.setattr(Follower, "catch_up", lambda *_: 0)
    client.register_party("zoe", PARTY_KIND_AGENT)
    with refused("VIEWS_BEHIND", StatusCode.DEADLINE_EXCEEDED):
        client.get_party("zoe")


def broken(*_: object) -> int:
    """Fail, as views do that cannot be carried on."""
    raise RuntimeError("no space left for views")


def halted(*_: object) -> int:
    """Stand still, as views do that are being rebuilt, or that nobody projects."""
    return 0


@pytest.mark.parametrize("catch_up", [broken, halted])
def test_the_log_can_be_followed_where_its_views_cannot(
    client: Client, monkeypatch: pytest.MonkeyPatch, catch_up: Callable[..., int]
) -> None:
    """A follower hears of new events even though something keeps the views where they are."""
    begin(client)
    batches = client.subscribe(5)
    assert next(batches).next_after_position == 6
    monkeypatch.setattr(follower, "BOOK_RETRY_DELAY_S", 0.05)
    monkeypatch.setattr(event_batches, "VIEWS_WAIT_TIMEOUT_S", 0.05)
    monkeypatch.setattr(Follower, "catch_up", catch_up)
    client.register_party("zoe", PARTY_KIND_AGENT)
    assert next(batches).next_after_position == 7
    monkeypatch.undo()
    assert client.get_party("zoe").position == 7


def test_reads_are_sent_away_while_the_views_are_made_anew(
    data: Path, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until rebuilt views stand where they stood, answers from them would be wrong; the log is read all the while."""
    begin(client)
    monkeypatch.setattr(Follower, "catch_up", lambda *_: 0)
    directory = Storage(data, now)
    with contextlib.closing(directory):
        directory.follower.rebuild()
        with refused("VIEWS_NOT_WHOLE", StatusCode.UNAVAILABLE):
            client.get_party("ann", at_least_position=0)
        assert client.get_head().views_position == 0
        assert next(client.read()).next_after_position == 6
    monkeypatch.undo()
    assert client.get_party("ann").party == "ann"
