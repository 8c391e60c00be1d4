"""Reading custody as of the last seal, in one snapshot: heads, chains, and the audit paths of a proof."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import Engine

from pathbook.ledger.proofs.custody import TILE_WIDTH, CustodyTree, HeadRun
from pathbook.ledger.store.custody.kept_trees import BatchTree, RegisterTree, load_tiles, tiles_over
from pathbook.ledger.store.custody.lookups import batches_of, links_of, parties_named
from pathbook.ledger.store.custody.tables import (
    BATCHES,
    PARTIES,
    BatchRow,
    PartyRow,
    SealRow,
    last_seal,
)
from pathbook.ledger.store.database.fast_read import ReaderPool, ReadSnapshot
from pathbook.ledger.store.log.stream import persistence_errors


class CustodySnapshot:
    """The custody of a book as of one seal.

    Attributes:
        seal: the position that it covers, the position of its event, the counts of batches and parties, and the root.
    """

    def __init__(self, snapshot: ReadSnapshot, book: str, seal: SealRow) -> None:
        """Read in a snapshot of the database."""
        self._snapshot, self._book, self.seal = snapshot, book, seal
        self._trees: dict[int, BatchTree] = {}
        self._registers = {
            register: RegisterTree(snapshot, book, register) for register in (BATCHES, PARTIES)
        }

    def batch(self, number: int) -> BatchRow | None:
        """Return the size of a batch, its custody root and the head of its chain; None if it is not sealed."""
        return next(batches_of(self._snapshot, self._book, [(number, number)]), None)

    def party(self, name: str) -> PartyRow | None:
        """Return the number of a party and the head of its chain; None if it is not sealed."""
        return next(iter(self.parties([name])), None)

    def parties(self, names: Iterable[str]) -> list[PartyRow]:
        """Return the numbers of parties and the heads of their chains, of those that are sealed.

        Their leaves are loaded, too, and the tiles on their audit paths.
        """
        rows = list(parties_named(self._snapshot, self._book, names))
        register, places = self._registers[PARTIES], [(row.number, row.number) for row in rows]
        register.load([(number & -TILE_WIDTH, number | TILE_WIDTH - 1) for number, _ in places])
        tiles = tiles_over(PARTIES, self.seal.parties, places)
        load_tiles(self._snapshot, self._book, {PARTIES: register}, tiles)
        return rows

    def run(self, batch: BatchRow, unit: int) -> HeadRun:
        """Return the run of a unit of a batch. From its position and origin, the view of runs leads to its path."""
        return self._tree(batch).runs(unit, unit)[0]

    def unit_path(self, batch: BatchRow, unit: int) -> list[bytes]:
        """Return the audit path of a unit in the custody tree of its batch.

        Raises:
            ValueError: the batch has no such unit.
        """
        tree = self._tree(batch)
        if 0 <= unit < batch.size:
            places = tiles_over(batch.batch, batch.size, [(unit, unit)])
            load_tiles(self._snapshot, self._book, {batch.batch: tree}, places)
        return CustodyTree(batch.size, tree).proof(unit)

    def batch_path(self, number: int) -> list[bytes]:
        """Return the audit path of a batch in the register of batches."""
        return CustodyTree(self.seal.batches, self._registers[BATCHES]).proof(number - 1)

    def parties_proof(self, numbers: Sequence[int]) -> list[bytes]:
        """Return the hashes that lead to the root of the register of parties together with some, by their numbers."""
        return CustodyTree(self.seal.parties, self._registers[PARTIES]).multiproof(numbers)

    def links_of_batch(self, number: int) -> list[int]:
        """Return the positions of the events of a batch's own chain, in order."""
        return links_of(self._snapshot, self._book, BATCHES, [number])[number]

    def links_of_parties(self, numbers: Iterable[int]) -> dict[int, list[int]]:
        """Return by the number of each party the positions of the events of its own chain, in order."""
        return links_of(self._snapshot, self._book, PARTIES, numbers)

    def batches_root(self) -> bytes:
        """Return the root of the register of batches."""
        return CustodyTree(self.seal.batches, self._registers[BATCHES]).root()

    def parties_root(self) -> bytes:
        """Return the root of the register of parties."""
        return CustodyTree(self.seal.parties, self._registers[PARTIES]).root()

    def _tree(self, batch: BatchRow) -> BatchTree:
        new = BatchTree(self._snapshot, self._book, batch.batch, batch.size)
        return self._trees.setdefault(batch.batch, new)


class CustodyReader:
    """Reads the custody of books. Threads may share it."""

    def __init__(self, views: Engine) -> None:
        """Read in the place of the views."""
        self.views, self.readers = views, ReaderPool(views)

    @contextlib.contextmanager
    def open(self, book: str) -> Iterator[CustodySnapshot | None]:
        """Open a snapshot of the last seal of a book, None if nothing is sealed, or the tables are being filled.

        Raises:
            eventsourcing.persistence.PersistenceError: the database fails.
        """
        with persistence_errors(), self.readers.consistent() as reader:
            seal = last_seal(reader, book)
            yield CustodySnapshot(reader, book, seal) if seal.position else None
