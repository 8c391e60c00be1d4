"""What a party or a batch is filled with: the authorizations of the party, and the recalls of the batch.

One statement reads those of all items of a page. A page ends before an item whose authorizations or recalls are too
many, and the first item of a page has as many as fit. A path has only the recalls that name its unit.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from pathbook.ledger.projections.registers import (
    AuthorizationRow,
    BatchRow,
    PartyRow,
    RecallRow,
    narrowed_text,
)
from pathbook.ledger.queries.answers import Batch, Party, Recall
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.snapshot import ViewSnapshot
from pathbook.ledger.values import Unit

FILLED_ROWS_MAX: Final = 1_000
"""How many authorizations or recalls the items of a page have together."""

FILLED_TEXT_MAX: Final = 1_000_000
"""How many characters their lists of products or ranges have together, beside the last. In a message they take fewer
bytes, so that an item takes a quarter of a message at most."""

ROWS_AT_ONCE: Final = 50
"""How many authorizations or recalls of one party or batch a statement reads. Each has 64 KB at most."""

RECALLS_OF_UNIT_MAX: Final = 100
"""How many recalls a path has. They are those that name its unit and are in force, and then the latest ones."""

_Key = TypeVar("_Key", str, int)
_Row = TypeVar("_Row")


def fill_party(
    views: ViewSnapshot, row: PartyRow, after: int, limit: int, uplines: frozenset[str] | None = None
) -> Party:
    """Return a party with the authorizations after a position, oldest first: at most ``limit``, and what fits.

    If uplines are named, it has only the authorizations that they gave.
    """

    def read(place: int, count: int) -> list[AuthorizationRow]:
        return views.authorizations(row.party, place, count, uplines)

    found, goes_on = _fitting(read, lambda given: given.position, _products, after, limit)
    return Party(row, tuple(found), goes_on)


def fill_batch(views: ViewSnapshot, stream: Stream, row: BatchRow, after: int, limit: int) -> Batch:
    """Return a batch with the recalls after a position, oldest first: at most ``limit``, and what fits."""
    if row.head_position == row.position:
        return Batch(row, ())  # the chain of most batches has only their commissioning

    def read(place: int, count: int) -> list[RecallRow]:
        return views.recalls(row.batch, place, count)

    found, goes_on = _fitting(read, lambda made: made.position, _recalled, after, limit)
    notes = stream.notes_at(views.book, [made.position for made in found])
    return Batch(row, tuple([Recall(made, notes.get(made.position)) for made in found]), goes_on)


def recalls_of_unit(views: ViewSnapshot, stream: Stream, unit: Unit) -> tuple[tuple[Recall, ...], bool]:
    """Return the recalls that name a unit, oldest first, each with the range that holds it. Say whether others exist.

    Of more than RECALLS_OF_UNIT_MAX, those in force come first, and then the latest.
    """
    in_force: deque[tuple[RecallRow, int]] = deque(maxlen=RECALLS_OF_UNIT_MAX)
    lifted: deque[tuple[RecallRow, int]] = deque(maxlen=RECALLS_OF_UNIT_MAX)
    place = seen = 0
    while rows := views.recalls(unit.batch, place, ROWS_AT_ONCE):
        seen += len(rows)
        place = rows[-1].position
        for row in rows:
            if (narrowed := narrowed_text(row.ranges, unit.number)) is not None:
                text, others = narrowed
                kept = lifted if row.lifted_position else in_force
                kept.append((row._replace(ranges=text), others))
        if len(rows) < ROWS_AT_ONCE:
            break
    room = RECALLS_OF_UNIT_MAX - len(in_force)
    chosen = sorted([*in_force, *(list(lifted)[-room:] if room else ())])
    notes = stream.notes_at(views.book, [row.position for row, _ in chosen])
    found = tuple([Recall(row, notes.get(row.position), left_out) for row, left_out in chosen])
    return found, seen > len(found)


def fill_parties(views: ViewSnapshot, rows: Sequence[PartyRow]) -> list[Party]:
    """Return parties with their authorizations, oldest first: all of them, or as many as one page may hold."""
    names = [row.party for row in rows]
    found = _found(
        names,
        views.authorizations_of(names, FILLED_ROWS_MAX + 1) if names else [],
        lambda given: given.party,
        _products,
    )
    return [Party(row, *found[row.party]) for row in rows if row.party in found]


def fill_batches(views: ViewSnapshot, stream: Stream, rows: Sequence[BatchRow]) -> list[Batch]:
    """Return batches with their recalls, oldest first: all of them, or as many as one page may hold."""
    numbers = [row.batch for row in rows]
    # the chain of most batches has only their commissioning
    recalled = [row.batch for row in rows if row.head_position != row.position]
    found = _found(
        numbers,
        views.recalls_of(recalled, FILLED_ROWS_MAX + 1) if recalled else [],
        lambda made: made.batch,
        _recalled,
    )
    notes = stream.notes_at(views.book, [made.position for each, _ in found.values() for made in each])
    return [
        Batch(row, tuple([Recall(made, notes.get(made.position)) for made in made_of]), goes_on)
        for row in rows
        if row.batch in found
        for made_of, goes_on in [found[row.batch]]
    ]


def _products(given: AuthorizationRow) -> int:
    return len(given.products)


def _recalled(made: RecallRow) -> int:
    return len(made.ranges)


def _fitting(
    read: Callable[[int, int], list[_Row]],
    position_of: Callable[[_Row], int],
    size_of: Callable[[_Row], int],
    after: int,
    limit: int,
) -> tuple[list[_Row], bool]:
    """Return as many rows after a position as fit, one at least if there is one, and whether others follow."""
    found: list[_Row] = []
    left = FILLED_TEXT_MAX
    while True:
        asked = min(limit - len(found) + 1, ROWS_AT_ONCE)
        rows = read(after, asked)
        for row in rows:
            left -= size_of(row)
            if found and (left < 0 or len(found) == limit):
                return found, True
            found.append(row)
        if len(rows) < asked:
            return found, False
        after = position_of(rows[-1])


def _found(
    keys: Sequence[_Key],
    rows: Sequence[_Row],
    key_of: Callable[[_Row], _Key],
    size_of: Callable[[_Row], int],
) -> dict[_Key, tuple[tuple[_Row, ...], bool]]:
    """Return the rows of each key, up to the first key whose rows do not fit the page any more.

    ``rows`` are in the order of their keys. If they are too many, some of the last key, and those of later keys, are
    missing. The first key is always there, with as many rows as fit, and it says whether others follow these.
    """
    found: dict[_Key, tuple[tuple[_Row, ...], bool]] = {}
    by_key: dict[_Key, list[_Row]] = {}
    for row in rows:
        by_key.setdefault(key_of(row), []).append(row)
    missing_from = key_of(rows[-1]) if len(rows) > FILLED_ROWS_MAX else None
    left = FILLED_TEXT_MAX
    for key in keys:
        is_missing = missing_from is not None and key >= missing_from
        mine, left_before = by_key.get(key, []), left
        left -= sum(map(size_of, mine))
        if not is_missing and left >= 0:
            found[key] = tuple(mine), False
            continue
        if not found:
            fitting, goes_on = _first(mine, size_of, left_before)
            found[key] = tuple(fitting), goes_on or is_missing
        break
    return found


def _first(rows: Sequence[_Row], size_of: Callable[[_Row], int], left: int) -> tuple[Sequence[_Row], bool]:
    """Return the first rows that fit into so many characters, but at least one, and whether others follow."""
    for count, row in enumerate(rows):
        left -= size_of(row)
        if count and left < 0:
            return rows[:count], True
    return rows, False
