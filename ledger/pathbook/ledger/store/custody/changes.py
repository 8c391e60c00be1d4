"""What a sequence of events changes in the custody of a book: collected in memory, then written in one transaction."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Engine

from pathbook.ledger import chains
from pathbook.ledger.chains import Chain, ChainHead
from pathbook.ledger.command_fields import OPERATOR
from pathbook.ledger.events import BatchCommissioned, BookOpened, PartyRegistered, RecordedEvent
from pathbook.ledger.moves import changed_ranges
from pathbook.ledger.proofs.custody import (
    TILE_WIDTH,
    CustodyChange,
    CustodyTree,
    HeadRun,
    TilePlace,
    batch_data,
    custody_root,
)
from pathbook.ledger.proofs.heads import Heads, extend_heads
from pathbook.ledger.store.custody.kept_trees import (
    BatchTree,
    KeptTree,
    RegisterTree,
    load_runs,
    load_tiles,
    tiles_over,
)
from pathbook.ledger.store.custody.lookups import batches_of, parties_named
from pathbook.ledger.store.custody.tables import (
    ADD_LINK,
    BATCHES,
    PARTIES,
    PUT_BATCH,
    PUT_BLOCK,
    PUT_PARTY,
    PUT_SEAL,
    PUT_TILE,
    BatchRow,
    BlockRow,
    LinkRow,
    PartyRow,
    SealRow,
    TileRow,
    last_seal,
    packed_runs,
)
from pathbook.ledger.store.database.bulk_write import Row, Statement
from pathbook.ledger.store.database.engine import writing
from pathbook.ledger.store.database.fast_read import ReadSnapshot, TransactionSnapshot

WEIGHT_AT_ONCE: Final = 2_000
"""Of events of how much weight the runs are loaded at once. It bounds how many runs are loaded that are not needed."""

UNITS_PER_WEIGHT: Final = 64
"""How many units of a range weigh as much as the range itself. Each of them may be a run of its own."""

RANGE_WEIGHT_MAX: Final = 125
"""The most that a range weighs: an event touches some 8,000 runs at most."""


class Roots(NamedTuple):
    """The counts and the custody root as of a position."""

    batches: int
    parties: int
    root: bytes


class CustodyChanges:
    """What events change after the position of the tables. Everything is read in one snapshot."""

    def __init__(self, snapshot: ReadSnapshot, book: str) -> None:
        """Begin where the tables of a book are."""
        self._snapshot, self._book = snapshot, book
        self.begun = last_seal(snapshot, book)
        self._batches, self._parties = self.begun.batches, self.begun.parties
        self._trees: dict[int, BatchTree] = {}
        self._heads: dict[int, Heads] = {}
        self._known: dict[int, BatchRow] = {}
        self._numbers: dict[str, int] = {}
        self._chains: dict[Chain, ChainHead] = {}
        self._extended: set[Chain] = set()
        self._written_chains: set[Chain] = set()
        self._registers: dict[int, RegisterTree] = {
            register: RegisterTree(snapshot, book, register) for register in (BATCHES, PARTIES)
        }
        self._tiles: set[tuple[int, int, int]] = set()
        self._links: list[tuple[Chain, int]] = []

    @property
    def touched(self) -> int:
        """How many changes of runs were taken, and how many batches and parties are to be written."""
        changes = sum(heads.changes for heads in self._heads.values())
        return changes + len(self._written_chains) + len(self._extended)

    def take(self, events: Sequence[RecordedEvent], touched_max: int) -> int:
        """Take the next events, until about so many things are `touched`. Return how many events were taken."""
        begin = weight = 0
        for end, recorded in enumerate(events, 1):
            for part in changed_ranges(recorded.event):
                weight += 1 + min((part.last - part.first) // UNITS_PER_WEIGHT, RANGE_WEIGHT_MAX)
            if weight >= WEIGHT_AT_ONCE or end == len(events):
                self._take(events[begin:end])
                begin, weight = end, 0
                if self.touched >= touched_max:
                    break
        return begin

    def _take(self, events: Sequence[RecordedEvent]) -> None:
        self._load(events)
        for recorded in events:
            extend_heads(self._heads, recorded)
            extended = chains.extended(self._chains, recorded)
            self._chains.update(extended)
            self._extended.update(extended)
            self._links += [(chain, recorded.position) for chain in extended]

    def _load(self, events: Sequence[RecordedEvent]) -> None:
        """Load the runs and the chains that events change, and begin those that they begin."""
        wanted: set[tuple[int, int, int]] = set()
        begun: set[int] = set()
        for recorded in events:
            event = recorded.event
            if isinstance(event, BatchCommissioned):
                assert event.batch == self._batches + 1, (event.batch, self._batches)
                self._batches = event.batch
                self._begin_batch(event.batch, event.size)
                begun.add(event.batch)
            elif isinstance(event, BookOpened | PartyRegistered):
                party = OPERATOR if isinstance(event, BookOpened) else event.party
                self._numbers[party] = self._parties
                self._parties += 1
            for part in changed_ranges(event):
                heads = self._heads.get(part.batch)
                if heads is None or not heads.is_whole:
                    wanted.add((part.batch, part.first & -TILE_WIDTH, part.last + 1 | TILE_WIDTH - 1))
        wanted = {part for part in wanted if part[0] not in begun}
        before = chains.begun_before(events) - self._chains.keys()
        batches = {chain for chain in before if isinstance(chain, int)} | {part[0] for part in wanted}
        self._load_batches(batches - self._known.keys())
        self._load_parties({chain for chain in before if isinstance(chain, str)})
        missing = [part for part in wanted if not self._heads[part[0]].has(part[1], part[2])]
        if missing:
            load_runs(self._snapshot, self._book, self._heads, missing)

    def _begin_batch(self, batch: int, size: int) -> None:
        self._known[batch] = BatchRow(batch, size, b"", b"")
        self._add_tree(batch)
        # of a new batch nothing is kept
        self._trees[batch].tiles.update((place, None) for _, place, _ in tiles_over(batch, size, [(0, 0)]))

    def _add_tree(self, batch: int) -> None:
        tree = self._trees[batch] = BatchTree(self._snapshot, self._book, batch, self._known[batch].size)
        self._heads[batch] = tree.heads

    def _load_batches(self, batches: Iterable[int]) -> None:
        for row in batches_of(self._snapshot, self._book, [(batch, batch) for batch in batches]):
            self._known[row.batch] = row
            self._chains[row.batch] = ChainHead(row.head, 0)
            self._add_tree(row.batch)

    def _load_parties(self, parties: Iterable[str]) -> None:
        for row in parties_named(self._snapshot, self._book, parties):
            self._numbers[row.party] = row.number
            self._chains[row.party] = ChainHead(row.head, 0)

    def seal(self) -> Roots:
        """Bring all trees to what was taken. Return the custody root."""
        changed = {batch for batch, heads in self._heads.items() if heads.changed}
        self._load_edges(changed)
        for batch in changed:
            tree, size = self._trees[batch], self._known[batch].size
            self._update(batch, tree, size)
            self._known[batch] = self._known[batch]._replace(root=CustodyTree(size, tree).root())
        leaves: dict[int, list[HeadRun]] = {BATCHES: [], PARTIES: []}
        for chain in {*changed, *self._extended}:
            head = self._chains[chain].head
            if isinstance(chain, int):
                row = self._known[chain] = self._known[chain]._replace(head=head)
                data = batch_data(row.root, row.size, row.head)
                leaves[BATCHES].append(HeadRun(chain - 1, chain - 1, data))
            else:
                number = self._numbers[chain]
                leaves[PARTIES].append(HeadRun(number, number, head))
        self._written_chains |= self._extended | changed
        self._extended.clear()
        roots = []
        for number, size in ((BATCHES, self._batches), (PARTIES, self._parties)):
            register = self._registers[number]
            if moved := [(leaf.first, leaf.last) for leaf in leaves[number]]:
                register.load(moved)
                for leaf in leaves[number]:
                    register.heads.put(leaf)
                load_tiles(self._snapshot, self._book, {number: register}, tiles_over(number, size, moved))
                self._update(number, register, size)
            roots.append(CustodyTree(size, register).root())
        return Roots(self._batches, self._parties, custody_root(*roots))

    def _load_edges(self, changed: set[int]) -> None:
        """Load what the trees of these batches are asked for: their changed tiles and their ends."""
        trees: dict[int, KeptTree] = {}
        places = set()
        ends: list[tuple[int, int, int]] = []
        for batch in changed:
            tree, size = self._trees[batch], self._known[batch].size
            trees[batch] = tree
            if not tree.heads.has(size - 1, size - 1):
                ends.append((batch, size - 1, size - 1))
            places |= {
                (number, first, last)
                for number, first, last in tiles_over(batch, size, tree.heads.changed)
                if first != last or first not in tree.tiles
            }
        if ends:
            load_runs(self._snapshot, self._book, self._heads, ends)
        load_tiles(self._snapshot, self._book, trees, places)

    def _update(self, number: int, tree: KeptTree, size: int) -> None:
        """Bring the tiles of a tree to its runs."""
        tiles = CustodyChange(size, tree, tree.heads.changed).tiles
        tree.heads.changed = []
        tree.tiles.update(tiles)
        self._tiles.update((number, place.level, place.number) for place in tiles)

    def write(self, engine: Engine, covers: int, position: int, roots: Roots) -> bool:
        """Write all changes, which `seal` must have brought to the trees, with what the tables are then.

        Return false if the tables are no longer where these changes began, because another process was first. Nothing
        is written then.
        """
        assert not self._extended
        seal = SealRow(covers, position, *roots)
        rows: list[tuple[Statement, Sequence[Row]]] = [
            (PUT_BLOCK, self._block_rows()),
            (PUT_TILE, self._tile_rows()),
            (PUT_BATCH, [self._known[chain] for chain in self._written_chains if isinstance(chain, int)]),
            (PUT_PARTY, self._party_rows()),
            (ADD_LINK, self._link_rows()),
            (PUT_SEAL, [seal]),
        ]
        with writing(engine, turn=f"custody/{self._book}") as connection:
            if last_seal(TransactionSnapshot(connection), self._book) != self.begun:
                return False
            for statement, changed in rows:
                statement.execute(connection, self._book, changed)
        return True

    def _block_rows(self) -> list[Row]:
        return [
            BlockRow(batch, block, runs[0].first, packed_runs(runs))
            for batch, heads in self._heads.items()
            for block in sorted(heads.written)
            for runs in (heads.block(block),)
        ]

    def _tile_rows(self) -> list[Row]:
        rows: list[Row] = []
        for number, level, place in sorted(self._tiles):
            tree: KeptTree = self._registers[number] if number in self._registers else self._trees[number]
            hashes = tree.tiles[TilePlace(level, place)]
            assert hashes is not None
            rows.append(TileRow(number, level, place, hashes))
        return rows

    def _party_rows(self) -> list[Row]:
        return [
            PartyRow(self._numbers[chain], chain, self._chains[chain].head)
            for chain in self._written_chains
            if isinstance(chain, str)
        ]

    def _link_rows(self) -> list[Row]:
        return [
            LinkRow(BATCHES, chain, position)
            if isinstance(chain, int)
            else LinkRow(PARTIES, self._numbers[chain], position)
            for chain, position in self._links
        ]
