"""Serves books to export, and computes from their events what the SQL reports must say."""

import contextlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from pathbook.client import Client
from pathbook.ledger import events
from pathbook.ledger.events import RecordedEvent
from pathbook.ledger.reports.ladder import CONSUMER_TIER, NO_TIER, LadderChanges, PriceRow, RungKind, rungs
from pathbook.ledger.rules.state import State
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.values import is_consumer
from pathbook.services.run.in_thread import running
from pathbook.services.run.settings import Settings
from tests.books import DATABASE_FILE, engine

BOOK: Final = "book"

_TIERS: Final = {RungKind.NO_TIER: NO_TIER, RungKind.CONSUMER: CONSUMER_TIER}

LadderRow = tuple[str, str, int, str, int, int, int, int, int, int, int, int]
StockRow = tuple[str, str, str | None, int, int, int]


def append(place: Path, entries: Sequence[tuple[str, bytes]], before: int = 0) -> None:
    """Append stored events to the log of a place, after those that are there."""
    log = engine(place, "events")
    with contextlib.closing(Stream(log)) as stream:
        stream.append(BOOK, before, list(entries))
    log.dispose()


@contextlib.contextmanager
def served(place: Path, *, follows: bool = False) -> Iterator[Client]:
    """Serve the books of a place, and yield a client. A server that follows lets offers lapse that are due."""
    named = place / DATABASE_FILE
    database = named.read_text("utf-8") if named.exists() else ""
    settings = Settings(data=place, database=database, listen="127.0.0.1:0", follows=follows)
    with running(settings) as port, Client(f"127.0.0.1:{port}", book=BOOK, retry_seconds=0) as client:
        yield client


def ladder_rows(recorded: Sequence[RecordedEvent]) -> list[LadderRow]:
    """Return the rows that the price ladder must have, from the ladder of the ledger."""
    changes, products = LadderChanges(), dict[int, str]()
    for each in recorded:
        changes.add(each.event)
        if isinstance(each.event, events.BatchCommissioned):
            products[each.event.batch] = each.event.product
    paid: defaultdict[str, defaultdict[tuple[int, str, int, int], int]] = defaultdict(
        lambda: defaultdict(int)
    )
    for (batch, *price), units in changes.sums.items():
        tier, currency, amount, per_units = price
        assert isinstance(tier, int)
        assert isinstance(currency, str)
        assert isinstance(amount, int)
        assert isinstance(per_units, int)
        paid[products[batch]][tier, currency, amount, per_units] += units
    rows: list[LadderRow] = []
    for product, prices in paid.items():
        for rung in rungs([PriceRow(*price, units) for price, units in prices.items() if units], None):
            row = (
                BOOK, product, _TIERS.get(rung.kind, rung.tier), rung.currency_code, rung.units,
                rung.least.amount_minor, rung.least.per_units, rung.median.amount_minor, rung.median.per_units,
                rung.most.amount_minor, rung.most.per_units, rung.sum_minor,
            )  # fmt: skip
            rows.append(row)
    return sorted(rows, key=lambda row: row[:4])


def stock_of(state: State) -> dict[tuple[str, str | None], int]:
    """Return how many units of a product and day of expiry parties own, by the runs of a book."""
    found: defaultdict[tuple[str, str | None], int] = defaultdict(int)
    for number, partition in state.partitions.items():
        batch = state.batches[number]
        assert batch is not None
        made = batch.commissioned
        expires = None if made.expires_on is None else made.expires_on.isoformat()
        for run in partition.runs:
            if not is_consumer(run.owner):
                found[made.product, expires] += run.last - run.first + 1
    return {key: units for key, units in found.items() if units}
