"""A naive model of custody: roots are computed from all events again, by the definition, without tiles and tables."""

from collections.abc import Sequence
from itertools import islice

from pathbook.ledger import chains, commands, runs
from pathbook.ledger.chains import Chain, ChainHead
from pathbook.ledger.command_fields import OPERATOR
from pathbook.ledger.commands import Command
from pathbook.ledger.events import BatchCommissioned, BookOpened, PartyRegistered, RecordedEvent, Sealed
from pathbook.ledger.proofs.custody import batch_leaf, custody_root, party_leaf, unit_leaf
from pathbook.ledger.proofs.tree import EMPTY_ROOT, node_hash, root_of
from pathbook.ledger.run import Run
from pathbook.ledger.values import WRITER_PREFIX
from tests.projections.synthetic import SyntheticBook


def custody_of(recorded: Sequence[RecordedEvent], covers: int) -> Sealed:
    """Return the seal that covers a position of a book."""
    partitions: dict[int, runs.Partition] = {}
    heads: dict[Chain, ChainHead] = {}
    sizes: dict[int, int] = {}
    parties: list[str] = []
    for item in islice(recorded, covers):
        runs.apply(partitions, item)
        heads.update(chains.extended(heads, item))
        if isinstance(item.event, BatchCommissioned):
            sizes[item.event.batch] = item.event.size
        if isinstance(item.event, BookOpened):
            parties.append(OPERATOR)
        if isinstance(item.event, PartyRegistered):
            parties.append(item.event.party)
    of_batches = root_of(
        batch_leaf(root_of_runs(partitions[batch].runs, 0, size), size, heads[batch].head)
        for batch, size in sorted(sizes.items())
    )
    of_parties = root_of(party_leaf(heads[party].head) for party in parties)
    root = custody_root(of_batches, of_parties)
    return Sealed(covers, recorded[covers - 1].recorded_at, len(sizes), len(parties), root)


def root_of_runs(found: Sequence[Run], first: int, count: int) -> bytes:
    """Return the root over ``count`` units from one on, whose runs are given (RFC 6962, section 2.1)."""
    if not count:
        return EMPTY_ROOT
    if found[0].last >= first + count - 1 and not count & (count - 1):
        root = unit_leaf(found[0].head)
        while count > 1:
            root, count = node_hash(root, root), count // 2
        return root
    left = 1 << (count - 1).bit_length() - 1
    middle = first + left
    right = next(place for place, run in enumerate(found) if run.last >= middle)
    return node_hash(root_of_runs(found, first, left), root_of_runs(found[right:], middle, count - left))


class SealedBook(SyntheticBook):
    """A book of random events whose seals are right."""

    def seal(self) -> Command:
        """Return the command that seals one of the last positions."""
        return self.seal_at(max(1, self.state.position - self.random.randrange(3)))

    def seal_at(self, covers: int) -> Command:
        """Return the command that seals a position."""
        sealed = custody_of(self.recorded, covers)
        return commands.Seal(
            request_id=f"{WRITER_PREFIX}seal/{covers}",
            covers=covers,
            covers_recorded_at=sealed.covers_recorded_at,
            batches=sealed.batches,
            parties=sealed.parties,
            root=sealed.root,
        )
