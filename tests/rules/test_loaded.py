"""Usual transfers are told at a glance to need nothing. What others need is found as if each was alone."""

from typing import Final

import pytest
from msgspec.structs import replace

from pathbook.ledger.commands import RecordTransfer
from pathbook.ledger.rules.loaded import FEW_UNITS, steps_if_loaded
from pathbook.ledger.rules.required_state import required_state
from pathbook.ledger.spans import PartialPartition
from pathbook.ledger.values import Price, Quantity, Selection, UnitRange
from tests.scenario import Story

BOOK: Final = """
brand acme
agent ben
product mask 300 CNY of acme
batch L of mask size 1000 made 2025-12-01 by acme
"""

CASE: Final = "106141411234567897"
USUAL: Final = RecordTransfer(
    request_id="t1",
    giver="acme",
    receiver="ben",
    units=Selection((UnitRange(1, 0, 9),)),
    unit_price=Price(150, "CNY"),
)


def of(*ranges: UnitRange, **units: object) -> RecordTransfer:
    """Return the usual transfer of other units."""
    return replace(USUAL, units=Selection(ranges, **units))  # type: ignore[arg-type]  # each is of its field


@pytest.mark.parametrize(
    ("command", "needed"),
    [
        (replace(USUAL, giver="nobody"), True),
        (replace(USUAL, receiver="nobody"), True),
        (replace(USUAL, reported_by="nobody"), True),
        (replace(USUAL, reference="DN-1"), True),
        (of(UnitRange(2, 0, 9)), True),
        (of(UnitRange(1, 0, 9), UnitRange(2, 0, 9)), True),
        (of(UnitRange(1, 0, 9), cases=(CASE,)), True),
        (of(UnitRange(1, 0, 9), quantities=(Quantity(1, 2),)), True),
        (of(UnitRange(1, 0, FEW_UNITS)), False),
        (of(UnitRange(1, 9, 0)), False),
        (of(UnitRange(1, -1, 0)), False),
        (of(UnitRange(1, 999, 1000)), False),
    ],
)
def test_a_transfer_needs_after_a_usual_one_what_it_needs_alone(
    command: RecordTransfer, needed: bool
) -> None:
    """The glance takes nothing for loaded that is not."""
    state = Story(BOOK).state
    alone, after = required_state(state, [command]), required_state(state, [USUAL, command])
    assert bool(alone) is needed
    assert replace(after, lines=alone.lines) == alone
    assert not steps_if_loaded(state, after, command)


def test_a_usual_transfer_needs_the_runs_that_are_not_loaded() -> None:
    """Of a batch of which some runs are loaded, a transfer of others is not usual."""
    state = Story(BOOK).state
    known = required_state(state, [USUAL])
    assert steps_if_loaded(state, known, USUAL)
    state.partitions[1] = PartialPartition(1, [])
    assert not steps_if_loaded(state, known, USUAL)
    assert required_state(state, [USUAL, USUAL]).runs == {UnitRange(1, 0, 9)}


def test_units_of_a_batch_with_cases_are_examined() -> None:
    """A case of the batch may hold them, and is needed."""
    story = Story(BOOK)
    known = required_state(story.state, [USUAL])
    batch = story.state.batches[1]
    assert batch is not None
    batch.packed.append((0, 9, CASE))
    assert not steps_if_loaded(story.state, known, USUAL)
    assert required_state(story.state, [USUAL, USUAL]).cases == {CASE}
