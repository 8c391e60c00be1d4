"""The bench of a decade of sales, with few lines."""

import pytest

from tests.bench.decade import __main__ as decade


@pytest.mark.heavy
def test_twenty_thousand_lines_survive_two_kills(capsys: pytest.CaptureFixture[str]) -> None:
    """After two kills, the resumed import agrees with the tables; the printed figures are not checked."""
    decade.main(["--lines", "20000", "--lines-a-table", "5000"])
    assert "The book agrees with the tables." in capsys.readouterr().out
