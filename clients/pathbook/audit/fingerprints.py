"""Fingerprints of a book as it was replayed, and their comparison with those of a server's views."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from pathbook.audit.book import Book
from pathbook.audit.differences import DifferenceError, LaterError, Rule
from pathbook.client import Client, RefusedError
from pathbook.ledger.command_fields import OPERATOR, named
from pathbook.ledger.projections import registers
from pathbook.ledger.projections.fingerprints import (
    BatchFacts,
    BookFingerprint,
    batch_fingerprint,
    operator_fingerprint,
    party_fingerprint,
    present_run,
    runs_fingerprint,
)
from pathbook.ledger.projections.keys import KeyRow
from pathbook.ledger.projections.registers import PartyRow

NAMED_MAX: Final = 5
"""How many batches and parties a difference names."""

PAGE_SIZE: Final = 1_000
"""How many fingerprints are asked for at once."""

TIMEOUT_S: Final = 600.0
"""How long a fingerprint may take. A server reads some 100,000 runs a second."""

Reach = Callable[[int], Book]
"""Replays up to a position, and returns the book as of it. It raises UncheckableError if the book is beyond it."""


def book_fingerprint(book: Book) -> bytes:
    """Return the fingerprint of a book."""
    return joined_fingerprint(book, ((number, _of_batch(book, number)) for number in book.state.partitions))


def joined_fingerprint(book: Book, batches: Iterable[tuple[int, bytes]]) -> bytes:
    """Return the fingerprint of a book whose batches have these, by number. Of the book only its parties are asked."""
    found = BookFingerprint()
    for number, fingerprint in batches:
        found.add_batch(number, fingerprint)
    for name in _names(book):
        found.add_party(name, _of_party(book, name))
    return found.digest()


def compare(client: Client, reach: Reach, position: int) -> int:
    """Compare the views of a server with what was replayed up to a position or later. Return the position of both.

    Raises:
        DifferenceError: FINGERPRINT. It names batches with their units, and parties.
        LaterError: the views do not reach the position now.
        pathbook.client.RefusedError, pathbook.client.UnreachableError: the server refuses, or does not answer.
    """
    client = client.with_options(timeout=TIMEOUT_S)
    client.position = position
    try:
        found = client.get_fingerprint()
        book = reach(found.position)
        if book_fingerprint(book) != found.fingerprint:
            raise DifferenceError(found.position, Rule.FINGERPRINT, _differing(client, reach))
    except RefusedError as error:
        if error.may_retry or error.reason in ("VIEWS_BEHIND", "VIEWS_NOT_WHOLE", "UNIMPLEMENTED"):
            message = f"The views of the server cannot be compared: {error.message}"
            raise LaterError(message) from None
        raise
    return found.position


def _differing(client: Client, reach: Reach) -> str:
    """Return which batches and parties the server shows otherwise."""
    found: list[str] = []
    listed: set[int | str] = set()
    book: Book | None = None
    for item in client.list_fingerprints(page_size=PAGE_SIZE):
        book = reach(item.position)
        if item.batch:
            listed.add(item.batch)
            known = item.batch in book.state.partitions
            if not known or _of_batch(book, item.batch) != item.fingerprint:
                found.append(
                    _units(client, reach, item.batch) if known else f"batch {item.batch}, never made"
                )
        else:
            listed.add(item.party)
            known = item.party == OPERATOR or item.party in book.state.parties
            if not known or _of_party(book, item.party) != item.fingerprint:
                found.append(named(item.party))
        if len(found) > NAMED_MAX:
            break
    else:
        assert book is not None, "the operator is always listed"
        found += [f"batch {number}, which it leaves out" for number in book.state.partitions.keys() - listed]
        found += [f"{named(name)}, which it leaves out" for name in set(_names(book)) - listed]
    if not found:
        return "the server shows another state of the book, but the same of all its batches and parties"
    more = ", and more" if len(found) > NAMED_MAX else ""
    return f"the server shows another state of {'; '.join(found[:NAMED_MAX])}{more}"


def _units(client: Client, reach: Reach, batch: int) -> str:
    """Return the units of a batch that the server shows otherwise: from the first to the last of them."""

    def differs(first: int, last: int) -> bool:
        answer = client.get_fingerprint((batch, first, last))
        book = reach(answer.position)
        runs = book.state.partitions[batch].overlapping(first, last)
        return runs_fingerprint(map(present_run, runs), first, last) != answer.fingerprint

    end = reach(client.position).state.partitions[batch].runs[-1].last
    if not differs(0, end):
        return f"batch {batch} (its register, recalls or cases)"
    low, high = 0, end
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if differs(low, middle) else (middle + 1, high)
    first, high = low, end
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if differs(middle, high) else (low, middle - 1)
    return f"batch {batch} (units {first}-{low})"


def batch_facts(book: Book, number: int) -> BatchFacts:
    """Return what the fingerprint of a batch has besides its runs."""
    batch = book.state.batches[number]
    assert batch is not None, number
    row = registers.batch(batch.commissioned, 0, book.heads[number])
    recalls = ((at, found.since, found.until, found.ranges) for at, found in batch.recalls.items())
    return BatchFacts(row, recalls, batch.packed)


def _of_batch(book: Book, number: int) -> bytes:
    return batch_fingerprint(batch_facts(book, number), map(present_run, book.state.partitions[number].runs))[
        0
    ]


def _of_party(book: Book, name: str) -> bytes:
    known = book.keys.parties[name]
    keys = (
        KeyRow(
            key=key,
            party=name,
            position=held.registered,
            registered_at=held.registered_at,
            recovery_key=held.recovery_key,
            endorser=held.endorser,
            endorser_key=b"",  # a fingerprint does not have the last three
            replaced_key=b"",
            revoked_position=held.revoked,
            revoked_at=None,
        )
        for key, held in known.keys.items()
    )
    if name == OPERATOR:
        return operator_fingerprint(keys)
    party = book.state.parties[name]
    assert party is not None, name
    row = PartyRow(name, party.kind.value, party.position, 0, *book.heads[name])
    given = [
        registers.authorization(event, position)._replace(revoked_from=known.revoked_from.get(position))
        for position, event in known.authorizations.items()
    ]
    return party_fingerprint(row, given, [event.products for event in known.authorizations.values()], keys)


def _names(book: Book) -> Iterator[str]:
    """Yield the operator and all parties, in the order of the fingerprint of a book."""
    yield OPERATOR
    yield from sorted(name for name, party in book.state.parties.items() if party is not None)
