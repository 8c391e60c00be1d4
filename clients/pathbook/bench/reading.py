"""The phases that read the log: all of it at once, and as it grows, by many at a time."""

import hashlib
import time
from collections.abc import Iterator, Sequence
from typing import Final

from pathbook.bench import checks, moves, names
from pathbook.bench.bench import BOOK, Bench
from pathbook.bench.load import Answered, Heard
from pathbook.bench.model import MismatchError
from pathbook.bench.plan import MOST_ENTRIES, SUBSCRIBERS
from pathbook.bench.recording import RECORD_MANY, USUAL
from pathbook.client.bulk import BATCHES_AHEAD
from pathbook.v1.events_pb2 import SubscribeRequest

NEAR_THE_BEGINNING: Final = 40
"""After one of so many of the first events the book is read."""

SUBSCRIBE: Final = "/pathbook.v1.EventService/Subscribe"


def read(bench: Bench) -> None:
    """Read the book to its end, from another place near its beginning each time: nobody has these batches at hand."""
    after = bench.random.randrange(NEAR_THE_BEGINNING)
    began = time.perf_counter()
    responses = list(bench.client.read(after))
    seconds = time.perf_counter() - began
    count = sum(len(response.events) for response in responses)
    bench.figures.add(names.READ, "events", count, seconds)
    position = after
    for response in responses:
        if response.first_position != position + 1:
            raise MismatchError(names.READ, f"after {position} comes {response.first_position}")
        position += len(response.events)
    if position != bench.head:
        raise MismatchError(names.READ, f"it ends at {position}, by the model at {bench.head}")


def replay(bench: Bench) -> None:
    """Hold what all events say against the model."""
    events = (event for response in bench.client.read() for event in response.events)
    checks.stream(names.READ, bench.model, events, bench.head)


def follow(bench: Bench) -> None:
    """Record while others follow the book, each on a connection of its own, until each has heard all."""
    transfers, after = bench.plan.transfers, bench.head + 1
    goods = moves.draw(bench.random, bench.model.next_batch, USUAL, transfers)
    requests = moves.batched(BOOK, goods.moves, MOST_ENTRIES, bench.random)
    bench.commission(goods, names.FOLLOW)
    subscribing = SubscribeRequest(book=BOOK, after_position=after).SerializeToString()
    answered, heard = bench.load.followed(
        bench.server.address,
        (SUBSCRIBE, subscribing, SUBSCRIBERS, after + transfers),
        (RECORD_MANY, requests, BATCHES_AHEAD),
    )
    receipts = checks.receipts_of_batches(names.FOLLOW, answered.answers)
    bench.head = checks.recorded(names.FOLLOW, bench.model, goods.moves, receipts, bench.head)
    _heard_all(bench, heard, after, transfers)
    bench.wait_for_views()
    through = range(after + MOST_ENTRIES, after + transfers + 1, MOST_ENTRIES)
    waits = [wait for one in heard for wait in _waits(one, answered, through)]
    seconds = max(one.moments[-1][0] for one in heard) - answered.sent[0]
    bench.figures.add(names.FOLLOW, "events", transfers * len(heard), seconds, waits)


def _heard_all(bench: Bench, heard: Sequence[Heard], after: int, transfers: int) -> None:
    """Hold what each follower heard against what can be read."""
    read = [event for response in bench.client.read(after, limit=transfers) for event in response.events]
    wanted = hashlib.sha256(b"".join(read)).digest()
    for one in heard:
        if len(one.events) != transfers or hashlib.sha256(b"".join(one.events)).digest() != wanted:
            raise MismatchError(
                names.FOLLOW, f"a follower heard {len(one.events)} events, not the {transfers} read"
            )


def _waits(heard: Heard, answered: Answered, through: Sequence[int]) -> Iterator[float]:
    """Yield the seconds from the sending of each batch until a follower had heard the last of it."""
    moments = iter(heard.moments)
    moment, known = next(moments)
    for sent, last in zip(answered.sent, through, strict=True):
        while known < last:
            moment, known = next(moments)
        yield moment - sent
