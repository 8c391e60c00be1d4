"""What the items of a page are filled with: the authorizations of parties, and the recalls of batches.

One statement reads those of all items. A page ends before an item whose authorizations or recalls are too many.
"""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from pathbook.ledger.projections.registers import BatchRow, PartyRow
from pathbook.ledger.queries.answers import Batch, Party, Recall
from pathbook.ledger.store.log.stream import Stream
from pathbook.ledger.store.views.snapshot import ViewSnapshot

FILLED_ROWS_MAX: Final = 1_000
"""How many authorizations or recalls the items of a page have together. An item alone on its page may have more."""

FILLED_TEXT_MAX: Final = 1_000_000
"""How many characters their lists of products or ranges have together. In a message of at most 4 MB they take less."""

_Key = TypeVar("_Key", str, int)
_Row = TypeVar("_Row")


def fill_parties(views: ViewSnapshot, rows: Sequence[PartyRow]) -> list[Party]:
    """Return parties with their authorizations, oldest first: all of them, or as many as one page may hold."""
    names = [row.party for row in rows]
    found = _found(
        names,
        views.authorizations_of(names, FILLED_ROWS_MAX + 1) if names else [],
        lambda given: given.party,
        lambda given: len(given.products),
        views.authorizations,
    )
    return [Party(row, tuple(found[row.party])) for row in rows if row.party in found]


def fill_batches(views: ViewSnapshot, stream: Stream, rows: Sequence[BatchRow]) -> list[Batch]:
    """Return batches with their recalls, oldest first: all of them, or as many as one page may hold."""
    numbers = [row.batch for row in rows]
    # the chain of most batches has only their commissioning
    recalled = [row.batch for row in rows if row.head_position != row.position]
    found = _found(
        numbers,
        views.recalls_of(recalled, FILLED_ROWS_MAX + 1) if recalled else [],
        lambda made: made.batch,
        lambda made: len(made.ranges),
        views.recalls,
    )
    notes = stream.notes_at(views.book, [made.position for each in found.values() for made in each])
    return [
        Batch(row, tuple([Recall(made, notes.get(made.position)) for made in found[row.batch]]))
        for row in rows
        if row.batch in found
    ]


def recalls(views: ViewSnapshot, stream: Stream, number: int) -> tuple[Recall, ...]:
    """Return the recalls of a batch with their notes, oldest first."""
    rows = views.recalls(number)
    notes = stream.notes_at(views.book, [row.position for row in rows])
    return tuple([Recall(row, notes.get(row.position)) for row in rows])


def _found(
    keys: Sequence[_Key],
    rows: Sequence[_Row],
    key_of: Callable[[_Row], _Key],
    size_of: Callable[[_Row], int],
    all_of: Callable[[_Key], list[_Row]],
) -> dict[_Key, list[_Row]]:
    """Return the rows of each key, up to the first key whose rows do not fit the page any more.

    ``rows`` are in the order of their keys. If they are too many, those of the last key and of later keys are missing.
    The first key is always there, with all its rows.
    """
    found: dict[_Key, list[_Row]] = {}
    by_key: dict[_Key, list[_Row]] = {}
    for row in rows:
        by_key.setdefault(key_of(row), []).append(row)
    missing_from = key_of(rows[-1]) if len(rows) > FILLED_ROWS_MAX else None
    left = FILLED_TEXT_MAX
    for key in keys:
        is_missing = missing_from is not None and key >= missing_from
        mine = all_of(key) if is_missing and not found else by_key.get(key, [])
        left -= sum(map(size_of, mine))
        if found and (is_missing or left < 0):
            break
        found[key] = mine
        if is_missing:
            break
    return found
