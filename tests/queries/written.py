"""Writes the books of stories and synthetic books to a log, and opens them for queries."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pathbook.ledger.codec import encode
from pathbook.ledger.queries import Asked, Insight, Queries, Transfer
from pathbook.ledger.queries.ladders import ask_ladder
from pathbook.ledger.refusals import Reason, Refusal
from pathbook.ledger.reports.mark_ups import Ladder
from pathbook.ledger.reports.wanted import Wanted
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.follower import Follower
from tests.books import DATABASE_FILE, engine, prepared_database, url
from tests.postgres import drop_database
from tests.projections.synthetic import Entries
from tests.scenario import Story

MASKS = """
brand acme
agent ann
agent ben
shop cat
authorize ann tier 1 by acme
authorize ben tier 2 by ann
product mask 30000 CNY of acme
batch L1 of mask size 100 made 2025-12-01 expires 2026-06-30 by acme
"""
"""A beginning of positions 2 to 9, after the opening of the book."""


class WrittenStory(Story):
    """A story whose events are also encoded as log entries."""

    @property
    def entries(self) -> Entries:
        """All events, as a log has them."""
        return [
            encode(
                item.event,
                recorded_at=item.recorded_at,
                occurred_at=item.occurred_at,
                request=item.request,
                request_digest=item.request_digest,
                signed=item.signed,
            )
            for item in self.recorded
        ]


@contextlib.contextmanager
def open_queries(entries: Entries, kind: str = "sqlite") -> Iterator[Queries]:
    """Write a book to new databases of a kind, project its views, and open it for queries."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        place = Path(name)
        if kind == "postgresql":
            (place / DATABASE_FILE).write_text(prepared_database(), "utf-8")
            stack.callback(drop_database, url(place, "events"))
        events, views = engine(place, "events"), engine(place, "views")
        stream = Stream(events)
        stream.append("book", 0, entries)
        Follower(stream, views).catch_up("book")
        yield Queries(stream, views)
        events.dispose()
        views.dispose()


def transfers_at(queries: Queries, position: int) -> list[Transfer]:
    """Return the lines of a transfer."""
    lines = queries.transfer("book", position)
    assert isinstance(lines, list), lines
    return lines


def reason(answer: object) -> Reason:
    """Return the reason for the refusal of a query."""
    assert isinstance(answer, Refusal), answer
    assert "{" not in str(answer)
    return answer.reason


def ladder_of(queries: Queries, of: int | str | Wanted, book: str = "book") -> Insight[Ladder] | Refusal:
    """Return the ladder of a batch by its number, of a product by its GTIN, or of what is wanted."""
    wanted = of if isinstance(of, Wanted) else Wanted(product=of) if isinstance(of, str) else Wanted(batch=of)
    return queries.insight(book, ask_ladder, Asked(wanted), lambda: None)
