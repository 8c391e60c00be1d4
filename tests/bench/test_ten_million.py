"""The bench with ten million units agrees with its model."""

import pytest

from tests.bench import ten_million


@pytest.mark.heavy
def test_ten_million_units_are_sold_as_the_model_says(capsys: pytest.CaptureFixture[str]) -> None:
    """Every outcome and every unit's owner agree with the naive array; the printed figures are not checked."""
    ten_million.main()
    assert "every unit's owner agrees with the model" in capsys.readouterr().out
