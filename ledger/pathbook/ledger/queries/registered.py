"""What the answers of reports need of the registers, in the shapes that reports take."""

import datetime
from collections.abc import Iterable, Iterator, Mapping

from pathbook.ledger.projections.registers import AuthorizationRow, BatchRow, products_from_text
from pathbook.ledger.queries.report_parts import AUTHORIZATIONS_MAX
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.reports.registered import Authorization, Batch
from pathbook.ledger.store.log.event_hashes import read_event
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.snapshot import ViewSnapshot
from pathbook.ledger.values import Price

NUMBERS_AT_ONCE = 5_000
"""How many batches one statement looks up."""

BRANDS_MAX = 10_000
"""The most brands of a book that are looked at."""


def batches(views: ViewSnapshot, numbers: Iterable[int]) -> dict[int, Batch]:
    """Return the batches with some numbers, as they are now."""
    found: dict[int, Batch] = {}
    wanted = sorted(set(numbers))
    for begin in range(0, len(wanted), NUMBERS_AT_ONCE):
        for row in views.batches_numbered(wanted[begin : begin + NUMBERS_AT_ONCE]):
            found[row.batch] = _batch(row)
    return found


def authorizations(views: ViewSnapshot, through: int) -> list[Authorization] | Refusal:
    """Return all authorizations up to a position, with the ends that they have now. REPORT_TOO_LARGE."""
    rows = views.all_authorizations(through, AUTHORIZATIONS_MAX + 1)
    if len(rows) > AUTHORIZATIONS_MAX:
        return refuse(Reason.REPORT_TOO_LARGE, limit=AUTHORIZATIONS_MAX, what="authorizations")
    return [authorization(row) for row in rows]


def brands(views: ViewSnapshot) -> list[str] | Refusal:
    """Return the ids of all brands. REPORT_TOO_LARGE."""
    found = views.brands(BRANDS_MAX + 1)
    if len(found) > BRANDS_MAX:
        return refuse(Reason.REPORT_TOO_LARGE, limit=BRANDS_MAX, what="brands")
    return found


class RecordedTimes(Mapping[int, int]):
    """When the event at each position was recorded, in microseconds since 1970 UTC. It is read when it is asked for."""

    def __init__(self, stream: Stream, book: str) -> None:
        self._stream, self._book = stream, book
        self._known: dict[int, int] = {}

    def load(self, positions: Iterable[int]) -> None:
        """Read many at once."""
        missing = sorted(set(positions) - self._known.keys())
        for begin in range(0, len(missing), NUMBERS_AT_ONCE):
            for entry in self._stream.at(self._book, missing[begin : begin + NUMBERS_AT_ONCE]):
                self._known[entry.position] = read_event(self._book, entry).recorded_at

    def __getitem__(self, position: int) -> int:
        """Return the time of a position."""
        self.load([position])
        return self._known[position]

    def __iter__(self) -> Iterator[int]:
        """Iterate over the positions that were read."""
        return iter(self._known)

    def __len__(self) -> int:
        """Return how many were read."""
        return len(self._known)


def _batch(row: BatchRow) -> Batch:
    return Batch(
        product=row.product,
        brand=row.brand,
        size=row.size,
        made_on=datetime.date.fromisoformat(row.made_on),
        expires_on=None if row.expires_on is None else datetime.date.fromisoformat(row.expires_on),
        suggested=Price(row.suggested_minor, row.suggested_currency, row.suggested_per_units),
    )


def authorization(row: AuthorizationRow) -> Authorization:
    """Return an authorization, with the end that it has now."""
    ends = [end for end in (row.valid_until, row.revoked_from) if end is not None]
    return Authorization(
        position=row.position,
        upline=row.upline,
        party=row.party,
        tier=row.tier,
        products=products_from_text(row.products),
        region=row.region,
        valid_from=row.valid_from,
        ends_at=min(ends, default=None),
    )
