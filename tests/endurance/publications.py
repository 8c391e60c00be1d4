"""Publishes the log of a book again and again, however often it is killed, and remembers each checkpoint it saw."""

from collections.abc import Iterable
from pathlib import Path

from pathbook.ledger.codec import leaf_hash
from pathbook.ledger.proofs.tree import Frontier
from tests.endurance.sheets import BOOK
from tests.publishing.reading import Reader
from tests.services.forking import PipedFork

Seen = dict[int, set[bytes]]
"""The roots that were published of each size: one, unless two checkpoints contradict each other."""


class Publications:
    """A public directory of a log, which a command brings up to date until it is killed."""

    def __init__(self, directory: Path, target: str) -> None:
        """Publish what a server has to a directory."""
        self.directory, self._target = directory, target
        self.seen: Seen = {}
        self._publisher: PipedFork | None = None

    def publish(self) -> bool:
        """Publish once, and read the whole directory as a stranger does. Return whether it came to its end."""
        options = ("publish", "--to", str(self.directory), "--entries", "--server", self._target)
        self._publisher = PipedFork(*options, "--book", BOOK)
        _, told = self._publisher.communicate()
        code = self._publisher.returncode
        # A book has no checkpoint before its first seal, and a server that is killed answers nothing for a while.
        assert code in (0, -9) or "CHECKPOINT_MISSING" in told or "UNAVAILABLE" in told, (code, told)
        if (self.directory / "checkpoint").exists():
            reader = Reader(self.directory)
            reader.check(entries=True)
            self.seen.setdefault(reader.size, set()).add(reader.root)
        return code == 0

    def kill(self) -> bool:
        """Kill the command (kill -9) if it runs. Return whether it did."""
        if (publisher := self._publisher) is None or publisher.poll() is not None:
            return False
        publisher.kill()
        return True


def contradictions(seen: Seen, events: Iterable[bytes]) -> int:
    """Count the checkpoints that are not of the first events, as they are at the end."""
    tree, right = Frontier(), set[tuple[int, bytes]]()
    for event in events:
        tree.append(leaf_hash(event))
        if tree.size in seen:
            right.add((tree.size, tree.root()))
    return sum((size, root) not in right for size, roots in seen.items() for root in roots)
