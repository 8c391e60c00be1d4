"""Fingerprints of what the views say: of a book, of each batch and party, and of units of a batch.

A batch may have a million runs. They are read RUNS_AT_ONCE at a time, so memory is bounded and the caller is asked in
between. All of an answer is of one snapshot of the views.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias, TypeVar

from pathbook.ledger.command_fields import OPERATOR
from pathbook.ledger.projections.fingerprints import (
    BatchFacts,
    BookFingerprint,
    PresentRun,
    batch_fingerprint,
    operator_fingerprint,
    party_fingerprint,
    runs_fingerprint,
)
from pathbook.ledger.projections.keys import KeyRow
from pathbook.ledger.projections.registers import (
    AuthorizationRow,
    BatchRow,
    PartyRow,
    RecallRow,
    products_from_text,
    ranges_from_text,
)
from pathbook.ledger.queries.registers import batch_alone
from pathbook.ledger.refusals import Reason, Refusal, refuse
from pathbook.ledger.store.views.snapshot import ViewSnapshot
from pathbook.ledger.values import UnitRange

Row = TypeVar("Row")
Key = TypeVar("Key", int, str)

ROWS_AT_ONCE: Final = 1_000
"""How many rows one statement reads, which takes some milliseconds with their hashes."""

EXAMINED_RUNS_MAX: Final = 100_000
"""After how many runs a page of fingerprints ends. A batch with more of them is a page of its own."""

Pause: TypeAlias = Callable[[], None]
"""Is called after some rows. It may wait, and may raise to give up."""


class Fingerprint(NamedTuple):
    """A fingerprint as of a position, of 32 bytes."""

    position: int
    fingerprint: bytes


class Place(NamedTuple):
    """A place in the list of all fingerprints: after a batch, and once these are over, after a party.

    ``party`` is None before the operator, who comes before all parties.
    """

    batch: int = 0
    party: str | None = None
    is_past_batches: bool = False


class ListedFingerprint(NamedTuple):
    """The fingerprint of a batch with the number of its runs, or of a party, with ``batch`` 0.

    ``party`` may be OPERATOR.
    """

    batch: int
    party: str
    fingerprint: bytes
    runs: int

    @property
    def place(self) -> Place:
        """The place after it."""
        return Place(self.batch) if self.batch else Place(party=self.party, is_past_batches=True)


class FingerprintPage(NamedTuple):
    """A page of fingerprints as of a position, and the place after it, None at the end."""

    position: int
    items: list[ListedFingerprint]
    after: Place | None


def of_book(views: ViewSnapshot, pause: Pause) -> Fingerprint:
    """Return the fingerprint of a book."""
    found = BookFingerprint()
    for item in _all(views, Place(), pause):
        if item.batch:
            found.add_batch(item.batch, item.fingerprint)
        else:
            found.add_party(item.party, item.fingerprint)
    return Fingerprint(views.position, found.digest())


def of_units(views: ViewSnapshot, number: int, first: int, last: int, pause: Pause) -> Fingerprint | Refusal:
    """Return the fingerprint of the runs of units of a batch."""
    row = batch_alone(views, number)
    if isinstance(row, Refusal):
        return row
    part = UnitRange(number, first, last)
    if first < 0 or last < first:
        return refuse(Reason.RANGE_REVERSED, range=part)
    if last >= row.size:
        return refuse(Reason.RANGE_BEYOND_BATCH, range=part, last=row.size - 1)
    return Fingerprint(views.position, runs_fingerprint(_runs(views, part, pause), first, last))


def listed(views: ViewSnapshot, after: Place, limit: int, pause: Pause) -> FingerprintPage:
    """Return at most ``limit`` fingerprints after a place: of batches by number, of the operator, of parties by id."""
    items: list[ListedFingerprint] = []
    runs = 0
    for item in _all(views, after, pause):
        if len(items) == limit or (items and runs >= EXAMINED_RUNS_MAX):
            return FingerprintPage(views.position, items, items[-1].place)
        items.append(item)
        runs += item.runs
    return FingerprintPage(views.position, items, None)


def _all(views: ViewSnapshot, after: Place, pause: Pause) -> Iterator[ListedFingerprint]:
    """Yield all fingerprints after a place."""
    if not after.is_past_batches:
        for row in _batches(views, after.batch):
            yield _of_batch(views, row, pause)
    if after.party is None:
        yield ListedFingerprint(0, OPERATOR, operator_fingerprint(_keys(views, OPERATOR)), 0)
    for party in _parties(views, after.party or ""):
        pause()
        given = list(_authorizations(views, party.party))
        products = [products_from_text(each.products) for each in given]
        found = party_fingerprint(party, given, products, _keys(views, party.party))
        yield ListedFingerprint(0, party.party, found, 0)


def _of_batch(views: ViewSnapshot, row: BatchRow, pause: Pause) -> ListedFingerprint:
    recalls = (
        (recall.position, recall.occurred_at, recall.lifted_at, ranges_from_text(row.batch, recall.ranges))
        for recall in _recalls(views, row.batch)
    )
    runs = _runs(views, UnitRange(row.batch, 0, row.size - 1), pause)
    found, count = batch_fingerprint(BatchFacts(row, recalls, _packed(views, row.batch)), runs)
    return ListedFingerprint(row.batch, "", found, count)


def _runs(views: ViewSnapshot, part: UnitRange, pause: Pause) -> Iterator[PresentRun]:
    first = part.first
    while rows := views.present_runs(UnitRange(part.batch, first, part.last), ROWS_AT_ONCE):
        yield from rows
        pause()
        # An edited table may have runs that do not follow each other. The next ones begin after this one all the same.
        first = max(first, rows[-1].last) + 1
        if len(rows) < ROWS_AT_ONCE or first > part.last:
            return


def _paged(read: Callable[[Key], Sequence[Row]], after: Key, key: Callable[[Row], Key]) -> Iterator[Row]:
    """Yield all rows after a key, which are read some at a time. ``key`` returns that of a row."""
    while rows := read(after):
        yield from rows
        after = key(rows[-1])


def _batches(views: ViewSnapshot, after: int) -> Iterator[BatchRow]:
    return _paged(lambda at: views.batches(None, at, ROWS_AT_ONCE), after, lambda row: row.batch)


def _parties(views: ViewSnapshot, after: str) -> Iterator[PartyRow]:
    return _paged(lambda at: views.parties(at, ROWS_AT_ONCE), after, lambda row: row.party)


def _recalls(views: ViewSnapshot, batch: int) -> Iterator[RecallRow]:
    return _paged(lambda at: views.recalls(batch, at, ROWS_AT_ONCE), 0, lambda row: row.position)


def _packed(views: ViewSnapshot, batch: int) -> Iterator[tuple[int, int, str]]:
    return _paged(lambda at: views.packed_in_batch(batch, at, ROWS_AT_ONCE), -1, lambda row: row[0])


def _authorizations(views: ViewSnapshot, party: str) -> Iterator[AuthorizationRow]:
    return _paged(lambda at: views.authorizations(party, at, ROWS_AT_ONCE), 0, lambda row: row.position)


def _keys(views: ViewSnapshot, party: str) -> Iterator[KeyRow]:
    return _paged(lambda at: views.keys(party, at, ROWS_AT_ONCE), 0, lambda row: row.position)
