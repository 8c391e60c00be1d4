"""Previews of a book: which units a selection means now, on state that is loaded for the question and dropped."""

from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from pathbook.ledger.book.clock import Clock, time_after
from pathbook.ledger.book.memory import Memory, StaleMemoryError
from pathbook.ledger.refusals import Refusal
from pathbook.ledger.rules.seller import SellerAuthority
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.follower import Follower
from pathbook.ledger.store.views.state_loader import StateLoader
from pathbook.ledger.values import Ranges, Selection

ATTEMPTS_MAX: Final = 10
"""How often a preview begins again because the views go back while it loads, as when they are rebuilt."""

Asked = TypeVar("Asked")


class Preview(msgspec.Struct, frozen=True):
    """The units that a selection means, and the position as of which it does."""

    ranges: Ranges
    position: int


class Previews:
    """Answers what the writers of books would decide, without them. Threads may share it."""

    def __init__(self, stream: Stream, loader: StateLoader, follower: Follower, clock: Clock) -> None:
        """Keep what a writer is made of."""
        self._stream, self._loader, self._follower, self._clock = stream, loader, follower, clock

    def units(self, book: str, owner: str, units: Selection) -> Preview | Refusal:
        """Return the units that a transfer of an owner would take now.

        Raises:
            UntrueTimeError: the clock cannot be believed, and quantities pass over units that have expired.
            ViewsLaggingError: the views lag too far behind.
        """

        def asked(memory: Memory) -> Preview | Refusal:
            now = time_after(self._clock, book, memory.state.recorded_at)
            found = memory.preview(owner, units, now)
            return found if isinstance(found, Refusal) else Preview(found, memory.state.position)

        return self._asked(book, asked)

    def seller_authority(
        self, book: str, party: str, product: str, moment: int | None
    ) -> SellerAuthority | Refusal:
        """Return the authority of a party for a product at a time, or now. PARTY_UNKNOWN, PRODUCT_UNKNOWN.

        Raises as `units`.
        """

        def asked(memory: Memory) -> SellerAuthority | Refusal:
            at = time_after(self._clock, book, memory.state.recorded_at) if moment is None else moment
            return memory.seller_authority(party, product, at)

        return self._asked(book, asked)

    def _asked(self, book: str, ask: Callable[[Memory], Asked]) -> Asked:
        """Ask on state that is loaded for the question. Begin again if the views go back meanwhile."""
        if (damage := self._follower.damage(book)) is not None:
            raise damage.again()  # the views, of which deciding needs more and more, do not go on
        for attempt in range(1, ATTEMPTS_MAX + 1):
            memory = Memory(book, self._stream, self._loader, self._follower, lapses=False)
            try:
                memory.refresh()
                return ask(memory)
            except StaleMemoryError:
                if attempt == ATTEMPTS_MAX:
                    raise
        raise AssertionError(ATTEMPTS_MAX)
