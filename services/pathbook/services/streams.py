"""Limits the streams that are open at once, of a connection, an address and in all, and the time of their readers."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Final

from pathbook.services.translate.statuses import Failure, failed

MAX_STREAMS: Final = 1_000
"""How many streams a server process has open at once. One whose reader takes nothing costs up to 0.3 MB."""

MAX_STREAMS_OF_A_CONNECTION: Final = 100
"""How many streams one connection has open at once, so that no single caller takes all of them."""

SLOW_READER_TIMEOUT_S: Final = 60.0
"""How long a caller may take nothing of what a stream sends. Then the stream ends, and its caller may resume it."""


class OpenStreams:
    """The streams that are open in a server process. It belongs to the event loop."""

    def __init__(self) -> None:
        self._of_connection: Counter[str] = Counter()
        self._of_address: Counter[str] = Counter()

    @contextlib.contextmanager
    def counted(self, connection: str, address: str, limit: int | None) -> Iterator[None]:
        """Count a stream of a connection, named as gRPC names its other end, and of an address, which may have a limit.

        Raises:
            CallFailedError: one of the limits is reached.
        """
        counts, of_address = self._of_connection, self._of_address
        if counts[connection] >= MAX_STREAMS_OF_A_CONNECTION:
            raise failed(Failure.TOO_MANY_STREAMS, limit=MAX_STREAMS_OF_A_CONNECTION)
        if counts.total() >= MAX_STREAMS:
            raise failed(Failure.SERVER_FULL, limit=MAX_STREAMS)
        if limit is not None and of_address[address] >= limit:
            raise failed(Failure.STREAMS_LIMITED, limit=limit)
        counts[connection] += 1
        of_address[address] += 1
        try:
            yield
        finally:
            for counter, name in ((counts, connection), (of_address, address)):
                counter[name] -= 1
                if not counter[name]:
                    del counter[name]


@contextlib.asynccontextmanager
async def taken_in_time() -> AsyncIterator[None]:
    """Raise CallFailedError if the caller does not take in time what is written inside the block."""
    try:
        async with asyncio.timeout(SLOW_READER_TIMEOUT_S):
            yield
    except TimeoutError:
        raise failed(Failure.SLOW_READER, seconds=SLOW_READER_TIMEOUT_S) from None
