"""The rules on runs agree, unit by unit, with a naive model that has no runs."""

import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.examples import examples
from tests.rules.long_model import search
from tests.rules.registers import Registers
from tests.rules.stage import Dice

throws = st.binary(min_size=32, max_size=32).map(Dice)


class Model(Registers, RuleBasedStateMachine):
    """Gives the same random commands to the rules and to the naive model."""

    def __init__(self) -> None:
        """Begin both books."""
        RuleBasedStateMachine.__init__(self)
        Registers.__init__(self)

    @rule(dice=throws)
    def next_step(self, dice: Dice) -> None:
        """Take a random step."""
        self.step(dice)


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=examples(40, 200), stateful_step_count=50)


@pytest.mark.heavy
def test_the_rules_agree_with_the_naive_model_for_minutes() -> None:
    """Each time, other random stories are played for two minutes, and some of them are repeated in a store."""
    tally = search(120, random.getrandbits(32), in_store=50)
    assert not tally.differences, "\n\n".join(tally.differences)
    assert tally.steps > 10_000
