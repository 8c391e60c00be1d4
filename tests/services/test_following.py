"""Streams of one log inside a process: subscribers at the same position share a read, and none blocks the others."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto

from pathbook.ledger.commands import RegisterParty
from pathbook.ledger.values import PartyKind
from pathbook.services import event_batches
from pathbook.services.clock import now
from pathbook.services.event_batches import BATCH_MAX_BYTES, CACHED_BATCHES_MAX, Batch, EventBatches, fitting
from pathbook.services.gateway import Gateway
from pathbook.services.storage import Storage
from pathbook.v1.events_pb2 import ReadResponse, SubscribeResponse
from tests.books import PATIENCE
from tests.scenario import opening
from tests.services.masks import BOOK


@contextlib.contextmanager
def open_log(data: Path) -> Iterator[tuple[Storage, Callable[[], EventBatches]]]:
    """Open the storage of a directory without a server, and yield it with a factory of streams of its log."""
    with contextlib.closing(Storage(data, now)) as storage:
        gateway = Gateway(storage)
        with contextlib.closing(gateway):
            yield storage, lambda: EventBatches(gateway, storage.stream, storage.follower)


def register(storage: Storage, names: Sequence[str]) -> None:
    """Register a party for each name. A book that is not open is opened first."""
    parties = [RegisterParty(request_id=name, party=name, kind=PartyKind.AGENT) for name in names]
    first = [] if storage.stream.head(BOOK) else [opening(BOOK)]
    storage.books.submit(BOOK, [*first, *parties]).result(PATIENCE)


async def all_batches(streams: EventBatches, after: int, through: int) -> list[Batch]:
    """Return the batches of the events after one position and up to another."""
    return [batch async for batch in streams.batches(BOOK, after, through)]


def test_callers_that_wait_for_the_next_event_are_all_notified(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All callers get the next head, even those that begin to wait while the head is being read."""
    heads: list[int] = []

    async def wait_at_every_step(storage: Storage, new_batches: Callable[[], EventBatches]) -> None:
        waiting = []
        for _ in range(20):
            streams = new_batches()
            for _ in range(200):
                waiting.append(asyncio.create_task(streams.head_beyond(BOOK, 1)))
                await asyncio.sleep(0)
        register(storage, ["ann"])
        heads.extend(await asyncio.gather(*waiting))

    def ask() -> None:
        with open_log(data) as (storage, new_batches):
            register(storage, [])
            asyncio.run(wait_at_every_step(storage, new_batches))

    monkeypatch.setattr(event_batches, "IDLE_CHECKPOINT_INTERVAL_S", PATIENCE)
    waiter = threading.Thread(target=ask, daemon=True)  # a blocked event loop cannot be ended
    waiter.start()
    waiter.join(PATIENCE)
    assert heads == [2] * 4_000


def test_subscribers_at_the_same_position_share_bytes(data: Path) -> None:
    """Subscribers at one position, now or a little later, get bytes that were read and serialized once."""

    async def follow(streams: EventBatches) -> None:
        first, second = await asyncio.gather(*[all_batches(streams, 0, 300) for _ in range(2)])
        later = await all_batches(streams, first[0].last, 300)
        assert all(one is other for one, other in zip(first, second, strict=True))
        assert all(one is other for one, other in zip(first[1:], later, strict=True))
        assert [batch.last for batch in await all_batches(streams, 0, 7)] == [7]
        for after in range(300):
            await all_batches(streams, after, after + 1)
        assert len(streams._reads) <= CACHED_BATCHES_MAX

    with open_log(data) as (storage, new_batches):
        register(storage, [f"agent-{number}" for number in range(299)])
        asyncio.run(follow(new_batches()))


def test_a_failed_read_is_not_cached(data: Path) -> None:
    """A later caller at the position of a failed read causes a new read."""

    async def read_too_soon(storage: Storage, streams: EventBatches) -> None:
        with pytest.raises(AssertionError, match="has nothing after 1, though it goes on to 2"):
            await all_batches(streams, 1, 2)
        register(storage, ["ann"])
        assert [batch.last for batch in await all_batches(streams, 1, 2)] == [2]

    with open_log(data) as (storage, new_batches):
        register(storage, [])
        asyncio.run(read_too_soon(storage, new_batches()))


def test_read_and_subscribe_have_the_same_response() -> None:
    """The responses of Read and Subscribe have the same fields, so they share serialized bytes."""
    read, followed = DescriptorProto(), DescriptorProto()
    ReadResponse.DESCRIPTOR.CopyToProto(read)
    SubscribeResponse.DESCRIPTOR.CopyToProto(followed)
    assert list(read.field) == list(followed.field) != []


@pytest.mark.parametrize("size", [1, 100, BATCH_MAX_BYTES // 3, BATCH_MAX_BYTES, 3 * BATCH_MAX_BYTES])
def test_batches_are_filled_up_to_their_limit(size: int) -> None:
    """A batch takes events from the first on, at least one, until the next would exceed the limit."""
    events = [b"x" * size] * 7
    batch = fitting(events)
    assert batch == events[: len(batch)] != []
    assert len(batch) == 1 or len(batch) * size <= BATCH_MAX_BYTES
    assert len(batch) == 7 or (len(batch) + 1) * size > BATCH_MAX_BYTES
