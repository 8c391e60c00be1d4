"""What the driver of a cluster folds itself: parties, keys, authorizations, products, recalls and cases.

Their events are few beside those that move units.
"""

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from pathlib import Path
from typing import Final, get_args

import pyarrow
from pyarrow import compute, parquet

from pathbook.audit.book import Book
from pathbook.audit.differences import DifferenceError, Rule, UncheckableError
from pathbook.audit.fingerprints import batch_facts
from pathbook.audit.statements import check_keys
from pathbook.cluster.folding import Facts
from pathbook.ledger.chains import extended
from pathbook.ledger.codec import MalformedEventError, NewerEventError, decode
from pathbook.ledger.codec.table import FIELD_OF
from pathbook.ledger.events import BatchCommissioned, RegisterEvent, ReversalAsked, Sealed, TransferAccepted
from pathbook.ledger.key_events import StatementsFiled
from pathbook.ledger.rules import goods
from pathbook.ledger.rules.state import evolve

_UNUSED: Final = (ReversalAsked, Sealed, StatementsFiled)
"""The events that no fingerprint shows. There may be many."""

KINDS: Final = [
    FIELD_OF[kind] for kind in (*get_args(RegisterEvent), BatchCommissioned) if kind not in _UNUSED
]
"""The kinds of events that the driver folds, as the column ``kind`` has them."""

Stored = tuple[int, bytes]
"""The position of an event, and its bytes."""


def stored(files: Iterable[Path], kinds: Sequence[str]) -> Iterator[Stored]:
    """Yield the events of some kinds from files of the table `event`, in the order of their positions."""
    wanted = pyarrow.array(kinds)
    for file in files:
        for table in parquet.ParquetFile(file).iter_batches(columns=["position", "kind", "bytes"]):
            found = table.filter(compute.is_in(table.column("kind"), wanted))
            yield from zip(
                found.column("position").to_pylist(), found.column("bytes").to_pylist(), strict=True
            )


def registers_of(registering: Iterable[Stored], unpacking: Iterable[Stored]) -> Book:
    """Return the registers of a book. Its runs are not those of the book.

    Args:
        registering: the events of KINDS, in the order of their positions.
        unpacking: the acceptances that unpack cases, in the same order.

    Raises:
        DifferenceError: an event is malformed, or is about what was never registered, or a key does not count.
        UncheckableError: an event is newer than this program.
    """
    book = Book()
    for position, data in merge(registering, unpacking):
        try:
            _apply(book, position, data)
        except MalformedEventError as error:
            raise DifferenceError(position, Rule.FORM, str(error)) from None
        except NewerEventError as error:
            raise UncheckableError(str(error)) from None
        except (AssertionError, LookupError):
            raise DifferenceError(
                position, Rule.REGISTER, "it does not follow from the events before"
            ) from None
    return book


def facts_of(book: Book, number: int) -> Facts:
    """Return the facts of a batch, to be sent to a worker."""
    facts = batch_facts(book, number)
    recalls = [(position, since, until, tuple(ranges)) for position, since, until, ranges in facts.recalls]
    return Facts(facts.row, recalls, list(facts.packed))


def _apply(book: Book, position: int, data: bytes) -> None:
    recorded, state = decode(position, data), book.state
    if isinstance(recorded.event, TransferAccepted):
        goods.unpack(state.cases, state.batches, recorded.event.unpacked)
        return
    check_keys(book, recorded)
    state.position = position - 1  # the events between are folded by the workers
    evolve(state, recorded)
    book.heads.update(extended(book.heads, recorded))
