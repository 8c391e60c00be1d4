"""Reads a whole log in the order of its positions, and says of each book what is there, missing or broken."""

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from pathbook.ledger.codec import MalformedEventError, NewerEventError, decode, leaf_hash
from pathbook.ledger.events import BookOpened, Sealed
from pathbook.ledger.proofs.tree import Frontier
from pathbook.ledger.store.log.damage import MISSING, EventDamagedError
from pathbook.ledger.store.log.event_hashes import checked, checked_at
from pathbook.ledger.store.log.event_table import EVENT, EVENT_HASHES
from pathbook.ledger.store.log.incarnation import lineage

AUDITED_AT_ONCE = 5_000
"""How many events are in memory at once: a megabyte, or some hundred if all are as long as an event may be."""

NAMED_FAULTS_MAX = 10
"""How many gaps and broken events of a book are named. All are counted."""

_NEXT = sa.select(sa.func.min(EVENT.c.book)).where(EVENT.c.book > sa.bindparam("book"))
_HEAD = sa.select(sa.func.max(EVENT.c.position)).where(EVENT.c.book == sa.bindparam("book"))
_PART = (
    sa.select(EVENT.c.position, EVENT.c.topic, EVENT.c.state)
    .where(EVENT.c.book == sa.bindparam("book"), EVENT.c.position > sa.bindparam("after"))
    .order_by(EVENT.c.position)
    .limit(AUDITED_AT_ONCE)
)


class BookAudit(msgspec.Struct, frozen=True):
    """What the log holds of one book.

    Attributes:
        book: its name.
        events: how many events there are.
        head: the last position.
        log_sha256: SHA-256 of the leaf hashes of all events, 32 bytes each, in the order of their positions. In
            hexadecimal.
        incarnation: the present one, "" if the first event is missing.
        gaps: the first ranges of positions below the head that are missing, as (first, last).
        broken: the first events that cannot be read, as (position, problem).
        faults: how many gaps and broken events there are.
        newer_at: the first position of an event that is newer than this program, or None.
        roots: the roots of the trees over the first events, by the sizes that were asked for. Sizes beyond a gap, or
            beyond the head, have none.
        sealed: those of these sizes whose last event is a seal.
    """

    book: str
    events: int
    head: int
    log_sha256: str
    incarnation: str
    gaps: tuple[tuple[int, int], ...]
    broken: tuple[tuple[int, str], ...]
    faults: int
    newer_at: int | None
    roots: dict[int, bytes] = {}
    sealed: frozenset[int] = frozenset()


def heads(connection: Connection) -> dict[str, int]:
    """Return the last position of each book, in the caller's transaction."""
    found: dict[str, int] = {}
    name = connection.execute(_NEXT, {"book": ""}).scalar()
    while name is not None:
        found[name] = connection.execute(_HEAD, {"book": name}).scalar_one()
        name = connection.execute(_NEXT, {"book": name}).scalar()
    return found


def origin_of(connection: Connection, book: str) -> str:
    """Return the origin of a book, in the caller's transaction; "" if its first event is missing or damaged."""
    row = connection.execute(_PART.limit(1), {"book": book, "after": 0}).first()
    try:
        event = None if row is None else decode(row[0], bytes(row[2])).event
    except (MalformedEventError, NewerEventError):
        return ""
    return event.origin if isinstance(event, BookOpened) else ""


def audit(
    connection: Connection,
    book: str,
    head: int,
    progress: Callable[[int, int], None] = lambda *_: None,
    sizes: Collection[int] = (),
) -> BookAudit:
    """Read all events of a book, in the caller's transaction, and hash them up to the largest of ``sizes``.

    ``progress`` is called with the position that is reached, and the head.
    """
    digest, last, events, faults = hashlib.sha256(), 0, 0, 0
    tree, wanted, roots = Frontier(), frozenset(sizes), dict[int, bytes]()
    sealed: set[int] = set()
    gaps: list[tuple[int, int]] = []
    broken: list[tuple[int, str]] = []
    newer_at: int | None = None
    keeps_hashes = sa.inspect(connection).has_table(EVENT_HASHES.name)
    while rows := connection.execute(_PART, {"book": book, "after": last}).all():
        if keeps_hashes and _differs(connection, book, last, rows):
            for position, problem in _differing(connection, book, [row[0] for row in rows]):
                faults += 1
                broken.append((position, problem))
        for position, _, state in rows:
            if position != last + 1:
                faults += 1
                gaps.append((last + 1, position - 1))
            data = bytes(state)
            leaf = leaf_hash(data)
            digest.update(leaf)
            if len(roots) < len(wanted) and position == tree.size + 1:
                tree.append(leaf)
                if position in wanted:
                    roots[position] = tree.root()
            try:
                if isinstance(decode(position, data).event, Sealed) and position in roots:
                    sealed.add(position)
            except NewerEventError:
                newer_at = position if newer_at is None else newer_at
            except MalformedEventError as error:
                faults += 1
                broken.append((position, str(error)))
            last = position
        events += len(rows)
        gaps, broken = gaps[:NAMED_FAULTS_MAX], broken[:NAMED_FAULTS_MAX]
        progress(last, head)
    has_first = events > 0 and not (gaps and gaps[0][0] == 1)
    return BookAudit(
        book,
        events,
        last,
        digest.hexdigest(),
        lineage(connection, book).present if has_first else "",
        tuple(gaps),
        tuple(broken),
        faults,
        newer_at,
        roots,
        frozenset(sealed),
    )


def _differs(connection: Connection, book: str, after: int, rows: Sequence[sa.Row[int, str, bytes]]) -> bool:
    """Tell whether one of these events differs from its kept hash. Gaps are told by their positions."""
    try:
        checked(connection.execute, book, after, rows, through=None, is_snapshot=True)
    except EventDamagedError as error:
        return error.problem != MISSING
    return False


def _differing(connection: Connection, book: str, positions: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Yield the positions of events that differ from their kept hashes, each with what is wrong."""
    for position in positions:
        try:
            checked_at(connection.execute, book, [position])
        except EventDamagedError as error:
            yield position, error.problem


def has_events(connection: Connection) -> bool:
    """Tell whether a database has the table of events, in the caller's transaction."""
    return sa.inspect(connection).has_table(EVENT.name)


def tables_of_log(connection: Connection) -> dict[str, int]:
    """Return the tables beside the events, and the events, each with its number of rows."""
    names = sorted(sa.inspect(connection).get_table_names())
    count = sa.select(sa.func.count())
    return {name: connection.execute(count.select_from(sa.table(name))).scalar_one() for name in names}
