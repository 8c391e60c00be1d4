"""Tells reports the events of a book with the stories of their batches, which are cached between groups of events."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from sqlalchemy import Engine

from pathbook.ledger.events import BatchCommissioned, RecordedEvent, TransferRecorded
from pathbook.ledger.projections.registers import corrected_batch
from pathbook.ledger.reports.story import BatchStory, ToldEvent, batches_told, tell
from pathbook.ledger.store.database.engine import reading
from pathbook.ledger.store.log.event_hashes import read_event
from pathbook.ledger.store.log.stream import Stream, persistence_errors
from pathbook.ledger.store.views.batch_positions import BATCH_POSITIONS

CACHED_STORIES_MAX: Final = 1_000_000
"""The most runs and agreed hops that are cached between two groups of events, in about 290 MB. The most recently used
batches stay. A book that keeps more in motion has them told again for each group, and its reports fall behind."""

TOLD_AT_ONCE: Final = 500
"""For so many events, all stories are loaded at once. They are in memory together, whatever the limit of the cache."""

READ_AT_ONCE: Final = 1_000
"""How many events are read in one statement to tell a story again."""

LINES_MAX: Final = 8
"""At how many positions stories are cached. Reports are at one position, or at two while new ones are built."""


class StoryCache:
    """Stories of batches of all books. Threads may share it.

    The cached stories of a book at one position form a line, which goes on with the events after it. So reports at
    different positions have lines of their own. A line depends on nothing but the log.
    """

    def __init__(self, stream: Stream, views: Engine, limit: int = CACHED_STORIES_MAX) -> None:
        """Cache so many runs and agreed hops at most. Stories are told again from the log, which the views index."""
        self._stream, self._views, self._limit = stream, views, limit
        self._taking = threading.Lock()
        self._lines: dict[tuple[str, int], int] = {}
        self._next_line = 0
        self._cached: OrderedDict[tuple[int, int], tuple[BatchStory, int]] = OrderedDict()
        self._size = 0

    @property
    def size(self) -> int:
        """How many runs and agreed hops are cached."""
        return self._size

    def clear(self) -> None:
        """Drop all stories."""
        with self._taking:
            self._cached.clear()
            self._lines.clear()
            self._size = 0

    def told(self, book: str, after: int, events: Sequence[RecordedEvent]) -> Iterator[ToldEvent]:
        """Yield the events after a position, each with its changes and stories. The views have all of them."""
        for begin in range(0, len(events), TOLD_AT_ONCE):
            part = events[begin : begin + TOLD_AT_ONCE]
            batches = _batches_before(part)
            line, stories = self._take(book, after, batches)
            is_told = False
            try:
                if missing := batches - stories.keys():
                    stories |= load_stories(self._stream, self._views, book, missing, after)
                for recorded in part:
                    yield tell(stories, recorded)
                is_told = True
            finally:
                after = part[-1].position
                with self._taking:
                    if is_told:
                        self._give_back(line, book, after, stories)
                    else:
                        self._drop(line)

    def _take(self, book: str, position: int, batches: Iterable[int]) -> tuple[int, dict[int, BatchStory]]:
        """Take the line at a position out of the cache, with those of its stories that are of these batches."""
        with self._taking:
            line = self._lines.pop((book, position), None)
            if line is None:
                self._next_line += 1
                line = self._next_line
            found = {batch: self._pop((line, batch)) for batch in batches}
        return line, {batch: story for batch, story in found.items() if story is not None}

    def _give_back(self, line: int, book: str, position: int, stories: dict[int, BatchStory]) -> None:
        """Cache a line again, as of a later position. The least recently used stories are evicted."""
        replaced = self._lines.pop((book, position), None)
        if replaced is not None:
            self._drop(replaced)
        self._lines[book, position] = line
        for batch, story in stories.items():
            self._cached[line, batch] = story, story.size
            self._size += story.size
        while len(self._lines) > LINES_MAX:
            self._drop(self._lines.pop(next(iter(self._lines))))
        while self._size > self._limit and self._cached:
            self._pop(next(iter(self._cached)))

    def _drop(self, line: int) -> None:
        for key in [key for key in self._cached if key[0] == line]:
            self._pop(key)

    def _pop(self, key: tuple[int, int]) -> BatchStory | None:
        story, size = self._cached.pop(key, (None, 0))
        self._size -= size
        return story


def load_stories(
    stream: Stream, views: Engine, book: str, batches: Iterable[int], position: int
) -> dict[int, BatchStory]:
    """Tell the stories of batches again, as of a position that the views have reached. Unknown batches are left out."""
    positions: set[int] = set()
    with persistence_errors(), reading(views) as connection:
        for batch in batches:
            asked = {"book": book, "batch": batch, "subject": corrected_batch(batch), "through": position}
            for lookup in BATCH_POSITIONS:
                positions.update(connection.execute(lookup, asked).scalars())
    stories: dict[int, BatchStory] = {}
    in_order = sorted(positions)
    for begin in range(0, len(in_order), READ_AT_ONCE):
        for entry in stream.at(book, in_order[begin : begin + READ_AT_ONCE]):
            tell(stories, read_event(book, entry))
    return stories


def _batches_before(events: Iterable[RecordedEvent]) -> set[int]:
    """Return the batches whose stories events go on with, without those that one of the events commissions."""
    changed, new = set[int](), set[int]()
    for recorded in events:
        event = recorded.event
        if isinstance(event, TransferRecorded):  # the most frequent kind
            for part in event.terms.ranges:
                changed.add(part.batch)
        elif isinstance(event, BatchCommissioned):
            new.add(event.batch)
        else:
            changed |= batches_told(event)
    return changed - new
