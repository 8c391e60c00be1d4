"""The phases that read the log: as a whole, and by many subscribers while it grows."""

import hashlib
import time
from collections.abc import Iterator, Sequence
from typing import Final

from pathbook.bench import checks, moves, names
from pathbook.bench.bench import BOOK, Bench
from pathbook.bench.load import LoadResult, Received
from pathbook.bench.model import MismatchError
from pathbook.bench.plan import MOST_ENTRIES, SUBSCRIBERS
from pathbook.bench.recording import RECORD_MANY, USUAL
from pathbook.client.options import BATCHES_AHEAD
from pathbook.v1.events_pb2 import SubscribeRequest

NEAR_THE_BEGINNING: Final = 40
"""A read begins after a random position below this one."""

SUBSCRIBE: Final = "/pathbook.v1.EventService/Subscribe"


def read(bench: Bench) -> None:
    """Read the book to its end. It begins at a random position, so that the server has no batches in its cache."""
    after = bench.random.randrange(NEAR_THE_BEGINNING)
    began = time.perf_counter()
    responses = list(bench.client.read(after))
    seconds = time.perf_counter() - began
    count = sum(len(response.events) for response in responses)
    bench.figures.add(names.READ, "events", count, seconds)
    position = after
    for response in responses:
        if response.first_position != position + 1:
            raise MismatchError(
                names.READ, f"after position {position} comes position {response.first_position}"
            )
        position += len(response.events)
    if position != bench.head:
        raise MismatchError(names.READ, f"the read ends at position {position}, the model at {bench.head}")


def replay(bench: Bench) -> None:
    """Compare all events with the model."""
    events = (event for response in bench.client.read() for event in response.events)
    checks.stream(names.READ, bench.model, events, bench.head)


def follow(bench: Bench) -> None:
    """Record while subscribers read the book, each on a connection of its own, until each has all events."""
    transfers, after = bench.plan.transfers, bench.head + 1
    goods = moves.draw(bench.random, bench.model.next_batch, USUAL, transfers)
    requests = moves.batched(BOOK, goods.moves, MOST_ENTRIES, bench.random)
    bench.commission(goods, names.FOLLOW)
    subscribe = SubscribeRequest(book=BOOK, after_position=after).SerializeToString()
    written, received = bench.load.stream_to_subscribers(
        bench.server.address,
        (SUBSCRIBE, subscribe, SUBSCRIBERS, after + transfers),
        (RECORD_MANY, requests, BATCHES_AHEAD),
    )
    receipts = checks.receipts_of_batches(names.FOLLOW, written.answers)
    bench.head = checks.recorded(names.FOLLOW, bench.model, goods.moves, receipts, bench.head)
    _compare_events(bench, received, after, transfers)
    bench.wait_for_views()
    through = range(after + MOST_ENTRIES, after + transfers + 1, MOST_ENTRIES)
    waits = [wait for one in received for wait in _waits(one, written, through)]
    seconds = max(one.arrivals[-1][0] for one in received) - written.sent[0]
    bench.figures.add(names.FOLLOW, "events", transfers * len(received), seconds, waits)


def _compare_events(bench: Bench, received: Sequence[Received], after: int, transfers: int) -> None:
    """Compare the events that each subscriber received with the events that the server returns to a read."""
    read = [event for response in bench.client.read(after, limit=transfers) for event in response.events]
    expected = hashlib.sha256(b"".join(read)).digest()
    for one in received:
        if len(one.events) != transfers or hashlib.sha256(b"".join(one.events)).digest() != expected:
            raise MismatchError(
                names.FOLLOW,
                f"the {len(one.events)} events that a subscriber received are not the {transfers} recorded",
            )


def _waits(received: Received, written: LoadResult, through: Sequence[int]) -> Iterator[float]:
    """Yield, for each batch of writes, the seconds from its sending until a subscriber had all its events."""
    arrivals = iter(received.arrivals)
    moment, position = next(arrivals)
    for sent, last in zip(written.sent, through, strict=True):
        while position < last:
            moment, position = next(arrivals)
        yield moment - sent
