"""Rows of stock: how many units of a batch a party owns, has in its hands, and has reserved by open offers."""

from collections.abc import Sequence
from typing import NamedTuple

from ledger.runs import Change, Run
from ledger.values import CONSUMER_PREFIX, UnitState

_WRITTEN_OFF = frozenset((UnitState.LOST, UnitState.DAMAGED, UnitState.DESTROYED, UnitState.DEFACED))


class StockStep(NamedTuple):
    """So many units of a batch more (or, below zero, fewer) that a party owns, holds and has reserved."""

    party: str
    batch: int
    owned: int
    in_custody: int
    reserved: int


def moved(changes: Sequence[Change]) -> list[StockStep]:
    """What the changes of runs mean for the stock of the parties they concern."""
    steps: list[StockStep] = []
    for change in changes:
        changed, before = change.changed, change.before
        units = changed.last - changed.first + 1
        if before is not None:
            _count(steps, change.batch, before, -units)
        _count(steps, change.batch, changed, units)
    return steps


def _count(steps: list[StockStep], batch: int, run: Run, units: int) -> None:
    """Consumers keep no stock here, and what was written off is nobody's stock."""
    if run.state in _WRITTEN_OFF:
        return
    owner, custodian = run.owner, run.custodian
    if not owner.startswith(CONSUMER_PREFIX):
        in_custody = units if custodian == owner else 0
        reserved = units if run.state is UnitState.OFFERED else 0
        steps.append(StockStep(owner, batch, units, in_custody, reserved))
    if custodian != owner and not custodian.startswith(CONSUMER_PREFIX):
        steps.append(StockStep(custodian, batch, 0, units, 0))
