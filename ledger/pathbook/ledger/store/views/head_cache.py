"""A cache of the heads of parties and batches, between one group of events and the next."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection, Table

from pathbook.ledger.chains import Chain, ChainHead
from pathbook.ledger.store.views.lookups import has_key
from pathbook.ledger.store.views.tables import BATCH, PARTY

CACHED_HEADS_MAX = 50_000
"""The most heads that are cached between two groups of events, in about 20 MB. The most recently used ones stay."""

HEADS_PER_STATEMENT_MAX = 1_000
"""How many heads one statement loads, because databases limit the parameters of a statement."""

_Key = TypeVar("_Key", str, int)


def load_heads(connection: Connection, book: str, chains: Iterable[Chain]) -> dict[Chain, ChainHead]:
    """Return the heads of chains as the views hold them. Chains that the views do not hold are left out."""
    names, numbers = list[str](), list[int]()
    for chain in chains:
        if isinstance(chain, str):
            names.append(chain)
        else:
            numbers.append(chain)
    return {**dict(_load(connection, PARTY, book, names)), **dict(_load(connection, BATCH, book, numbers))}


def _load(
    connection: Connection, table: Table, book: str, keys: Sequence[_Key]
) -> Iterator[tuple[_Key, ChainHead]]:
    """Yield the heads of parties or of batches. The key of the table is its second column, after the book."""
    column = table.c[1]
    columns = sa.select(column, table.c.head, table.c.head_position)
    for start in range(0, len(keys), HEADS_PER_STATEMENT_MAX):
        chunk = list(keys[start : start + HEADS_PER_STATEMENT_MAX])
        for key, head, position in connection.execute(
            columns.where(table.c.book == book, has_key(connection, column, chunk))
        ):
            yield key, ChainHead(head, position)


class HeadCache:
    """Heads of parties and batches of all books. The heads of one book are all as of the same position."""

    def __init__(self, limit: int = CACHED_HEADS_MAX) -> None:
        """Cache this many heads at most."""
        self._limit = limit
        self._cached: OrderedDict[tuple[str, Chain], ChainHead] = OrderedDict()
        self._positions: dict[str, int] = {}

    def take(
        self, connection: Connection, book: str, position: int, chains: Iterable[Chain]
    ) -> dict[Chain, ChainHead]:
        """Return the heads of chains, as of the position of the views.

        Heads that are not cached are loaded, many with one statement. A chain that does not exist is left out.
        """
        if self._positions.get(book) != position:
            for key in [key for key in self._cached if key[0] == book]:
                del self._cached[key]
            self._positions[book] = position
        found: dict[Chain, ChainHead] = {}
        absent: list[Chain] = []
        for chain in chains:
            cached = self._cached.get((book, chain))
            if cached is None:
                absent.append(chain)
            else:
                found[chain] = cached
        if absent:
            found.update(load_heads(connection, book, absent))
        return found

    def has_all(self, book: str, chains: Iterable[Chain]) -> bool:
        """Tell whether the heads of all of these chains are cached."""
        return all((book, chain) in self._cached for chain in chains)

    def give_back(self, book: str, position: int, heads: Mapping[Chain, ChainHead]) -> None:
        """Cache the heads of chains as of a later position. The least recently used ones are evicted.

        The heads that are cached and not given back must not have changed up to that position.
        """
        self._positions[book] = position
        for chain, head in heads.items():
            key = book, chain
            self._cached[key] = head
            self._cached.move_to_end(key)
        for key in list(islice(self._cached, max(0, len(self._cached) - self._limit))):
            del self._cached[key]
