"""Following a log inside one process: callers at the same place share a read, and nobody keeps others waiting."""

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
from tests.services.masks import BOOK


@contextlib.contextmanager
def opened_log(data: Path) -> Iterator[tuple[Storage, Callable[[], EventBatches]]]:
    """Open a directory that serves nobody, and what makes streams of its log."""
    with contextlib.closing(Storage(data, now)) as directory:
        gateway = Gateway(directory)
        with contextlib.closing(gateway):
            yield directory, lambda: EventBatches(gateway, directory.stream, directory.follower)


def register(directory: Storage, names: Sequence[str], kind: PartyKind = PartyKind.AGENT) -> None:
    """Write an event for each name."""
    parties = [RegisterParty(request_id=name, party=name, kind=kind) for name in names]
    directory.books.submit(BOOK, parties).result(PATIENCE)


async def all_batches(streams: EventBatches, after: int, through: int) -> list[Batch]:
    """Return the batches of the events after a position, up to another."""
    return [batch async for batch in streams.batches(BOOK, after, through)]


def test_who_asks_while_others_are_told_waits_with_them(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Callers who come at any moment, also as the head becomes known, keep nobody from being told of the next."""
    told: list[int] = []

    async def ask_at_every_moment(directory: Storage, begin_again: Callable[[], EventBatches]) -> None:
        asked = []
        for _ in range(20):
            streams = begin_again()
            for _ in range(200):
                asked.append(asyncio.create_task(streams.head_beyond(BOOK, 1)))
                await asyncio.sleep(0)
        register(directory, ["ann"])
        told.extend(await asyncio.gather(*asked))

    def ask() -> None:
        with opened_log(data) as (directory, begin_again):
            register(directory, ["acme"], PartyKind.BRAND)
            asyncio.run(ask_at_every_moment(directory, begin_again))

    monkeypatch.setattr(event_batches, "IDLE_CHECKPOINT_INTERVAL_S", PATIENCE)
    asking = threading.Thread(target=ask, daemon=True)  # a loop that is kept from turning cannot be ended
    asking.start()
    asking.join(PATIENCE)
    assert told == [2] * 4_000


def test_callers_at_the_same_place_get_the_very_same_bytes(data: Path) -> None:
    """Whoever follows a book, now or a moment later, is given what was read and serialised once."""

    async def follow(streams: EventBatches) -> None:
        first, second = await asyncio.gather(*[all_batches(streams, 0, 300) for _ in range(2)])
        later = await all_batches(streams, first[0].last, 300)
        assert all(one is other for one, other in zip(first, second, strict=True))
        assert all(one is other for one, other in zip(first[1:], later, strict=True))
        assert [batch.last for batch in await all_batches(streams, 0, 7)] == [7]
        for after in range(300):
            await all_batches(streams, after, after + 1)
        assert len(streams._reads) <= CACHED_BATCHES_MAX

    with opened_log(data) as (directory, begin_again):
        register(directory, ["acme"], PartyKind.BRAND)
        register(directory, [f"agent-{number}" for number in range(299)])
        asyncio.run(follow(begin_again()))


def test_a_read_that_failed_is_not_kept(data: Path) -> None:
    """Who comes to a place where reading failed has it read again."""

    async def read_too_soon(directory: Storage, streams: EventBatches) -> None:
        with pytest.raises(AssertionError, match="has nothing after 1, though it goes on to 2"):
            await all_batches(streams, 1, 2)
        register(directory, ["ann"])
        assert [batch.last for batch in await all_batches(streams, 1, 2)] == [2]

    with opened_log(data) as (directory, begin_again):
        register(directory, ["acme"], PartyKind.BRAND)
        asyncio.run(read_too_soon(directory, begin_again()))


def test_what_is_read_and_what_is_followed_are_the_same_message() -> None:
    """The two responses have the same fields, so the same bytes are either."""
    read, followed = DescriptorProto(), DescriptorProto()
    ReadResponse.DESCRIPTOR.CopyToProto(read)
    SubscribeResponse.DESCRIPTOR.CopyToProto(followed)
    assert list(read.field) == list(followed.field) != []


@pytest.mark.parametrize("size", [1, 100, BATCH_MAX_BYTES // 3, BATCH_MAX_BYTES, 3 * BATCH_MAX_BYTES])
def test_batches_hold_as_many_bytes_as_they_may(size: int) -> None:
    """A batch has the first events, at least one; it is too large only if that one is, and full if one is left."""
    events = [b"x" * size] * 7
    batch = fitting(events)
    assert batch == events[: len(batch)] != []
    assert len(batch) == 1 or len(batch) * size <= BATCH_MAX_BYTES
    assert len(batch) == 7 or (len(batch) + 1) * size > BATCH_MAX_BYTES
