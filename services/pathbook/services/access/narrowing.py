"""Streams of events as a party or a brand gets them: its own events, and of all others only the leaf hash.

So it can compare what it gets with the tree of the book, and learns nothing of what others did but that they did.
"""

from collections.abc import AsyncIterator
from typing import Final

from pathbook.ledger.codec import MalformedEventError, NewerEventError, decode, leaf_hash
from pathbook.ledger.events import Event
from pathbook.ledger.refusals import Reason
from pathbook.ledger.sides import Sides, sides_of
from pathbook.services.access.callers import Caller, Role
from pathbook.services.gateway import Gateway
from pathbook.services.translate.statuses import RefusedCallError
from pathbook.v1 import events_pb2

BRANDS_KEPT_MAX: Final = 10_000
"""Of how many batches a stream remembers the brand. Then it begins again to look them up."""


class Narrowing:
    """Narrows the events of one book for one caller, which does not see everything."""

    def __init__(self, gateway: Gateway, caller: Caller, book: str) -> None:
        self._gateway, self._caller, self._book = gateway, caller, book
        self._is_its: dict[int, bool] = {}

    async def narrowed(self, response: bytes) -> AsyncIterator[bytes]:
        """Yield what the caller gets of a serialized batch, whose positions have no gap.

        Each response has consecutive events of the caller, and the leaf hashes of those after them that it does not
        see.
        """
        whole = events_pb2.ReadResponse.FromString(response)
        shown: list[bytes] = []
        others: list[bytes] = []
        read = await self._gateway.run(
            _read, whole
        )  # on a thread, because it takes some 40 microseconds an event
        for position, (data, sides) in enumerate(zip(whole.events, read, strict=True), whole.first_position):
            is_its = sides is not None and await self._is_of_caller(sides)
            if is_its and others:
                yield self._response(whole, position, shown, others)
                shown, others = [], []
            (shown if is_its else others).append(data if is_its else leaf_hash(data))
        yield self._response(whole, whole.next_after_position + 1, shown, others)

    @staticmethod
    def _response(
        whole: events_pb2.ReadResponse, following: int, shown: list[bytes], others: list[bytes]
    ) -> bytes:
        """Return the response up to the position before ``following``."""
        first = following - len(others) - len(shown)
        return events_pb2.ReadResponse(
            first_position=first if shown else 0,
            events=shown,
            next_after_position=following - 1,
            incarnation=whole.incarnation,
            other_leaves=b"".join(others),
        ).SerializeToString()

    async def is_of_caller(self, event: Event) -> bool:
        """Tell whether the caller may see an event."""
        return await self._is_of_caller(sides_of(event))

    async def _is_of_caller(self, sides: Sides) -> bool:
        own = self._caller.party
        if sides.is_open or own in sides.parties:
            return True
        if sides.transfer:
            found = await self._gateway.run(self._gateway.event, self._book, sides.transfer)
            if found is not None and await self._is_of_caller(sides_of(found.event)):
                return True
        if self._caller.role is not Role.BRAND or not sides.ranges:
            return False
        return all([await self._is_of_brand(batch) for batch in {part.batch for part in sides.ranges}])

    async def _is_of_brand(self, batch: int) -> bool:
        if batch not in self._is_its:
            if len(self._is_its) >= BRANDS_KEPT_MAX:
                self._is_its.clear()
            try:
                row = await self._gateway.ask(0, self._gateway.queries.batch_alone, self._book, batch)
            except RefusedCallError as refused:
                if refused.refusal.reason is not Reason.BATCH_UNKNOWN:
                    raise
                return False  # the views do not have it yet
            self._is_its[batch] = row.brand == self._caller.party
        return self._is_its[batch]


def _read(whole: events_pb2.ReadResponse) -> list[Sides | None]:
    """Return the sides of the events of a batch, None for one of which they are not known: it is newer, or damaged."""
    found: list[Sides | None] = []
    for position, data in enumerate(whole.events, whole.first_position):
        try:
            found.append(sides_of(decode(position, data).event))
        except (NewerEventError, MalformedEventError):
            found.append(None)
    return found
