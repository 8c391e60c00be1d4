"""The rules on runs agree, unit by unit, with a naive model that has no runs."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

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
TestModel.settings = settings(max_examples=200, stateful_step_count=50)
