"""Random books whose seals are right: with roots by the definitions of RFC 6962."""

from pathbook.ledger import commands
from pathbook.ledger.chains import Chain, ChainHead, extended
from pathbook.ledger.command_fields import OPERATOR
from pathbook.ledger.commands import Command
from pathbook.ledger.rules.state import State, evolve
from pathbook.ledger.run import Run
from tests.projections.synthetic import SyntheticBook
from tests.proofs.prover import leaf, root, sha256


def doubled(head: bytes, size: int) -> bytes:
    """Return the root over ``size`` units with one head, as RFC 6962 defines it."""
    if size == 1:
        return leaf(head)
    split = 1 << (size - 1).bit_length() - 1
    left, power = leaf(head), 1
    while power < split:
        left, power = sha256(b"\x01" + left + left), power * 2
    return sha256(b"\x01" + left + (left if size == 2 * split else doubled(head, size - split)))


def tree(runs: list[Run], first: int, size: int) -> bytes:
    """Return the root over the units of runs from one on, as RFC 6962 defines it."""
    inside = [run for run in runs if run.last >= first and run.first < first + size]
    if len(inside) == 1:
        return doubled(inside[0].head, size)
    split = 1 << (size - 1).bit_length() - 1
    return sha256(b"\x01" + tree(inside, first, split) + tree(inside, first + split, size - split))


class SealedBook(SyntheticBook):
    """A synthetic book whose seals have the custody roots of the positions that they cover."""

    def seal(self) -> Command:
        """Return the command that seals one of the last positions."""
        covers = max(1, self.state.position - self.random.randrange(12))
        state, heads = State("book"), dict[Chain, ChainHead]()
        for recorded in self.recorded[:covers]:
            evolve(state, recorded)
            heads |= extended(heads, recorded)
        batches = []
        for number, batch in sorted(state.batches.items()):
            assert batch is not None
            size = batch.commissioned.size
            units = tree(state.partitions[number].runs, 0, size)
            batches.append(leaf(units + size.to_bytes(8, "big") + heads[number].head))
        parties = [leaf(heads[name].head) for name in (OPERATOR, *state.parties)]
        return commands.Seal(
            request_id=f"~seal/{covers}",
            covers=covers,
            covers_recorded_at=self.recorded[covers - 1].recorded_at,
            batches=len(batches),
            parties=len(parties),
            root=sha256(b"\x01" + root(batches) + root(parties)),
        )
