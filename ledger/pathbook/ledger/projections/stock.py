"""Rows of stock: how many units of a batch a party owns, has in its custody, and has reserved by open offers."""

from collections import defaultdict
from collections.abc import Iterable

from pathbook.ledger.run import Change, Run
from pathbook.ledger.values import CONSUMER_PREFIX, WRITTEN_OFF, UnitState

_OFFERED = UnitState.OFFERED


class StockChanges:
    """How many units of each batch a sequence of events adds to the stock of parties. Negative numbers are removals.

    ``sums`` has three numbers by party and batch: units owned, units in custody, and units reserved by open offers.
    """

    def __init__(self) -> None:
        self.sums: defaultdict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0, 0])

    def add(self, changes: Iterable[Change]) -> None:
        """Add the changes of one event."""
        for change in changes:
            changed, before = change.changed, change.before
            units = changed.last - changed.first + 1
            if before is not None:
                self._count(change.batch, before, -units)
            self._count(change.batch, changed, units)

    def _count(self, batch: int, run: Run, units: int) -> None:
        """Count units of a run. Consumers have no stock here, and written-off units are not stock of any party."""
        owner, custodian, state = run.owner, run.custodian, run.state
        if state in WRITTEN_OFF:
            return
        if not owner.startswith(CONSUMER_PREFIX):
            sums = self.sums[owner, batch]
            sums[0] += units
            if custodian == owner:
                sums[1] += units
            if state is _OFFERED:
                sums[2] += units
        if custodian != owner and not custodian.startswith(CONSUMER_PREFIX):
            self.sums[custodian, batch][1] += units
