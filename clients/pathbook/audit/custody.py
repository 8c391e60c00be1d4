"""Custody of a book that is replayed: its tiles in memory, and the custody root when a seal asks for it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Self

from pathbook.ledger.chains import Chain, ChainHead, extended, links
from pathbook.ledger.command_fields import OPERATOR
from pathbook.ledger.events import BatchCommissioned, BookOpened, PartyRegistered, RecordedEvent
from pathbook.ledger.proofs.custody import (
    CustodyChange,
    CustodyTree,
    HeadRun,
    TilePlace,
    batch_data,
    custody_root,
)
from pathbook.ledger.run import Change
from pathbook.ledger.runs import Partition

CHANGED_MAX: Final = 20_000
"""How many changed ranges are kept before tiles are brought up to them. It bounds memory in a book without seals."""


class _Tiles:
    """The tiles of one tree, and what changed below them."""

    def __init__(self) -> None:
        self._tiles: dict[TilePlace, bytes] = {}
        self._changed: list[tuple[int, int]] = []

    def runs(self, first: int, last: int) -> Sequence[HeadRun]:
        """Return the runs that have any of the units first .. last, in order."""
        raise NotImplementedError

    def size(self) -> int:
        """Return how many leaves the tree has."""
        raise NotImplementedError

    def tile(self, place: TilePlace) -> bytes | None:
        """Return the hashes of a tile."""
        return self._tiles.get(place)

    def change(self, first: int, last: int) -> None:
        """Note that the heads of units have changed."""
        self._changed.append((first, last))
        if len(self._changed) >= CHANGED_MAX:
            self._update()

    def root(self) -> bytes:
        """Return the root of the tree as it is now. It takes time for what has changed since it was asked for."""
        self._update()
        return CustodyTree(self.size(), self).root()

    def _update(self) -> None:
        if self._changed:
            self._tiles.update(CustodyChange(self.size(), self, self._changed).tiles)
            self._changed.clear()


class _Batch(_Tiles):
    """The custody tree of a batch, over the runs of its partition."""

    def __init__(self, size: int, partition: Partition) -> None:
        super().__init__()
        self._size, self._partition = size, partition
        self.change(0, size - 1)

    def size(self) -> int:
        """Return how many units the batch has."""
        return self._size

    def runs(self, first: int, last: int) -> Sequence[HeadRun]:
        """Return the runs of the partition."""
        return [HeadRun(run.first, run.last, run.head) for run in self._partition.overlapping(first, last)]


class _Register(_Tiles):
    """A register: the data of its leaves, which are added in order and may change."""

    def __init__(self) -> None:
        super().__init__()
        self._data: list[bytes] = []

    def put(self, index: int, data: bytes) -> None:
        """Change the data of a leaf, or add the next one."""
        if index == len(self._data):
            self._data.append(data)
        else:
            self._data[index] = data
        self.change(index, index)

    def size(self) -> int:
        """Return how many leaves there are."""
        return len(self._data)

    def runs(self, first: int, last: int) -> Sequence[HeadRun]:
        """Return a run of one for each leaf."""
        last = min(last, len(self._data) - 1)
        return [HeadRun(index, index, self._data[index]) for index in range(first, last + 1)]


class Custody:
    """The heads of all units, batches and parties of a book, as far as it was replayed."""

    def __init__(self, partitions: Mapping[int, Partition]) -> None:
        """Read the runs of batches from these partitions, which the auditor changes first."""
        self._partitions = partitions
        self.heads: dict[Chain, ChainHead] = {}
        """The heads of all chains as of the last event that was taken."""
        self._batches: dict[int, _Batch] = {}
        self._parties: dict[str, int] = {}
        self._touched: set[int] = set()
        self._batch_register, self._party_register = _Register(), _Register()

    @classmethod
    def restored(
        cls,
        partitions: Mapping[int, Partition],
        sizes: Mapping[int, int],
        batch_heads: Mapping[int, ChainHead],
        party_heads: Mapping[str, ChainHead],
    ) -> Self:
        """Return the custody of a book with these batches and parties, which come in the order of their numbers.

        All hashes are computed again.

        Raises:
            KeyError: a batch has no runs or no size.
        """
        custody = cls(partitions)
        custody.heads.update(batch_heads.items())
        custody.heads.update(party_heads.items())
        for number in batch_heads:
            custody._batches[number] = _Batch(sizes[number], partitions[number])
            custody._touched.add(number)
        for index, (name, head) in enumerate(party_heads.items()):
            custody._parties[name] = index
            custody._party_register.put(index, head.head)
        return custody

    @property
    def party_names(self) -> Iterable[str]:
        """The parties in the order of their numbers, the operator first."""
        return self._parties

    @property
    def batches(self) -> int:
        """How many batches there are."""
        return len(self._batches)

    @property
    def parties(self) -> int:
        """How many parties there are, and the operator."""
        return len(self._parties)

    def apply(self, recorded: RecordedEvent, changes: Sequence[Change]) -> None:
        """Take an event and what it did to the runs of the partitions."""
        event = recorded.event
        for change in changes:
            if change.before is not None:
                self._batches[change.batch].change(change.changed.first, change.changed.last)
                self._touched.add(change.batch)
        if not links(event):
            return
        if isinstance(event, BatchCommissioned):
            self._batches[event.batch] = _Batch(event.size, self._partitions[event.batch])
        elif isinstance(event, BookOpened):
            self._parties[OPERATOR] = 0
        elif isinstance(event, PartyRegistered):
            self._parties[event.party] = len(self._parties)
        for chain, head in extended(self.heads, recorded).items():
            self.heads[chain] = head
            if isinstance(chain, int):
                self._touched.add(chain)
            else:
                self._party_register.put(self._parties[chain], head.head)

    def root(self) -> bytes:
        """Return the custody root as of the last event that was taken."""
        for number in sorted(self._touched):
            batch = self._batches[number]
            data = batch_data(batch.root(), batch.size(), self.heads[number].head)
            self._batch_register.put(number - 1, data)
        self._touched.clear()
        return custody_root(self._batch_register.root(), self._party_register.root())
